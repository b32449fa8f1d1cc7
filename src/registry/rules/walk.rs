//! One pass over an encoded record, message by message.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::FieldSet;
use super::OfField;
use super::OfMessage;
use super::Requirement;
use super::Shape;
use super::Violation;
use crate::registry::extract::tree::message_of;
use crate::registry::scalar::Datum;
use crate::registry::scalar::Scalar;
use crate::registry::wire::MAX_DEPTH;
use crate::registry::wire::Malformed;
use crate::registry::wire::WireField;
use crate::registry::wire::WireFields;
use crate::registry::wire::WireValue;

/// The field numbers of a map's entry.
const MAP_KEY: u32 = 1;
const MAP_VALUE: u32 = 2;

pub(super) struct Walk<'w> {
    messages: &'w [OfMessage],
    told: &'w mut dyn FnMut(Violation),
    /// The names of the fields that lead here.
    path: Vec<&'w str>,
}

/// What a message has of one field.
#[derive(Default, Clone)]
struct FieldValues<'a> {
    /// Of a single value, the last one.
    value: Option<Datum<'a>>,
    /// Of a list: each element of a scalar type. Of a message: its bytes, which are one message together.
    elements: Vec<Datum<'a>>,
    messages: Vec<&'a [u8]>,
    /// Of a map, the keys as they stand.
    keys: BTreeSet<&'a [u8]>,
}

impl<'w> Walk<'w> {
    pub(super) fn new(messages: &'w [OfMessage], told: &'w mut dyn FnMut(Violation)) -> Self {
        Self {
            messages,
            told,
            path: Vec::new(),
        }
    }

    pub(super) fn message(
        &mut self,
        index: usize,
        bytes: &[u8],
        covered: &FieldSet,
    ) -> Result<(), Malformed> {
        if self.path.len() > MAX_DEPTH {
            return Err(Malformed::Depth);
        }
        let messages = self.messages;
        let Some(rules) = messages.get(index) else {
            return Ok(());
        };
        let mut seen = vec![FieldValues::default(); rules.fields.len()];
        let mut numbers = BTreeSet::new();
        for field in WireFields::of(bytes) {
            let field = field?;
            if !rules.oneofs.is_empty() {
                numbers.insert(field.number);
            }
            let at = rules.fields.iter().position(|f| f.number == field.number);
            if let Some((rule, seen)) =
                at.and_then(|at| Some((rules.fields.get(at)?, seen.get_mut(at)?)))
            {
                seen.add(rule, field)?;
            }
        }
        for (rule, seen) in rules.fields.iter().zip(&seen) {
            if let Some(covered) = covered.of(rule.number) {
                self.path.push(&rule.name);
                self.field(rule, seen, covered)?;
                self.path.pop();
            }
        }
        for oneof in &rules.oneofs {
            let is_covered = |number: &u32| covered.of(*number).is_some();
            let is_set = oneof.members.iter().any(|member| numbers.contains(member));
            if !is_set && oneof.members.iter().all(is_covered) {
                self.path.push(&oneof.name);
                self.report(&oneof.required);
                self.path.pop();
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        rule: &'w OfField,
        seen: &FieldValues<'_>,
        covered: &FieldSet,
    ) -> Result<(), Malformed> {
        match &rule.shape {
            Shape::Scalar(scalar) => {
                if covered.is_all() {
                    self.scalar(rule, *scalar, seen);
                }
                Ok(())
            }
            Shape::Message => {
                if covered.is_all() && seen.messages.is_empty() {
                    self.report_if(rule.required.as_ref());
                }
                let Some(inner) = rule.inner.filter(|_| !seen.messages.is_empty()) else {
                    return Ok(());
                };
                // What comes in parts is one message.
                let whole = match seen.messages.as_slice() {
                    [one] => Cow::Borrowed(*one),
                    parts => Cow::Owned(parts.concat()),
                };
                self.message(inner, &whole, covered)
            }
            Shape::List(_) | Shape::Map => {
                if covered.is_all() {
                    self.several(rule, seen);
                }
                for message in rule.inner.iter().flat_map(|_| &seen.messages) {
                    if let Some(inner) = rule.inner {
                        self.message(inner, message, covered)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn scalar(&mut self, rule: &'w OfField, scalar: Scalar, seen: &FieldValues<'_>) {
        let zero = scalar.default();
        let value = seen.value.unwrap_or(zero);
        let is_set = match rule.has_presence {
            true => seen.value.is_some(),
            false => value != zero,
        };
        if !is_set && rule.required.is_some() {
            return self.report_if(rule.required.as_ref());
        }
        // Where presence is explicit, a value that is set is judged, be it zero.
        if !is_set && (rule.has_presence || rule.ignores_zero) {
            return;
        }
        for check in rule.checks.iter().filter(|check| !check.holds(value)) {
            self.report(&check.requirement);
        }
    }

    fn several(&mut self, rule: &'w OfField, seen: &FieldValues<'_>) {
        let count = match &rule.shape {
            Shape::Map => seen.keys.len(),
            _ => seen.elements.len().max(seen.messages.len()),
        } as u64;
        if count == 0 && rule.required.is_some() {
            return self.report_if(rule.required.as_ref());
        }
        if count == 0 && rule.ignores_zero {
            return;
        }
        let size = &rule.size;
        if let Some((_, requirement)) = size.least.as_ref().filter(|(least, _)| count < *least) {
            self.report(requirement);
        }
        if let Some((_, requirement)) = size.most.as_ref().filter(|(most, _)| count > *most) {
            self.report(requirement);
        }
        if let Some(requirement) = &size.unique
            && !are_unique(&seen.elements)
        {
            self.report(requirement);
        }
        for check in &rule.checks {
            let broken = seen.elements.iter().filter(|value| !check.holds(**value));
            for _ in broken {
                self.report(&check.requirement);
            }
        }
    }

    fn report_if(&mut self, requirement: Option<&Requirement>) {
        if let Some(requirement) = requirement {
            self.report(requirement);
        }
    }

    fn report(&mut self, requirement: &Requirement) {
        (self.told)(Violation {
            path: self.path.join("."),
            requirement: requirement.clone(),
        });
    }
}

impl<'a> FieldValues<'a> {
    fn add(&mut self, rule: &OfField, field: WireField<'a>) -> Result<(), Malformed> {
        match &rule.shape {
            Shape::Scalar(scalar) => {
                self.value = Some(scalar.read(field.number, field.value)?);
            }
            Shape::Message | Shape::List(None) => self.messages.push(message_of(field)?),
            Shape::List(Some(scalar)) => match field.value {
                WireValue::Len(packed) if scalar.packs() => {
                    let mut left = packed;
                    while !left.is_empty() {
                        let value = scalar.unpack(field.number, &mut left)?;
                        self.elements.push(scalar.read(field.number, value)?);
                    }
                }
                value => self.elements.push(scalar.read(field.number, value)?),
            },
            Shape::Map => self.add_entry(message_of(field)?)?,
        }
        Ok(())
    }

    fn add_entry(&mut self, entry: &'a [u8]) -> Result<(), Malformed> {
        let mut key: &[u8] = &[];
        for field in WireFields::of(entry) {
            let field = field?;
            match (field.number, field.value) {
                (MAP_KEY, _) => key = field.whole,
                (MAP_VALUE, WireValue::Len(value)) => self.messages.push(value),
                _ => {}
            }
        }
        self.keys.insert(key);
        Ok(())
    }
}

fn are_unique(elements: &[Datum<'_>]) -> bool {
    let mut sorted: Vec<_> = elements.iter().collect();
    sorted.sort_by(|a, b| a.order(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.windows(2).all(|pair| match pair {
        [a, b] => a != b,
        _ => true,
    })
}
