//! One `[[grant]]` of an agreement file.

use std::sync::Arc;

use prost_reflect::Kind;
use toml::de::DeTable;

use super::Grant;
use super::release::Division;
use super::report::Placed;
use super::report::Report;
use super::section::Section;
use super::value;
use crate::name::DepartmentId;
use crate::name::SystemName;
use crate::pb::SharingClass;
use crate::registry::Registry;
use crate::registry::field::Field;
use crate::registry::filter::Filter;
use crate::registry::mask::Mask;
use crate::registry::query::Mode;
use crate::registry::schema::RecordSchema;

const KEYS: [&str; 13] = [
    "record",
    "modes",
    "fields",
    "unmasked",
    "mask",
    "lookup",
    "rows",
    "systems",
    "max_records",
    "rate",
    "daily",
    "smallest_group",
    "verify_tries",
];

const MAX_RECORDS: u32 = 1_000;
const SMALLEST_GROUP: u64 = 10;
const VERIFY_TRIES: u32 = 5;

/// Compiles a grant; none when there was a fault.
pub(super) fn compile(
    registry: &Registry,
    provider: Option<&DepartmentId>,
    table: &Placed<&DeTable<'_>>,
    report: &mut Report<'_>,
) -> Option<Grant> {
    let prefix = format!("{}.", table.key);
    let section = Section::open(table.value, table.at, prefix, &KEYS, report);
    let modes = section.required(
        "modes",
        "write some of `get`, `query`, `verify` and `count`",
        |_| Ok(()),
        report,
    );
    let mode_list = section.list("modes", value::mode, report);
    report.distinct(&mode_list, |mode| mode.as_str());
    if let (Some(modes), true) = (&modes, mode_list.is_empty()) {
        report.at(
            modes,
            "a grant needs a mode; write some of `get`, `query`, `verify` and `count`",
        );
    }
    let systems = section.list::<SystemName>("systems", value::name, report);
    report.distinct(&systems, Clone::clone);
    let limits = Limits::read(&section, report);
    let schema = record(registry, provider, &section, report)?;

    let named = Named::read(&schema, &section, report);
    named.check(report);
    named.check_modes(&schema, &mode_list, table, report);
    let released = Division::of(&schema, &named, report);
    let rows = section
        .optional("rows", value::text, report)
        .and_then(|text| rows(&text, &schema, report));
    Some(Grant {
        schema,
        modes: values(mode_list),
        fields: values(named.fields),
        released: released.into(),
        lookup: values(named.lookup),
        rows,
        systems: values(systems),
        max_records: limits.max_records,
        rate: limits.rate,
        daily: limits.daily,
        smallest_group: limits.smallest_group,
        verify_tries: limits.verify_tries,
    })
}

fn values<T>(placed: Vec<Placed<T>>) -> Vec<T> {
    placed.into_iter().map(|p| p.value).collect()
}

struct Limits {
    max_records: u32,
    rate: Option<u32>,
    daily: Option<u64>,
    smallest_group: u64,
    verify_tries: u32,
}

impl Limits {
    fn read(section: &Section<'_>, report: &mut Report<'_>) -> Self {
        let count = value::number(1..=u64::from(u32::MAX));
        // The ledger counts the records of a day in 40 bits.
        let daily = value::number(1..=1_000_000_000_000);
        let mut or = |name: &str, default: u32| {
            let given = section.optional(name, &count, report);
            given.map_or(default, |p| p.value)
        };
        let max_records = or("max_records", MAX_RECORDS);
        let verify_tries = or("verify_tries", VERIFY_TRIES);
        let smallest_group = section.optional(
            "smallest_group",
            value::number(1..=u64::from(u32::MAX)),
            report,
        );
        Self {
            max_records,
            rate: section
                .optional("rate", value::rate, report)
                .map(|p| p.value),
            daily: section.optional("daily", daily, report).map(|p| p.value),
            smallest_group: smallest_group.map_or(SMALLEST_GROUP, |p| p.value),
            verify_tries,
        }
    }
}

fn record(
    registry: &Registry,
    provider: Option<&DepartmentId>,
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<Arc<RecordSchema>> {
    let mend = "write a record type such as `record = \"civil.v1.Resident\"`";
    let name = section.required("record", mend, value::text, report)?;
    let schema = report
        .check(&name, registry.record(&name.value))?
        .value
        .clone();
    if let Some(provider) = provider
        && schema.owner() != provider
    {
        let owner = schema.owner();
        report.at(
            &name,
            format!(
                "{} is provided by `{owner}`, not by `{provider}`; name `{owner}` as the provider",
                schema.name()
            ),
        );
    }
    if schema.sharing() == SharingClass::Prohibited {
        report.at(
            &name,
            format!(
                "the registry prohibits the sharing of {}; no agreement may grant it",
                schema.name()
            ),
        );
    }
    Some(schema)
}

/// The fields that a grant names.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) fields: Vec<Placed<Field>>,
    pub(super) unmasked: Vec<Placed<Field>>,
    pub(super) masks: Vec<(Placed<Field>, Mask)>,
    lookup: Vec<Placed<Field>>,
}

impl Named {
    fn read(schema: &RecordSchema, section: &Section<'_>, report: &mut Report<'_>) -> Self {
        let mut fields = |name: &str| {
            let paths = section.list(name, value::text, report);
            let fields: Vec<_> = paths
                .iter()
                .filter_map(|path| report.check(path, schema.field(&path.value)))
                .collect();
            report.distinct(&fields, |field| field.path().clone());
            fields
        };
        let (named, unmasked, lookup) = (fields("fields"), fields("unmasked"), fields("lookup"));
        let masks = section.by_path("mask", value::mask, report);
        let masks = masks.into_iter().filter_map(|(path, mask)| {
            let field = report.check(&path, schema.field(&path.value))?;
            Some((field, mask))
        });
        Self {
            masks: masks.collect(),
            fields: named,
            unmasked,
            lookup,
        }
    }

    fn check(&self, report: &mut Report<'_>) {
        for field in &self.fields {
            let path = field.value.path();
            let mut others = self.fields.iter().map(|f| f.value.path());
            if let Some(outer) = others.find(|other| *other != path && path.within(other)) {
                report.at(
                    field,
                    format!(
                        "`{path}` lies within `{outer}`, which is granted as a whole; leave one out"
                    ),
                );
            }
        }
        let masked = self.masks.iter().map(|(field, _)| (field, "mask"));
        let unmasked = self.unmasked.iter().map(|field| (field, "unmasked"));
        for (field, list) in masked.chain(unmasked) {
            let path = field.value.path();
            if !self.fields.iter().any(|f| path.within(f.value.path())) {
                report.at(field, format!("`{path}` stands in `{list}` but is not granted; add it to `fields`, or leave it out here"));
            }
        }
        for (field, mask) in &self.masks {
            self.check_mask(field, *mask, report);
        }
        for field in &self.lookup {
            if !has_one_value(&field.value) {
                let path = field.value.path();
                report.at(field, format!("`{path}` has no single value that could be asked for; name a field that is neither a message nor repeated"));
            }
        }
    }

    fn check_mask(&self, field: &Placed<Field>, mask: Mask, report: &mut Report<'_>) {
        let path = field.value.path();
        report.check(field, mask.fits(field.value.descriptor()));
        let mut unmasked = self.unmasked.iter().map(|u| u.value.path());
        if let Some(other) = unmasked.find(|u| u.within(path) || path.within(u)) {
            report.at(
                field,
                format!(
                    "`{path}` is masked here, but `{other}` stands in `unmasked`; decide for one"
                ),
            );
        }
        let mut masked = self.masks.iter().map(|(other, _)| other.value.path());
        if let Some(outer) = masked.find(|other| *other != path && path.within(other)) {
            report.at(
                field,
                format!(
                    "`{path}` lies within `{outer}`, which is masked as a whole; leave one out"
                ),
            );
        }
    }

    fn check_modes(
        &self,
        schema: &RecordSchema,
        modes: &[Placed<Mode>],
        grant: &Placed<&DeTable<'_>>,
        report: &mut Report<'_>,
    ) {
        let key = schema.key().path();
        for mode in modes {
            let name = mode.value.as_str();
            if matches!(mode.value, Mode::Get | Mode::Query) && self.fields.is_empty() {
                let at = format!("{}.fields", grant.key);
                report.fault(
                    grant.at,
                    &at,
                    format!(
                        "`{name}` releases fields, but none is granted; list them under `fields`"
                    ),
                );
            }
            if mode.value == Mode::Verify && self.fields.is_empty() && self.lookup.is_empty() {
                report.at(mode, "`verify` confirms fields, but none is granted; list them under `fields` or `lookup`");
            }
            if matches!(mode.value, Mode::Get | Mode::Verify) && !self.key_is_open(schema.key()) {
                report.at(mode, format!("`{name}` asks for a record by its key `{key}`, which is neither released unmasked nor in `lookup`; add `lookup = [\"{key}\"]`"));
            }
        }
    }

    /// Whether the key may be asked for. A key is a top-level field.
    fn key_is_open(&self, key: &Field) -> bool {
        let path = key.path();
        let has = |list: &[Placed<Field>]| list.iter().any(|f| f.value.path() == path);
        let masked = self.masks.iter().any(|(f, _)| f.value.path() == path)
            || key.default_mask().is_some() && !has(&self.unmasked);
        has(&self.lookup) || has(&self.fields) && !masked
    }
}

/// Whether the field holds one value that a question can state.
fn has_one_value(field: &Field) -> bool {
    if field.is_repeated() {
        return false;
    }
    match field.descriptor().kind() {
        Kind::Message(message) => message.full_name() == "google.protobuf.Timestamp",
        _ => true,
    }
}

fn rows(text: &Placed<String>, schema: &RecordSchema, report: &mut Report<'_>) -> Option<Filter> {
    let error = match Filter::parse(&text.value, schema) {
        Ok(filter) => return Some(filter),
        Err(error) => error,
    };
    match position_within(report, text, error.position) {
        Some(at) => report.fault(at, &text.key, &error.message),
        None => report.at(text, &error),
    }
    None
}

/// The place in the file of a character of a text, unless escapes stand between.
fn position_within(report: &Report<'_>, text: &Placed<String>, character: usize) -> Option<usize> {
    let written = report.file.text.get(text.at..)?;
    let quotes = ["'''", "\"\"\"", "'", "\""];
    let quote = quotes.into_iter().find(|q| written.starts_with(q))?;
    let inner = written.get(quote.len()..)?;
    let begin = inner.len() - inner.trim_start().len();
    inner.get(begin..)?.starts_with(&text.value).then_some(())?;
    let mut characters = text.value.char_indices().map(|(offset, _)| offset);
    let offset = characters
        .nth(character.checked_sub(1)?)
        .unwrap_or(text.value.len());
    Some(text.at + quote.len() + begin + offset)
}
