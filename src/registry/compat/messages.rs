//! Messages: fields, oneofs and reservations that were there before.

use prost_reflect::MessageDescriptor;
use prost_reflect::OneofDescriptor;

use super::Report;
use super::Site;
use super::pairs;
use super::rule::Rule;

/// The field number of `options` in `google.protobuf.DescriptorProto`.
const OPTIONS: i32 = 7;

impl Report<'_> {
    pub(super) fn messages(&mut self) {
        for (old, new) in pairs(&self.before.messages, &self.after.messages) {
            self.deleted_fields(old, new);
            self.oneofs(old, new);
            self.check_reserved(old, new);
            self.accessor(old, new);
        }
    }

    fn deleted_fields(&mut self, old: &MessageDescriptor, new: &MessageDescriptor) {
        let mut gone: Vec<_> = old.fields().collect();
        gone.retain(|field| new.get_field(field.number()).is_none());
        for field in gone {
            let (number, name) = (field.number(), field.name());
            let message = format!("the field `{name}` = {number} was deleted");
            let mut add = |rule| self.of(rule, new, field.full_name(), message.clone());
            add(Rule::FieldNoDelete);
            if !reserves_number(new, number) {
                add(Rule::FieldNoDeleteUnlessNumberReserved);
            }
            if !reserves_name(new, name) {
                add(Rule::FieldNoDeleteUnlessNameReserved);
            }
        }
    }

    fn oneofs(&mut self, old: &MessageDescriptor, new: &MessageDescriptor) {
        let stated = |message: &MessageDescriptor| {
            let oneofs: Vec<OneofDescriptor> = message.oneofs().collect();
            oneofs.into_iter().filter(|oneof| !oneof.is_synthetic())
        };
        for oneof in stated(old) {
            if !stated(new).any(|kept| kept.name() == oneof.name()) {
                let message = format!("the oneof `{}` was deleted", oneof.name());
                self.of(Rule::OneofNoDelete, new, oneof.full_name(), message);
            }
        }
    }

    fn check_reserved(&mut self, old: &MessageDescriptor, new: &MessageDescriptor) {
        let new_ranges: Vec<_> = new.reserved_ranges().collect();
        for range in old.reserved_ranges() {
            if !covers(&new_ranges, range.start, range.end) {
                let last = range.end.saturating_sub(1);
                let message = format!(
                    "the numbers {} to {last} are no longer reserved",
                    range.start
                );
                self.of(Rule::ReservedMessageNoDelete, new, new.full_name(), message);
            }
        }
        for name in old.reserved_names() {
            if !reserves_name(new, name) {
                let message = format!("the name `{name}` is no longer reserved");
                self.of(Rule::ReservedMessageNoDelete, new, new.full_name(), message);
            }
        }
    }

    fn accessor(&mut self, old: &MessageDescriptor, new: &MessageDescriptor) {
        let without = |message: &MessageDescriptor| {
            let options = message.descriptor_proto().options.as_ref();
            options.is_some_and(|options| options.no_standard_descriptor_accessor())
        };
        if without(new) && !without(old) {
            let file = new.parent_file();
            let path = [new.path(), &[OPTIONS, 2]].concat();
            let site = Site {
                file: &file,
                path: &path,
            };
            let message = "`no_standard_descriptor_accessor` was set".to_owned();
            let rule = Rule::MessageNoRemoveStandardDescriptorAccessor;
            self.add(rule, &site, new.full_name(), message);
        }
    }

    fn of(&mut self, rule: Rule, new: &MessageDescriptor, element: &str, message: String) {
        let file = new.parent_file();
        let site = Site {
            file: &file,
            path: new.path(),
        };
        self.add(rule, &site, element, message);
    }
}

fn reserves_number(message: &MessageDescriptor, number: u32) -> bool {
    message
        .reserved_ranges()
        .any(|range| range.contains(&number))
}

fn reserves_name(message: &MessageDescriptor, name: &str) -> bool {
    message.reserved_names().any(|reserved| reserved == name)
}

/// Whether ranges together hold all of `start..end`.
fn covers(ranges: &[std::ops::Range<u32>], start: u32, end: u32) -> bool {
    let mut next = start;
    while next < end {
        let Some(range) = ranges.iter().find(|range| range.contains(&next)) else {
            return false;
        };
        next = range.end;
    }
    true
}
