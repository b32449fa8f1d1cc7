//! Compiles the `.proto` tree into a registry, without `protoc`.

use std::path::Path;

use super::Registry;
use crate::fault::Fault;

pub(super) fn compile(root: &Path) -> Result<Registry, Vec<Fault>> {
    todo!()
}
