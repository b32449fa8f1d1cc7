//! When the journals of two departments are compared.

use std::time::Duration;

use serde::Deserialize;

use super::ReconciliationConfig;
use super::faults::Faults;
use super::quantity::DURATION;
use crate::clock::parse_span;

const LONGEST_WINDOW: Duration = Duration::from_secs(3_600);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawReconciliation {
    window: String,
    after: String,
}

impl Default for RawReconciliation {
    fn default() -> Self {
        Self {
            window: "1m".to_owned(),
            after: "5m".to_owned(),
        }
    }
}

impl RawReconciliation {
    pub(super) fn check(&self, faults: &mut Faults<'_>) -> ReconciliationConfig {
        let key = "reconciliation.window";
        let window = faults.parsed(key, &self.window, DURATION, parse_span);
        if !(Duration::from_secs(1)..=LONGEST_WINDOW).contains(&window) {
            faults.add(key, "must be between 1s and 1h".to_owned());
        }
        ReconciliationConfig {
            window,
            after: faults.parsed("reconciliation.after", &self.after, DURATION, parse_span),
        }
    }
}
