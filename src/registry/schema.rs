//! A record type with its options and fields.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use prost_reflect::FieldDescriptor;
use prost_reflect::MessageDescriptor;
use time::Date;

use super::field::Field;
use super::field::FieldDeclaration;
use super::rules::Rules;
use crate::digest::Digest;
use crate::fault;
use crate::fault::nearest;
use crate::name::DepartmentId;
use crate::name::FieldPath;
use crate::name::RecordType;
use crate::pb::SharingClass;
use crate::pb::UpdateFrequency;

/// One record type of one registry revision.
pub struct RecordSchema {
    pub(super) name: RecordType,
    pub(super) descriptor: MessageDescriptor,
    pub(super) owner: DepartmentId,
    pub(super) key: Field,
    pub(super) subject: Option<Field>,
    pub(super) title: String,
    pub(super) title_zh: String,
    pub(super) description: String,
    pub(super) office: String,
    pub(super) office_zh: String,
    pub(super) access: String,
    pub(super) deprecated: Option<Deprecation>,
    pub(super) sharing: SharingClass,
    pub(super) update_frequency: UpdateFrequency,
    pub(super) digest: Digest,
    pub(super) fields: FieldTree,
    pub(super) rules: Option<Rules>,
}

/// The end of a record type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// The last day.
    pub until: Date,
    /// The record type that takes its place.
    pub replaced_by: Option<RecordType>,
}

/// As callers are told.
impl fmt::Display for Deprecation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "until {}", self.until)?;
        match &self.replaced_by {
            Some(other) => write!(f, "; use {other}"),
            None => Ok(()),
        }
    }
}

/// The fields of a record type. A message type that contains itself is divided once, and further on demand.
pub(super) struct FieldTree {
    record: RecordType,
    message: MessageDescriptor,
    declared: Arc<Declarations>,
    /// Depth first, in the order of declaration: messages before what is in them.
    all: Vec<Field>,
    by_path: HashMap<FieldPath, usize>,
}

/// What each field declares, by its full name.
pub(super) type Declarations = HashMap<String, Arc<FieldDeclaration>>;

/// Why a message has no field tree.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FieldTreeLimit {
    #[error("the record has more than {MAX_FIELDS} fields, nested ones counted; divide it")]
    Fields,
    #[error("the path of `{0}` is longer than a field path may be; nest it less deep")]
    Path(String),
}

/// The most fields of a record type, nested ones included: types that share messages can have very many paths.
const MAX_FIELDS: usize = 10_000;

impl FieldTree {
    pub(super) fn of(
        record: &RecordType,
        message: &MessageDescriptor,
        declared: &Arc<Declarations>,
    ) -> Result<Self, FieldTreeLimit> {
        let mut tree = Self {
            record: record.clone(),
            message: message.clone(),
            declared: Arc::clone(declared),
            all: Vec::new(),
            by_path: HashMap::new(),
        };
        // A stack, the last on top: a hostile schema must not decide how deep this recurses.
        let mut stack = tree.children(None)?;
        stack.reverse();
        while let Some(field) = stack.pop() {
            if !tree.recurs(&field) {
                let mut inner = tree.children(Some(&field))?;
                inner.reverse();
                stack.append(&mut inner);
            }
            if tree.all.len() + stack.len() >= MAX_FIELDS {
                return Err(FieldTreeLimit::Fields);
            }
            tree.by_path.insert(field.path().clone(), tree.all.len());
            tree.all.push(field);
        }
        Ok(tree)
    }

    /// The direct fields of the record or of the message in a field.
    fn children(&self, within: Option<&Field>) -> Result<Vec<Field>, FieldTreeLimit> {
        let message = match within {
            None => Some(self.message.clone()),
            Some(field) => field.message(),
        };
        message
            .iter()
            .flat_map(MessageDescriptor::fields)
            .map(|descriptor| {
                let name = descriptor.full_name().to_owned();
                self.step(within, descriptor)
                    .ok_or(FieldTreeLimit::Path(name))
            })
            .collect()
    }

    fn step(&self, within: Option<&Field>, descriptor: FieldDescriptor) -> Option<Field> {
        let declared = self
            .declared
            .get(descriptor.full_name())
            .cloned()
            .unwrap_or_default();
        match within {
            None => Field::top(&self.record, descriptor, declared),
            Some(field) => field.child(descriptor, declared),
        }
    }

    /// Whether the message in the field also stands around it.
    fn recurs(&self, field: &Field) -> bool {
        let Some(message) = field.message() else {
            return false;
        };
        field
            .steps()
            .iter()
            .any(|step| *step.parent_message() == message)
    }

    pub(super) fn resolve(&self, path: &str) -> Option<Field> {
        if let Some(&at) = self.by_path.get(path) {
            return self.all.get(at).cloned();
        }
        // Only below a message that contains itself is there more than the index has.
        let path: FieldPath = path.parse().ok()?;
        let mut field = None;
        for name in path.segments() {
            let message = match &field {
                None => self.message.clone(),
                Some(outer) => Field::message(outer)?,
            };
            field = Some(self.step(field.as_ref(), message.get_field_by_name(name)?)?);
        }
        field
    }

    fn leaves(&self) -> impl Iterator<Item = &Field> {
        self.all
            .iter()
            .filter(|field| field.message().is_none() || self.recurs(field))
    }

    pub(super) fn record(&self) -> &RecordType {
        &self.record
    }

    pub(super) fn nearest(&self, path: &str) -> Option<String> {
        let paths = || self.all.iter().map(|field| field.path().as_str());
        let by_last_name = || {
            let mut same = paths().filter(|p| p.rsplit('.').next() == Some(path));
            same.next().filter(|_| same.next().is_none())
        };
        by_last_name()
            .or_else(|| nearest(path, paths()))
            .map(str::to_owned)
    }
}

/// A field that a record type does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown field `{path}` in {record}{}", super::did_you_mean(.suggestion))]
pub struct UnknownField {
    /// As it was given, shortened and printable.
    pub path: String,
    pub record: RecordType,
    pub suggestion: Option<String>,
}

/// Names the record type: descriptors would print all that they refer to.
impl fmt::Debug for RecordSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordSchema({})", self.name)
    }
}

impl RecordSchema {
    pub fn name(&self) -> &RecordType {
        &self.name
    }

    pub fn descriptor(&self) -> &MessageDescriptor {
        &self.descriptor
    }

    /// The department that provides these records.
    pub fn owner(&self) -> &DepartmentId {
        &self.owner
    }

    /// The top-level field that identifies one record: a string or an integer, never repeated.
    pub fn key(&self) -> &Field {
        &self.key
    }

    /// The field that says whose data a record is.
    pub fn subject(&self) -> Option<&Field> {
        self.subject.as_ref()
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    pub fn title_zh(&self) -> &str {
        &self.title_zh
    }

    /// The message's comment.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The office that answers for the records; may be empty, as may the Chinese name and the way to access.
    pub fn office(&self) -> &str {
        &self.office
    }

    pub fn office_zh(&self) -> &str {
        &self.office_zh
    }

    /// How to ask for access.
    pub fn access(&self) -> &str {
        &self.access
    }

    /// Set where the record type ends.
    pub fn deprecated(&self) -> Option<&Deprecation> {
        self.deprecated.as_ref()
    }

    pub fn sharing(&self) -> SharingClass {
        self.sharing
    }

    pub fn update_frequency(&self) -> UpdateFrequency {
        self.update_frequency
    }

    /// Whether a department may know of the record type: what nobody is ever given is its owner's affair.
    pub fn is_known_to(&self, department: &DepartmentId) -> bool {
        self.sharing != SharingClass::Prohibited || self.owner == *department
    }

    /// What the registry demands of the values of its records, if anything.
    pub fn rules(&self) -> Option<&Rules> {
        self.rules.as_ref()
    }

    /// SHA-256 of the message's schema and of all that it refers to.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Resolves a path. A path may name a message as a whole, a list or a map; it may pass through lists of messages.
    /// It may not pass into map entries, nor into the fields of well-known types.
    pub fn field(&self, path: &str) -> Result<Field, UnknownField> {
        self.fields.resolve(path).ok_or_else(|| {
            let path = fault::shown(path);
            UnknownField {
                suggestion: self.fields.nearest(&path),
                record: self.name.clone(),
                path,
            }
        })
    }

    /// The direct fields of the record or, with `within`, of the message at that path; empty for anything else.
    pub fn fields(&self, within: Option<&FieldPath>) -> Vec<Field> {
        let outer = match within.map(|path| self.fields.resolve(path.as_str())) {
            None => None,
            Some(Some(field)) => Some(field),
            Some(None) => return Vec::new(),
        };
        self.fields.children(outer.as_ref()).unwrap_or_default()
    }

    /// Every path that cannot be divided further, depth first, in the order of declaration.
    /// A message type that contains itself is not divided again.
    pub fn leaves(&self) -> Vec<Field> {
        self.fields.leaves().cloned().collect()
    }

    /// The leaves of one field: itself if it cannot be divided.
    pub fn leaves_of(&self, field: &Field) -> Vec<Field> {
        let within: Vec<_> = self
            .fields
            .leaves()
            .filter(|leaf| leaf.path().within(field.path()))
            .cloned()
            .collect();
        if within.is_empty() {
            vec![field.clone()]
        } else {
            within
        }
    }
}
