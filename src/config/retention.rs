//! How long records of the journal are kept, as the settings say it.

use serde::Deserialize;

use super::Config;
use super::faults::Faults;
use crate::fault::Fault;
use crate::fault::nearest;
use crate::journal::retention::Class;
use crate::journal::retention::DEFAULT;
use crate::journal::retention::Keep;
use crate::journal::retention::Retention;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::registry::Registry;

/// Less is no journal: quotas are counted again from the last day's records, and a difference between two journals takes
/// people days to look into.
const LEAST_DAYS: u32 = 30;
const TERM: &str = "a term such as `3y` or `180d`: a number of years or days";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRetention {
    default: String,
    class: Vec<RawClass>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClass {
    name: String,
    keep: String,
    #[serde(default)]
    record_types: Vec<RecordType>,
    #[serde(default)]
    purposes: Vec<Purpose>,
}

impl Default for RawRetention {
    fn default() -> Self {
        Self {
            default: "3y".to_owned(),
            class: Vec::new(),
        }
    }
}

impl RawRetention {
    pub(super) fn check(self, faults: &mut Faults<'_>) -> Retention {
        let mut names: Vec<String> = vec![DEFAULT.to_owned()];
        let mut classes = Vec::new();
        for (number, class) in self.class.into_iter().enumerate() {
            let key = format!("retention.class[{number}]");
            if names.contains(&class.name) {
                let message = format!(
                    "there is a class `{}` already; give it another name",
                    class.name
                );
                faults.add(&format!("{key}.name"), message);
            }
            names.push(class.name.clone());
            classes.extend(class.check(&key, faults));
        }
        Retention {
            classes,
            default: keep(&self.default, "retention.default", faults).unwrap_or(Keep::Years(3)),
        }
    }
}

impl RawClass {
    fn check(self, key: &str, faults: &mut Faults<'_>) -> Option<Class> {
        if !is_name(&self.name) {
            let message =
                "a class's name has 1 to 64 lower-case letters, digits and hyphens, e.g. `tax`";
            faults.add(&format!("{key}.name"), message.to_owned());
        }
        if self.record_types.is_empty() && self.purposes.is_empty() {
            let message = "it fits every exchange; name `record_types` or `purposes`, or set `retention.default`";
            faults.add(key, message.to_owned());
        }
        Some(Class {
            keep: keep(&self.keep, &format!("{key}.keep"), faults)?,
            name: self.name,
            record_types: self.record_types,
            purposes: self.purposes,
        })
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

fn keep(text: &str, key: &str, faults: &mut Faults<'_>) -> Option<Keep> {
    let Ok(keep) = text.parse::<Keep>() else {
        faults.add(key, format!("`{text}` is not {TERM}"));
        return None;
    };
    if keep.least_days() < LEAST_DAYS {
        let message = format!("`{text}` is too short: records are kept for {LEAST_DAYS}d at least");
        faults.add(key, message);
        return None;
    }
    Some(keep)
}

/// What classes name and the registry does not have: a slip of the pen, or a type that is gone and whose records are not.
/// No fault, for the latter's sake.
pub fn unknown_types(config: &Config, registry: &Registry) -> Vec<Fault> {
    let mut warnings = Vec::new();
    for (number, class) in config.retention.classes.iter().enumerate() {
        for (place, name) in class.record_types.iter().enumerate() {
            if registry.record(name.as_str()).is_err() {
                warnings.push(Fault {
                    file: config.file.display().to_string(),
                    line: 0,
                    column: 0,
                    key: format!("retention.class[{number}].record_types[{place}]"),
                    message: unknown(name, registry),
                });
            }
        }
    }
    warnings
}

fn unknown(name: &RecordType, registry: &Registry) -> String {
    let known = registry.records().map(|record| record.name().as_str());
    let meant = nearest(name.as_str(), known)
        .map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    format!("`{name}` is not in the registry, so no new record is of this class{meant}")
}

#[cfg(test)]
mod tests;
