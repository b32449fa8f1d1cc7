//! Compiles the `.proto` tree into a registry, without `protoc`.

mod digest;
mod link;
mod nesting;
pub(super) mod package;
mod parse;
pub(super) mod record;
mod sites;
mod tree;

use std::path::Path;
use std::sync::Arc;

use super::Digest;
use super::Registry;
use super::search::Index;
use crate::fault::Fault;
pub(super) use link::is_provided;
pub(super) use link::provided;
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

/// Files that come from elsewhere than a folder: name and text.
pub(super) fn of_texts(files: impl IntoIterator<Item = (String, String)>) -> Tree {
    let sources = files.into_iter().map(|(name, text)| Source {
        path: name.clone(),
        name,
        text,
    });
    let mut sources: Vec<_> = sources.collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    let digest = digest::of_tree(&sources);
    Tree { sources, digest }
}

impl Tree {
    pub(super) fn into_texts(self) -> Vec<(String, String)> {
        let texts = self.sources.into_iter();
        texts.map(|source| (source.path, source.text)).collect()
    }
}

pub(super) fn compile(tree: Tree) -> Result<Registry, Vec<Fault>> {
    let Tree { sources, digest } = tree;
    let sources: Vec<_> = sources
        .into_iter()
        .filter(|source| !is_provided(&source.name))
        .collect();
    let pool = link::link(&sources)?;
    let records = record::read(&pool, &sources)?;
    Ok(Registry {
        pool,
        words: Index::of(records.values().map(Arc::as_ref)),
        records,
        digest,
        texts: sources
            .into_iter()
            .map(|source| (source.name, source.text))
            .collect(),
    })
}

#[cfg(test)]
mod tests;
