//! Takes down how each witness is doing, for operators: in memory, in metrics, in the log.

use super::client::WitnessError;
use crate::assembly::witnesses::LocatedWitness;
use crate::clock::Moment;
use crate::evidence::witness_states::WitnessState;
use crate::evidence::witness_states::WitnessStates;
use crate::fault::chain;

impl WitnessStates {
    /// The size that a witness is known to have cosigned; 0 if nothing is known.
    pub(super) fn known(&self, reached: &LocatedWitness) -> u64 {
        let states = self.load();
        let state = states.get(reached.witness.key.name());
        state.and_then(|state| state.cosigned).unwrap_or(0)
    }

    /// Which witnesses keep a quorum from being met, and why.
    pub(super) fn why(&self, all: &[LocatedWitness]) -> String {
        let states = self.load();
        let trouble = |reached: &LocatedWitness| {
            let name = reached.witness.key.name();
            match states.get(name).map(|state| &state.trouble) {
                Some(None) => None,
                Some(Some(trouble)) => Some(format!("`{name}` {trouble}")),
                None => Some(format!("`{name}` has not answered yet")),
            }
        };
        let troubles: Vec<String> = all.iter().filter_map(trouble).collect();
        if troubles.is_empty() {
            return "the policy's quorum is not met though each of its witnesses answers"
                .to_owned();
        }
        troubles.join("; ")
    }

    /// A witness has cosigned `size` of the journal's entries, or has none of them yet.
    pub(super) fn set_answer(&self, reached: &LocatedWitness, size: u64, at: Option<Moment>) {
        let name = reached.witness.key.name().to_owned();
        if let Some(at) = at {
            metrics::gauge!("landbridge_witness_cosigned_timestamp_seconds", "witness" => name.clone())
                .set(at.seconds() as f64);
        }
        let state = WitnessState {
            department: reached.department.clone(),
            cosigned: Some(size),
            at,
            trouble: None,
        };
        if let Some(former) = self.put(name.clone(), state)
            && former.trouble.is_some()
        {
            tracing::info!(witness = name, "the witness answers again");
        }
    }

    /// Counts how many of the journal's entries each witness has not cosigned yet.
    pub(super) fn measure(&self, all: &[LocatedWitness], entries: u64) {
        for reached in all {
            let lag = entries.saturating_sub(self.known(reached));
            let name = reached.witness.key.name().to_owned();
            metrics::gauge!("landbridge_witness_lag_entries", "witness" => name).set(lag as f64);
        }
    }

    /// A witness was of no use.
    pub(super) fn set_failure(&self, reached: &LocatedWitness, trouble: &WitnessError) {
        let name = reached.witness.key.name().to_owned();
        let text = chain(trouble);
        metrics::counter!("landbridge_witness_failures_total", "witness" => name.clone())
            .increment(1);
        let former = self.load().get(&name).cloned();
        let state = WitnessState {
            department: reached.department.clone(),
            cosigned: former.as_ref().and_then(|former| former.cosigned),
            at: former.as_ref().and_then(|former| former.at),
            trouble: Some(text.clone()),
        };
        self.put(name.clone(), state);
        // Once for each trouble: it is asked again every second.
        if former.is_none_or(|former| former.trouble.as_ref() != Some(&text)) {
            match trouble.is_contradiction() {
                true => tracing::error!(
                    witness = name,
                    trouble = text,
                    "the journal contradicts what a witness has cosigned"
                ),
                false => {
                    tracing::warn!(witness = name, trouble = text, "a witness does not cosign")
                }
            }
        }
    }
}
