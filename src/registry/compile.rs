//! Compiles the `.proto` tree into a registry, without `protoc`.

mod digest;
mod link;
mod nesting;
mod package;
mod parse;
pub(super) mod record;
mod sites;
mod tree;

use std::path::Path;

use super::Digest;
use super::Registry;
use crate::fault::Fault;
use tree::Source;

/// The files as they were read.
pub(super) struct Tree {
    sources: Vec<Source>,
    pub(super) digest: Digest,
}

pub(super) fn read(root: &Path) -> Result<Tree, Vec<Fault>> {
    let sources = tree::read(root)?;
    let digest = digest::of_tree(&sources);
    Ok(Tree { sources, digest })
}

pub(super) fn compile(tree: Tree) -> Result<Registry, Vec<Fault>> {
    let Tree { sources, digest } = tree;
    let sources: Vec<_> = sources
        .into_iter()
        .filter(|source| !link::is_provided(&source.name))
        .collect();
    let pool = link::link(&sources)?;
    let records = record::read(&pool, &sources)?;
    Ok(Registry {
        pool,
        records,
        digest,
    })
}

#[cfg(test)]
mod tests;
