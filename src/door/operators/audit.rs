//! `AuditService`: the journal for its readers.

mod entry;

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::Stream;
use tonic::Request;
use tonic::Response;
use tonic::Status;

use crate::door::status;
use crate::pb;
use crate::pb::audit_service_server::AuditService;
use crate::pb::search_response::Part;
use crate::reading::desk::Action;
use crate::reading::desk::OnRecord;
use crate::reading::desk::Reading;
use crate::reading::desk::ReadingDesk;
use crate::reading::error::ReadingError;
use crate::reading::lookup;
use crate::reading::progress::CheckpointProgress;
use crate::reading::progress::Progress;
use crate::reading::proof;
use crate::reading::proof::Prover;
use crate::reading::question::Search;
use crate::reading::reader::Right;
use crate::reading::usages;
use crate::reading::usages::Audience;

/// Served at the operators' door.
#[derive(Debug, Clone)]
pub(super) struct AuditDoor {
    desk: Arc<ReadingDesk>,
}

/// A page of what was found.
struct Page {
    complete_to: u64,
    gaps: Option<pb::Gaps>,
    entries: Vec<pb::JournalEntry>,
    cursor: Vec<u8>,
}

impl AuditDoor {
    pub(super) fn new(desk: Arc<ReadingDesk>) -> Self {
        Self { desk }
    }

    async fn found(
        &self,
        request: &Request<pb::SearchRequest>,
    ) -> Result<PageStream, ReadingError> {
        let known = self.desk.know(request.metadata().as_ref())?;
        let granted = known.may(Right::Search)?;
        let asked = request.get_ref();
        if asked.subject.is_some() {
            known.may(Right::Subjects)?;
        }
        let search = Search::read(asked, &self.desk)?;
        let (query, action) = (search.told.to_string(), search.action);
        let own = self.desk.clone();
        let page = self.desk.look_up(move || find(&own, &search)).await?;
        let reading = Reading {
            action,
            query,
            // A whole page is found before any of it leaves, so the journal can tell how much was given.
            entries: page.entries.len() as u64,
            sha256: None,
            mandate: asked.mandate.clone(),
        };
        let on_record = self.desk.record(&granted, reading).await?;
        Ok(page.stream(on_record))
    }

    async fn usages(
        &self,
        request: &Request<pb::ListUsagesRequest>,
    ) -> Result<pb::ListUsagesResponse, ReadingError> {
        let granted = self
            .desk
            .know(request.metadata().as_ref())?
            .may(Right::Subjects)?;
        let asked = request.get_ref();
        let (question, told) = crate::reading::question::usages(asked, &self.desk)?;
        let (answer, gaps) = usages::find(&self.desk, question, Audience::Auditor).await?;
        let snapshot = self.desk.exchange.snapshot();
        let now = self.desk.now();
        let reading = Reading {
            action: Action::Subject,
            query: told.to_string(),
            entries: answer.usages.len() as u64,
            sha256: None,
            mandate: asked.mandate.clone(),
        };
        let _on_record = self.desk.record(&granted, reading).await?;
        Ok(pb::ListUsagesResponse {
            total: answer.total,
            usages: answer
                .usages
                .iter()
                .map(|usage| {
                    let hidden = usages::hidden(usage, &self.desk.subjects, now);
                    entry::usage(usage, hidden, &snapshot.directory)
                })
                .collect(),
            complete_to: answer.reach.complete_to,
            gaps: Some(entry::gaps(gaps)),
        })
    }

    async fn proofs(
        &self,
        request: &Request<pb::GetProofRequest>,
    ) -> Result<pb::GetProofResponse, ReadingError> {
        let granted = self
            .desk
            .know(request.metadata().as_ref())?
            .may(Right::Search)?;
        let asked = request.get_ref();
        let which = crate::reading::question::which(asked)?;
        let journal = self.desk.journal.clone();
        let proofs = self
            .desk
            .look_up(move || proof::of(&journal, which))
            .await?;
        let reading = Reading {
            action: Action::Prove,
            query: which.to_string(),
            entries: proofs.len() as u64,
            sha256: None,
            mandate: asked.mandate.clone(),
        };
        let _on_record = self.desk.record(&granted, reading).await?;
        if proofs.is_empty() {
            return Err(ReadingError::NotFound);
        }
        Ok(pb::GetProofResponse { proofs })
    }

    async fn status(
        &self,
        request: &Request<pb::GetStatusRequest>,
    ) -> Result<pb::GetStatusResponse, ReadingError> {
        // Whose it is does not matter: no entry is told of.
        self.desk.know(request.metadata().as_ref())?;
        let journal = self.desk.journal.clone();
        let progress = self.desk.look_up(move || Progress::of(&journal)).await?;
        let journal = self.desk.exchange.journal();
        Ok(pb::GetStatusResponse {
            origin: journal.origin().to_owned(),
            size: journal.checkpoint().size(),
            published: progress.published.as_ref().map(reached),
            witnessed: progress.witnessed.as_ref().map(reached),
            indexed_to: progress.indexed_to,
        })
    }
}

fn reached(reached: &CheckpointProgress) -> pb::Reached {
    pb::Reached {
        size: reached.size,
        time: reached.time.map(entry::timestamp),
    }
}

/// A page with its proofs.
fn find(desk: &ReadingDesk, search: &Search) -> Result<Page, ReadingError> {
    let journal = desk.journal.as_path();
    let gaps = match &search.about {
        Some(person) => Some(entry::gaps(lookup::gaps(desk, person)?)),
        None => None,
    };
    let found = lookup::entries(journal, &search.criteria, search.page)?;
    let prover = match search.with_proofs {
        true => Some(Prover::open(journal)?),
        false => None,
    };
    let mut entries = Vec::with_capacity(found.hits.len());
    for hit in found.hits {
        let proof = match &prover {
            Some(prover) => prover.prove(hit.index, &hit.leaf.encode())?,
            None => None,
        };
        entries.push(entry::of(hit, proof.as_ref()));
    }
    let cursor = found.next.map(|next| next.to_be_bytes().to_vec());
    Ok(Page {
        complete_to: found.reach.complete_to,
        gaps,
        entries,
        cursor: cursor.unwrap_or_default(),
    })
}

impl Page {
    fn stream(self, _on_record: OnRecord) -> PageStream {
        let header = Part::Header(pb::SearchHeader {
            complete_to: self.complete_to,
            gaps: self.gaps,
        });
        let trailer = Part::Trailer(pb::SearchTrailer {
            cursor: self.cursor.into(),
        });
        let entries = self.entries.into_iter().map(Part::Entry);
        let parts = std::iter::once(header)
            .chain(entries)
            .chain(std::iter::once(trailer))
            .map(|part| Ok(pb::SearchResponse { part: Some(part) }));
        Box::pin(tokio_stream::iter(parts))
    }
}

type PageStream = Pin<Box<dyn Stream<Item = Result<pb::SearchResponse, Status>> + Send>>;

/// The status of what was not read, counted and logged.
fn status_of(what: &'static str) -> impl Fn(ReadingError) -> Status {
    move |unread| status::unread(&unread.log(what))
}

#[tonic::async_trait]
impl AuditService for AuditDoor {
    type SearchStream = PageStream;

    async fn search(
        &self,
        request: Request<pb::SearchRequest>,
    ) -> Result<Response<PageStream>, Status> {
        let found = self.found(&request).await;
        found.map(Response::new).map_err(status_of("Search"))
    }

    async fn list_usages(
        &self,
        request: Request<pb::ListUsagesRequest>,
    ) -> Result<Response<pb::ListUsagesResponse>, Status> {
        let usages = self.usages(&request).await;
        usages.map(Response::new).map_err(status_of("ListUsages"))
    }

    async fn get_proof(
        &self,
        request: Request<pb::GetProofRequest>,
    ) -> Result<Response<pb::GetProofResponse>, Status> {
        let proofs = self.proofs(&request).await;
        proofs.map(Response::new).map_err(status_of("GetProof"))
    }

    async fn get_status(
        &self,
        request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        let told = self.status(&request).await;
        told.map(Response::new).map_err(status_of("GetStatus"))
    }
}
