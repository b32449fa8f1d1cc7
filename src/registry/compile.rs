//! Compiles the `.proto` tree into a registry, without `protoc`.

mod digest;
mod link;
mod nesting;
mod package;
mod parse;
mod record;
mod sites;
mod tree;

use std::path::Path;

use super::Registry;
use crate::fault::Fault;

pub(super) fn compile(root: &Path) -> Result<Registry, Vec<Fault>> {
    let sources = tree::read(root)?;
    let digest = digest::of_tree(&sources);
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
