//! A refusal by a gateway, as `google.rpc` details tell it.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;
use std::time::Duration;

use tonic::Code;
use tonic::Status;
use tonic_types::StatusExt;

use super::exit::Exit;
use super::table::Table;
use crate::text::visible;

/// The gateway answered, and the answer is no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GatewayRefusal {
    code: Code,
    /// The stable reason, e.g. FIELD_NOT_GRANTED.
    reason: String,
    message: String,
    /// What in the request is at fault.
    location: Option<String>,
    /// What else the gateway tells: the field, the agreement, the exchange id.
    metadata: BTreeMap<String, String>,
    retry: Option<Duration>,
}

/// The reason of a gateway that has too much to do: nothing was decided.
const BUSY: [&str; 2] = ["OVERLOADED", "OVER_FAIR_SHARE"];

impl GatewayRefusal {
    /// None for a status that no gateway made.
    pub(super) fn read(status: &Status) -> Option<Self> {
        let info = status.get_details_error_info()?;
        let request = status.get_details_bad_request();
        let location = request.and_then(|request| request.field_violations.into_iter().next());
        Some(Self {
            code: status.code(),
            reason: info.reason,
            message: status.message().to_owned(),
            location: location
                .map(|violation| violation.field)
                .filter(|field| !field.is_empty()),
            metadata: info.metadata.into_iter().collect(),
            retry: status
                .get_details_retry_info()
                .and_then(|retry| retry.retry_delay),
        })
    }

    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// After how long it may be asked again.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Denied where an agreement, a guardrail or a limit forbids it; failed where something is wrong.
    pub(super) fn exit(&self) -> Exit {
        match self.code {
            Code::PermissionDenied => Exit::Denied,
            Code::ResourceExhausted if !BUSY.contains(&self.reason.as_str()) => Exit::Denied,
            _ => Exit::Failed,
        }
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let verb = if self.exit() == Exit::Denied {
            "denied"
        } else {
            "refused"
        };
        writeln!(
            to,
            "{verb}: {}: {}",
            visible(&self.reason),
            visible(&self.message)
        )?;
        let mut pairs = Vec::new();
        pairs.extend(self.location.iter().map(|at| ("request", at.clone())));
        pairs.extend(
            self.metadata
                .iter()
                .map(|(name, value)| (title(name), value.clone())),
        );
        pairs.extend(self.retry.map(|after| ("retry after", seconds(after))));
        if pairs.is_empty() {
            return Ok(());
        }
        writeln!(to, "{}", Table::of_pairs(pairs))
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "refused": {
                "code": format!("{:?}", self.code),
                "reason": self.reason,
                "message": self.message,
                "location": self.location,
                "metadata": self.metadata,
                "retry_after_seconds": self.retry.map(|after| after.as_secs_f64()),
            }
        })
    }
}

fn title(name: &str) -> &str {
    match name {
        "exchange_id" => "exchange",
        "refused_by" => "refused by",
        other => other,
    }
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests;
