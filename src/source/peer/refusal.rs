//! What a peer's gateway says when it refuses, read from its status.

use std::time::Duration;

use prost::Message;
use tonic::Code;
use tonic::Status;
use tonic_types::StatusExt;

use crate::fault::chain;
use crate::pb;
use crate::source::SourceError;

/// A refusal by the provider's gateway. It goes on to the system that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRefusal {
    pub code: Code,
    /// The stable reason of the provider's `google.rpc.ErrorInfo`.
    pub reason: String,
    /// What the provider says to the asker: at most 512 characters, none of them a control character.
    pub message: String,
    /// The metadata of the provider's `google.rpc.ErrorInfo`, such as the field that is not granted.
    pub metadata: Vec<(String, String)>,
    /// The part of the request that is at fault, as the provider's `google.rpc.BadRequest` has it.
    pub location: Option<String>,
    /// When the provider says that it is worth asking again.
    pub retry: Option<Duration>,
    /// Of the provider's entry, as it says; nobody has checked it.
    pub receipt: Option<pb::Receipt>,
}

const MAX_TEXT: usize = 512;
const MAX_METADATA: usize = 16;

/// Sorts a failed call: the provider refused, or it cannot be reached.
pub(super) fn source_error(status: &Status) -> SourceError {
    match (status.code(), status.get_details_error_info()) {
        (code, Some(info)) => SourceError::Refused(Box::new(PeerRefusal {
            code,
            reason: clean(&info.reason),
            message: clean(status.message()),
            metadata: info
                .metadata
                .iter()
                .take(MAX_METADATA)
                .map(|(key, value)| (clean(key), clean(value)))
                .collect(),
            location: status.get_details_bad_request().and_then(|bad| {
                let first = bad.field_violations.first()?;
                Some(clean(&first.field))
            }),
            retry: status
                .get_details_retry_info()
                .and_then(|info| info.retry_delay),
            receipt: receipt(status),
        })),
        (Code::DeadlineExceeded | Code::Cancelled, None) => SourceError::PeerTimeout,
        (_, None) => SourceError::PeerUnreachable(short_message(status)),
    }
}

/// The receipt among the details of a `google.rpc.Status`.
fn receipt(status: &Status) -> Option<pb::Receipt> {
    let details = tonic_types::Status::decode(status.details()).ok()?;
    let detail = details
        .details
        .iter()
        .find(|any| any.type_url == pb::RECEIPT_TYPE)?;
    pb::Receipt::decode(detail.value.as_slice()).ok()
}

fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_TEXT)
        .collect()
}

/// What happened stands in the chain of causes, if the transport told of one.
fn short_message(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(cause) => clean(&chain(cause)),
        None => clean(status.message()),
    }
}
