//! What a grant releases: its fields, divided where parts of them are masked.

use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;

use super::ReleasedField;
use super::grant_fields::GrantFields;
use super::report::Located;
use super::report::Report;
use crate::registry::field::Field;
use crate::registry::mask::Mask;
use crate::registry::schema::RecordSchema;

/// Divides all fields that a grant names, and reports those of which nothing would be left or no one can say what.
pub(super) fn divide(
    schema: &RecordSchema,
    named: &GrantFields,
    report: &mut Report<'_>,
) -> Vec<ReleasedField> {
    let mut released = Vec::new();
    for field in &named.fields {
        let mut division = Division {
            schema,
            named,
            out_of_reach: Vec::new(),
        };
        let parts = division.divide(&field.value);
        if parts.is_empty() && division.out_of_reach.is_empty() {
            let message = format!(
                "`{}` is masked with `drop`, so that nothing of it would be released; name it \
                 under `unmasked`, or leave it out",
                field.value.path()
            );
            report.at(field, message);
        }
        for inner in &division.out_of_reach {
            report_out_of_reach(field, inner, report);
        }
        released.extend(parts);
    }
    released
}

struct Division<'a> {
    schema: &'a RecordSchema,
    named: &'a GrantFields,
    /// Met on the way: fields that hold messages whose own fields no mask can reach.
    out_of_reach: Vec<Field>,
}

impl Division<'_> {
    fn divide(&mut self, field: &Field) -> Vec<ReleasedField> {
        let path = field.path();
        let mut masks = self.named.masks.iter();
        if let Some((_, mask)) = masks.find(|(masked, _)| masked.value.path() == path) {
            return released(field, Some(*mask));
        }
        let mut unmasked = self.named.unmasked.iter();
        if unmasked.any(|u| path.within(u.value.path())) {
            return released(field, None);
        }
        if is_out_of_reach(field) {
            if field.default_mask() != Some(Mask::Drop) {
                self.out_of_reach.push(field.clone());
            }
            return Vec::new();
        }
        if field.message().is_none() {
            return released(field, field.default_mask());
        }
        let children = self.schema.fields(Some(path));
        let parts: Vec<_> = children.iter().flat_map(|c| self.divide(c)).collect();
        let pairs = || parts.iter().zip(&children);
        let whole = parts.len() == children.len()
            && pairs().all(|(part, child)| part.mask.is_none() && part.field == *child);
        if whole && field.default_mask().is_none() {
            return released(field, None);
        }
        parts
    }
}

fn released(field: &Field, mask: Option<Mask>) -> Vec<ReleasedField> {
    if mask == Some(Mask::Drop) {
        return Vec::new();
    }
    vec![ReleasedField {
        field: field.clone(),
        mask,
    }]
}

/// Whether the field holds messages into which no path leads: those of a map, and a message within itself. The masks
/// that the schema declares in them would not be applied.
fn is_out_of_reach(field: &Field) -> bool {
    let descriptor = field.descriptor();
    if descriptor.is_map() {
        return maps_to_messages(descriptor);
    }
    let mut around = field.steps().iter().map(FieldDescriptor::parent_message);
    field
        .message()
        .is_some_and(|message| around.any(|outer| *outer == message))
}

fn maps_to_messages(map: &FieldDescriptor) -> bool {
    let Kind::Message(entry) = map.kind() else {
        return false;
    };
    match entry.map_entry_value_field().kind() {
        // Well-known types declare no masks.
        Kind::Message(value) => !value.package_name().starts_with("google."),
        _ => false,
    }
}

fn report_out_of_reach(granted: &Located<Field>, inner: &Field, report: &mut Report<'_>) {
    let path = inner.path();
    let message = format!(
        "no mask reaches into `{path}`, whose messages stand in a map or within themselves; \
         release it whole with `unmasked = [\"{path}\"]`, or not at all with \
         `mask = {{ \"{path}\" = \"drop\" }}`"
    );
    report.at(granted, message);
}
