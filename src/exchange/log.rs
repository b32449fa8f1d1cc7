//! Counts exchanges and writes log lines about them: names and reasons, never a value of a record.

use super::draft::Draft;
use super::refusal::Cause;
use crate::clock::Moment;
use crate::fault::chain;
use crate::policy::ledger::Spending;
use crate::source::SourceError;

/// An exchange, or a stream of it, has ended; `cause` is why it was refused or cut.
pub(super) fn log(draft: &Draft, cause: Option<&Cause>, at: Moment) {
    let reason = cause.map_or("answered", Cause::reason).to_owned();
    let (mode, record) = (draft.mode(), draft.known_record());
    metrics::counter!(
        "landbridge_exchanges_total",
        "side" => draft.side().as_str(),
        "mode" => mode,
        "record" => record.clone(),
        "reason" => label(cause),
    )
    .increment(1);
    metrics::counter!("landbridge_records_total", "side" => draft.side().as_str(), "record" => record)
        .increment(draft.records());
    metrics::histogram!("landbridge_exchange_seconds", "side" => draft.side().as_str(), "mode" => mode)
        .record(at.since(draft.begun()) as f64 / 1e6);

    missed(draft);
    if let Some(agreement) = draft.differing() {
        differs(draft, agreement);
    }
    if let Some(record) = draft.differing_schema() {
        tracing::warn!(exchange = %draft.exchange(), record, "the other party's schema of the record type differs from ours");
    }
    let (exchange, (consumer, system)) = (draft.exchange(), draft.asker());
    match cause {
        None => {
            tracing::debug!(%exchange, consumer, system, mode, records = draft.records(), "answered");
        }
        // Nor has it a line of its own.
        Some(Cause::TooManyRefusals(_)) => {}
        Some(cause @ Cause::Source(SourceError::Refused(_))) => {
            tracing::info!(%exchange, consumer, system, mode, reason, error = %cause, "refused");
        }
        Some(
            cause @ (Cause::Source(_)
            | Cause::Unproven(_)
            | Cause::NoJournalKey(_)
            | Cause::Unlogged(_)
            | Cause::SubjectKeys(_)
            | Cause::Panicked
            | Cause::NoRandomness(_)),
        ) => {
            tracing::error!(%exchange, consumer, system, mode, reason, error = chain(cause), "failed");
        }
        Some(cause) => {
            tracing::info!(%exchange, consumer, system, mode, reason, error = %cause, "refused");
        }
    }
}

/// Values that nothing was found of: many of them look like guessing, of which both gateways' administrators should know.
fn missed(draft: &Draft) {
    let agreement = draft.agreement();
    if draft.lookup_misses() > 0 {
        metrics::counter!(
            "landbridge_lookup_misses_total",
            "side" => draft.side().as_str(),
            "agreement" => agreement.to_owned(),
        )
        .increment(draft.lookup_misses().into());
    }
    let Some(spending) = draft.spending() else {
        return;
    };
    let share = match spending {
        Spending::Half => "half",
        Spending::All => "all",
    };
    metrics::counter!(
        "landbridge_lookup_alarms_total",
        "side" => draft.side().as_str(),
        "agreement" => agreement.to_owned(),
        "share" => share,
    )
    .increment(1);
    let (consumer, system) = draft.asker();
    tracing::warn!(exchange = %draft.exchange(), consumer, system, agreement, share, "so much of the grant's look-ups of the day has found nothing");
}

/// One of a fixed set of words: a provider's gateway may give any text as its reason.
fn label(cause: Option<&Cause>) -> String {
    match cause {
        None => "answered".to_owned(),
        Some(Cause::Source(SourceError::Refused(_))) => "REFUSED_BY_PROVIDER".to_owned(),
        Some(cause) => cause.reason().to_owned(),
    }
}

/// The two parties hold different texts of an agreement: both administrators should know.
fn differs(draft: &Draft, agreement: &str) {
    metrics::counter!("landbridge_agreements_differ_total", "agreement" => agreement.to_owned())
        .increment(1);
    tracing::warn!(exchange = %draft.exchange(), agreement, "the other party's copy of the agreement differs from ours");
}
