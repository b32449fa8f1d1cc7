//! What a restart must not forget, read again from the journal: spent quotas, and the exchanges that were asked for.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

use time::OffsetDateTime;
use time::Time;
use time::UtcOffset;

use crate::clock::Moment;
use crate::exchange::replay::SeenExchanges;
use crate::exchange::replay::WINDOW;
use crate::journal::Kind as Entry;
use crate::journal::Role;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::pb;
use crate::pb::journal_record::Kind;
use crate::policy::ledger::Ledger;
use crate::policy::ledger::SpentByEntry;

/// What was spent today: a restart must not refill a quota.
pub(crate) fn ledger(journal: &Path, now: Moment, offset: UtcOffset) -> Result<Ledger, ReadError> {
    let ledger = Ledger::new(offset);
    let mut open = HashMap::new();
    for entry in Reader::open(journal).since(day_start(now, offset))? {
        let entry = entry?;
        let record = entry.record()?;
        let Some(spent) = record.as_ref().and_then(spent) else {
            continue;
        };
        match record.and_then(|record| record.kind) {
            Some(Kind::StreamEnd(end)) => drop(open.remove(&end.opened_at)),
            // Its end tells.
            _ if entry.leaf.kind == Entry::Intent => {
                open.insert(entry.index, (spent, entry.leaf.time));
                continue;
            }
            _ => {}
        }
        ledger.restore(&spent, entry.leaf.time);
    }
    // Those whose ends are not yet written have found nothing.
    for (spent, time) in open.into_values() {
        ledger.restore(&spent, time);
    }
    Ok(ledger)
}

/// The exchanges that other gateways have begun: a restart must not let one be asked again.
pub(crate) fn seen(journal: &Path, now: Moment) -> Result<SeenExchanges, ReadError> {
    let seen = SeenExchanges::default();
    // An id of the oldest that is still taken was taken, at the earliest, when it was as far ahead of our clock.
    let window = i64::try_from(2 * WINDOW.as_micros()).unwrap_or(i64::MAX);
    let since = Moment::from_micros(now.micros().saturating_sub(window));
    for entry in Reader::open(journal).since(since)? {
        let entry = entry?;
        let (Role::Provider, Some(exchange)) = (entry.leaf.role, entry.leaf.exchange) else {
            continue;
        };
        if let Some(Kind::Exchange(record)) = entry.record()?.and_then(|record| record.kind)
            && let Ok(consumer) = record.consumer.parse()
        {
            seen.restore(&consumer, exchange);
        }
    }
    Ok(seen)
}

fn day_start(now: Moment, offset: UtcOffset) -> Moment {
    let midnight = OffsetDateTime::new_in_offset(now.date(offset), Time::MIDNIGHT, offset);
    Moment::from_micros(midnight.unix_timestamp().saturating_mul(1_000_000))
}

fn spent(record: &pb::JournalRecord) -> Option<SpentByEntry> {
    match record.kind.as_ref()? {
        Kind::Exchange(exchange) => Some(SpentByEntry {
            agreement: exchange.agreement.parse().ok()?,
            grant: exchange.grant as usize,
            record: exchange.record_type.parse().ok()?,
            records: exchange.records.max(u64::from(is_single(exchange))),
            key_tag: <[u8; 16]>::try_from(exchange.key_tag.as_ref()).ok(),
            mismatches: exchange.mismatches,
            lookup_misses: exchange.lookup_misses,
            filter_tag: <[u8; 16]>::try_from(exchange.filter_tag.as_ref()).ok(),
        }),
        Kind::StreamEnd(end) => Some(SpentByEntry {
            agreement: end.agreement.parse().ok()?,
            grant: end.grant as usize,
            record: end.record_type.parse().ok()?,
            records: end.records,
            key_tag: None,
            mismatches: 0,
            lookup_misses: end.lookup_misses,
            filter_tag: None,
        }),
        Kind::Policy(_)
        | Kind::Lifecycle(_)
        | Kind::Connection(_)
        | Kind::Reconciliation(_)
        | Kind::Access(_)
        | Kind::Erasure(_)
        | Kind::Registry(_)
        | Kind::Correction(_)
        | Kind::Heartbeat(_) => None,
    }
}

/// An answered verification or count spends one, though it holds no record.
fn is_single(exchange: &pb::ExchangeRecord) -> bool {
    exchange.reason == "answered" && matches!(exchange.mode.as_str(), "verify" | "count")
}
