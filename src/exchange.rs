//! The path of an exchange: the order of this page is the order of events.

pub mod answer;
pub mod ask;
pub mod refusal;
pub mod secret;
pub mod snapshot;
pub mod stream;
pub mod trace;

mod draft;
mod tell;
mod whole;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::FutureExt;

use crate::audit::Journal;
use crate::audit::Unwritten;
use crate::audit::subject::SubjectKeys;
use crate::clock::Clock;
use crate::identity::Caller;
use crate::name::DepartmentId;
use crate::policy::decision::Permit;
use crate::policy::ledger::Ledger;
use crate::registry::query::Mode;
use crate::source::Records;
use crate::source::Terms;
use answer::Answer;
use answer::Body;
use ask::Ask;
use draft::Draft;
use refusal::Cause;
use refusal::Refusal;
use secret::Secrets;
use secret::random;
use snapshot::Snapshot;
use stream::AnswerStream;

/// Answers what systems and peers ask, and keeps the account of it. One for each gateway, behind both doors.
#[derive(Debug)]
pub struct Exchange {
    department: DepartmentId,
    snapshot: ArcSwap<Snapshot>,
    ledger: Ledger,
    journal: Journal,
    secrets: Secrets,
    clock: Clock,
}

/// What a source gave, fit to leave but not yet on record.
enum Found {
    Whole(Body),
    /// With the state that its permit was decided under.
    Stream(Arc<Snapshot>, Box<Records>),
}

impl Exchange {
    pub fn new(
        department: DepartmentId,
        snapshot: Arc<Snapshot>,
        ledger: Ledger,
        journal: Journal,
        secrets: Secrets,
        clock: Clock,
    ) -> Self {
        Self {
            department,
            snapshot: ArcSwap::new(snapshot),
            ledger,
            journal,
            secrets,
            clock,
        }
    }

    /// The state that requests begin with now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Requests that begin from now on get the new state; those under way keep theirs.
    pub fn replace(&self, snapshot: Arc<Snapshot>) {
        self.snapshot.store(snapshot);
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
            Ok(Found::Whole(body)) => self.record(draft, body).await,
            Ok(Found::Stream(snapshot, records)) => {
                AnswerStream::open(self, snapshot, caller, ask, draft, *records).await
            }
            Err(cause) => Err(self.refuse(draft, cause).await),
        }
    }

    async fn walk(
        &self,
        caller: &Caller,
        ask: &mut Ask,
        draft: &mut Draft,
    ) -> Result<Found, Cause> {
        Cause::of_standing(&self.journal.standing())?;
        let snapshot = self.snapshot();
        let permit = self.permit(&snapshot, caller, ask, draft)?;
        self.ledger.admit(&permit, draft.begun())?;

        ask.narrow(&permit);
        draft.asks(ask);
        let terms = self.terms(&permit, ask, draft)?;
        match permit.query().selection.mode() {
            Mode::Get => self.get(&snapshot, permit, terms, draft).await,
            Mode::Verify => self.verify(&snapshot, permit, terms, draft).await,
            Mode::Count => self.count(&snapshot, permit, terms, draft).await,
            Mode::Query => {
                let fetched = snapshot.sources.fetch(permit, terms).await?;
                Ok(Found::Stream(snapshot, Box::new(fetched.into_records()?)))
            }
        }
    }

    /// From words to a permit: nothing here waits or reads a clock.
    fn permit(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
        ask: &Ask,
        draft: &mut Draft,
    ) -> Result<Permit, Cause> {
        let caller = ask.caller(caller.clone())?;
        draft.called_by(&caller);
        let query = ask.check(snapshot, &self.department)?;
        draft.checked(&query, self.secrets.subjects.month(draft.begun())?);
        let permit = snapshot.policy.decide(&caller, query, draft.begun())?;
        draft.permitted(&permit);
        if let Some(theirs) = ask.differing(&permit) {
            draft.differs(theirs);
        }
        Ok(permit)
    }

    fn terms(&self, permit: &Permit, ask: &Ask, draft: &mut Draft) -> Result<Terms, Cause> {
        Ok(Terms {
            exchange: draft.exchange(),
            nonce: draft.nonce(random()?),
            grounds: ask.grounds.clone(),
            system: draft.system(),
            deadline: ask.deadline,
            traceparent: ask.trace.header(draft.exchange()),
            question: ask.question.clone(),
            after: ask.position(permit, &self.secrets.cursors)?,
        })
    }

    /// Once the entry is on disk, the answer may leave.
    async fn record(&self, draft: Draft, body: Body) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        match self.journal.append(draft.answered(now)).await {
            Ok(receipt) => {
                tell::ended(&draft, None, now);
                Ok(Answer::Whole(Box::new(draft.info(&receipt)), body))
            }
            Err(unwritten) => Err(self.unlogged(&draft, unwritten)),
        }
    }

    /// A refusal is an entry too.
    async fn refuse(&self, mut draft: Draft, cause: Cause) -> Refusal {
        let now = self.clock.now();
        match self.journal.append(draft.refused(&cause, now)).await {
            Ok(receipt) => {
                tell::ended(&draft, Some(&cause), now);
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
    fn unlogged(&self, draft: &Draft, unwritten: Unwritten) -> Refusal {
        let cause = Cause::Unlogged(unwritten);
        tell::ended(draft, Some(&cause), self.clock.now());
        Refusal {
            cause,
            exchange: draft.exchange(),
            receipt: None,
        }
    }
}
