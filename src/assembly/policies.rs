//! Keeps the texts of the policy as they come into force, so that an auditor can read later what an exchange rested on.

use std::path::Path;
use std::sync::Arc;

use super::run_blocking;
use crate::digest::Digest;
use crate::exchange::snapshot::Snapshot;
use crate::fault::chain;
use crate::journal::AppendError;
use crate::journal::DiskError;
use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::policies::Changes;
use crate::journal::policies::Policies;
use crate::journal::policies::PoliciesInForce;
use crate::journal::policies::list;
use crate::journal::policies::text_of;
use crate::policy::PolicySet;
use crate::policy::text_digest;

/// A policy whose texts are kept, and which is not on record yet.
pub(crate) struct NewPolicy {
    /// None where there is nothing to record.
    entry: Option<Entry>,
    policies: Policies,
    in_force: PoliciesInForce,
    /// The digest of the list of its parts, where that is kept.
    listed: Option<Digest>,
}

impl NewPolicy {
    /// Of a reload.
    pub(crate) async fn of_reload(journal: &Path, snapshot: Arc<Snapshot>) -> Self {
        Self::keep(journal, snapshot, |_| true).await
    }

    /// Of a start: it goes on record where it differs from the one with which the gateway ran before.
    pub(crate) async fn of_start(journal: &Path, snapshot: Arc<Snapshot>) -> Self {
        Self::keep(journal, snapshot, |changes| !changes.changes.is_empty()).await
    }

    async fn keep(
        journal: &Path,
        snapshot: Arc<Snapshot>,
        is_recorded: fn(&Changes) -> bool,
    ) -> Self {
        let policies = Policies::beside(journal);
        run_blocking(move || {
            let policy = &snapshot.policy;
            let parts = policy.parts();
            let in_force = parts
                .map(|part| (part.name.to_owned(), *part.digest))
                .collect();
            let (changes, listed) = match keep(&policies, policy, &in_force) {
                Ok((changes, listed)) => (changes, Some(listed)),
                Err(error) => {
                    not_kept(&error);
                    (Changes::default(), None)
                }
            };
            let entry = is_recorded(&changes)
                .then(|| Entry::policy_applied(policy.revision(), changes, listed));
            Self {
                entry,
                policies,
                in_force,
                listed,
            }
        })
        .await
    }

    /// For the entry of a start.
    pub(crate) fn listed(&self) -> Option<Digest> {
        self.listed
    }

    /// Puts it on record, and then takes it down as what is in force: if we die between the two, it is recorded twice.
    pub(crate) async fn record(self, journal: &Journal) {
        let Self {
            entry,
            policies,
            in_force,
            listed: _,
        } = self;
        if let Some(entry) = entry
            && let Err(error) = journal.append(entry).await
        {
            // A journal that is closed, or may be a copy made earlier, takes not even this.
            if !matches!(error, AppendError::Closed | AppendError::Unconfirmed) {
                tracing::error!(error = %chain(&error), "an event of the gateway is not on record");
            }
            return;
        }
        if let Err(error) = run_blocking(move || policies.put_in_force(&in_force)).await {
            not_kept(&error);
        }
    }
}

/// Keeps what is new of the policy, and the list of its parts; gives what differs from the one before, and the list's digest.
fn keep(
    policies: &Policies,
    policy: &PolicySet,
    in_force: &PoliciesInForce,
) -> Result<(Changes, Digest), DiskError> {
    let list = list(policy.parts());
    let listed = text_digest(&list);
    let new = policy.parts().filter(|part| !policies.has(part.text));
    // A file that is another by now is kept by its own reload.
    let texts = new.filter_map(|part| Some((*part.text, text_of(&part)?)));
    policies.keep(texts.chain([(listed, list)]))?;
    Ok((policies.changes(in_force)?, listed))
}

fn not_kept(error: &DiskError) {
    tracing::error!(error = %chain(error), "the policy's texts are not kept");
}
