//! The occasions that the guardrails of one grant let pass: the same one again need not be evaluated.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use time::Date;

use super::Occasion;
use crate::identity::Caller;
use crate::name::Purpose;
use crate::registry::field::Field;

/// How many are remembered; the systems of a consumer ask the same few questions over and over.
const MOST: usize = 32;

/// Ends with its policy revision. A memory of refusals would gain nothing: nobody is served by it.
#[derive(Debug, Default)]
pub(super) struct PassedCache(ArcSwapOption<Hour>);

/// What passed within one hour of one day: guardrails see no finer time.
#[derive(Debug, Clone)]
struct Hour {
    time: (Date, u8),
    passed: Vec<Arc<GuardrailInput>>,
}

/// All that a guardrail can see of an occasion but its hour, and what is the same for each of one grant and mode:
/// agreement, mode, record type.
#[derive(Debug)]
struct GuardrailInput {
    caller: Caller,
    purpose: Purpose,
    max_records: u32,
    touched: Vec<(Field, bool)>,
}

impl PassedCache {
    pub(super) fn has(&self, occasion: &Occasion<'_>) -> bool {
        let hour = self.0.load();
        hour.as_ref().is_some_and(|hour| {
            hour.time == time(occasion) && hour.passed.iter().any(|known| known.is(occasion))
        })
    }

    pub(super) fn remember(&self, occasion: &Occasion<'_>) {
        let known = Arc::new(GuardrailInput::of(occasion));
        self.0.rcu(|hour| {
            let same = hour.as_ref().filter(|hour| hour.time == time(occasion));
            let room = same.filter(|hour| hour.passed.len() < MOST);
            let passed = room.map_or(&[][..], |hour| &hour.passed);
            Some(Arc::new(Hour {
                time: time(occasion),
                passed: passed.iter().chain([&known]).cloned().collect(),
            }))
        });
    }
}

impl GuardrailInput {
    fn of(occasion: &Occasion<'_>) -> Self {
        let touched = occasion.touched.iter();
        Self {
            caller: occasion.caller.clone(),
            purpose: occasion.purpose.clone(),
            max_records: occasion.max_records,
            touched: touched.map(|t| (t.field.clone(), t.clear)).collect(),
        }
    }

    fn is(&self, occasion: &Occasion<'_>) -> bool {
        let touched = occasion.touched.iter();
        self.max_records == occasion.max_records
            && self.caller == *occasion.caller
            && self.purpose == *occasion.purpose
            && self.touched.len() == touched.len()
            && (self.touched.iter().zip(touched))
                .all(|((field, clear), t)| *field == t.field && *clear == t.clear)
    }
}

fn time(occasion: &Occasion<'_>) -> (Date, u8) {
    (occasion.at.date(), occasion.at.hour())
}
