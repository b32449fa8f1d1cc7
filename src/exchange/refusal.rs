//! Why a request is not answered: what the asker may know, and what the operator needs.

use std::time::Duration;

use time::UtcOffset;

use super::replay::BadExchangeId;
use super::secret::NoRandomness;
use crate::clock::Moment;
use crate::evidence::receipt::BadReceipt;
use crate::journal::AppendError;
use crate::journal::JournalTrust;
use crate::journal::Outcome;
use crate::journal::Receipt;
use crate::journal::subject::SubjectKeyError;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::name::RecordType;
use crate::policy::decision::Denial;
use crate::publication::Incompatible;
use crate::redact::RedactionError;
use crate::registry::UnknownRecordType;
use crate::registry::query::InvalidQuery;
use crate::registry::query::Reason;
use crate::registry::wire::Malformed;
use crate::source::SourceError;

/// The reason of a refusal because the two gateways' schemas do not fit.
pub(super) const REVISION_INCOMPATIBLE: &str = "REVISION_INCOMPATIBLE";

/// The reason of refusals that have no entry each.
pub const TOO_MANY_REFUSALS: &str = "TOO_MANY_REFUSALS";

/// A refusal.
#[derive(Debug)]
pub struct Refusal {
    pub cause: Cause,
    pub exchange: ExchangeId,
    /// None when the journal itself could not be written, or the refusal has no entry of its own.
    pub receipt: Option<Receipt>,
}

impl Refusal {
    /// Whether the source was waited for in vain.
    pub fn is_late(&self) -> bool {
        matches!(
            self.cause,
            Cause::Source(SourceError::Timeout(_) | SourceError::PeerTimeout)
        )
    }
}

/// Why. `Display` is for the operator; [`Cause::for_asker`] is for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    #[error("`{field}` has more than {limit} characters, or control characters")]
    Note { field: &'static str, limit: usize },
    #[error("the asking gateway sent an unfit {0}")]
    Relay(&'static str),
    #[error("a system sent `relay`, which only gateways may")]
    ForeignRelay,
    #[error(transparent)]
    UnknownRecordType(#[from] UnknownRecordType),
    #[error("{record} is provided by {owner}")]
    NotOwner {
        record: RecordType,
        owner: DepartmentId,
    },
    #[error(transparent)]
    Query(#[from] InvalidQuery),
    #[error("the cursor is not one of this question's")]
    Cursor,
    #[error(transparent)]
    Denied(#[from] Denial),
    #[error("there is no such record among those that the agreement covers")]
    NotFound,
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(
        "the directory has no journal key of `{0}`, so that its answers could not be proven; add what `landbridge audit key` prints there to its `journal`"
    )]
    NoJournalKey(DepartmentId),
    #[error(transparent)]
    Incompatible(#[from] Incompatible),
    #[error("the provider's answer is not proven to be on its record")]
    Unproven(#[from] BadReceipt),
    #[error(transparent)]
    ExchangeId(#[from] BadExchangeId),
    #[error(
        "so much of what the peer asked within the hour was refused that this refusal has no entry of its own"
    )]
    TooManyRefusals(Duration),
    #[error("the peer's certificate was revoked, or its department left the directory")]
    PeerRevoked,
    #[error("the agreement was amended meanwhile; ask again")]
    Amended,
    #[error("the client went away")]
    ClientGone,
    #[error("the client took nothing for {0:?}")]
    ClientStalled(Duration),
    #[error("the gateway is stopping")]
    Stopping,
    #[error("the journal cannot be written")]
    Unlogged(#[from] AppendError),
    #[error("the month's key, under which subjects are logged, is not to be had")]
    SubjectKeys(#[from] SubjectKeyError),
    #[error("no quorum of witnesses has cosigned what the journal took from {} on", .0.at(UtcOffset::UTC))]
    Unwitnessed(Moment),
    #[error("the exchange ended in a panic; the log has its place")]
    Panicked,
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl From<Malformed> for Cause {
    fn from(malformed: Malformed) -> Self {
        Self::Source(malformed.into())
    }
}

impl From<RedactionError> for Cause {
    fn from(unfit: RedactionError) -> Self {
        Self::Source(SourceError::Misfit(unfit.to_string()))
    }
}

impl Cause {
    /// Why nothing is answered while the journal stands like that.
    pub(super) fn of_standing(standing: &JournalTrust) -> Result<(), Self> {
        match standing {
            JournalTrust::Good => Ok(()),
            JournalTrust::Unconfirmed { .. } => Err(AppendError::Unconfirmed.into()),
            JournalTrust::Unwitnessed { since, .. } => Err(Self::Unwitnessed(*since)),
        }
    }

    /// The stable reason, for `google.rpc.ErrorInfo` and for the journal.
    pub fn reason(&self) -> &str {
        match self {
            Self::Note { .. } => "GROUNDS_INVALID",
            Self::Relay(_) => "RELAY_INVALID",
            Self::ForeignRelay => "RELAY_NOT_ALLOWED",
            Self::UnknownRecordType(_) => "RECORD_TYPE_UNKNOWN",
            Self::NotOwner { .. } => "NOT_THE_PROVIDER",
            Self::Query(invalid) => invalid_reason(&invalid.reason),
            Self::Cursor => "CURSOR_INVALID",
            Self::Denied(denial) => denial.reason(),
            Self::NotFound => "NOT_FOUND",
            Self::Source(error) => error.reason(),
            Self::NoJournalKey(_) => "PROVIDER_JOURNAL_UNKNOWN",
            Self::Incompatible(_) => REVISION_INCOMPATIBLE,
            Self::Unproven(_) => "RECEIPT_REFUSED",
            Self::ExchangeId(BadExchangeId::Replayed) => "EXCHANGE_REPLAYED",
            Self::ExchangeId(BadExchangeId::OutOfTime) => "EXCHANGE_OUT_OF_TIME",
            Self::TooManyRefusals(_) => TOO_MANY_REFUSALS,
            Self::PeerRevoked => "PEER_REVOKED",
            Self::Amended => "AGREEMENT_AMENDED",
            Self::ClientGone => "CLIENT_GONE",
            Self::ClientStalled(_) => "CLIENT_STALLED",
            Self::Stopping => "STOPPING",
            Self::Unlogged(AppendError::Unconfirmed) => "JOURNAL_UNCONFIRMED",
            Self::Unlogged(_) | Self::SubjectKeys(_) => "JOURNAL_UNAVAILABLE",
            Self::Unwitnessed(_) => "JOURNAL_UNWITNESSED",
            Self::Panicked | Self::NoRandomness(_) => "INTERNAL",
        }
    }

    /// What the asker may know.
    pub fn for_asker(&self) -> String {
        match self {
            Self::Denied(denial) => denial.for_peer(),
            Self::Source(error) => error.for_asker(),
            Self::NotFound => "no such record".to_owned(),
            Self::Unlogged(AppendError::Unconfirmed) => {
                "the gateway waits for the witnesses of its journal, and answers nothing before"
                    .to_owned()
            }
            Self::Unwitnessed(_) => {
                "nobody has witnessed the gateway's journal for too long, so it answers nothing"
                    .to_owned()
            }
            Self::Unlogged(_) | Self::SubjectKeys(_) => {
                "the gateway cannot log exchanges now, so it answers none".to_owned()
            }
            Self::NoJournalKey(provider) => {
                format!("answers of `{provider}` cannot be proven yet: the directory has no key of its journal")
            }
            Self::Unproven(_) => {
                "the provider's gateway did not prove that it has the exchange on record; its answer is withheld"
                    .to_owned()
            }
            Self::TooManyRefusals(_) => {
                "too much of what this department asked within the hour was refused; what is granted is answered, and other questions are refused without a receipt until the hour is over".to_owned()
            }
            Self::Panicked | Self::NoRandomness(_) => "internal error".to_owned(),
            Self::ForeignRelay => "`relay` is set by gateways only".to_owned(),
            Self::Note { .. }
            | Self::Relay(_)
            | Self::UnknownRecordType(_)
            | Self::NotOwner { .. }
            | Self::Query(_)
            | Self::Cursor
            | Self::Incompatible(_)
            | Self::ExchangeId(_)
            | Self::PeerRevoked
            | Self::Amended
            | Self::ClientGone
            | Self::ClientStalled(_)
            | Self::Stopping => self.to_string(),
        }
    }

    /// The part of the request that is at fault, in the words of `google.rpc.BadRequest`.
    pub fn location(&self) -> Option<String> {
        match self {
            Self::Note { field, .. } => Some((*field).to_owned()),
            Self::Relay(_) | Self::ForeignRelay | Self::ExchangeId(_) => Some("relay".to_owned()),
            Self::UnknownRecordType(_) => Some("record_type".to_owned()),
            Self::NotOwner { .. } => Some("provider".to_owned()),
            Self::Query(invalid) => Some(invalid.location.clone()),
            Self::Cursor => Some("cursor".to_owned()),
            Self::Source(SourceError::Refused(refusal)) => refusal.location.clone(),
            _ => None,
        }
    }

    /// When it is worth asking again.
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::Denied(denial) => denial.retry(),
            Self::TooManyRefusals(wait) => Some(*wait),
            Self::Source(SourceError::Refused(refusal)) => refusal.retry,
            Self::Unlogged(_) | Self::SubjectKeys(_) | Self::Unwitnessed(_) | Self::Stopping => {
                Some(Duration::from_secs(1))
            }
            _ => None,
        }
    }

    /// How the journal classes it.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotFound => Outcome::Answered,
            Self::Source(error) => source_outcome(error),
            Self::Amended
            | Self::ClientGone
            | Self::ClientStalled(_)
            | Self::Stopping
            | Self::PeerRevoked => Outcome::CutShort,
            Self::Unproven(_) => Outcome::ReceiptRefused,
            Self::Unlogged(_)
            | Self::SubjectKeys(_)
            | Self::Unwitnessed(_)
            | Self::Panicked
            | Self::NoRandomness(_) => Outcome::ProviderError,
            Self::Note { .. }
            | Self::Relay(_)
            | Self::ForeignRelay
            | Self::UnknownRecordType(_)
            | Self::NotOwner { .. }
            | Self::Query(_)
            | Self::Cursor
            | Self::NoJournalKey(_)
            | Self::Incompatible(_)
            | Self::ExchangeId(_)
            | Self::TooManyRefusals(_)
            | Self::Denied(_) => Outcome::Denied,
        }
    }
}

fn invalid_reason(reason: &Reason) -> &'static str {
    match reason {
        Reason::Missing => "VALUE_MISSING",
        Reason::TooMany { .. } | Reason::TooLong { .. } => "REQUEST_TOO_LARGE",
        Reason::Purpose(_) => "PURPOSE_INVALID",
        Reason::Field(_) => "FIELD_UNKNOWN",
        Reason::Value(_) => "VALUE_INVALID",
        Reason::Filter(_) => "FILTER_INVALID",
        Reason::OrderTerm => "ORDER_INVALID",
        Reason::Twice(_) => "FIELD_TWICE",
        Reason::NotSingle { .. } => "FIELD_NOT_SINGLE",
    }
}

fn source_outcome(error: &SourceError) -> Outcome {
    match error {
        // Unless its receipt says otherwise: what the provider has not on record is no answer.
        SourceError::Refused(_)
        | SourceError::PeerUnreachable(_)
        | SourceError::PeerTimeout
        | SourceError::Garbled(_) => Outcome::NoAnswer,
        SourceError::Unavailable(_)
        | SourceError::Timeout(_)
        | SourceError::Misfit(_)
        | SourceError::Unordered(_)
        | SourceError::Failed(_)
        | SourceError::NoSource(_)
        | SourceError::NotAMember(_) => Outcome::ProviderError,
    }
}
