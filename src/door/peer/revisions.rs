//! Hands out the revisions that this department has published. They are no secret within the federation.

use tonic::Status;

use super::PeerDoor;
use crate::digest::Digest;
use crate::door::status;
use crate::fault::Fault;
use crate::name::PackageName;
use crate::pb;
use crate::publication::shelf::KeptRevision;

impl PeerDoor {
    /// The newest of each package of this department.
    pub(super) fn revisions(&self) -> pb::ListRevisionsResponse {
        let snapshot = self.exchange.snapshot();
        let heads = snapshot.published.lines().map(|line| &line.head.revision);
        let own = heads.filter(|revision| revision.owner == *self.exchange.department());
        let heads = own.map(|revision| pb::RevisionHead {
            package: revision.package.to_string(),
            number: revision.number,
            digest: revision.digest.to_vec().into(),
        });
        pb::ListRevisionsResponse {
            heads: heads.collect(),
        }
    }

    pub(super) async fn revision(
        &self,
        asked: &pb::FetchRevisionRequest,
    ) -> Result<pb::FetchRevisionResponse, Status> {
        let package: PackageName = asked
            .package
            .parse()
            .map_err(|_| status::unfit("package"))?;
        let digest = Digest::try_from(asked.digest.as_ref());
        let digest = digest.map_err(|_| status::unfit("digest"))?;
        let shelf = self.shelf.clone();
        let read = move || shelf.kept(&package, &digest);
        let kept = match tokio::task::spawn_blocking(read).await {
            Ok(kept) => kept.map_err(|fault: Fault| {
                tracing::error!(%fault, "a published revision cannot be read");
                status::internal()
            })?,
            Err(_) => return Err(status::internal()),
        };
        let is_own = |kept: &KeptRevision| kept.revision.owner == *self.exchange.department();
        let kept = kept.filter(is_own).ok_or_else(status::unknown_revision)?;
        let files = kept.files.texts().iter();
        let files = files.map(|(name, text)| pb::RegistryFile {
            name: name.clone(),
            text: text.clone(),
        });
        Ok(pb::FetchRevisionResponse {
            files: files.collect(),
            note: kept.note,
        })
    }
}
