//! Puts published revisions in force, or says why not: the same for the department's own and for those of others.

use std::collections::BTreeMap;

use super::Gateway;
use super::run_blocking;
use crate::assembly::Assembly;
use crate::exchange::snapshot::Snapshot;
use crate::federation::proposal::Objection;
use crate::federation::proposal::Proposal;
use crate::federation::proposal::check_order;
use crate::federation::proposal::check_owner;
use crate::federation::proposal::record;
use crate::journal::AppendError;
use crate::journal::Entry;
use crate::pb::RegistryEvent;
use crate::publication::Revision;
use crate::publication::shelf::KeptRevision;
use crate::publication::shelf::Shelf;
use crate::registry::Registry;
use crate::registry::compat::compare;
use crate::registry::compat::rule::Category;

/// The most findings and faults that an objection tells.
const MAX_TOLD: usize = 20;

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
            let texts = faults.iter().take(MAX_TOLD).map(ToString::to_string);
            Objection::NotNow(texts.collect::<Vec<_>>().join("; "))
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
    let texts = findings.iter().take(MAX_TOLD).map(|finding| {
        format!(
            "{}:{}: {}: {}: {}",
            finding.file, finding.line, finding.rule, finding.element, finding.message
        )
    });
    Err(Objection::Breaking(texts.collect::<Vec<_>>().join("; ")))
}
