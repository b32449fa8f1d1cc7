//! What is kept of a record, as a tree of field numbers.

use std::collections::HashMap;

use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;

use super::Pseudonyms;
use super::mask;
use crate::policy::agreement::Released;
use crate::registry::extract::is_timestamp;
use crate::registry::extract::tree::message_of;
use crate::registry::mask::Mask;
use crate::registry::scalar::Scalar;
use crate::registry::wire::MAX_DEPTH;
use crate::registry::wire::Malformed;
use crate::registry::wire::WireField;
use crate::registry::wire::WireFields;
use crate::registry::wire::WireValue;
use crate::registry::wire::put_nested;

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
        list: bool,
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
    pub(super) fn compile(released: &[Released]) -> Self {
        let mut branches = Vec::new();
        for Released { field, mask } in released {
            graft(&mut branches, field.steps(), *mask);
        }
        let mut compiler = Compiler::default();
        compiler.node(&branches);
        Self {
            nodes: compiler.nodes,
        }
    }

    /// Appends what is kept of the record.
    pub(super) fn apply(
        &self,
        record: &[u8],
        pseudonyms: &Pseudonyms,
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        self.walk(0, record, 0, pseudonyms, out)
    }

    fn walk(
        &self,
        node: usize,
        message: &[u8],
        depth: usize,
        pseudonyms: &Pseudonyms,
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed::Depth);
        }
        let entries = self.nodes.get(node).map_or(&[][..], |node| &node.entries);
        for field in WireFields::of(message) {
            let field = field?;
            let Some(action) = action_for(entries, field.number) else {
                continue;
            };
            match action {
                Action::Keep { scalar, list } => {
                    check(scalar, list, field)?;
                    out.extend_from_slice(field.whole);
                }
                Action::Mask { scalar, list, mask } => {
                    mask::value(mask, scalar, list, field, pseudonyms, out)?;
                }
                Action::Time(mask) => mask::time(mask, field, out)?,
                Action::Walk(inner) => {
                    let message = message_of(field)?;
                    put_nested(out, field.number, message.len(), |out| {
                        self.walk(inner, message, depth + 1, pseudonyms, out)
                    })?;
                }
            }
        }
        Ok(())
    }
}

fn action_for(entries: &[Entry], number: u32) -> Option<Action> {
    let at = entries.binary_search_by_key(&number, |e| e.number).ok()?;
    entries.get(at).map(|entry| entry.action)
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
                    Some(mask) => Action::Mask { scalar, list, mask },
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
