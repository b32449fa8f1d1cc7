//! The shared schemas: record types, their fields, and the questions that may be asked of them.

pub mod compat;
pub mod decimal;
mod export;
pub mod extract;
pub mod field;
pub mod filter;
pub mod format;
pub mod identifier;
pub mod lint;
pub mod mask;
pub(crate) mod digests;
mod options;
pub mod query;
pub mod revision;
pub mod rules;
pub(crate) mod scalar;
pub mod schema;
mod search;
#[cfg(test)]
pub(crate) mod specimen;
mod type_name;
pub mod value;
pub mod wire;

mod compile;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use prost_reflect::DescriptorPool;

use crate::digest::Digest;
use crate::fault;
use crate::fault::Fault;
use crate::name::PackageName;
use crate::name::RecordType;
use revision::Overlay;
use revision::PackageRevision;
use schema::RecordSchema;

/// One compiled revision of the registry. Descriptors of two revisions must never mix.
pub struct Registry {
    pool: DescriptorPool,
    records: BTreeMap<RecordType, Arc<RecordSchema>>,
    digest: Digest,
    /// Every file of the tree, by the name under which others import it.
    texts: BTreeMap<String, String>,
    packages: BTreeMap<String, PackageRevision>,
    drafts: Vec<PackageName>,
    words: search::Index,
}

/// A record type that the registry does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown record type `{name}`{}", did_you_mean(.suggestion))]
pub struct UnknownRecordType {
    /// As it was given, shortened and printable.
    pub name: String,
    pub suggestion: Option<String>,
}

impl UnknownRecordType {
    /// By the full name, or by the short one: `Resident` is likely meant to be `civil.v1.Resident`.
    pub fn among(name: &str, known: &[&RecordType]) -> Self {
        let name = fault::shown(name);
        let names = || known.iter().map(|name| name.as_str());
        let short = |full: &str| full.rsplit('.').next().map(str::to_owned);
        let suggestion = names()
            .find(|full| short(full).is_some_and(|s| s.eq_ignore_ascii_case(&name)))
            .or_else(|| fault::nearest(&name, names()))
            .map(str::to_owned)
            .or_else(|| {
                let shorts: Vec<_> = names().filter_map(short).collect();
                let near = fault::nearest(&name, shorts.iter().map(String::as_str))?;
                names()
                    .find(|full| short(full).as_deref() == Some(near))
                    .map(str::to_owned)
            });
        Self { name, suggestion }
    }
}

fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map(|s| format!("; did you mean `{s}`?"))
        .unwrap_or_default()
}

/// Names the record types: descriptors would print all that they refer to.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry")
            .field(&self.records.keys())
            .finish()
    }
}

impl Registry {
    /// Compiles every `.proto` file below `root`; reports all faults that it finds.
    pub fn compile(root: &Path) -> Result<Self, Vec<Fault>> {
        compile::compile(compile::read(root)?)
    }

    /// Compiles files that are at hand: the name by which others import each, and its text.
    pub fn compile_texts(
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Fault>> {
        compile::compile(compile::of_texts(files))
    }

    /// The path and the text of every `.proto` file below `root`.
    pub fn texts(root: &Path) -> Result<Vec<(String, String)>, Vec<Fault>> {
        Ok(compile::read(root)?.into_texts())
    }

    /// Where the files of the tree below `root` are.
    pub fn paths(root: &Path) -> Result<Vec<PathBuf>, Vec<Fault>> {
        compile::paths(root)
    }

    /// Compiles the tree below `root` with what is published in the place of its drafts, but takes what is known already
    /// where nothing has changed since.
    pub fn compile_published(
        root: &Path,
        published: &[Overlay<'_>],
        known: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Vec<Fault>> {
        let tree = compile::read(root)?.with_published(published);
        match known {
            Some(known) if tree.is_that_of(known) => Ok(Arc::clone(known)),
            _ => compile::compile_published(tree, published).map(Arc::new),
        }
    }

    /// The record type of that name.
    pub fn record(&self, name: &str) -> Result<&Arc<RecordSchema>, UnknownRecordType> {
        let known = self.records.get(name);
        known.ok_or_else(|| UnknownRecordType::among(name, &Vec::from_iter(self.records.keys())))
    }

    /// All record types, by name.
    pub fn records(&self) -> impl Iterator<Item = &Arc<RecordSchema>> {
        self.records.values()
    }

    /// The record types that have all of the words, the likeliest first.
    pub fn search(&self, words: &str) -> impl Iterator<Item = &Arc<RecordSchema>> {
        let records: Vec<_> = self.records.values().collect();
        let found = self.words.find(words).into_iter();
        found.filter_map(move |at| records.get(usize::try_from(at).ok()?).copied())
    }

    /// The descriptors, for reflection.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// SHA-256 over the names and texts of all files.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

#[cfg(test)]
mod tests;
