//! What a change of the registry touches at one department: its agreements, guardrails and sources, and who asks it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::directory;
use super::in_settings;
use super::policy;
use crate::clock::Moment;
use crate::config::Config;
use crate::evidence::criteria::Criteria;
use crate::evidence::index::Index;
use crate::evidence::search::Page;
use crate::evidence::search::find;
use crate::fault::Fault;
use crate::journal::Role;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::name::DepartmentId;
use crate::pb::journal_record::Kind as Record;
use crate::policy::PolicySet;
use crate::policy::agreement::Agreement;
use crate::policy::agreement::Grant;
use crate::policy::agreement::ReleasedField;
use crate::registry::Registry;
use crate::registry::compat::Finding;
use crate::registry::compat::rule::Rule;
use crate::registry::field::Field;
use crate::registry::schema::RecordSchema;
use crate::source::service::ServiceSource;
use crate::source::sql::SqlSource;

/// One thing that a change touches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct TouchedThing {
    pub what: ThingKind,
    /// The agreement's id, the key of a fault, or the consumer with its system.
    pub name: String,
    pub file: String,
    /// 1-based; 0 when unknown.
    pub line: usize,
    pub consequence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThingKind {
    Agreement,
    /// An agreement or a guardrail that a gateway with the new revision refuses to load.
    Policy,
    Source,
    Consumer,
}

/// What a change touches.
#[derive(Debug, Default)]
pub struct Impact {
    pub touched: Vec<TouchedThing>,
    /// Fields that a grant releases, and the change deletes.
    pub findings: Vec<Finding>,
}

/// The most entries that are read for one record type, the newest first.
const MAX_ENTRIES: usize = 100_000;
/// Entries that are read at a time.
const PAGE: usize = 5_000;

/// Compares the department's files under both revisions. The faults are of the files under the revision before.
pub fn of_files(
    config: &Config,
    before: &Registry,
    after: &Registry,
) -> Result<Impact, Vec<Fault>> {
    let departments: Vec<DepartmentId> = directory(&config.directory)?.ids().cloned().collect();
    let policy_before = policy(config, &departments, before, None)?;
    let policy_after = policy(config, &departments, after, None);
    let mut impact = Impact::default();
    for agreement in policy_before.agreements() {
        for (number, grant) in agreement.grants.iter().enumerate() {
            if is_changed(&grant.schema, after) {
                let new = policy_after.as_ref().ok();
                let new = new.and_then(|policy| grant_of(policy, agreement, number));
                impact.grant(agreement, grant, new, after);
            }
        }
    }
    for fault in policy_after.err().into_iter().flatten() {
        impact
            .touched
            .push(TouchedThing::of_fault(ThingKind::Policy, fault));
    }
    for fault in sources(config, after) {
        impact
            .touched
            .push(TouchedThing::of_fault(ThingKind::Source, fault));
    }
    Ok(impact)
}

/// The same grant of the agreement as it is under the other revision.
fn grant_of<'a>(policy: &'a PolicySet, agreement: &Agreement, number: usize) -> Option<&'a Grant> {
    let mut agreements = policy.agreements();
    let same = agreements.find(|other| other.id == agreement.id)?;
    same.grants.get(number)
}

/// Why the department's sources do not fit.
fn sources(config: &Config, registry: &Registry) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in &config.sources {
        match SqlSource::open(source.settings.clone(), source.url.as_str()) {
            Ok(database) => faults.extend(database.bind(registry).err().into_iter().flatten()),
            Err(fault) => faults.push(fault),
        }
    }
    for service in &config.services {
        faults.extend(ServiceSource::open(service.clone()).check(registry));
    }
    in_settings(config, faults)
}

impl Impact {
    fn grant(&mut self, agreement: &Agreement, old: &Grant, new: Option<&Grant>, after: &Registry) {
        let record = old.schema.name();
        let Ok(schema) = after.record(record.as_str()) else {
            return self.add_agreement(
                agreement,
                format!("{record} is gone, and with it the grant"),
            );
        };
        let is_gone = |field: &Field| schema.field(field.path().as_str()).is_err();
        for field in old.fields.iter().filter(|field| is_gone(field)) {
            self.findings.push(granted(agreement, field, schema));
            self.add_agreement(
                agreement,
                format!("`{}` of {record} is no longer released", field.path()),
            );
        }
        for field in old.lookup.iter().filter(|field| is_gone(field)) {
            let path = field.path();
            self.add_agreement(
                agreement,
                format!("{record} can no longer be looked up by `{path}`"),
            );
        }
        let uses = old.rows.iter().flat_map(|rows| rows.uses());
        let gone = uses.filter(|used| is_gone(&used.field));
        let gone: BTreeSet<_> = gone.map(|used| used.field.path().clone()).collect();
        for path in gone {
            self.add_agreement(
                agreement,
                format!("the row rule on {record} asks for `{path}`, which is gone"),
            );
        }
        for (path, mask) in new.map(|new| gained(old, new)).unwrap_or_default() {
            let how = match mask {
                Some(mask) => format!("under the mask `{mask}`"),
                None => "in full".to_owned(),
            };
            self.add_agreement(
                agreement,
                format!("`{path}` of {record} is released {how}, and was not before"),
            );
        }
    }

    fn add_agreement(&mut self, agreement: &Agreement, consequence: String) {
        self.touched.push(TouchedThing {
            what: ThingKind::Agreement,
            name: agreement.id.to_string(),
            file: agreement.file.clone(),
            line: 0,
            consequence,
        });
    }
}

impl TouchedThing {
    fn of_fault(what: ThingKind, fault: Fault) -> Self {
        Self {
            what,
            name: fault.key,
            file: fault.file,
            line: fault.line,
            consequence: format!("would be refused: {}", fault.message),
        }
    }
}

fn granted(agreement: &Agreement, field: &Field, schema: &RecordSchema) -> Finding {
    let element = format!("{}.{}", field.record(), field.path());
    let (consumer, until) = (&agreement.consumer, &agreement.valid_until);
    let message = format!(
        "{} releases the field to `{consumer}` until {until}",
        agreement.id
    );
    Finding::of_record(Rule::GrantedFieldNoDelete, schema, element, message)
}

/// What is released in another way than before: its path, and the mask that it is released under.
fn gained(old: &Grant, new: &Grant) -> Vec<(String, Option<String>)> {
    let text_of = |released: &ReleasedField| {
        let mask = released.mask.map(|mask| mask.to_string());
        (released.field.path().to_string(), mask)
    };
    let known: BTreeSet<_> = old.released.iter().map(text_of).collect();
    let now = new.released.iter().map(text_of);
    now.filter(|released| !known.contains(released)).collect()
}

/// Who has asked this department since then for record types that the change touches, from its journal.
pub fn of_consumers(
    config: &Config,
    before: &Registry,
    after: &Registry,
    since: Moment,
) -> Result<Vec<TouchedThing>, ReadError> {
    let reader = Reader::open(&config.journal.path);
    // Without an index the whole journal is read: later, and the same.
    let index = Index::open(&config.journal.path).ok().flatten();
    let mut touched = Vec::new();
    for old in before.records().filter(|old| is_changed(old, after)) {
        let record = old.name();
        let criteria = Criteria {
            role: Some(Role::Provider),
            record_type: Some(record.clone()),
            since: Some(since),
            ..Criteria::default()
        };
        let mut asked = BTreeMap::<_, u64>::new();
        let (mut page, mut read) = (Page::newest(PAGE), 0);
        loop {
            let found = find(&reader, index.as_ref(), &criteria, page)?;
            for hit in &found.hits {
                if let Some(Record::Exchange(exchange)) = hit.record_kind() {
                    let asker = format!("{} {}", exchange.consumer, exchange.system);
                    *asked.entry(asker.trim().to_owned()).or_default() += 1;
                }
            }
            read += found.hits.len();
            page.before = found.next;
            if found.next.is_none() || read >= MAX_ENTRIES {
                break;
            }
        }
        touched.extend(asked.into_iter().map(|(name, exchanges)| TouchedThing {
            what: ThingKind::Consumer,
            name,
            file: String::new(),
            line: 0,
            consequence: format!("asked {exchanges} times for {record}"),
        }));
    }
    Ok(touched)
}

/// Whether the record type is another thing after the change, or gone.
fn is_changed(old: &RecordSchema, after: &Registry) -> bool {
    let new = after.record(old.name().as_str());
    new.map_or(true, |new| new.digest() != old.digest())
}
