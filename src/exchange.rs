//! The path of an exchange: the order of this page is the order of events.

pub mod answer;
pub mod ask;
pub mod offers;
pub mod refusal;
pub mod refusals;
pub mod replay;
pub mod secret;
pub mod snapshot;
pub mod stream;
pub mod trace;

mod draft;
mod rounding;
mod log;
mod whole;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::FutureExt;

use crate::clock::Clock;
use crate::identity::Caller;
use crate::journal::AppendError;
use crate::journal::Journal;
use crate::journal::Kind;
use crate::journal::Outcome;
use crate::journal::subject::SubjectKeys;
use crate::name::DepartmentId;
use crate::pb;
use crate::policy::decision::Permit;
use crate::policy::decision::Role;
use crate::policy::ledger::Ledger;
use crate::registry::query::Mode;
use crate::source::Records;
use crate::source::SourceAnswer;
use crate::source::SourceError;
use crate::source::Terms;
use crate::source::peer::evidence::Evidence;
use answer::Answer;
use answer::Body;
use ask::Ask;
use draft::Draft;
use draft::warrant;
use draft::warrant::Warrant;
use refusal::Cause;
use refusal::REVISION_INCOMPATIBLE;
use refusal::Refusal;
use refusals::Refusals;
use replay::SeenExchanges;
use secret::Secrets;
use snapshot::Snapshot;
use stream::AnswerStream;

/// Answers what systems and peers ask, and keeps the account of it. One for each gateway, behind both doors.
#[derive(Debug)]
pub struct Exchange {
    department: DepartmentId,
    snapshot: ArcSwap<Snapshot>,
    ledger: Ledger,
    asked: PeerHistory,
    journal: Journal,
    secrets: Secrets,
    clock: Clock,
}

/// What peers have asked before.
#[derive(Debug)]
pub struct PeerHistory {
    pub seen: SeenExchanges,
    pub refusals: Refusals,
}

/// What a source gave, fit to leave but not yet on record.
enum PreparedAnswer {
    Whole(Body, Warrant),
    /// With the state that its permit was decided under.
    Stream(Arc<Snapshot>, Box<Records>, Warrant),
}

impl Exchange {
    pub fn new(
        department: DepartmentId,
        snapshot: Arc<Snapshot>,
        ledger: Ledger,
        asked: PeerHistory,
        journal: Journal,
        secrets: Secrets,
        clock: Clock,
    ) -> Self {
        Self {
            department,
            snapshot: ArcSwap::new(snapshot),
            ledger,
            asked,
            journal,
            secrets,
            clock,
        }
    }

    /// The state that requests begin with now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Requests that begin from now on get the new state; those under way keep the old one, which is given back.
    pub fn replace(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        self.snapshot.swap(snapshot)
    }

    pub fn department(&self) -> &DepartmentId {
        &self.department
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// By which the journal's entries can be found that are about somebody.
    pub fn subject_keys(&self) -> &SubjectKeys {
        &self.secrets.subjects
    }

    pub(crate) fn device_key(&self) -> &[u8; 32] {
        &self.secrets.devices
    }

    /// What has been spent of each grant's limits.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Those that have no entry of their own.
    pub fn refusals(&self) -> &Refusals {
        &self.asked.refusals
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Answers one request. Whatever comes of it is on disk, in the journal, before this returns.
    ///
    /// Must run to its end: whoever calls spawns it, so that a client that goes away cannot cancel the account of it.
    pub async fn answer(self: Arc<Self>, caller: Caller, mut ask: Ask) -> Result<Answer, Refusal> {
        let mut draft = Draft::open(&caller, &ask, &self.department, self.clock.now());
        let walk = AssertUnwindSafe(self.walk(&caller, &mut ask, &mut draft)).catch_unwind();
        match walk.await.unwrap_or(Err(Cause::Panicked)) {
            Ok(PreparedAnswer::Whole(body, warrant)) => {
                self.record(&caller, draft, body, warrant).await
            }
            Ok(PreparedAnswer::Stream(snapshot, records, warrant)) => {
                let opened =
                    AnswerStream::open(self, snapshot, caller, ask, draft, *records, warrant);
                Ok(Answer::Stream(Box::new(opened.await?)))
            }
            Err(cause) => Err(self.refuse(&caller, draft, cause).await),
        }
    }

    async fn walk(
        &self,
        caller: &Caller,
        ask: &mut Ask,
        draft: &mut Draft,
    ) -> Result<PreparedAnswer, Cause> {
        Cause::of_standing(&self.journal.trust())?;
        // Its connection stays open for a moment, for the streams on it to end.
        if !caller.is_trusted() {
            return Err(Cause::PeerRevoked);
        }
        let snapshot = self.snapshot();
        let permit = self.permit(&snapshot, caller, ask, draft)?;
        self.ledger.admit(&permit, draft.begun())?;
        draft.set_guess(self.ledger.guess(&permit, draft.begun())?);

        ask.narrow(&permit);
        if permit.role() == Role::Consumer {
            draft.set_request(ask);
        }
        let terms = self.terms(&snapshot, &permit, ask, draft)?;
        match permit.query().selection.mode() {
            Mode::Get => self.get(&snapshot, permit, terms, draft).await,
            Mode::Verify => self.verify(&snapshot, permit, terms, draft).await,
            Mode::Count => self.count(&snapshot, permit, terms, draft).await,
            Mode::Query => self.query(snapshot, permit, terms, draft).await,
        }
    }

    /// The beginning of a stream.
    async fn query(
        &self,
        snapshot: Arc<Snapshot>,
        permit: Permit,
        terms: Terms,
        draft: &mut Draft,
    ) -> Result<PreparedAnswer, Cause> {
        let fetched = fetch(&snapshot, permit, terms, draft).await?;
        let records = Box::new(fetched.into_records()?);
        draft.note_peer_digests(records.evidence());
        let (permit, receipt) = (records.permit(), receipt(records.evidence()));
        let warrant = Warrant::of(Kind::Intent, permit, receipt, &snapshot, draft)?;
        Ok(PreparedAnswer::Stream(snapshot, records, warrant))
    }

    /// From words to a permit: nothing here waits or reads a clock.
    fn permit(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
        ask: &Ask,
        draft: &mut Draft,
    ) -> Result<Permit, Cause> {
        // First of all: an id that stands in the journal, also with a refusal, is not to stand there twice.
        if let Some(exchange) = ask.exchange().filter(|_| caller.system().is_none()) {
            let consumer = caller.department();
            self.asked.seen.admit(consumer, exchange, draft.begun())?;
        }
        let caller = ask.caller(caller.clone())?;
        draft.set_caller(&caller);
        let query = ask.check(snapshot, &self.department)?;
        draft.set_query(&query, self.secrets.subjects.month(draft.begun())?);
        draft.set_policy(&snapshot.policy);
        let permit = snapshot.policy.decide(&caller, query, draft.begun())?;
        draft.set_permit(&permit);
        if let Some(relay) = &ask.relay {
            let schema = &permit.query().schema;
            let published = &snapshot.published;
            published.fit(schema, &relay.revision, &relay.schema_digest)?;
        }
        // What cannot be proven is not asked for: nothing has left the house yet.
        let provider = permit.query().schema.owner();
        if permit.role() == Role::Consumer && !snapshot.journals.can_prove(provider) {
            return Err(Cause::NoJournalKey(provider.clone()));
        }
        if permit.role() == Role::Consumer {
            let (refused, published) = (&snapshot.refused_revisions, &snapshot.published);
            refused.fit(&permit.query().schema, &snapshot.registry, published)?;
        }
        Ok(permit)
    }

    fn terms(
        &self,
        snapshot: &Snapshot,
        permit: &Permit,
        ask: &Ask,
        draft: &mut Draft,
    ) -> Result<Terms, Cause> {
        let package = permit.query().schema.name().package();
        let held = snapshot.registry.packages().get(package);
        Ok(Terms {
            revision: held.map(|held| held.digest),
            exchange: draft.exchange(),
            nonce: draft.nonce()?,
            grounds: ask.grounds.clone(),
            system: draft.system(),
            journal: self.journal.origin().to_owned(),
            deadline: ask.deadline,
            traceparent: ask.trace.header(draft.exchange()),
            question: ask.question.clone(),
            after: ask.position(permit, &self.secrets.cursors)?,
        })
    }

    /// Once the entry is on disk, the answer may leave.
    async fn record(
        &self,
        caller: &Caller,
        mut draft: Draft,
        body: Body,
        warrant: Warrant,
    ) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let entry = match draft.answer_entry(warrant, now) {
            Ok(entry) => entry,
            Err(cause) => return Err(self.refuse(caller, draft, cause).await),
        };
        match self.journal.append(entry).await {
            Ok(receipt) => {
                log::log(&draft, None, now);
                Ok(Answer::Whole(Box::new(draft.info(&receipt)), body))
            }
            Err(unwritten) => Err(self.unlogged(&draft, unwritten)),
        }
    }

    /// A refusal is an entry too, unless a peer has caused too many of them.
    async fn refuse(&self, caller: &Caller, mut draft: Draft, cause: Cause) -> Refusal {
        let now = self.clock.now();
        let entry = draft.refusal_entry(&cause, now);
        let is_of_peer = draft.is_relayed() && entry.outcome == Outcome::Denied;
        if is_of_peer && let Err(untold) = self.asked.refusals.add(caller.department(), now) {
            if untold.is_first {
                tracing::warn!(peer = %caller.department(), "a peer has asked so much in vain that its refusals have no entry each until the hour is over");
            }
            let cause = Cause::TooManyRefusals(untold.wait);
            log::log(&draft, Some(&cause), now);
            return Refusal {
                cause,
                exchange: draft.exchange(),
                receipt: None,
            };
        }
        match self.journal.append(entry).await {
            Ok(receipt) => {
                log::log(&draft, Some(&cause), now);
                Refusal {
                    cause,
                    exchange: draft.exchange(),
                    receipt: Some(receipt),
                }
            }
            Err(unwritten) => self.unlogged(&draft, unwritten),
        }
    }

    /// What is not on record is not answered.
    fn unlogged(&self, draft: &Draft, unwritten: AppendError) -> Refusal {
        let cause = Cause::Unlogged(unwritten);
        log::log(draft, Some(&cause), self.clock.now());
        Refusal {
            cause,
            exchange: draft.exchange(),
            receipt: None,
        }
    }
}

/// Asks the source for what the permit allows.
async fn fetch(
    snapshot: &Snapshot,
    permit: Permit,
    terms: Terms,
    draft: &mut Draft,
) -> Result<SourceAnswer, Cause> {
    let provider = permit.query().schema.owner().clone();
    let fetched = snapshot.sources.fetch(permit, terms).await;
    fetched.map_err(|error| {
        if let SourceError::Refused(refusal) = &error
            && refusal.reason == REVISION_INCOMPATIBLE
        {
            snapshot.refused_revisions.request_refresh();
        }
        warrant::cause_of(error, &provider, snapshot, draft)
    })
}

/// What the provider sent to prove its answer.
fn receipt(evidence: Option<&Evidence>) -> Option<&pb::Receipt> {
    evidence?.receipt.as_deref()
}
