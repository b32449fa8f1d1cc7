//! Picks single values out of encoded records: one pass, no message tree.

use std::iter;

use prost_reflect::EnumDescriptor;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;

use super::field::Field;
use super::scalar::Found;
use super::scalar::Scalar;
use super::value::Literal;
use super::wire::MAX_DEPTH;
use super::wire::Malformed;
use super::wire::WireField;
use super::wire::WireFields;
use super::wire::WireValue;

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
        Found::Text(v) => Some(Literal::Text(v.into())),
        Found::Integer(v) => Some(Literal::Integer(v)),
        Found::Unsigned(v) => Some(Literal::Unsigned(v)),
        Found::Number(v) => Some(Literal::Number(v)),
        Found::Boolean(v) => Some(Literal::Boolean(v)),
        Found::Data(v) => Some(Literal::Data(v.to_vec().into())),
        Found::Enum(number) => match field.descriptor().kind() {
            Kind::Enum(kind) => Some(enum_literal(&kind, number)),
            _ => None,
        },
        Found::Time { seconds, nanos } => Some(Literal::Time { seconds, nanos }),
        Found::Something | Found::Nothing => None,
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
    absent: Vec<Found<'static>>,
}

#[derive(Default)]
struct Node {
    /// Few: searched from the front.
    entries: Vec<Entry>,
}

struct Entry {
    number: u32,
    target: Target,
    /// The other members of the field's oneof, which it replaces.
    rivals: Vec<u32>,
    /// The rivals' slots.
    clears: Vec<usize>,
}

enum Target {
    Value {
        slot: usize,
        scalar: Scalar,
    },
    /// A `google.protobuf.Timestamp`.
    Time {
        slot: usize,
    },
    /// Only asked whether it has elements.
    Repeated {
        slot: usize,
        scalar: Option<Scalar>,
    },
    Message {
        slot: Option<usize>,
        node: Node,
    },
    /// Stands here only because it replaces another.
    Rival,
}

impl Extractor {
    /// An extractor of the fields, and the slot of each. No field may lie within a list or a map.
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
            return new_slot(absent, Found::Nothing);
        };
        for step in outer {
            let entry = node.entry(step, || Target::Message {
                slot: None,
                node: Node::default(),
            });
            match &mut entry.target {
                Target::Message { node: inner, .. } => node = inner,
                // A path through something that is no message finds nothing.
                _ => return new_slot(absent, Found::Nothing),
            }
        }
        match &mut node.entry(last, || Target::leaf(last, absent)).target {
            Target::Value { slot, .. } | Target::Time { slot } | Target::Repeated { slot, .. } => {
                *slot
            }
            Target::Message { slot, .. } => {
                *slot.get_or_insert_with(|| new_slot(absent, Found::Nothing))
            }
            Target::Rival => new_slot(absent, Found::Nothing),
        }
    }

    /// Reads the wanted fields of a record.
    pub(crate) fn read<'a>(&self, record: &'a [u8]) -> Result<Reading<'_, 'a>, Malformed> {
        let mut found = if self.absent.len() <= FEW {
            Slots::Few([Found::Nothing; FEW])
        } else {
            Slots::Many(vec![Found::Nothing; self.absent.len()])
        };
        self.root.read(record, 0, found.as_mut())?;
        Ok(Reading {
            absent: &self.absent,
            found,
        })
    }
}

fn new_slot(absent: &mut Vec<Found<'static>>, means: Found<'static>) -> usize {
    absent.push(means);
    absent.len() - 1
}

impl Target {
    fn leaf(field: &FieldDescriptor, absent: &mut Vec<Found<'static>>) -> Self {
        let scalar = Scalar::of(&field.kind());
        if field.is_list() || field.is_map() {
            let slot = new_slot(absent, Found::Nothing);
            return Self::Repeated { slot, scalar };
        }
        if let Some(scalar) = scalar {
            let means = if field.supports_presence() {
                Found::Nothing
            } else {
                scalar.default()
            };
            let slot = new_slot(absent, means);
            return Self::Value { slot, scalar };
        }
        if is_timestamp(field) {
            let slot = new_slot(absent, Found::Nothing);
            return Self::Time { slot };
        }
        Self::Message {
            slot: None,
            node: Node::default(),
        }
    }

    fn slots(&self, into: &mut Vec<usize>) {
        match self {
            Self::Value { slot, .. } | Self::Time { slot } | Self::Repeated { slot, .. } => {
                into.push(*slot);
            }
            Self::Message { slot, node } => {
                into.extend(slot);
                for entry in &node.entries {
                    entry.target.slots(into);
                }
            }
            Self::Rival => {}
        }
    }
}

pub(crate) fn is_timestamp(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp")
}

impl Node {
    fn entry(&mut self, field: &FieldDescriptor, target: impl FnOnce() -> Target) -> &mut Entry {
        let number = field.number();
        let at = match self.entries.iter().position(|e| e.number == number) {
            Some(at) => at,
            None => {
                self.entries.push(Entry {
                    number,
                    target: target(),
                    rivals: rivals(field),
                    clears: Vec::new(),
                });
                self.entries.len() - 1
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.entries[at]
    }

    /// Gives each member of a oneof the slots that it replaces; adds the members that are not wanted themselves.
    fn link_rivals(&mut self) {
        let mut clears = Vec::new();
        for entry in &self.entries {
            let mut slots = Vec::new();
            entry.target.slots(&mut slots);
            clears.extend(entry.rivals.iter().map(|&rival| (rival, slots.clone())));
        }
        for (number, slots) in clears {
            match self.entries.iter_mut().find(|e| e.number == number) {
                Some(entry) => entry.clears.extend(slots),
                None => self.entries.push(Entry {
                    number,
                    target: Target::Rival,
                    rivals: Vec::new(),
                    clears: slots,
                }),
            }
        }
        for entry in &mut self.entries {
            if let Target::Message { node, .. } = &mut entry.target {
                node.link_rivals();
            }
        }
    }

    fn read<'a>(
        &self,
        message: &'a [u8],
        depth: usize,
        found: &mut [Found<'a>],
    ) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed::Depth);
        }
        for field in WireFields::of(message) {
            let field = field?;
            if let Some(entry) = self.entries.iter().find(|e| e.number == field.number) {
                entry.read(field, depth, found)?;
            }
        }
        Ok(())
    }
}

/// The numbers of the other members of the field's oneof.
fn rivals(field: &FieldDescriptor) -> Vec<u32> {
    let Some(oneof) = field.containing_oneof() else {
        return Vec::new();
    };
    oneof
        .fields()
        .map(|member| member.number())
        .filter(|&number| number != field.number())
        .collect()
}

impl Entry {
    fn read<'a>(
        &self,
        field: WireField<'a>,
        depth: usize,
        found: &mut [Found<'a>],
    ) -> Result<(), Malformed> {
        for &slot in &self.clears {
            put(found, slot, Found::Nothing);
        }
        match &self.target {
            Target::Value { slot, scalar } => {
                put(found, *slot, scalar.read(field.number, field.value)?);
            }
            Target::Time { slot } => {
                let before = found.get(*slot).copied().unwrap_or(Found::Nothing);
                put(found, *slot, timestamp(message_of(field)?, before)?);
            }
            Target::Repeated { slot, scalar } => {
                if has_elements(field, *scalar)? {
                    put(found, *slot, Found::Something);
                }
            }
            Target::Message { slot, node } => {
                let message = message_of(field)?;
                if let Some(slot) = slot {
                    put(found, *slot, Found::Something);
                }
                node.read(message, depth + 1, found)?;
            }
            Target::Rival => {}
        }
        Ok(())
    }
}

fn put<'a>(found: &mut [Found<'a>], slot: usize, value: Found<'a>) {
    if let Some(place) = found.get_mut(slot) {
        *place = value;
    }
}

/// The bytes of a field that is declared as a message.
pub(crate) fn message_of(field: WireField<'_>) -> Result<&[u8], Malformed> {
    match field.value {
        WireValue::Len(message) => Ok(message),
        _ => Err(Malformed::Mismatch(field.number)),
    }
}

/// Whether one field of a list adds elements to it: an empty packed list does not.
fn has_elements(field: WireField<'_>, scalar: Option<Scalar>) -> Result<bool, Malformed> {
    match (scalar, field.value) {
        (Some(scalar), WireValue::Len(packed)) if scalar.packs() => Ok(!packed.is_empty()),
        (Some(scalar), value) => scalar.read(field.number, value).map(|_| true),
        (None, _) => message_of(field).map(|_| true),
    }
}

/// Reads a `google.protobuf.Timestamp` over what an earlier field of the same number said, as messages merge.
pub(crate) fn timestamp<'a>(message: &[u8], before: Found<'_>) -> Result<Found<'a>, Malformed> {
    let (mut seconds, mut nanos) = match before {
        Found::Time { seconds, nanos } => (seconds, nanos),
        _ => (0, 0),
    };
    for field in WireFields::of(message) {
        let field = field?;
        let scalar = match field.number {
            1 => Scalar::Int64,
            2 => Scalar::Int32,
            _ => continue,
        };
        match (field.number, scalar.read(field.number, field.value)?) {
            (1, Found::Integer(v)) => seconds = v,
            (2, Found::Integer(v)) => nanos = i32::try_from(v).unwrap_or_default(),
            _ => {}
        }
    }
    Ok(Found::Time { seconds, nanos })
}

/// So many slots need no allocation.
const FEW: usize = 16;

enum Slots<'a> {
    Few([Found<'a>; FEW]),
    Many(Vec<Found<'a>>),
}

impl<'a> Slots<'a> {
    fn as_ref(&self) -> &[Found<'a>] {
        match self {
            Self::Few(found) => found,
            Self::Many(found) => found,
        }
    }

    fn as_mut(&mut self) -> &mut [Found<'a>] {
        match self {
            Self::Few(found) => found,
            Self::Many(found) => found,
        }
    }
}

/// What one record states for the wanted fields.
pub(crate) struct Reading<'e, 'a> {
    absent: &'e [Found<'static>],
    found: Slots<'a>,
}

impl<'a> Reading<'_, 'a> {
    /// The value, or the type's default where the schema lets it be left out; `Nothing` where presence is explicit.
    pub(crate) fn value(&self, slot: usize) -> Found<'a> {
        match self.found.as_ref().get(slot) {
            None | Some(Found::Nothing) => self.absent(slot),
            Some(found) => *found,
        }
    }

    /// Whether the record says more than leaving the field out would.
    pub(crate) fn states(&self, slot: usize) -> bool {
        self.value(slot) != self.absent(slot)
    }

    fn absent(&self, slot: usize) -> Found<'static> {
        self.absent.get(slot).copied().unwrap_or(Found::Nothing)
    }
}
