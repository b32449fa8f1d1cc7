//! From refusals to gRPC statuses: the only place that makes one.
//!
//! Every status of an exchange carries `google.rpc.ErrorInfo` with a stable reason and the exchange's id:
//! <https://google.aip.dev/193>.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::time::Duration;

use prost::Message;
use tonic::Code;
use tonic::Status;
use tonic_types::ErrorDetails;
use tonic_types::StatusExt;

use super::admission::AdmissionRefusal;
use crate::correction::desk::CorrectionError;
use crate::correction::ground::NoGround;
use crate::digest::hex;
use crate::exchange::refusal::Cause;
use crate::exchange::refusal::Refusal;
use crate::exchange::replay::BadExchangeId;
use crate::fault::chain;
use crate::journal::Receipt;
use crate::pb;
use crate::policy::decision::Denial;
use crate::reading::error::ReadingError;
use crate::reading::reader::NotGranted;
use crate::source::SourceError;

/// The domain of the reasons.
const DOMAIN: &str = "landbridge";

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";

/// The status of a refusal, with no more than the asker may know.
pub(super) fn of(refusal: &Refusal) -> Status {
    let cause = &refusal.cause;
    let mut metadata = metadata(cause);
    metadata.insert("exchange_id".to_owned(), refusal.exchange.to_string());
    let mut details = ErrorDetails::with_error_info(cause.reason(), DOMAIN, metadata);
    if let Some(location) = cause.location() {
        details.add_bad_request_violation(location, cause.for_asker());
    }
    if let Some(retry) = cause.retry() {
        details.set_retry_info(Some(retry));
    }
    if let Cause::Denied(
        denial @ (Denial::QuotaExhausted { .. }
        | Denial::RateLimited { .. }
        | Denial::TooManyTries { .. }
        | Denial::LookupMissesExhausted { .. }
        | Denial::DistinctCountsExhausted { .. }),
    ) = cause
    {
        details.add_quota_failure_violation("agreement", denial.to_string());
    }
    let status = Status::with_error_details(code(cause), cause.for_asker(), details);
    match &refusal.receipt {
        Some(receipt) => with_receipt(&status, receipt),
        None => status,
    }
}

/// Adds the receipt of this gateway's entry to the details, which know it no more than any other `google.protobuf.Any`.
fn with_receipt(status: &Status, receipt: &Receipt) -> Status {
    let mut told = tonic_types::Status::decode(status.details()).unwrap_or_default();
    told.details.push(prost_types::Any {
        type_url: pb::RECEIPT_TYPE.to_owned(),
        value: pb::Receipt::from(receipt).encode_to_vec(),
    });
    let details = told.encode_to_vec();
    Status::with_details(status.code(), status.message(), details.into())
}

fn code(cause: &Cause) -> Code {
    match cause {
        Cause::Note { .. }
        | Cause::Relay(_)
        | Cause::ForeignRelay
        | Cause::UnknownRecordType(_)
        | Cause::NotOwner { .. }
        | Cause::Query(_)
        | Cause::ExchangeId(BadExchangeId::OutOfTime)
        | Cause::Cursor => Code::InvalidArgument,
        Cause::ExchangeId(BadExchangeId::Replayed) => Code::AlreadyExists,
        Cause::Denied(denial) => code_of_denial(denial),
        Cause::TooManyRefusals(_) => Code::ResourceExhausted,
        Cause::NotFound => Code::NotFound,
        Cause::Source(error) => source(error),
        Cause::NoJournalKey(_) | Cause::Incompatible(_) => Code::FailedPrecondition,
        Cause::Unproven(_) => Code::Internal,
        Cause::PeerRevoked => Code::PermissionDenied,
        Cause::Amended => Code::Aborted,
        Cause::ClientGone => Code::Cancelled,
        Cause::ClientStalled(_) => Code::DeadlineExceeded,
        Cause::Stopping | Cause::Unlogged(_) | Cause::SubjectKeys(_) | Cause::Unwitnessed(_) => {
            Code::Unavailable
        }
        Cause::Panicked | Cause::NoRandomness(_) => Code::Internal,
    }
}

fn code_of_denial(denial: &Denial) -> Code {
    match denial {
        Denial::RateLimited { .. }
        | Denial::QuotaExhausted { .. }
        | Denial::TooManyTries { .. }
        | Denial::LookupMissesExhausted { .. }
        | Denial::DistinctCountsExhausted { .. } => Code::ResourceExhausted,
        Denial::NoAgreement { .. }
        | Denial::NotYetInForce(_)
        | Denial::Ended(_)
        | Denial::PurposeNotAgreed { .. }
        | Denial::ModeNotGranted { .. }
        | Denial::SystemNotGranted { .. }
        | Denial::FieldNotGranted { .. }
        | Denial::FilterNotAllowed { .. }
        | Denial::OrderNotAllowed { .. }
        | Denial::KeyNotGranted { .. }
        | Denial::Guardrail { .. }
        | Denial::GuardrailFailed(_) => Code::PermissionDenied,
    }
}

fn source(error: &SourceError) -> Code {
    match error {
        SourceError::Refused(refusal) => refusal.code,
        SourceError::Timeout(_) | SourceError::PeerTimeout => Code::DeadlineExceeded,
        SourceError::Unavailable(_)
        | SourceError::PeerUnreachable(_)
        | SourceError::NoSource(_)
        | SourceError::NotAMember(_) => Code::Unavailable,
        SourceError::Unordered(_) => Code::InvalidArgument,
        SourceError::Misfit(_) | SourceError::Failed(_) | SourceError::Garbled(_) => Code::Internal,
    }
}

fn metadata(cause: &Cause) -> HashMap<String, String> {
    match cause {
        Cause::Denied(denial) => denial
            .metadata()
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect(),
        Cause::Incompatible(incompatible) => [
            ("package", incompatible.package.clone()),
            ("consumer_revision", hex(&incompatible.consumers.digest)),
            ("provider_revision", hex(&incompatible.providers.digest)),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect(),
        Cause::Source(SourceError::Refused(refusal)) => {
            let mut metadata: HashMap<_, _> = refusal.metadata.iter().cloned().collect();
            metadata.insert("refused_by".to_owned(), "provider".to_owned());
            metadata
        }
        _ => HashMap::new(),
    }
}

/// A part of a peer's question about journals that makes no sense.
pub(super) fn unfit(part: &'static str) -> Status {
    let mut details =
        ErrorDetails::with_error_info("REQUEST_INVALID", DOMAIN, HashMap::<String, String>::new());
    details.add_bad_request_violation(part, "it is missing or does not fit the rest");
    Status::with_error_details(Code::InvalidArgument, format!("unfit `{part}`"), details)
}

/// What is asked for is not yet on record, or not yet over.
pub(super) fn not_yet() -> Status {
    let mut details =
        ErrorDetails::with_error_info("NOT_YET", DOMAIN, HashMap::<String, String>::new());
    details.set_retry_info(Some(Duration::from_secs(10)));
    Status::with_error_details(Code::Unavailable, "not yet; ask again later", details)
}

/// Too much is under way already. Nothing was begun, so nothing is on record.
pub(super) fn of_admission(shed: AdmissionRefusal) -> Status {
    let (code, message) = match shed {
        AdmissionRefusal::OverShare => (
            Code::ResourceExhausted,
            "this consumer has its share of requests under way",
        ),
        AdmissionRefusal::Overloaded => (
            Code::Unavailable,
            "the gateway has too many requests under way",
        ),
    };
    let no_more = HashMap::<String, String>::new();
    let mut details = ErrorDetails::with_error_info(shed.reason(), DOMAIN, no_more);
    // Half a second to one and a half, so that those who were refused together do not come again together.
    let jitter = RandomState::new().hash_one(()) % 1000;
    details.set_retry_info(Some(Duration::from_millis(500 + jitter)));
    Status::with_error_details(code, message, details)
}

/// Why a reader at the operators' door was not answered.
pub(super) fn unread(unread: &ReadingError) -> Status {
    let code = match unread {
        ReadingError::NotGranted(NotGranted::NoToken | NotGranted::UnknownToken) => {
            Code::Unauthenticated
        }
        ReadingError::NotGranted(NotGranted::RightMissing { .. }) => Code::PermissionDenied,
        ReadingError::Invalid { .. } => Code::InvalidArgument,
        ReadingError::NotFound => Code::NotFound,
        ReadingError::Unlogged(_) => Code::Unavailable,
        ReadingError::Failed(_) => Code::Internal,
    };
    let mut metadata = HashMap::new();
    if let ReadingError::NotGranted(NotGranted::RightMissing { right, .. }) = unread {
        metadata.insert("right".to_owned(), right.to_string());
    }
    let mut details = ErrorDetails::with_error_info(unread.reason(), DOMAIN, metadata);
    if let ReadingError::Invalid { field, why } = unread {
        details.add_bad_request_violation(*field, why);
    }
    Status::with_error_details(code, unread.to_string(), details)
}

/// The connection carries no identity: a fault of the gateway itself.
pub(super) fn no_identity() -> Status {
    Status::internal("the connection carries no identity")
}

pub(super) fn no_such_method() -> Status {
    Status::unimplemented("this door has no such service or method")
}

pub(super) fn internal() -> Status {
    Status::internal("internal error")
}

pub(super) fn unknown_record_type(error: &crate::registry::UnknownRecordType) -> Status {
    let details = ErrorDetails::with_error_info(
        "RECORD_TYPE_UNKNOWN",
        DOMAIN,
        HashMap::<String, String>::new(),
    );
    Status::with_error_details(Code::NotFound, error.to_string(), details)
}

pub(super) fn unknown_package(package: &str) -> Status {
    let details =
        ErrorDetails::with_error_info("PACKAGE_UNKNOWN", DOMAIN, HashMap::<String, String>::new());
    let package = crate::fault::shown(package);
    let message = format!("unknown package `{package}`; write one such as `civil.v1`");
    Status::with_error_details(Code::NotFound, message, details)
}

/// This department has not published a revision of that package with that digest.
pub(super) fn unknown_revision() -> Status {
    let no_more = HashMap::<String, String>::new();
    let details = ErrorDetails::with_error_info("REVISION_UNKNOWN", DOMAIN, no_more);
    Status::with_error_details(
        Code::NotFound,
        "no such revision of this department",
        details,
    )
}

/// Why a correction, an answer or a notice is not taken.
pub(super) fn untaken(untaken: &CorrectionError) -> Status {
    let (code, reason) = match untaken {
        CorrectionError::Unfit { .. } => (Code::InvalidArgument, "REQUEST_INVALID"),
        CorrectionError::NoGround(NoGround::NoExchange(_)) => (Code::NotFound, "EXCHANGE_UNKNOWN"),
        CorrectionError::NoGround(NoGround::NotReleased { .. }) => {
            (Code::FailedPrecondition, "FIELD_NOT_RELEASED")
        }
        CorrectionError::NoGround(NoGround::AnotherKey) => (Code::InvalidArgument, "KEY_MISMATCH"),
        CorrectionError::NoGround(NoGround::Erased) => {
            (Code::FailedPrecondition, "EXCHANGE_ERASED")
        }
        CorrectionError::Unknown(_) => (Code::NotFound, "CORRECTION_UNKNOWN"),
        CorrectionError::TooMany => (Code::ResourceExhausted, "TOO_MANY_CORRECTIONS"),
        CorrectionError::Unwritten(_) => (Code::Unavailable, "JOURNAL_UNAVAILABLE"),
        CorrectionError::NoGround(
            NoGround::Index(_) | NoGround::Journal(_) | NoGround::Keys(_),
        )
        | CorrectionError::Store(_)
        | CorrectionError::GivenUp(_) => {
            tracing::error!(error = %chain(untaken), "a correction cannot be worked on");
            return internal();
        }
    };
    let no_more = HashMap::<String, String>::new();
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, no_more);
    if let CorrectionError::Unfit { field, why } = untaken {
        details.add_bad_request_violation(*field, why);
    }
    if code == Code::Unavailable {
        details.set_retry_info(Some(Duration::from_secs(10)));
    }
    Status::with_error_details(code, untaken.to_string(), details)
}

/// The task that sends a stream has gone without a word.
pub(super) fn cut_short() -> Status {
    Status::internal("the answer was cut short")
}

/// The request was not read, or not answered, in time.
pub(super) fn too_slow() -> Status {
    Status::deadline_exceeded("the request was not read and answered in time")
}

/// tonic blames the gateway for bytes that are no message of the request's type; the fault is the client's.
pub(super) fn blame_client<B>(mut answer: http::Response<B>) -> http::Response<B> {
    let begins = |name: &str, with: &[u8]| {
        let value = answer.headers().get(name);
        value.is_some_and(|value| value.as_bytes().starts_with(with))
    };
    let undecoded = b"failed%20to%20decode%20Protobuf%20message";
    if begins(GRPC_STATUS, b"13") && begins(GRPC_MESSAGE, undecoded) {
        let code = http::HeaderValue::from(Code::InvalidArgument as i32);
        answer.headers_mut().insert(GRPC_STATUS, code);
    }
    answer
}
