//! What owners have published and this gateway has not taken over, because it would break what is here.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::Incompatible;
use super::PublishedPackages;
use super::RevisionName;
use crate::name::PackageName;
use crate::registry::Registry;
use crate::registry::schema::RecordSchema;

/// Owned by the task that fetches revisions; every exchange reads it.
#[derive(Debug, Clone, Default)]
pub struct RefusedRevisions {
    refused: Arc<ArcSwap<BTreeMap<PackageName, RevisionName>>>,
    stale: Arc<Notify>,
}

impl RefusedRevisions {
    pub fn replace(&self, refused: BTreeMap<PackageName, RevisionName>) {
        self.refused.store(Arc::new(refused));
    }

    /// An owner does not know the revision that this gateway goes by: there is a newer one to fetch.
    pub fn request_refresh(&self) {
        self.stale.notify_one();
    }

    /// Waits until one is to be fetched.
    pub async fn stale(&self) {
        self.stale.notified().await;
    }

    /// Whether the owner's answers can be read here: it goes by its newest revision.
    pub fn fit(
        &self,
        schema: &RecordSchema,
        registry: &Registry,
        published: &PublishedPackages,
    ) -> Result<(), Incompatible> {
        let refused = self.refused.load();
        let package = schema.name().package();
        let (Some(theirs), Some(held)) = (refused.get(package), registry.packages().get(package))
        else {
            return Ok(());
        };
        let unpublished = RevisionName {
            number: None,
            digest: held.digest,
        };
        Err(Incompatible {
            package: package.to_owned(),
            consumers: published
                .head(package)
                .map_or(unpublished, |head| head.named()),
            providers: *theirs,
        })
    }
}
