//! A revision that is proposed, and why it may not come into force.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::exchange::snapshot::Snapshot;
use crate::identity::directory::Directory;
use crate::name::DepartmentId;
use crate::name::PackageName;
use crate::pb;
use crate::pb::RegistryEvent;
use crate::publication::Revision;
use crate::publication::shelf::KeptRevision;
use crate::registry::Registry;

/// Revisions that are to come into force, all of them kept already; the answer has those that did not.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) candidates: Vec<KeptRevision>,
    pub(crate) answer: oneshot::Sender<BTreeMap<PackageName, Objection>>,
}

/// Why a revision does not come into force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Objection {
    #[error("`{owner}` may not publish `{package}`: {why}")]
    NotTheirs {
        owner: DepartmentId,
        package: PackageName,
        why: String,
    },
    #[error("it does not follow on revision {number} of `{package}`, which is in force")]
    Forked { package: PackageName, number: u64 },
    #[error("it would break what is in force: {0}")]
    Breaking(String),
    #[error("it is not proven to be theirs: {0}")]
    Unproven(String),
    /// For a reason that may pass.
    #[error("it cannot be put in force now: {0}")]
    NotNow(String),
}

impl Objection {
    /// Whether the same revision may come into force later, though nothing changes here.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unproven(_) | Self::NotNow(_) => true,
            Self::NotTheirs { .. } | Self::Forked { .. } | Self::Breaking(_) => false,
        }
    }
}

/// Whether that department may publish that package at all: nobody publishes into what is another's.
pub(crate) fn check_owner(
    owner: &DepartmentId,
    package: &PackageName,
    registry: &Registry,
    directory: &Directory,
) -> Result<(), Objection> {
    let objection = |why: String| {
        Err(Objection::NotTheirs {
            owner: owner.clone(),
            package: package.clone(),
            why,
        })
    };
    let stem = package.stem();
    if matches!(stem, "google" | "buf" | "landbridge") {
        return objection(format!("`{stem}` is nobody's in the federation"));
    }
    if let Some(held) = registry.packages().get(package.as_str())
        && held.owner.is_none()
    {
        return objection("the registry has it without a record type".to_owned());
    }
    let mut of_stem = registry.packages().iter().filter_map(|(name, held)| {
        let name: PackageName = name.parse().ok()?;
        let other = held.owner.as_ref().filter(|other| *other != owner)?;
        (name.stem() == stem).then_some((name, other))
    });
    if let Some((name, other)) = of_stem.next() {
        return objection(format!("`{name}` is of `{other}`"));
    }
    match directory
        .ids()
        .find(|id| id.as_str() == stem && *id != owner)
    {
        Some(other) => objection(format!("`{stem}` is the name of the department `{other}`")),
        None => Ok(()),
    }
}

/// Whether a revision comes after the one in force.
pub(crate) fn check_order(revision: &Revision, snapshot: &Snapshot) -> Result<(), Objection> {
    let Some(head) = snapshot.published.head(revision.package.as_str()) else {
        return Ok(());
    };
    if revision.number > head.revision.number {
        return Ok(());
    }
    Err(Objection::Forked {
        package: revision.package.clone(),
        number: head.revision.number,
    })
}

/// What stands in the journal of a revision.
pub(crate) fn record(
    event: RegistryEvent,
    revision: &Revision,
    before: &Snapshot,
    detail: String,
) -> pb::RegistryRecord {
    let held = before.registry.packages().get(revision.package.as_str());
    pb::RegistryRecord {
        event: event.into(),
        package: revision.package.to_string(),
        owner: revision.owner.to_string(),
        number: revision.number,
        digest: revision.digest.to_vec().into(),
        replaced: held
            .map(|held| held.digest.to_vec().into())
            .unwrap_or_default(),
        detail,
    }
}
