//! All that a request is judged by, in one immutable value that a reload swaps whole.

use std::sync::Arc;

use super::offers::Offers;
use crate::evidence::journals::Journals;
use crate::identity::directory::Directory;
use crate::policy::PolicySet;
use crate::publication::PublishedPackages;
use crate::publication::refused_revisions::RefusedRevisions;
use crate::redact::Redactions;
use crate::registry::Registry;
use crate::source::Sources;

/// One state of the gateway. Descriptors of two registries must never mix, so a request keeps the one it began with.
#[derive(Debug)]
pub struct Snapshot {
    pub registry: Arc<Registry>,
    /// The published revisions that the registry holds.
    pub published: PublishedPackages,
    pub refused_revisions: RefusedRevisions,
    pub offers: Offers,
    pub policy: PolicySet,
    pub directory: Arc<Directory>,
    /// The keys that prove what a department has on record.
    pub journals: Arc<Journals>,
    pub sources: Sources,
    /// Of this policy.
    pub redactions: Redactions,
}
