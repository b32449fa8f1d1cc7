//! What a client can read of a refusal.

use std::collections::BTreeMap;

use tonic::Code;
use tonic::Status;
use tonic_types::StatusExt;

/// A status, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    /// Of `google.rpc.ErrorInfo`; empty when there is none.
    pub(crate) reason: String,
    pub(crate) metadata: BTreeMap<String, String>,
    /// Of `google.rpc.BadRequest`; empty when there is none.
    pub(crate) location: String,
    pub(crate) message: String,
    /// Whether `google.rpc.RetryInfo` says when to come again.
    pub(crate) retry: bool,
}

impl Refused {
    pub(crate) fn is(&self, code: Code, reason: &str) -> bool {
        self.code == code && self.reason == reason
    }

    /// Whether no gateway says it: the connection was not made, or was cut.
    pub(crate) fn is_cut(&self) -> bool {
        let is_of_a_client = matches!(
            self.code,
            Code::Unavailable | Code::Unknown | Code::Cancelled
        );
        is_of_a_client && self.reason.is_empty()
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let violations = details
            .bad_request()
            .map(|bad| bad.field_violations.as_slice())
            .unwrap_or_default();
        Self {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            metadata: info
                .map(|info| info.metadata.clone().into_iter().collect())
                .unwrap_or_default(),
            location: violations
                .first()
                .map(|violation| violation.field.clone())
                .unwrap_or_default(),
            message: status.message().to_owned(),
            retry: details.retry_info().is_some(),
        }
    }
}
