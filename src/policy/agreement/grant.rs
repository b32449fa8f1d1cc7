//! One `[[grant]]` of an agreement file.

use std::ops::RangeInclusive;
use std::sync::Arc;

use toml::de::DeTable;

use super::Grant;
use super::grant_fields::GrantFields;
use super::release;
use super::report::Located;
use super::report::Report;
use super::section::Form;
use super::section::Section;
use super::value;
use crate::name::DepartmentId;
use crate::name::SystemName;
use crate::pb::SharingClass;
use crate::registry::Registry;
use crate::registry::filter::Filter;
use crate::registry::query::Mode;
use crate::registry::schema::RecordSchema;

const FORM: Form = Form {
    required: &[
        (
            "record",
            "write a record type such as `record = \"civil.v1.Resident\"`",
        ),
        (
            "modes",
            "write some of `get`, `query`, `verify` and `count`",
        ),
    ],
    optional: &[
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
        "count_step",
        "distinct_counts",
        "verify_tries",
        "lookup_misses",
    ],
};

const MAX_RECORDS: u32 = 1_000;
const SMALLEST_GROUP: u64 = 10;
const VERIFY_TRIES: u32 = 5;
const LOOKUP_MISSES: u32 = 100;
/// Where records are only counted.
const DISTINCT_COUNTS: u32 = 50;

const COUNT: RangeInclusive<u64> = 1..=u32::MAX as u64;
/// The ledger counts the records of a day in 40 bits.
const DAILY: RangeInclusive<u64> = 1..=1_000_000_000_000;
/// The ledger remembers each filter of a day.
const FILTERS: RangeInclusive<u64> = 1..=100_000;

/// The keys of a grant.
#[cfg(test)]
pub(super) fn keys() -> Vec<&'static str> {
    FORM.keys().collect()
}

/// Compiles a grant; none when its record type is at fault.
pub(super) fn compile(
    registry: &Registry,
    provider: Option<&DepartmentId>,
    table: &Located<&DeTable<'_>>,
    report: &mut Report<'_>,
) -> Option<Grant> {
    let prefix = format!("{}.", table.key);
    let section = Section::open(table.value, table.at, prefix, &FORM, report);
    let modes = section.list("modes", value::mode, report);
    let systems = section.list::<SystemName>("systems", value::name, report);
    let limits = Limits::read(&section, report);
    let counting = CountTerms::of(&limits, &modes, report);
    let schema = record(registry, provider, &section, report)?;

    let named = GrantFields::read(&schema, &section, report);
    named.check(report);
    named.check_modes(&schema, &modes, report);
    let released = release::divide(&schema, &named, report);
    let rows = rows(&schema, &section, report);
    Some(Grant {
        schema,
        modes: values(modes),
        fields: values(named.fields),
        released: released.into(),
        lookup: values(named.lookup),
        rows,
        systems: values(systems),
        max_records: limits.max_records.unwrap_or(MAX_RECORDS),
        rate: limits.rate,
        daily: limits.daily,
        smallest_group: counting.smallest_group,
        count_step: counting.step,
        distinct_counts: counting.distinct,
        verify_tries: limits.verify_tries.unwrap_or(VERIFY_TRIES),
        lookup_misses: limits.lookup_misses.unwrap_or(LOOKUP_MISSES),
    })
}

fn values<T>(placed: Vec<Located<T>>) -> Vec<T> {
    placed.into_iter().map(|p| p.value).collect()
}

struct Limits {
    max_records: Option<u32>,
    rate: Option<u32>,
    daily: Option<u64>,
    smallest_group: Option<u64>,
    count_step: Option<Located<u32>>,
    distinct_counts: Option<u32>,
    verify_tries: Option<u32>,
    lookup_misses: Option<u32>,
}

impl Limits {
    fn read(section: &Section<'_>, report: &mut Report<'_>) -> Self {
        let mut placed = |name| section.read(name, value::number(COUNT), report);
        let count_step = placed("count_step");
        let mut count = |name| placed(name).map(|p| p.value);
        Self {
            max_records: count("max_records"),
            verify_tries: count("verify_tries"),
            lookup_misses: count("lookup_misses"),
            smallest_group: count("smallest_group").map(u64::from),
            count_step,
            distinct_counts: section
                .read("distinct_counts", value::number(FILTERS), report)
                .map(|p| p.value),
            rate: section.read("rate", value::rate, report).map(|p| p.value),
            daily: section
                .read("daily", value::number(DAILY), report)
                .map(|p| p.value),
        }
    }
}

/// How counts are told. Where the same records may be queried, a count tells nothing that a query would not; where they may
/// not, two counts whose filters differ by one person would tell of that person, were they exact.
struct CountTerms {
    smallest_group: u64,
    step: u64,
    distinct: Option<u32>,
}

impl CountTerms {
    fn of(limits: &Limits, modes: &[Located<Mode>], report: &mut Report<'_>) -> Self {
        let queried = modes.iter().any(|mode| mode.value == Mode::Query);
        let smallest_group = limits.smallest_group.unwrap_or(SMALLEST_GROUP);
        let least = if queried { 1 } else { smallest_group };
        let stated = limits.count_step.as_ref();
        if let Some(step) = stated.filter(|step| u64::from(step.value) < least) {
            let message = format!(
                "without the mode `query`, counts are told in steps of no less than `smallest_group`, \
                 which is {smallest_group}: finer ones would tell of single records; write {smallest_group} \
                 or more"
            );
            report.at(step, message);
        }
        let step = stated.map_or(least, |step| step.value.into());
        Self {
            smallest_group: smallest_group.max(step),
            step,
            distinct: match limits.distinct_counts {
                None if !queried => Some(DISTINCT_COUNTS),
                stated => stated,
            },
        }
    }
}

fn record(
    registry: &Registry,
    provider: Option<&DepartmentId>,
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<Arc<RecordSchema>> {
    let name = section.read("record", value::text, report)?;
    let schema = report.check(&name, registry.record(&name.value))?.value;
    let (record, owner) = (schema.name(), schema.owner());
    if provider.is_some_and(|p| p != owner) {
        let message = format!("{record} is provided by `{owner}`; name it as the provider");
        report.at(&name, message);
    }
    if schema.sharing() == SharingClass::Prohibited {
        let message =
            format!("the registry prohibits the sharing of {record}; no agreement may grant it");
        report.at(&name, message);
    }
    Some(schema.clone())
}

fn rows(schema: &RecordSchema, section: &Section<'_>, report: &mut Report<'_>) -> Option<Filter> {
    let text = section.read("rows", value::text, report)?;
    let error = match Filter::parse(&text.value, schema) {
        Ok(filter) => return Some(filter),
        Err(error) => error,
    };
    match place_within(report, &text, error.position) {
        Some(at) => report.fault(at, &text.key, error.message),
        None => report.at(&text, error.to_string()),
    }
    None
}

/// The byte in the file at which the n-th character of a text stands, unless escapes stand before it.
fn place_within(report: &Report<'_>, text: &Located<String>, character: usize) -> Option<usize> {
    let written = report.file.text.get(text.at..)?;
    let quotes = ["'''", "\"\"\"", "'", "\""];
    let quote = quotes.into_iter().find(|q| written.starts_with(q))?;
    let inner = written.get(quote.len()..)?;
    // Values are read without the blanks around them.
    let blanks = inner.len() - inner.trim_start().len();
    inner.trim_start().starts_with(&text.value).then_some(())?;
    let mut characters = text.value.char_indices().map(|(offset, _)| offset);
    let offset = characters.nth(character.checked_sub(1)?);
    let offset = offset.unwrap_or(text.value.len());
    Some(text.at + quote.len() + blanks + offset)
}
