//! A record type with its options and fields.

use prost_reflect::MessageDescriptor;

use super::Digest;
use super::field::Field;
use crate::name::DepartmentId;
use crate::name::FieldPath;
use crate::name::RecordType;
use crate::pb::SharingClass;
use crate::pb::UpdateFrequency;

/// One record type of one registry revision.
#[derive(Debug)]
pub struct RecordSchema {
    pub(super) name: RecordType,
    pub(super) descriptor: MessageDescriptor,
    pub(super) owner: DepartmentId,
    pub(super) key: Field,
    pub(super) subject: Option<Field>,
    pub(super) title: String,
    pub(super) title_zh: String,
    pub(super) description: String,
    pub(super) sharing: SharingClass,
    pub(super) update_frequency: UpdateFrequency,
    pub(super) digest: Digest,
}

/// A field that a record type does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown field `{path}` in {record}{}", super::did_you_mean(.suggestion))]
pub struct UnknownField {
    pub path: String,
    pub record: RecordType,
    pub suggestion: Option<String>,
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

    pub fn sharing(&self) -> SharingClass {
        self.sharing
    }

    pub fn update_frequency(&self) -> UpdateFrequency {
        self.update_frequency
    }

    /// SHA-256 of the message's schema and of all that it refers to.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Resolves a path. A path may name a message as a whole, a list or a map; it may pass through lists of messages.
    /// It may not pass into map entries, nor into the fields of well-known types.
    pub fn field(&self, path: &str) -> Result<Field, UnknownField> {
        todo!()
    }

    /// The direct fields of the record or, with `within`, of the message at that path; empty for anything else.
    pub fn fields(&self, within: Option<&FieldPath>) -> Vec<Field> {
        todo!()
    }

    /// Every path that cannot be divided further, depth first, in the order of declaration.
    /// A message type that contains itself is not divided again.
    pub fn leaves(&self) -> Vec<Field> {
        todo!()
    }
}
