//! Puts published revisions in force, or says why not: the same for the department's own and for those of others.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::Gateway;
use super::assemble::Assembly;
use super::run_blocking;
use crate::exchange::snapshot::Snapshot;
use crate::identity::directory::Directory;
use crate::journal::AppendError;
use crate::journal::Entry;
use crate::name::DepartmentId;
use crate::name::PackageName;
use crate::pb;
use crate::pb::RegistryEvent;
use crate::publication::Revision;
use crate::publication::shelf::KeptRevision;
use crate::publication::shelf::Shelf;
use crate::registry::Registry;
use crate::registry::compat::compare;
use crate::registry::compat::rule::Category;

/// The most findings and faults that an objection tells.
const MAX_TOLD: usize = 20;

/// Revisions that are to come into force, all of them kept already; the answer has those that did not.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) candidates: Vec<KeptRevision>,
    pub(super) answer: oneshot::Sender<BTreeMap<PackageName, Objection>>,
}

/// Why a revision does not come into force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Objection {
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
pub(super) fn check_owner(
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
pub(super) fn check_order(revision: &Revision, snapshot: &Snapshot) -> Result<(), Objection> {
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

impl Gateway {
    /// Puts all of them in force, or those that can be.
    pub(super) async fn consider(&self, proposal: Proposal) {
        let _one = self.reloading.lock().await;
        let mut objections = BTreeMap::new();
        match self.adopt(&proposal.candidates).await {
            Ok(()) => {}
            Err(_) if proposal.candidates.len() > 1 => {
                for candidate in &proposal.candidates {
                    if let Err(objection) = self.adopt(std::slice::from_ref(candidate)).await {
                        objections.insert(candidate.revision.package.clone(), objection);
                    }
                }
            }
            Err(objection) => {
                let packages = proposal.candidates.iter();
                let packages = packages.map(|candidate| candidate.revision.package.clone());
                objections.extend(packages.map(|package| (package, objection.clone())));
            }
        }
        // Whoever proposed may have gone: the gateway stops.
        let _ = proposal.answer.send(objections);
    }

    async fn adopt(&self, candidates: &[KeptRevision]) -> Result<(), Objection> {
        let before = self.exchange.snapshot();
        for candidate in candidates {
            let Revision { owner, package, .. } = &candidate.revision;
            check_owner(owner, package, &before.registry, &before.directory)?;
            check_order(&candidate.revision, &before)?;
        }
        let reading = self.read_again(candidates.to_vec()).await;
        let assembled = reading.assembled.map_err(|faults| {
            let told = faults.iter().take(MAX_TOLD).map(ToString::to_string);
            Objection::NotNow(told.collect::<Vec<_>>().join("; "))
        })?;
        let (own, registry) = (candidates.to_vec(), assembled.snapshot.registry.clone());
        let judged = before.clone();
        run_blocking(move || judge(&own, &judged.registry, &registry)).await?;
        self.put_in_force(candidates, &before, assembled).await
    }

    async fn put_in_force(
        &self,
        candidates: &[KeptRevision],
        before: &Snapshot,
        assembled: Assembly,
    ) -> Result<(), Objection> {
        for candidate in candidates {
            let event = match candidate.revision.owner == self.config.department {
                true => RegistryEvent::Published,
                false => RegistryEvent::Adopted,
            };
            let entry = Entry::registry(record(event, &candidate.revision, before, String::new()));
            let written = self.exchange.journal().append(entry).await;
            let not_now = |error: AppendError| Objection::NotNow(error.to_string());
            written.map_err(not_now)?;
        }
        // Dies here: it is on record that they are in force, and the next start puts them there.
        let (shelf, own) = (
            Shelf::at(&self.config.publication.path),
            candidates.to_vec(),
        );
        let put = move || own.iter().try_for_each(|kept| shelf.put_in_force(kept));
        let put = run_blocking(put).await;
        put.map_err(|error| Objection::NotNow(format!("the shelf cannot be written: {error}")))?;
        for candidate in candidates {
            let Revision {
                package,
                owner,
                number,
                ..
            } = &candidate.revision;
            tracing::info!(%package, %owner, number, "a published revision is in force");
        }
        self.put_in_place(assembled).await;
        Ok(())
    }
}

/// What stands in the journal of a revision.
pub(super) fn record(
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

/// Whether what is compiled with the candidates is theirs, and breaks nothing.
fn judge(
    candidates: &[KeptRevision],
    before: &Registry,
    after: &Registry,
) -> Result<(), Objection> {
    for candidate in candidates {
        let Revision { owner, package, .. } = &candidate.revision;
        let held = after.packages().get(package.as_str());
        if held.is_none_or(|held| held.owner.as_ref() != Some(owner)) {
            return Err(Objection::NotTheirs {
                owner: owner.clone(),
                package: package.clone(),
                why: format!("it has no record type of `{owner}`"),
            });
        }
    }
    let mut findings = compare(before.pool(), after.pool());
    findings.retain(|finding| {
        let is_of = |kept: &KeptRevision| finding.file.starts_with(&kept.revision.package.folder());
        finding.rule.is_in(Category::Registry) && candidates.iter().any(is_of)
    });
    if findings.is_empty() {
        return Ok(());
    }
    let told = findings.iter().take(MAX_TOLD).map(|finding| {
        format!(
            "{}:{}: {}: {}: {}",
            finding.file, finding.line, finding.rule, finding.element, finding.message
        )
    });
    Err(Objection::Breaking(told.collect::<Vec<_>>().join("; ")))
}
