//! Takes each correction and notice a step on: puts it on record, and tells the other department.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::Status;

use crate::assembly::run_blocking;
use crate::clock::Moment;
use crate::correction::Side;
use crate::correction::Step;
use crate::correction::desk::CorrectionDesk;
use crate::correction::desk::CorrectionError;
use crate::correction::store::Case;
use crate::correction::store::Notice;
use crate::exchange::Exchange;
use crate::fault::chain;
use crate::name::DepartmentId;
use crate::pb;
use crate::pb::peer_service_client::PeerServiceClient;
use crate::source::channel::Channel;
use crate::source::peer::channel::Peers;

/// The command line may have answered something.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How long a peer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon one that did not answer is told again; each time twice as long, up to the longest.
const RETRY_MIN: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(300);
/// How often what was closed long ago is forgotten.
const FORGET: Duration = Duration::from_secs(3_600);

/// Owns what is to be told, and when.
pub(crate) struct Courier {
    exchange: Arc<Exchange>,
    peers: Arc<Peers>,
    desk: Arc<CorrectionDesk>,
    /// How long what is closed is kept.
    keep: Duration,
    /// Departments that did not answer, and when they are told again.
    late: BTreeMap<DepartmentId, Postponement>,
}

struct Postponement {
    until: Instant,
    wait: Duration,
}

/// Why something was not told. What does not pass is not tried again.
enum DeliveryError {
    Passing(String),
    ForGood(String),
}

impl From<Status> for DeliveryError {
    fn from(status: Status) -> Self {
        let why = status.message().chars().take(512).collect();
        match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::FailedPrecondition
            | Code::PermissionDenied => Self::ForGood(why),
            _ => Self::Passing(why),
        }
    }
}

impl From<CorrectionError> for DeliveryError {
    fn from(untaken: CorrectionError) -> Self {
        Self::Passing(chain(&untaken))
    }
}

impl Courier {
    pub(crate) fn new(
        exchange: Arc<Exchange>,
        peers: Arc<Peers>,
        desk: Arc<CorrectionDesk>,
        keep: Duration,
    ) -> Self {
        Self {
            exchange,
            peers,
            desk,
            keep,
            late: BTreeMap::new(),
        }
    }

    /// Runs until the gateway stops.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut round = tokio::time::interval(POLL_EVERY);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut forget = tokio::time::interval(FORGET);
        let desk = Arc::clone(&self.desk);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = round.tick() => {}
                () = desk.woken() => {}
                _ = forget.tick() => self.forget().await,
            }
            if stop.run_until_cancelled(self.round()).await.is_none() {
                return;
            }
        }
    }

    async fn round(&mut self) {
        let store = self.desk.store().clone();
        let pending = run_blocking(move || {
            Ok::<_, crate::correction::store::StoreError>((
                store.pending()?,
                store.pending_notices()?,
            ))
        });
        let (cases, notices) = match pending.await {
            Ok(pending) => pending,
            Err(error) => {
                tracing::error!(error = %chain(&error), "corrections are not worked on");
                return;
            }
        };
        let mut missed = BTreeSet::new();
        for case in cases {
            let id = case.correction.correction_id.clone();
            let peer = case.peer().to_owned();
            if let Err(DeliveryError::Passing(why)) = self.case(case, &missed).await {
                self.put_off(&peer, &why, &id, &mut missed);
            }
        }
        for notice in notices {
            let (id, peer) = (notice.notice.notice_id.clone(), notice.peer.clone());
            if let Err(DeliveryError::Passing(why)) = self.notice(notice, &missed).await {
                self.put_off(&peer, &why, &id, &mut missed);
            }
        }
    }

    async fn case(
        &mut self,
        case: Case,
        missed: &BTreeSet<DepartmentId>,
    ) -> Result<(), DeliveryError> {
        match (case.side, case.step) {
            (Side::Consumer, Step::Filed) => self.submit(case, missed).await,
            (Side::Provider, Step::Answered) => self.answer(case, missed).await,
            _ => Ok(self.desk.log(case).await?),
        }
    }

    async fn submit(
        &mut self,
        case: Case,
        missed: &BTreeSet<DepartmentId>,
    ) -> Result<(), DeliveryError> {
        let correction = case.correction.clone();
        let Some(owner) = self.waiting(case.peer(), missed) else {
            return Ok(());
        };
        let submitted = if owner == *self.exchange.department() {
            let due = self.desk.receive(&owner, correction).await;
            due.map_err(|untaken| DeliveryError::ForGood(untaken.to_string()))
        } else {
            let request = pb::SubmitCorrectionRequest {
                correction: Some(correction),
            };
            let mut client = self.client(&owner)?;
            let sent = patiently(client.submit_correction(request)).await;
            sent.map(|told| told.due)
        };
        match submitted {
            Ok(due) => {
                self.late.remove(&owner);
                Ok(self.desk.delivered(case, due).await?)
            }
            Err(DeliveryError::ForGood(why)) => Ok(self.desk.refused(case, why).await?),
            Err(passing) => Err(passing),
        }
    }

    async fn answer(
        &mut self,
        case: Case,
        missed: &BTreeSet<DepartmentId>,
    ) -> Result<(), DeliveryError> {
        let correction = &case.correction;
        let Some(consumer) = self.waiting(case.peer(), missed) else {
            return Ok(());
        };
        let answer = pb::AnswerCorrectionRequest {
            correction_id: correction.correction_id.clone(),
            state: correction.state,
            reply: correction.reply.clone(),
            answered_at: correction.answered_at,
        };
        let delivered = if consumer == *self.exchange.department() {
            let heard = self.desk.receive_answer(&consumer, answer).await;
            heard.map_err(|untaken| DeliveryError::ForGood(untaken.to_string()))
        } else {
            let mut client = self.client(&consumer)?;
            let sent = patiently(client.answer_correction(answer)).await;
            sent.map(|_| ())
        };
        self.done(&consumer, &correction.correction_id, delivered)?;
        Ok(self.desk.mark_delivered(case).await?)
    }

    async fn notice(
        &mut self,
        notice: Notice,
        missed: &BTreeSet<DepartmentId>,
    ) -> Result<(), DeliveryError> {
        if notice.side == Side::Consumer {
            return Ok(self.desk.log_notice(notice).await?);
        }
        let Some(consumer) = self.waiting(&notice.peer, missed) else {
            return Ok(());
        };
        let delivered = if consumer == *self.exchange.department() {
            let heard = self
                .desk
                .receive_notice(&consumer, notice.notice.clone())
                .await;
            heard.map_err(|untaken| DeliveryError::ForGood(untaken.to_string()))
        } else {
            let request = pb::NotifyChangeRequest {
                notice: Some(notice.notice.clone()),
            };
            let mut client = self.client(&consumer)?;
            let sent = patiently(client.notify_change(request)).await;
            sent.map(|_| ())
        };
        match self.done(&consumer, &notice.notice.notice_id, delivered)? {
            true => Ok(self.desk.log_notice(notice).await?),
            false => Ok(self.desk.close_notice(notice).await?),
        }
    }

    /// Whether the other department took it; an error where it is to be told again.
    fn done(
        &mut self,
        peer: &DepartmentId,
        id: &str,
        told: Result<(), DeliveryError>,
    ) -> Result<bool, DeliveryError> {
        match told {
            Ok(()) => {
                self.late.remove(peer);
                Ok(true)
            }
            Err(DeliveryError::ForGood(why)) => {
                tracing::warn!(%peer, id, why, "a department does not take what it is told of a correction");
                Ok(false)
            }
            Err(passing) => Err(passing),
        }
    }

    /// The department, unless it did not answer just now.
    fn waiting(&self, peer: &str, missed: &BTreeSet<DepartmentId>) -> Option<DepartmentId> {
        let peer: DepartmentId = peer.parse().ok()?;
        let is_late = self
            .late
            .get(&peer)
            .is_some_and(|late| Instant::now() < late.until);
        (!is_late && !missed.contains(&peer)).then_some(peer)
    }

    fn client(&self, peer: &DepartmentId) -> Result<PeerServiceClient<Channel>, DeliveryError> {
        let snapshot = self.exchange.snapshot();
        let department = snapshot.directory.other(self.exchange.department(), peer);
        let department = department
            .ok_or_else(|| DeliveryError::Passing("it is not in the directory".to_owned()))?;
        Ok(PeerServiceClient::new(self.peers.channel(department)))
    }

    fn put_off(&mut self, peer: &str, why: &str, id: &str, missed: &mut BTreeSet<DepartmentId>) {
        let Ok(peer) = peer.parse::<DepartmentId>() else {
            return;
        };
        let known = self.late.get(&peer).map(|late| late.wait);
        if known.is_none() {
            tracing::warn!(%peer, id, why, "a correction waits: it is tried again");
        }
        let wait = known.map_or(RETRY_MIN, |wait| (wait * 2).min(RETRY_MAX));
        let until = Instant::now() + wait;
        self.late.insert(peer.clone(), Postponement { until, wait });
        missed.insert(peer);
    }

    async fn forget(&self) {
        let keep = i64::try_from(self.keep.as_micros()).unwrap_or(i64::MAX);
        let now = self.exchange.clock().now();
        let before = Moment::from_micros(now.micros().saturating_sub(keep));
        let store = self.desk.store().clone();
        if let Err(error) = run_blocking(move || store.forget(before)).await {
            tracing::error!(error = %chain(&error), "closed corrections are not forgotten");
        }
    }
}

async fn patiently<T>(
    told: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, DeliveryError> {
    match timeout(PATIENCE, told).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(status.into()),
        Err(_) => Err(DeliveryError::Passing("it takes too long".to_owned())),
    }
}
