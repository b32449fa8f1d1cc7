//! The tree of wanted field numbers, and the one pass over a record that fills its slots.

use prost_reflect::FieldDescriptor;

use super::is_timestamp;
use crate::registry::scalar::Datum;
use crate::registry::scalar::Scalar;
use crate::registry::wire::MAX_DEPTH;
use crate::registry::wire::Malformed;
use crate::registry::wire::WireField;
use crate::registry::wire::WireFields;
use crate::registry::wire::WireValue;

#[derive(Default)]
pub(super) struct Node {
    /// Few: searched from the front.
    pub(super) entries: Vec<Entry>,
}

pub(super) struct Entry {
    number: u32,
    pub(super) target: Target,
    /// The other members of the field's oneof, which it replaces.
    rivals: Vec<u32>,
    /// The rivals' slots.
    clears: Vec<usize>,
}

pub(super) enum Target {
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

impl Node {
    pub(super) fn entry(
        &mut self,
        field: &FieldDescriptor,
        target: impl FnOnce() -> Target,
    ) -> &mut Entry {
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
    pub(super) fn link_rivals(&mut self) {
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

    pub(super) fn read<'a>(
        &self,
        message: &'a [u8],
        depth: usize,
        found: &mut [Datum<'a>],
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
        found: &mut [Datum<'a>],
    ) -> Result<(), Malformed> {
        for &slot in &self.clears {
            put(found, slot, Datum::Nothing);
        }
        match &self.target {
            Target::Value { slot, scalar } => {
                put(found, *slot, scalar.read(field.number, field.value)?);
            }
            Target::Time { slot } => {
                let before = found.get(*slot).copied().unwrap_or(Datum::Nothing);
                put(found, *slot, timestamp(message_of(field)?, before)?);
            }
            Target::Repeated { slot, scalar } => {
                if has_elements(field, *scalar)? {
                    put(found, *slot, Datum::Something);
                }
            }
            Target::Message { slot, node } => {
                let message = message_of(field)?;
                if let Some(slot) = slot {
                    put(found, *slot, Datum::Something);
                }
                node.read(message, depth + 1, found)?;
            }
            Target::Rival => {}
        }
        Ok(())
    }
}

fn put<'a>(found: &mut [Datum<'a>], slot: usize, value: Datum<'a>) {
    if let Some(place) = found.get_mut(slot) {
        *place = value;
    }
}

impl Target {
    pub(super) fn leaf(field: &FieldDescriptor, absent: &mut Vec<Datum<'static>>) -> Self {
        let scalar = Scalar::of(&field.kind());
        if field.is_list() || field.is_map() {
            let slot = new_slot(absent, Datum::Nothing);
            return Self::Repeated { slot, scalar };
        }
        if let Some(scalar) = scalar {
            let means = if field.supports_presence() {
                Datum::Nothing
            } else {
                scalar.default()
            };
            let slot = new_slot(absent, means);
            return Self::Value { slot, scalar };
        }
        if is_timestamp(field) {
            let slot = new_slot(absent, Datum::Nothing);
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

pub(super) fn new_slot(absent: &mut Vec<Datum<'static>>, means: Datum<'static>) -> usize {
    absent.push(means);
    absent.len() - 1
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
pub(crate) fn timestamp<'a>(message: &[u8], before: Datum<'_>) -> Result<Datum<'a>, Malformed> {
    let (mut seconds, mut nanos) = match before {
        Datum::Time { seconds, nanos } => (seconds, nanos),
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
            (1, Datum::Integer(v)) => seconds = v,
            (2, Datum::Integer(v)) => nanos = i32::try_from(v).unwrap_or_default(),
            _ => {}
        }
    }
    Ok(Datum::Time { seconds, nanos })
}
