//! Corrections, answers and notices, as they come from other gateways.

use std::sync::Arc;

use tokio::sync::SemaphorePermit;
use tonic::Request;
use tonic::Status;

use super::PeerDoor;
use crate::door::admission::AdmissionRefusal;
use crate::door::corrections::to_its_end;
use crate::door::status;
use crate::identity::Caller;
use crate::identity::peer::Peer;
use crate::name::DepartmentId;
use crate::pb;

impl PeerDoor {
    pub(super) async fn submitted(
        &self,
        request: Request<pb::SubmitCorrectionRequest>,
    ) -> Result<pb::SubmitCorrectionResponse, Status> {
        let (peer, _place) = self.asking(&request)?;
        let correction = request.into_inner().correction;
        let correction = correction.ok_or_else(|| status::unfit("correction"))?;
        let desk = Arc::clone(&self.desk);
        let received = async move { desk.receive(&peer, correction).await };
        let due = to_its_end(&self.tracker, received).await?;
        Ok(pb::SubmitCorrectionResponse { due })
    }

    pub(super) async fn answered(
        &self,
        request: Request<pb::AnswerCorrectionRequest>,
    ) -> Result<pb::AnswerCorrectionResponse, Status> {
        let (peer, _place) = self.asking(&request)?;
        let (desk, answer) = (Arc::clone(&self.desk), request.into_inner());
        let heard = async move { desk.receive_answer(&peer, answer).await };
        to_its_end(&self.tracker, heard).await?;
        Ok(pb::AnswerCorrectionResponse {})
    }

    pub(super) async fn notified(
        &self,
        request: Request<pb::NotifyChangeRequest>,
    ) -> Result<pb::NotifyChangeResponse, Status> {
        let (peer, _place) = self.asking(&request)?;
        let notice = request.into_inner().notice;
        let notice = notice.ok_or_else(|| status::unfit("notice"))?;
        self.claims.notify(&peer, self.exchange.clock().now())?;
        let desk = Arc::clone(&self.desk);
        let heard = async move { desk.receive_notice(&peer, notice).await };
        to_its_end(&self.tracker, heard).await?;
        Ok(pb::NotifyChangeResponse {})
    }

    /// Who asks, and a place to be answered in.
    fn asking<T>(
        &self,
        request: &Request<T>,
    ) -> Result<(DepartmentId, SemaphorePermit<'_>), Status> {
        let peer = request.extensions().get::<Peer>();
        let peer = Caller::from(peer.ok_or_else(status::no_identity)?);
        let place = self.places.try_acquire();
        let place = place.map_err(|_| status::of_admission(AdmissionRefusal::Overloaded))?;
        Ok((peer.department().clone(), place))
    }
}
