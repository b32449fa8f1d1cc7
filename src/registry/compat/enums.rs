//! Enums: values and reservations that were there before.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use prost_reflect::EnumDescriptor;

use super::Report;
use super::Site;
use super::pairs;
use super::rule::Rule;

/// The field number of `value` in `google.protobuf.EnumDescriptorProto`.
const VALUE: i32 = 2;

impl Report<'_> {
    pub(super) fn enums(&mut self) {
        for (old, new) in pairs(&self.before.enums, &self.after.enums) {
            self.values(old, new);
            self.reserved_values(old, new);
        }
    }

    fn values(&mut self, old: &EnumDescriptor, new: &EnumDescriptor) {
        let after = names(new);
        for (number, before) in names(old) {
            match after.get(&number) {
                None => self.deleted_value(new, number, &before),
                Some(after) if !after.is_superset(&before) => {
                    let (was, is) = (list(&before), list(after));
                    let message = format!("the value {number} was named {was} and is now {is}");
                    let at = new.values().position(|value| value.number() == number);
                    let at = at.and_then(|at| i32::try_from(at).ok());
                    let path = [new.path(), &[VALUE, at.unwrap_or(0)]].concat();
                    self.of_enum(Rule::EnumValueSameName, new, &path, message);
                }
                Some(_) => {}
            }
        }
    }

    fn deleted_value(&mut self, new: &EnumDescriptor, number: i32, names: &BTreeSet<String>) {
        let message = format!("the value {} = {number} was deleted", list(names));
        let mut add = |rule| self.of_enum(rule, new, new.path(), message.clone());
        add(Rule::EnumValueNoDelete);
        if !new.reserved_ranges().any(|range| range.contains(&number)) {
            add(Rule::EnumValueNoDeleteUnlessNumberReserved);
        }
        let reserved: BTreeSet<_> = new.reserved_names().map(str::to_owned).collect();
        if !reserved.is_superset(names) {
            add(Rule::EnumValueNoDeleteUnlessNameReserved);
        }
    }

    fn reserved_values(&mut self, old: &EnumDescriptor, new: &EnumDescriptor) {
        let ranges: Vec<_> = new.reserved_ranges().collect();
        for range in old.reserved_ranges() {
            if !covers(&ranges, *range.start(), *range.end()) {
                let (first, last) = range.into_inner();
                let message = format!("the numbers {first} to {last} are no longer reserved");
                self.of_enum(Rule::ReservedEnumNoDelete, new, new.path(), message);
            }
        }
        for name in old.reserved_names() {
            if !new.reserved_names().any(|kept| kept == name) {
                let message = format!("the name `{name}` is no longer reserved");
                self.of_enum(Rule::ReservedEnumNoDelete, new, new.path(), message);
            }
        }
    }

    fn of_enum(&mut self, rule: Rule, new: &EnumDescriptor, path: &[i32], message: String) {
        let file = new.parent_file();
        let site = Site { file: &file, path };
        self.add(rule, &site, new.full_name(), message);
    }
}

/// The names of each number: with `allow_alias` there may be several.
fn names(enumeration: &EnumDescriptor) -> BTreeMap<i32, BTreeSet<String>> {
    let mut names = BTreeMap::<_, BTreeSet<_>>::new();
    for value in enumeration.values() {
        let same = names.entry(value.number()).or_default();
        same.insert(value.name().to_owned());
    }
    names
}

fn list(names: &BTreeSet<String>) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Whether ranges together hold all of `first..=last`.
fn covers(ranges: &[std::ops::RangeInclusive<i32>], first: i32, last: i32) -> bool {
    let mut next = first;
    loop {
        let Some(range) = ranges.iter().find(|range| range.contains(&next)) else {
            return false;
        };
        if *range.end() >= last {
            return true;
        }
        next = *range.end() + 1;
    }
}
