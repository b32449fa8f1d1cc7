//! The fields that a grant names, each list checked against the others.

use prost_reflect::Kind;

use super::report::Located;
use super::report::Report;
use super::section::Section;
use super::value;
use crate::registry::field::Field;
use crate::registry::mask::Mask;
use crate::registry::query::Mode;
use crate::registry::schema::RecordSchema;

#[derive(Debug)]
pub(super) struct GrantFields {
    pub(super) fields: Vec<Located<Field>>,
    pub(super) unmasked: Vec<Located<Field>>,
    pub(super) masks: Vec<(Located<Field>, Mask)>,
    pub(super) lookup: Vec<Located<Field>>,
}

impl GrantFields {
    pub(super) fn read(
        schema: &RecordSchema,
        section: &Section<'_>,
        report: &mut Report<'_>,
    ) -> Self {
        let mut fields = |name: &str| -> Vec<_> {
            let paths = section.list(name, value::text, report);
            let fields = paths.iter();
            fields
                .filter_map(|path| report.check(path, schema.field(&path.value)))
                .collect()
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

    pub(super) fn check(&self, report: &mut Report<'_>) {
        for field in &self.fields {
            self.check_granted_once(field, report);
        }
        for field in &self.unmasked {
            self.check_granted(field, "unmasked", report);
        }
        for (field, mask) in &self.masks {
            self.check_granted(field, "mask", report);
            self.check_mask(field, *mask, report);
        }
        for field in &self.lookup {
            if !has_one_value(&field.value) {
                let message = format!(
                    "`{}` has no single value that could be asked for; name a field that is \
                     neither a message nor repeated",
                    field.value.path()
                );
                report.at(field, message);
            }
        }
    }

    fn check_granted_once(&self, field: &Located<Field>, report: &mut Report<'_>) {
        let path = field.value.path();
        let mut others = self.fields.iter().map(|f| f.value.path());
        if let Some(outer) = others.find(|other| *other != path && path.within(other)) {
            let message = format!(
                "`{path}` lies within `{outer}`, which is granted as a whole; leave one out"
            );
            report.at(field, message);
        }
    }

    fn check_granted(&self, field: &Located<Field>, list: &str, report: &mut Report<'_>) {
        let path = field.value.path();
        if !self.fields.iter().any(|f| path.within(f.value.path())) {
            let message = format!(
                "`{path}` stands in `{list}` but is not granted; add it to `fields`, or leave it \
                 out here"
            );
            report.at(field, message);
        }
    }

    fn check_mask(&self, field: &Located<Field>, mask: Mask, report: &mut Report<'_>) {
        report.check(field, mask.fits(field.value.descriptor()));
        let path = field.value.path();
        let mut unmasked = self.unmasked.iter().map(|u| u.value.path());
        if let Some(other) = unmasked.find(|u| u.within(path) || path.within(u)) {
            let message = format!(
                "`{path}` is masked here, but `{other}` stands in `unmasked`; decide for one"
            );
            report.at(field, message);
        }
        let mut masked = self.masks.iter().map(|(other, _)| other.value.path());
        if let Some(outer) = masked.find(|other| *other != path && path.within(other)) {
            let message = format!(
                "`{path}` lies within `{outer}`, which is masked as a whole; leave one out"
            );
            report.at(field, message);
        }
    }

    /// Whether each mode can be used with what is named.
    pub(super) fn check_modes(
        &self,
        schema: &RecordSchema,
        modes: &[Located<Mode>],
        report: &mut Report<'_>,
    ) {
        let key = schema.key();
        for mode in modes {
            let name = mode.value.as_str();
            let by_key = matches!(mode.value, Mode::Get | Mode::Verify);
            if by_key && !self.opens(key) {
                let key = key.path();
                let message = format!(
                    "`{name}` asks for a record by its key `{key}`, which is neither released \
                     unmasked nor in `lookup`; add `lookup = [\"{key}\"]`"
                );
                report.at(mode, message);
            }
            let verifies = mode.value == Mode::Verify && !self.lookup.is_empty();
            if mode.value != Mode::Count && self.fields.is_empty() && !verifies {
                report.at(
                    mode,
                    format!("`{name}` needs fields; list them in `fields`"),
                );
            }
        }
        if modes.iter().any(|mode| mode.value == Mode::Query) {
            self.check_that_lookups_identify(report);
        }
    }

    /// Whoever may query by each value of a field with few of them reads it, and misses hardly ever.
    fn check_that_lookups_identify(&self, report: &mut Report<'_>) {
        for field in self
            .lookup
            .iter()
            .filter(|field| has_few_values(&field.value) && !self.releases_clear(&field.value))
        {
            let path = field.value.path();
            let message = format!(
                "`{path}` has so few values that querying for each of them would read it; leave it out \
                 here, release it unmasked, or let it be verified by a grant without `query`"
            );
            report.at(field, message);
        }
    }

    /// Whether a record may be asked for by its key.
    fn opens(&self, key: &Field) -> bool {
        let mut lookup = self.lookup.iter();
        lookup.any(|f| f.value.path() == key.path()) || self.releases_clear(key)
    }

    /// Whether a field that is not within a message is granted and not masked.
    fn releases_clear(&self, field: &Field) -> bool {
        let path = field.path();
        let names = |list: &[Located<Field>]| list.iter().any(|f| f.value.path() == path);
        let masked_here = self.masks.iter().any(|(f, _)| f.value.path() == path);
        let masked = masked_here || field.default_mask().is_some() && !names(&self.unmasked);
        names(&self.fields) && !masked
    }
}

fn has_few_values(field: &Field) -> bool {
    matches!(field.descriptor().kind(), Kind::Enum(_) | Kind::Bool)
}

/// Whether the field holds one value that a question can state.
fn has_one_value(field: &Field) -> bool {
    let is_value = match field.descriptor().kind() {
        Kind::Message(message) => message.full_name() == "google.protobuf.Timestamp",
        _ => true,
    };
    is_value && !field.is_repeated()
}
