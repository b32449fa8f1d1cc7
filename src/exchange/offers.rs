//! What departments can answer for, and how fresh it is: as their gateways told last.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use time::Date;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::clock::Moment;
use crate::name::DepartmentId;
use crate::name::RecordType;
use crate::pb;
use crate::registry::Registry;
use crate::registry::query::Mode;
use crate::registry::value::Literal;

/// Told by the task that asks for them; the catalogue reads it.
#[derive(Debug, Clone, Default)]
pub struct Offers(Arc<ArcSwap<BTreeMap<RecordType, pb::Offer>>>);

impl Offers {
    pub fn load(&self) -> Arc<BTreeMap<RecordType, pb::Offer>> {
        self.0.load_full()
    }

    /// Replaces what a department has told before. It speaks for its own record types only.
    pub fn set(&self, owner: &DepartmentId, offers: Vec<pb::Offer>, registry: &Registry) {
        let is_own = |record: &str| {
            let schema = registry.record(record).ok();
            schema.filter(|schema| schema.owner() == owner).cloned()
        };
        let mut all = BTreeMap::clone(&self.load());
        all.retain(|record, _| is_own(record.as_str()).is_none());
        for offer in offers {
            if let Some(schema) = is_own(&offer.record_type)
                && offer.is_fit()
            {
                all.insert(schema.name().clone(), offer);
            }
        }
        self.0.store(Arc::new(all));
    }
}

impl pb::Offer {
    /// Of a record type that has a source here.
    pub fn of(record: &RecordType, newest: Option<&Literal>, now: Moment) -> Self {
        Self {
            record_type: record.to_string(),
            modes: Mode::ALL
                .iter()
                .map(|mode| mode.as_str().to_owned())
                .collect(),
            fresh_as_of: newest.and_then(shown).unwrap_or_default(),
            told_at: Some(prost_types::Timestamp {
                seconds: now.seconds(),
                nanos: 0,
            }),
        }
    }

    /// Whether it says what an offer says: it comes from outside.
    fn is_fit(&self) -> bool {
        let is_mode = |mode: &String| Mode::ALL.iter().any(|known| known.as_str() == mode);
        let is_time = self.fresh_as_of.is_empty() || is_time(&self.fresh_as_of);
        self.modes.len() <= Mode::ALL.len() && self.modes.iter().all(is_mode) && is_time
    }
}

/// A time in RFC 3339, or a day: a text that begins otherwise is not told to anybody.
fn shown(newest: &Literal) -> Option<String> {
    match newest {
        Literal::Time { seconds, .. } => {
            let at = Moment::from_micros(seconds.saturating_mul(1_000_000));
            at.at(UtcOffset::UTC).format(&Rfc3339).ok()
        }
        Literal::Text(text) => text.get(..10).filter(|day| is_time(day)).map(str::to_owned),
        Literal::Decimal(_)
        | Literal::Integer(_)
        | Literal::Unsigned(_)
        | Literal::Number(_)
        | Literal::Boolean(_)
        | Literal::Data(_)
        | Literal::Enum { .. } => None,
    }
}

fn is_time(text: &str) -> bool {
    let day = format_description!("[year]-[month]-[day]");
    Date::parse(text, day).is_ok() || time::OffsetDateTime::parse(text, &Rfc3339).is_ok()
}
