//! What goes back: only with a receipt, which only the journal makes.

use bytes::Bytes;

use super::stream::AnswerStream;
use crate::pb;

/// The answer to one request.
pub enum Answer {
    Whole(Box<pb::ExchangeInfo>, Body),
    Stream(Box<AnswerStream>),
}

/// An answer that is one message. Holds personal data, which its `Debug` does not show.
pub enum Body {
    Record(Bytes),
    Verdicts(Vec<pb::Verdict>),
    /// Without its `info`.
    Count(Box<pb::CountRecordsResponse>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body")
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(info, _) => f
                .debug_tuple("Whole")
                .field(&info.exchange_id)
                .finish_non_exhaustive(),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}
