//! A field of a record type, resolved once.

use std::sync::Arc;

use prost_reflect::FieldDescriptor;

use super::mask::Mask;
use crate::name::FieldPath;
use crate::pb::Sensitivity;

/// A field of one record type, nested ones included. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Field(Arc<Resolved>);

#[derive(Debug)]
struct Resolved {
    path: FieldPath,
    /// One descriptor for each segment of the path, outermost first; never empty.
    steps: Vec<FieldDescriptor>,
    /// The highest along the path.
    sensitivity: Sensitivity,
    mask: Option<Mask>,
    title: String,
    title_zh: String,
    description: String,
}

impl Field {
    pub fn path(&self) -> &FieldPath {
        &self.0.path
    }

    /// The descriptors along the path, outermost first.
    pub fn steps(&self) -> &[FieldDescriptor] {
        &self.0.steps
    }

    /// The descriptor of the field itself.
    pub fn descriptor(&self) -> &FieldDescriptor {
        todo!()
    }

    /// The highest sensitivity along the path.
    pub fn sensitivity(&self) -> Sensitivity {
        self.0.sensitivity
    }

    /// The mask that applies unless a grant releases the field unmasked.
    pub fn default_mask(&self) -> Option<Mask> {
        self.0.mask
    }

    /// Whether the field, or a message along its path, is repeated or a map: it has no single value.
    pub fn is_repeated(&self) -> bool {
        todo!()
    }
}
