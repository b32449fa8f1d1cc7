//! `PeerService`: what gateways tell one another about their journals, schemas and corrections.

mod claims;
mod corrections;
mod revisions;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tonic::Request;
use tonic::Response;
use tonic::Status;

use super::admission::AdmissionRefusal;
use super::status;
use crate::correction::desk::CorrectionDesk;
use crate::evidence::index::IndexError;
use crate::evidence::reconcile::Difference;
use crate::evidence::reconcile::Item;
use crate::evidence::reconcile::Summary;
use crate::evidence::reconcile::books::Books;
use crate::evidence::reconcile::disagreements;
use crate::evidence::reconcile::log;
use crate::evidence::reconcile::part_summaries;
use crate::evidence::reconcile::summary;
use crate::evidence::reconcile::window::Window;
use crate::exchange::Exchange;
use crate::identity::Caller;
use crate::identity::peer::Peer;
use crate::journal::Entry;
use crate::journal::Role;
use crate::name::DepartmentId;
use crate::name::RecordType;
use crate::name::TrustDomain;
use crate::pb;
use crate::pb::peer_service_server::PeerService;
use crate::publication::shelf::Shelf;
use claims::Claims;

/// How long a question waits for the index to follow the journal.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// The exchanges that a message may tell of.
const MAX_ITEMS: usize = 8_192;
/// Questions that are answered at a time.
const PLACES: usize = 4;
/// Windows of a peer of which it is remembered that they are on record: a week of minutes.
const REMEMBERED: usize = 7 * 24 * 60;

/// Answers peers that compare their journal with this one, fetch the schemas that this department has published, or have
/// records corrected.
#[derive(Debug, Clone)]
pub struct PeerDoor {
    books: Arc<Books>,
    exchange: Arc<Exchange>,
    shelf: Shelf,
    desk: Arc<CorrectionDesk>,
    domain: TrustDomain,
    tracker: TaskTracker,
    /// By asking department: the windows that are on record, the latest of them, and whether with a difference. One that is
    /// asked for again is not logged again.
    settled: Arc<Mutex<HashMap<DepartmentId, BTreeMap<Window, bool>>>>,
    claims: Arc<Claims>,
    /// Each question reads and sorts a window's exchanges.
    places: Arc<Semaphore>,
}

/// A question that makes sense, and what there is to answer it.
struct ComparisonRequest {
    peer: DepartmentId,
    window: Window,
    theirs: Summary,
    own: OwnExchanges,
}

/// This department's exchanges with the peer, as their provider.
struct OwnExchanges {
    items: Vec<Item>,
    all: Summary,
    /// Where the two sides differ: the summaries of the parts.
    parts: Vec<Summary>,
}

impl PeerDoor {
    pub fn new(
        books: Books,
        exchange: Arc<Exchange>,
        shelf: Shelf,
        desk: Arc<CorrectionDesk>,
        domain: TrustDomain,
        tracker: TaskTracker,
    ) -> Self {
        Self {
            books: Arc::new(books),
            exchange,
            shelf,
            desk,
            domain,
            tracker,
            settled: Arc::default(),
            claims: Arc::default(),
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }

    async fn compared<T>(
        &self,
        request: &Request<T>,
        window: Option<&pb::Window>,
        all: Option<&pb::ExchangeSummary>,
    ) -> Result<ComparisonRequest, Status> {
        let peer = request.extensions().get::<Peer>();
        let peer = Caller::from(peer.ok_or_else(status::no_identity)?);
        let window = window.and_then(Window::read);
        let window = window.ok_or_else(|| status::unfit("window"))?;
        let theirs = Summary::read(all).ok_or_else(|| status::unfit("all"))?;
        if self.exchange.clock().now() < window.end() {
            return Err(status::not_yet());
        }
        let peer = peer.department().clone();
        let own = self.own(peer.clone(), window, theirs).await?;
        Ok(ComparisonRequest {
            peer,
            window,
            theirs,
            own,
        })
    }

    /// Waits for the index to have what the journal has now: what the peer may have heard of.
    async fn own(
        &self,
        peer: DepartmentId,
        window: Window,
        theirs: Summary,
    ) -> Result<OwnExchanges, Status> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(status::of_admission(AdmissionRefusal::Overloaded));
        };
        let size = self.books.size();
        let look = async {
            loop {
                let (books, peer) = (self.books.clone(), peer.clone());
                let look = move || {
                    let items = books.items(size, &peer, Role::Provider, window)?;
                    Ok::<_, IndexError>(items.map(|items| OwnExchanges::of(items, &theirs)))
                };
                match tokio::task::spawn_blocking(look).await {
                    Ok(Ok(Some(own))) => return Ok(own),
                    Ok(Ok(None)) => tokio::time::sleep(RETRY_AFTER).await,
                    Ok(Err(error)) => {
                        tracing::error!(%error, "the journal's index cannot be read");
                        return Err(status::internal());
                    }
                    Err(_) => return Err(status::internal()),
                }
            }
        };
        let looked = tokio::time::timeout(FOLLOWS_WITHIN, look).await;
        looked.unwrap_or_else(|_| Err(status::not_yet()))
    }

    /// Puts the comparison on record, once. Whatever the peer learns of it is on record before.
    async fn record(
        &self,
        compared: &ComparisonRequest,
        found: &[Difference],
    ) -> Result<(), Status> {
        let (peer, window, own) = (&compared.peer, compared.window, &compared.own.all);
        let both_empty = own.count == 0 && compared.theirs.count == 0 && found.is_empty();
        let differ = !found.is_empty();
        if both_empty || self.is_settled(peer, window, differ) {
            return Ok(());
        }
        if compared.own.items.is_empty() {
            if !self.is_to_be_recorded(peer, found) {
                return Ok(());
            }
        } else {
            self.claims.compare(peer, self.exchange.clock().now())?;
        }
        log(peer, Role::Provider, found);
        let record = window.record(peer, Role::Provider, own, &compared.theirs, found);
        let written = self.books.journal().append(Entry::reconciliation(record));
        if let Err(error) = written.await {
            tracing::error!(%error, "a comparison with a peer is not on record");
            return Err(status::not_yet());
        }
        self.settle(peer, window, differ);
        Ok(())
    }

    /// A window that differs in one of its parts may have been told of the others first.
    fn is_settled(&self, peer: &DepartmentId, window: Window, differ: bool) -> bool {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let known = settled.get(peer).and_then(|known| known.get(&window));
        known.is_some_and(|differed| *differed || !differ)
    }

    fn settle(&self, peer: &DepartmentId, window: Window, differ: bool) {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let known = settled.entry(peer.clone()).or_default();
        known.insert(window, differ);
        while known.len() > REMEMBERED {
            known.pop_first();
        }
    }
}

impl OwnExchanges {
    fn of(items: Vec<Item>, theirs: &Summary) -> Self {
        let all = summary(&items);
        let parts = if all == *theirs {
            Vec::new()
        } else {
            part_summaries(&items)
        };
        Self { items, all, parts }
    }
}

#[tonic::async_trait]
impl PeerService for PeerDoor {
    async fn compare_exchanges(
        &self,
        request: Request<pb::CompareExchangesRequest>,
    ) -> Result<Response<pb::CompareExchangesResponse>, Status> {
        let asked = request.get_ref();
        let (window, all) = (asked.window, asked.all.clone());
        let compared = self
            .compared(&request, window.as_ref(), all.as_ref())
            .await?;
        let own = &compared.own;
        if own.all == compared.theirs {
            self.record(&compared, &[]).await?;
        } else {
            // What it is comes with the settling; a peer that never settles is told of here.
            let now = self.exchange.clock().now();
            if self.claims.differs(&compared.peer, now) {
                tracing::warn!(peer = %compared.peer, "a peer has other exchanges on record than we have; more of them within the hour are not told of");
            }
        }
        Ok(Response::new(pb::CompareExchangesResponse {
            all: Some((&own.all).into()),
            parts: own.parts.iter().map(Into::into).collect(),
        }))
    }

    async fn settle_exchanges(
        &self,
        request: Request<pb::SettleExchangesRequest>,
    ) -> Result<Response<pb::SettleExchangesResponse>, Status> {
        let asked = request.get_ref();
        let (window, all) = (asked.window, asked.all.clone());
        let compared = self
            .compared(&request, window.as_ref(), all.as_ref())
            .await?;
        let asked = request.into_inner();
        if asked.parts.len() > compared.own.parts.len() {
            return Err(status::unfit("parts"));
        }
        // One part is told whole, however much it is.
        if asked.items.len() > MAX_ITEMS && asked.parts.len() > 1 {
            return Err(status::unfit("items"));
        }
        let theirs = Item::read_all(&asked.items, compared.window, &asked.parts)
            .ok_or_else(|| status::unfit("items"))?;
        let in_parts = |item: &&Item| asked.parts.contains(&item.part());
        let own: Vec<_> = compared
            .own
            .items
            .iter()
            .filter(in_parts)
            .copied()
            .collect();
        self.record(&compared, &disagreements(&theirs, &own))
            .await?;
        Ok(Response::new(pb::SettleExchangesResponse {
            items: own.iter().map(Into::into).collect(),
        }))
    }

    async fn list_revisions(
        &self,
        _request: Request<pb::ListRevisionsRequest>,
    ) -> Result<Response<pb::ListRevisionsResponse>, Status> {
        Ok(Response::new(self.revisions()))
    }

    async fn fetch_revision(
        &self,
        request: Request<pb::FetchRevisionRequest>,
    ) -> Result<Response<pb::FetchRevisionResponse>, Status> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(status::of_admission(AdmissionRefusal::Overloaded));
        };
        let revision = self.revision(&request.into_inner()).await?;
        Ok(Response::new(revision))
    }

    async fn submit_correction(
        &self,
        request: Request<pb::SubmitCorrectionRequest>,
    ) -> Result<Response<pb::SubmitCorrectionResponse>, Status> {
        self.submitted(request).await.map(Response::new)
    }

    async fn answer_correction(
        &self,
        request: Request<pb::AnswerCorrectionRequest>,
    ) -> Result<Response<pb::AnswerCorrectionResponse>, Status> {
        self.answered(request).await.map(Response::new)
    }

    async fn notify_change(
        &self,
        request: Request<pb::NotifyChangeRequest>,
    ) -> Result<Response<pb::NotifyChangeResponse>, Status> {
        self.notified(request).await.map(Response::new)
    }

    async fn list_offers(
        &self,
        _request: Request<pb::ListOffersRequest>,
    ) -> Result<Response<pb::ListOffersResponse>, Status> {
        let snapshot = self.exchange.snapshot();
        let own = self.exchange.department();
        let offers = snapshot.offers.load();
        let may_be_told = |record: &RecordType| {
            let schema = snapshot.registry.record(record.as_str());
            schema.is_ok_and(|schema| {
                schema.owner() == own && schema.sharing() != pb::SharingClass::Prohibited
            })
        };
        let offers = offers.iter().filter(|(record, _)| may_be_told(record));
        Ok(Response::new(pb::ListOffersResponse {
            offers: offers.map(|(_, offer)| offer.clone()).collect(),
        }))
    }
}
