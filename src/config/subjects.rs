//! What people are told of who received their data.

use std::time::Duration;

use serde::Deserialize;

use super::Config;
use super::faults::Faults;
use super::quantity::DELAY;
use super::quantity::parse_delay;
use crate::evidence::person::schemes;
use crate::fault::Fault;
use crate::name::DepartmentId;
use crate::name::FieldPath;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::reading::visibility::Rule;
use crate::reading::visibility::Visibility;
use crate::registry::Registry;

/// The longest reason that a rule may give, in characters.
const MAX_REASON: usize = 256;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSubjects {
    schemes: Vec<FieldPath>,
    #[serde(default)]
    user_code_prefix: String,
    #[serde(default)]
    hide: Vec<RawRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    #[serde(default)]
    purposes: Vec<Purpose>,
    #[serde(default)]
    consumers: Vec<DepartmentId>,
    #[serde(default)]
    record_types: Vec<RecordType>,
    until: Option<String>,
    reason: String,
}

impl RawSubjects {
    pub(super) fn check(self, faults: &mut Faults<'_>) -> Visibility {
        if self.schemes.is_empty() {
            let message = "names no field; give the fields that say whose record it is, such as [\"national_id\"]";
            faults.add("subjects.schemes", message.to_owned());
        }
        if let Some(path) = self.schemes.iter().find(|path| path.segments().count() > 1) {
            let message = format!(
                "`{path}` is a path; give the field's own name, which is the same in every record type"
            );
            faults.add("subjects.schemes", message);
        }
        Visibility {
            schemes: self.schemes.iter().map(ToString::to_string).collect(),
            user_code_prefix: self.user_code_prefix,
            rules: self
                .hide
                .into_iter()
                .map(|rule| rule.check(faults))
                .collect(),
        }
    }
}

impl RawRule {
    fn check(self, faults: &mut Faults<'_>) -> Rule {
        const KEY: &str = "subjects.hide";
        if self.purposes.is_empty() && self.consumers.is_empty() && self.record_types.is_empty() {
            let message = "a rule that says nothing of purposes, consumers and record_types would hide everything; \
                 name those that it is about";
            faults.add(KEY, message.to_owned());
        }
        let length = self.reason.chars().count();
        if self.reason.trim().is_empty() || length > MAX_REASON {
            let message = format!(
                "`reason` must say by what law, in 1 to {MAX_REASON} characters: auditors are shown it"
            );
            faults.add(KEY, message);
        }
        Rule {
            purposes: self.purposes,
            consumers: self.consumers,
            record_types: self.record_types,
            until: self
                .until
                .map(|until| -> Duration { faults.parsed(KEY, &until, DELAY, parse_delay) }),
            reason: self.reason,
        }
    }
}

/// Fields that people are asked about by, and that identify nobody in the registry: every such question is refused.
pub fn unknown_schemes(config: &Config, registry: &Registry) -> Vec<Fault> {
    let known = schemes(registry);
    let asked = config
        .subjects
        .iter()
        .flat_map(|subjects| &subjects.schemes);
    asked
        .filter(|&scheme| !known.contains(scheme))
        .map(|scheme| Fault {
            file: config.file.display().to_string(),
            line: 0,
            column: 0,
            key: "subjects.schemes".to_owned(),
            message: format!(
                "`{scheme}` is the subject or the key of no record type, so nobody can be asked about by it; those that are: {}",
                known.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            ),
        })
        .collect()
}

#[cfg(test)]
mod tests;
