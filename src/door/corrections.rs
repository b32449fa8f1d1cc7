//! `CorrectionService`: systems file corrections of what they received, and hear what became of them.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tonic::Request;
use tonic::Response;
use tonic::Status;

use super::admission::AdmissionRefusal;
use super::status;
use crate::correction::Side;
use crate::correction::Step;
use crate::correction::desk::CorrectionDesk;
use crate::correction::desk::CorrectionError;
use crate::correction::store::Case;
use crate::correction::store::Notice;
use crate::correction::store::Store;
use crate::correction::store::StoreError;
use crate::identity::Caller;
use crate::identity::peer::Peer;
use crate::name::SystemName;
use crate::pb;
use crate::pb::correction_service_server::CorrectionService;

/// Questions that are answered at a time: each reads a database.
const PLACES: usize = 8;

/// Served at the systems door.
#[derive(Debug, Clone)]
pub struct CorrectionDoor {
    desk: Arc<CorrectionDesk>,
    tracker: TaskTracker,
    places: Arc<Semaphore>,
}

impl CorrectionDoor {
    pub fn new(desk: Arc<CorrectionDesk>, tracker: TaskTracker) -> Self {
        Self {
            desk,
            tracker,
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Status> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(status::of_admission(AdmissionRefusal::Overloaded));
        };
        let store = self.desk.store().clone();
        let found = tokio::task::spawn_blocking(move || look(&store)).await;
        let found = found.map_err(|_| status::internal())?;
        found.map_err(|error| status::untaken(&error.into()))
    }
}

/// Runs a step to its end: whoever asked for it may go away, and must not leave it half done.
pub(super) async fn to_its_end<T: Send + 'static>(
    tracker: &TaskTracker,
    step: impl Future<Output = Result<T, CorrectionError>> + Send + 'static,
) -> Result<T, Status> {
    let ended = tracker.spawn(step).await;
    let ended = ended.map_err(|_| status::internal())?;
    ended.map_err(|untaken| status::untaken(&untaken))
}

fn system<T>(request: &Request<T>) -> Result<SystemName, Status> {
    let peer = request.extensions().get::<Peer>();
    let caller = Caller::from(peer.ok_or_else(status::no_identity)?);
    caller.system().cloned().ok_or_else(status::no_identity)
}

#[tonic::async_trait]
impl CorrectionService for CorrectionDoor {
    async fn file_correction(
        &self,
        request: Request<pb::FileCorrectionRequest>,
    ) -> Result<Response<pb::FileCorrectionResponse>, Status> {
        let system = system(&request)?;
        let Ok(_place) = self.places.try_acquire() else {
            return Err(status::of_admission(AdmissionRefusal::Overloaded));
        };
        let (desk, asked) = (Arc::clone(&self.desk), request.into_inner());
        let filed = async move { desk.file(&system, asked).await };
        let correction_id = to_its_end(&self.tracker, filed).await?;
        Ok(Response::new(pb::FileCorrectionResponse { correction_id }))
    }

    async fn list_corrections(
        &self,
        request: Request<pb::ListCorrectionsRequest>,
    ) -> Result<Response<pb::ListCorrectionsResponse>, Status> {
        let system = system(&request)?;
        let only_open = request.into_inner().open;
        let cases = self.read(|store| store.cases(Side::Consumer)).await?;
        let is_wanted = |case: &Case| {
            let is_open = case.step < Step::Decided;
            case.correction.system == system.as_str() && (is_open || !only_open)
        };
        let cases = cases.into_iter().filter(is_wanted);
        Ok(Response::new(pb::ListCorrectionsResponse {
            corrections: cases.map(|case| case.correction).collect(),
        }))
    }

    async fn list_change_notices(
        &self,
        request: Request<pb::ListChangeNoticesRequest>,
    ) -> Result<Response<pb::ListChangeNoticesResponse>, Status> {
        let system = system(&request)?;
        let notices = self.read(|store| store.notices(Side::Consumer)).await?;
        let is_wanted = |notice: &Notice| notice.system == system.as_str();
        let notices = notices.into_iter().filter(is_wanted);
        Ok(Response::new(pb::ListChangeNoticesResponse {
            notices: notices.map(|notice| notice.notice).collect(),
        }))
    }
}
