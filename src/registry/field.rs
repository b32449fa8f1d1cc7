//! A field of a record type, resolved once.

use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;

use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;

use super::identifier::IdentifierForm;
use super::mask::Mask;
use super::type_name::type_name;
use crate::name::FieldPath;
use crate::name::RecordType;
use crate::pb::Sensitivity;

/// A field of one record type, nested ones included. Cheap to clone; equal when record type and path are.
#[derive(Clone)]
pub struct Field(Arc<FieldData>);

struct FieldData {
    record: RecordType,
    path: FieldPath,
    /// One descriptor for each segment of the path, outermost first; never empty.
    steps: Vec<FieldDescriptor>,
    numbers: Vec<u32>,
    /// The last step.
    descriptor: FieldDescriptor,
    /// The highest along the path.
    sensitivity: Sensitivity,
    mask: Option<Mask>,
    repeated: bool,
    declared: Arc<FieldDeclaration>,
}

/// What the schema says of a field where it is declared, whatever path leads there.
#[derive(Debug)]
pub(super) struct FieldDeclaration {
    /// Never unspecified.
    pub(super) sensitivity: Sensitivity,
    pub(super) mask: Option<Mask>,
    pub(super) is_decimal: bool,
    pub(super) title: String,
    pub(super) title_zh: String,
    pub(super) description: String,
    pub(super) is_exact: bool,
}

impl Default for FieldDeclaration {
    fn default() -> Self {
        Self {
            sensitivity: Sensitivity::Internal,
            mask: None,
            is_decimal: false,
            title: String::new(),
            title_zh: String::new(),
            description: String::new(),
            is_exact: false,
        }
    }
}

impl Field {
    /// A direct field of the record.
    pub(super) fn top(
        record: &RecordType,
        descriptor: FieldDescriptor,
        declared: Arc<FieldDeclaration>,
    ) -> Option<Self> {
        Some(Self(Arc::new(FieldData {
            record: record.clone(),
            path: descriptor.name().parse().ok()?,
            numbers: vec![descriptor.number()],
            sensitivity: declared.sensitivity,
            mask: declared.mask,
            repeated: descriptor.is_list() || descriptor.is_map(),
            steps: vec![descriptor.clone()],
            descriptor,
            declared,
        })))
    }

    /// A field of the message that `self` holds; `None` when its path would be too long for one.
    pub(super) fn child(
        &self,
        descriptor: FieldDescriptor,
        declared: Arc<FieldDeclaration>,
    ) -> Option<Self> {
        let outer = &*self.0;
        // What is dropped is dropped with all that is in it.
        let mask = match outer.mask {
            Some(Mask::Drop) => Some(Mask::Drop),
            _ => declared.mask,
        };
        Some(Self(Arc::new(FieldData {
            record: outer.record.clone(),
            path: format!("{}.{}", outer.path, descriptor.name())
                .parse()
                .ok()?,
            numbers: [outer.numbers.as_slice(), &[descriptor.number()]].concat(),
            sensitivity: outer.sensitivity.max(declared.sensitivity),
            mask,
            repeated: outer.repeated || descriptor.is_list() || descriptor.is_map(),
            steps: [outer.steps.as_slice(), std::slice::from_ref(&descriptor)].concat(),
            descriptor,
            declared,
        })))
    }

    /// The record type that has the field.
    pub fn record(&self) -> &RecordType {
        &self.0.record
    }

    pub fn path(&self) -> &FieldPath {
        &self.0.path
    }

    /// The descriptors along the path, outermost first.
    pub fn steps(&self) -> &[FieldDescriptor] {
        &self.0.steps
    }

    /// The field numbers along the path, outermost first; never empty.
    pub fn numbers(&self) -> &[u32] {
        &self.0.numbers
    }

    /// The last segment of the path.
    pub fn own_name(&self) -> &str {
        let path = self.0.path.as_str();
        path.rsplit_once('.').map_or(path, |(_, name)| name)
    }

    /// The descriptor of the field itself.
    pub fn descriptor(&self) -> &FieldDescriptor {
        &self.0.descriptor
    }

    /// The highest sensitivity along the path. Of a message as a whole: not that of the fields in it.
    pub fn sensitivity(&self) -> Sensitivity {
        self.0.sensitivity
    }

    /// The mask that applies unless a grant releases the field unmasked; `drop` where a message around it is dropped.
    pub fn default_mask(&self) -> Option<Mask> {
        self.0.mask
    }

    /// Whether the field, or a message along its path, is repeated or a map: it has no single value.
    pub fn is_repeated(&self) -> bool {
        self.0.repeated
    }

    /// Whether the field is a `google.protobuf.Timestamp`, or a list of them.
    pub fn is_timestamp(&self) -> bool {
        self.0
            .descriptor
            .kind()
            .as_message()
            .is_some_and(|message| message.full_name() == "google.protobuf.Timestamp")
    }

    /// Whether its texts are decimal numbers, and compare as these do.
    pub fn is_decimal(&self) -> bool {
        self.0.declared.is_decimal
    }

    /// Whether the field has one value that can be stated, compared and ordered by: a scalar, an enum or a timestamp,
    /// not repeated.
    pub fn is_single_value(&self) -> bool {
        let is_message = self.0.descriptor.kind().as_message().is_some();
        !self.0.repeated && (!is_message || self.is_timestamp())
    }

    /// The message whose fields paths may name through this field: none for scalars, maps and well-known types.
    pub fn message(&self) -> Option<MessageDescriptor> {
        divisible(&self.0.descriptor)
    }

    pub fn title(&self) -> &str {
        &self.0.declared.title
    }

    pub fn title_zh(&self) -> &str {
        &self.0.declared.title_zh
    }

    /// Which spellings of its values are one identifier.
    pub fn identifier_form(&self) -> IdentifierForm {
        match (self.0.descriptor.kind(), self.0.declared.is_exact) {
            (Kind::String, true) => IdentifierForm::Exact,
            (Kind::String, false) => IdentifierForm::Plain,
            _ => IdentifierForm::Number,
        }
    }

    /// The field's comment.
    pub fn description(&self) -> &str {
        &self.0.declared.description
    }

    /// The protobuf type as one would write it, e.g. `string`, `repeated civil.v1.Address`, `map<string, int64>`.
    pub fn type_name(&self) -> String {
        type_name(&self.0.descriptor)
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.0.path == other.0.path && self.0.record == other.0.record
    }
}

impl Eq for Field {}

impl Hash for Field {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.record.hash(state);
        self.0.path.hash(state);
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({} of {})", self.0.path, self.0.record)
    }
}

/// The message within a field whose own fields may be named.
pub(super) fn divisible(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    if field.is_map() {
        return None;
    }
    match field.kind() {
        Kind::Message(message) if !is_value(&message) => Some(message),
        _ => None,
    }
}

/// Messages that stand for one value.
fn is_value(message: &MessageDescriptor) -> bool {
    let package = message.package_name();
    package == "google.protobuf" || package == "google.type"
}
