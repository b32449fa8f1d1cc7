//! Compiles the `.proto` tree into a registry, without `protoc`.

mod code;
mod link;
mod nesting;
mod option;
pub(super) mod package;
mod parse;
pub(super) mod record;
mod scopes;
mod sites;
mod strict;
pub(crate) mod tree;

use crate::registry::digests;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use prost_reflect::DescriptorPool;

use super::Registry;
use super::revision::Overlay;
use super::revision::PackageRevision;
use super::revision::is_in;
use super::search::Index;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::name::PackageName;
pub(super) use link::is_provided;
pub(super) use link::provided;
use tree::Source;

/// The files as they were read.
pub(super) struct Tree {
    sources: Vec<Source>,
    digest: Digest,
    /// Packages of which something else is published than what was read.
    drafts: Vec<PackageName>,
}

pub(super) fn read(root: &Path) -> Result<Tree, Vec<Fault>> {
    Ok(Tree::of(tree::read(root)?))
}

pub(super) fn paths(root: &Path) -> Result<Vec<PathBuf>, Vec<Fault>> {
    tree::paths(root)
}

/// Files that come from elsewhere than a folder: name and text.
pub(super) fn of_texts(files: impl IntoIterator<Item = (String, String)>) -> Tree {
    let sources = files.into_iter().map(|(name, text)| Source {
        path: name.clone(),
        name,
        text,
    });
    Tree::of(sources.collect())
}

impl Tree {
    fn of(mut sources: Vec<Source>) -> Self {
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            digest: digests::of_tree(sources.iter().map(|source| (&source.name, &source.text))),
            sources,
            drafts: Vec::new(),
        }
    }

    /// The tree with what is published in the place of what it has of these packages.
    pub(super) fn with_published(mut self, published: &[Overlay<'_>]) -> Self {
        let mut drafts = Vec::new();
        for Overlay { place, files } in published {
            let package = files.package();
            let (own, others): (Vec<_>, Vec<_>) = self
                .sources
                .into_iter()
                .partition(|source| is_in(&source.name, package));
            self.sources = others;
            let own: BTreeMap<_, _> = own.into_iter().map(|s| (s.name, s.text)).collect();
            if !own.is_empty() && own != *files.texts() {
                drafts.push(package.clone());
            }
            self.sources
                .extend(files.texts().iter().map(|(name, text)| Source {
                    path: place.join(name).display().to_string(),
                    name: name.clone(),
                    text: text.clone(),
                }));
        }
        Self {
            drafts,
            ..Self::of(self.sources)
        }
    }

    pub(super) fn is_that_of(&self, registry: &Registry) -> bool {
        self.digest == registry.digest && self.drafts == registry.drafts
    }

    pub(super) fn into_texts(self) -> Vec<(String, String)> {
        let texts = self.sources.into_iter();
        texts.map(|source| (source.path, source.text)).collect()
    }
}

pub(super) fn compile(tree: Tree) -> Result<Registry, Vec<Fault>> {
    let Tree {
        sources,
        digest,
        drafts,
    } = tree;
    let sources: Vec<_> = sources
        .into_iter()
        .filter(|source| !is_provided(&source.name))
        .collect();
    let pool = link::link(&sources)?;
    let records = record::read(&pool, &sources)?;
    let packages = packages(&pool, &records, &sources);
    Ok(Registry {
        pool,
        packages,
        drafts,
        words: Index::of(records.values().map(Arc::as_ref)),
        records,
        digest,
        texts: sources
            .into_iter()
            .map(|source| (source.name, source.text))
            .collect(),
    })
}

/// Also refuses files of a published package that do not lie in its folder, which nobody has published.
pub(super) fn compile_published(
    tree: Tree,
    published: &[Overlay<'_>],
) -> Result<Registry, Vec<Fault>> {
    let registry = compile(tree)?;
    let strayed = published.iter().filter(|Overlay { files, .. }| {
        let held = registry.packages.get(files.package().as_str());
        held.is_none_or(|held| held.digest != *files.digest())
    });
    let faults: Vec<_> = strayed
        .map(|Overlay { place, files }| Fault {
            file: place.display().to_string(),
            line: 0,
            column: 0,
            key: files.package().to_string(),
            message: format!(
                "files elsewhere in the registry are of this package, too; keep them below `{}` and publish them with it",
                files.package().folder()
            ),
        })
        .collect();
    match faults.is_empty() {
        true => Ok(registry),
        false => Err(faults),
    }
}

/// What is in each package, but not what the gateway brings itself.
fn packages(
    pool: &DescriptorPool,
    records: &record::Records,
    sources: &[Source],
) -> BTreeMap<String, PackageRevision> {
    let texts: BTreeMap<_, _> = sources.iter().map(|s| (&s.name, &s.text)).collect();
    let mut files: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
    for file in pool.files() {
        if let Some((name, text)) = texts.get_key_value(&file.name().to_owned()) {
            let package = file.package_name().to_owned();
            files.entry(package).or_default().insert(*name, *text);
        }
    }
    let owners: BTreeMap<_, _> = records
        .values()
        .map(|record| (record.name().package(), record.owner()))
        .collect();
    let held = |(package, files): (String, BTreeMap<_, _>)| {
        let held = PackageRevision {
            owner: owners.get(package.as_str()).copied().cloned(),
            digest: digests::of_package(files),
        };
        (package, held)
    };
    files.into_iter().map(held).collect()
}

#[cfg(test)]
mod tests;
