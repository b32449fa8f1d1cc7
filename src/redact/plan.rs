//! What is kept of a record, as a tree of field numbers.

use std::collections::HashMap;

use bytes::Bytes;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;

use super::Pseudonyms;
use super::mask;
use super::mask::Place;
use crate::policy::agreement::ReleasedField;
use crate::registry::extract::is_timestamp;
use crate::registry::extract::tree::message_of;
use crate::registry::mask::Mask;
use crate::registry::scalar::Scalar;
use crate::registry::wire::MAX_DEPTH;
use crate::registry::wire::Malformed;
use crate::registry::wire::WireField;
use crate::registry::wire::WireFields;
use crate::registry::wire::WireValue;
use crate::registry::wire::put_len;

/// The nodes refer to one another by index, since message types may contain themselves. The first is the record.
pub(super) struct Plan {
    nodes: Vec<Node>,
}

/// The fields that are kept of one message, by number. Whatever is not here is dropped.
#[derive(Default)]
struct Node {
    entries: Vec<Entry>,
}

struct Entry {
    number: u32,
    action: Action,
}

#[derive(Clone, Copy)]
enum Action {
    /// A value, or each of a list.
    Keep { scalar: Scalar, list: bool },
    Mask {
        scalar: Scalar,
        of: Place,
        mask: Mask,
    },
    /// A `google.protobuf.Timestamp`, back to the first moment of its year or month.
    Time(Mask),
    /// A message, each of a list, or a map's entries: cut down by the node.
    Walk(usize),
}

/// The released paths as a tree.
struct Branch {
    field: FieldDescriptor,
    /// The field as a whole is released, with this mask.
    leaf: Option<Option<Mask>>,
    inner: Vec<Self>,
}

impl Plan {
    pub(super) fn compile(released: &[ReleasedField]) -> Self {
        let mut branches = Vec::new();
        for ReleasedField { field, mask } in released {
            graft(&mut branches, field.steps(), *mask);
        }
        let mut compiler = Compiler::default();
        compiler.node(&branches);
        Self {
            nodes: compiler.nodes,
        }
    }

    /// What is kept of the record: itself, where that is all of it.
    pub(super) fn apply(
        &self,
        record: &Bytes,
        pseudonyms: &Pseudonyms,
    ) -> Result<Bytes, Malformed> {
        let cut = self.cut(0, record, 0, pseudonyms)?;
        Ok(cut.map_or_else(|| record.clone(), Bytes::from))
    }

    /// What is kept of a message, if that is not all of it.
    fn cut(
        &self,
        node: usize,
        message: &[u8],
        depth: usize,
        pseudonyms: &Pseudonyms,
    ) -> Result<Option<Vec<u8>>, Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed::Depth);
        }
        let mut entries = Entries {
            all: self.nodes.get(node).map_or(&[][..], |node| &node.entries),
            at: 0,
        };
        let mut kept = MessagePlan::of(message);
        for field in WireFields::of(message) {
            let field = field?;
            let len = field.whole.len();
            match entries.action_for(field.number) {
                None => _ = kept.leave_out(len),
                Some(Action::Keep { scalar, list }) => {
                    check(scalar, list, field)?;
                    kept.keep(len);
                }
                Some(Action::Mask { scalar, of, mask }) => {
                    mask::value(mask, scalar, of, field, pseudonyms, kept.leave_out(len))?;
                }
                Some(Action::Time(mask)) => mask::time(mask, field, kept.leave_out(len))?,
                Some(Action::Walk(inner)) => {
                    match self.cut(inner, message_of(field)?, depth + 1, pseudonyms)? {
                        None => kept.keep(len),
                        Some(cut) => put_len(kept.leave_out(len), field.number, &cut),
                    }
                }
            }
        }
        Ok(kept.if_cut())
    }
}

/// A node's entries by number, which fields mostly come in the order of.
struct Entries<'a> {
    all: &'a [Entry],
    /// Of the first entry that has at least the number of the field before.
    at: usize,
}

impl Entries<'_> {
    fn action_for(&mut self, number: u32) -> Option<Action> {
        let before = self.at.checked_sub(1).and_then(|at| self.all.get(at));
        if before.is_some_and(|entry| entry.number >= number) {
            self.at = self.all.partition_point(|entry| entry.number < number);
        }
        loop {
            let entry = self.all.get(self.at)?;
            if entry.number >= number {
                return (entry.number == number).then_some(entry.action);
            }
            self.at += 1;
        }
    }
}

/// What is kept of one message. Fields that are kept as they stand are copied together, and not at all where there is
/// nothing else: a source has mostly left out already what is not released.
struct MessagePlan<'a> {
    message: &'a [u8],
    /// The fields that are kept and not copied yet.
    start: usize,
    end: usize,
    out: Vec<u8>,
}

impl<'a> MessagePlan<'a> {
    fn of(message: &'a [u8]) -> Self {
        Self {
            message,
            start: 0,
            end: 0,
            out: Vec::new(),
        }
    }

    /// The next field stays as it stands.
    fn keep(&mut self, len: usize) {
        self.end += len;
    }

    /// The next field goes; what is to stand in its place can be appended.
    fn leave_out(&mut self, len: usize) -> &mut Vec<u8> {
        self.copy();
        self.start = self.end + len;
        self.end = self.start;
        &mut self.out
    }

    fn copy(&mut self) {
        if self.out.is_empty() {
            self.out.reserve(self.message.len());
        }
        let fields = self.message.get(self.start..self.end);
        self.out.extend_from_slice(fields.unwrap_or_default());
    }

    /// `None` if every field stayed as it stood.
    fn if_cut(mut self) -> Option<Vec<u8>> {
        if self.start == 0 {
            return None;
        }
        self.copy();
        Some(self.out)
    }
}

/// That the field holds what its schema declares. A list may stand packed or one by one.
fn check(scalar: Scalar, list: bool, field: WireField<'_>) -> Result<(), Malformed> {
    match field.value {
        WireValue::Len(mut packed) if list && scalar.packs() => {
            while !packed.is_empty() {
                scalar.unpack(field.number, &mut packed)?;
            }
            Ok(())
        }
        value => scalar.read(field.number, value).map(|_| ()),
    }
}

/// Adds a path to the tree. Should one lie within another after all, the narrower holds.
fn graft(branches: &mut Vec<Branch>, steps: &[FieldDescriptor], mask: Option<Mask>) {
    let Some((first, rest)) = steps.split_first() else {
        return;
    };
    let at = branches
        .iter()
        .position(|branch| branch.field.number() == first.number());
    let branch = match at.and_then(|at| branches.get_mut(at)) {
        Some(branch) => branch,
        None => branches.push_mut(Branch {
            field: first.clone(),
            leaf: None,
            inner: Vec::new(),
        }),
    };
    if rest.is_empty() {
        branch.leaf = Some(match branch.leaf {
            None | Some(None) => mask,
            Some(before) if mask.is_none() || mask == before => before,
            Some(_) => Some(Mask::Drop),
        });
    } else {
        graft(&mut branch.inner, rest, mask);
    }
}

#[derive(Default)]
struct Compiler {
    nodes: Vec<Node>,
    /// The nodes of messages that are kept whole, by their full names.
    whole: HashMap<String, usize>,
}

impl Compiler {
    fn node(&mut self, branches: &[Branch]) -> usize {
        let at = self.reserve();
        let entries = branches
            .iter()
            .filter_map(|branch| {
                let action = match branch.leaf {
                    Some(mask) if branch.inner.is_empty() => self.leaf(&branch.field, mask)?,
                    // A whole message that is masked lets nothing through beside the mask.
                    Some(Some(_)) => return None,
                    _ => Action::Walk(self.divided(&branch.inner)?),
                };
                Some(Entry {
                    number: branch.field.number(),
                    action,
                })
            })
            .collect();
        self.fill(at, entries)
    }

    /// `None` if nothing in the message is kept: then that there is one is not told either.
    fn divided(&mut self, inner: &[Branch]) -> Option<usize> {
        let at = self.node(inner);
        let kept = self.nodes.get(at).is_some_and(|n| !n.entries.is_empty());
        kept.then_some(at)
    }

    fn reserve(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    fn fill(&mut self, at: usize, mut entries: Vec<Entry>) -> usize {
        entries.sort_by_key(|entry| entry.number);
        if let Some(node) = self.nodes.get_mut(at) {
            node.entries = entries;
        }
        at
    }

    /// `None` drops the field: by its mask, or because the mask does not fit.
    fn leaf(&mut self, field: &FieldDescriptor, mask: Option<Mask>) -> Option<Action> {
        let list = field.is_list();
        if mask.is_some_and(|mask| mask.fits(field).is_err()) {
            return None;
        }
        match (field.kind(), mask) {
            (_, Some(Mask::Drop)) => None,
            (Kind::Message(message), None) => Some(Action::Walk(self.whole(&message))),
            (Kind::Message(_), Some(mask)) if is_timestamp(field) => Some(Action::Time(mask)),
            // A google.type.Date: no other message has a mask that fits.
            (Kind::Message(date), Some(Mask::Year)) => {
                Some(Action::Walk(self.only(&date, &["year"])))
            }
            (Kind::Message(date), Some(Mask::Month)) => {
                Some(Action::Walk(self.only(&date, &["year", "month"])))
            }
            (Kind::Message(_), Some(_)) => None,
            (kind, mask) => {
                let scalar = Scalar::of(&kind)?;
                Some(match mask {
                    None => Action::Keep { scalar, list },
                    Some(mask) => {
                        let of = match (list, field.supports_presence()) {
                            (true, _) => Place::List,
                            (false, true) => Place::Presence,
                            (false, false) => Place::NoPresence,
                        };
                        Action::Mask { scalar, of, mask }
                    }
                })
            }
        }
    }

    /// The node that keeps all that a message declares.
    fn whole(&mut self, message: &MessageDescriptor) -> usize {
        if let Some(&at) = self.whole.get(message.full_name()) {
            return at;
        }
        let at = self.reserve();
        self.whole.insert(message.full_name().to_owned(), at);
        let entries = message.fields().filter_map(|f| self.kept(&f)).collect();
        self.fill(at, entries)
    }

    fn only(&mut self, message: &MessageDescriptor, names: &[&str]) -> usize {
        let at = self.reserve();
        let entries = message
            .fields()
            .filter(|field| names.contains(&field.name()))
            .filter_map(|field| self.kept(&field))
            .collect();
        self.fill(at, entries)
    }

    fn kept(&mut self, field: &FieldDescriptor) -> Option<Entry> {
        Some(Entry {
            number: field.number(),
            action: self.leaf(field, None)?,
        })
    }
}
