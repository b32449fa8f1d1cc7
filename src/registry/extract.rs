//! Picks single values out of encoded records: one pass, no message tree.

pub(crate) mod tree;

use std::iter;

use prost_reflect::EnumDescriptor;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;

use super::decimal::Decimal;
use super::field::Field;
use super::scalar::Datum;
use super::value::Literal;
use super::wire::Malformed;
use tree::Node;
use tree::Target;
use tree::new_slot;

/// The value that a record states for a field.
///
/// A field without explicit presence that stands at its type's default (`""`, `0`, `false`) states nothing, since a
/// record that leaves it out means the same. Neither do a list, a map, or a message other than a `Timestamp`.
pub fn value_of(record: &[u8], field: &Field) -> Result<Option<Literal>, Malformed> {
    let (extractor, _) = Extractor::of(iter::once(field));
    let reading = extractor.read(record)?;
    if !reading.states(0) {
        return Ok(None);
    }
    Ok(match reading.value(0) {
        Datum::Text(v) if field.is_decimal() => {
            let decimal = Decimal::parse(v);
            let decimal = decimal.ok_or_else(|| Malformed::Decimal(field.descriptor().number()))?;
            Some(Literal::Decimal(decimal))
        }
        Datum::Text(v) => Some(Literal::Text(v.into())),
        Datum::Integer(v) => Some(Literal::Integer(v)),
        Datum::Unsigned(v) => Some(Literal::Unsigned(v)),
        Datum::Number(v) => Some(Literal::Number(v)),
        Datum::Boolean(v) => Some(Literal::Boolean(v)),
        Datum::Data(v) => Some(Literal::Data(v.to_vec().into())),
        Datum::Enum(number) => match field.descriptor().kind() {
            Kind::Enum(kind) => Some(enum_literal(&kind, number)),
            _ => None,
        },
        Datum::Time { seconds, nanos } => Some(Literal::Time { seconds, nanos }),
        Datum::Something | Datum::Nothing | Datum::Decimal(_) => None,
    })
}

/// Enums are open: a number without a name is named by itself, as in JSON.
fn enum_literal(kind: &EnumDescriptor, number: i32) -> Literal {
    let name = kind.get_value(number).map_or_else(
        || number.to_string().into(),
        |value| value.name().to_owned().into(),
    );
    Literal::Enum { name, number }
}

/// The fields that are wanted, as a tree of field numbers whose leaves are slots.
#[derive(Default)]
pub(crate) struct Extractor {
    root: Node,
    /// What each slot's field means when it is not there: `Nothing` where presence is explicit.
    absent: Vec<Datum<'static>>,
}

impl Extractor {
    /// An extractor of the fields, and the slot of each. Of a field within a list or a map it finds nothing.
    pub(crate) fn of<'f>(fields: impl Iterator<Item = &'f Field>) -> (Self, Vec<usize>) {
        let mut extractor = Self::default();
        let slots = fields.map(|field| extractor.add(field.steps())).collect();
        extractor.root.link_rivals();
        (extractor, slots)
    }

    fn add(&mut self, steps: &[FieldDescriptor]) -> usize {
        let absent = &mut self.absent;
        let mut node = &mut self.root;
        let Some((last, outer)) = steps.split_last() else {
            return new_slot(absent, Datum::Nothing);
        };
        if outer.iter().any(|step| step.is_list() || step.is_map()) {
            return new_slot(absent, Datum::Nothing);
        }
        for step in outer {
            let entry = node.entry(step, || Target::Message {
                slot: None,
                node: Node::default(),
            });
            match &mut entry.target {
                Target::Message { node: inner, .. } => node = inner,
                // A path through something that is no message finds nothing.
                _ => return new_slot(absent, Datum::Nothing),
            }
        }
        match &mut node.entry(last, || Target::leaf(last, absent)).target {
            Target::Value { slot, .. } | Target::Time { slot } | Target::Repeated { slot, .. } => {
                *slot
            }
            Target::Message { slot, .. } => {
                *slot.get_or_insert_with(|| new_slot(absent, Datum::Nothing))
            }
            Target::Rival => new_slot(absent, Datum::Nothing),
        }
    }

    /// Reads the wanted fields of a record.
    pub(crate) fn read<'a>(&self, record: &'a [u8]) -> Result<ExtractedValues<'_, 'a>, Malformed> {
        let mut found = if self.absent.len() <= FEW {
            Slots::Few([Datum::Nothing; FEW])
        } else {
            Slots::Many(vec![Datum::Nothing; self.absent.len()])
        };
        self.root.read(record, 0, found.as_mut())?;
        Ok(ExtractedValues {
            absent: &self.absent,
            found,
        })
    }
}

pub(crate) fn is_timestamp(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp")
}

/// So many slots need no allocation.
const FEW: usize = 16;

#[expect(
    clippy::large_enum_variant,
    reason = "the few stand on the stack, which is what they are for"
)]
enum Slots<'a> {
    Few([Datum<'a>; FEW]),
    Many(Vec<Datum<'a>>),
}

impl<'a> Slots<'a> {
    fn as_ref(&self) -> &[Datum<'a>] {
        match self {
            Self::Few(found) => found,
            Self::Many(found) => found,
        }
    }

    fn as_mut(&mut self) -> &mut [Datum<'a>] {
        match self {
            Self::Few(found) => found,
            Self::Many(found) => found,
        }
    }
}

/// What one record states for the wanted fields.
pub(crate) struct ExtractedValues<'e, 'a> {
    absent: &'e [Datum<'static>],
    found: Slots<'a>,
}

impl<'a> ExtractedValues<'_, 'a> {
    /// The value, or the type's default where the schema lets it be left out; `Nothing` where presence is explicit.
    pub(crate) fn value(&self, slot: usize) -> Datum<'a> {
        match self.found.as_ref().get(slot) {
            None | Some(Datum::Nothing) => self.absent(slot),
            Some(found) => *found,
        }
    }

    /// Whether the record says more than leaving the field out would.
    pub(crate) fn states(&self, slot: usize) -> bool {
        self.value(slot) != self.absent(slot)
    }

    fn absent(&self, slot: usize) -> Datum<'static> {
        self.absent.get(slot).copied().unwrap_or(Datum::Nothing)
    }
}
