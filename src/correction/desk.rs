//! What a department does with a correction at each step, on either side.

use std::path::PathBuf;
use std::sync::Arc;

use time::UtcOffset;
use tokio::sync::Notify;
use uuid::Uuid;

use super::MAX_KEY;
use super::MAX_OFFICER;
use super::MAX_TEXT;
use super::Side;
use super::Step;
use super::calendar::Calendar;
use super::entry;
use super::ground;
use super::ground::NoGround;
use super::is_fit;
use super::notice_entry;
use super::receivers;
use super::receivers::CorrectedRecord;
use super::store::Case;
use super::store::Notice;
use super::store::Store;
use super::store::StoreError;
use super::timestamp;
use crate::evidence::hit::Hit;
use crate::exchange::Exchange;
use crate::journal::AppendError;
use crate::journal::Entry;
use crate::journal::Role;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::name::FieldPath;
use crate::name::NameError;
use crate::name::SystemName;
use crate::pb;
use crate::pb::CorrectionEvent;
use crate::pb::CorrectionState;

/// Corrections of one consumer that may wait for an answer.
const MAX_OPEN: u64 = 1_000;

/// One for each gateway, behind both doors and the task that tells others.
#[derive(Debug)]
pub struct CorrectionDesk {
    exchange: Arc<Exchange>,
    store: Store,
    /// The journal's folder.
    journal: PathBuf,
    calendar: Calendar,
    offset: UtcOffset,
    /// There is something to tell.
    wake: Notify,
}

/// Why a correction, an answer or a notice is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CorrectionError {
    #[error("`{field}`: {why}")]
    Unfit { field: &'static str, why: String },
    #[error(transparent)]
    NoGround(#[from] NoGround),
    #[error("there is no correction `{0}` of yours that waits for an answer")]
    Unknown(String),
    #[error("{MAX_OPEN} corrections of yours wait for an answer already")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the step is not on record")]
    Unwritten(#[from] AppendError),
    #[error("the work on it was given up")]
    GivenUp(#[from] tokio::task::JoinError),
}

impl CorrectionDesk {
    pub fn new(
        exchange: Arc<Exchange>,
        store: Store,
        journal: PathBuf,
        calendar: Calendar,
        offset: UtcOffset,
    ) -> Self {
        Self {
            exchange,
            store,
            journal,
            calendar,
            offset,
            wake: Notify::new(),
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Waits until there is something new to tell others.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Files a correction for one of the department's systems, which received the record itself.
    pub async fn file(
        &self,
        system: &SystemName,
        asked: pb::FileCorrectionRequest,
    ) -> Result<String, CorrectionError> {
        let exchange = parsed("exchange_id", &asked.exchange_id)?;
        let field: FieldPath = parsed("field", &asked.field)?;
        fit("key", &asked.key, MAX_KEY, true)?;
        fit_words(&asked.statement, &asked.evidence, &asked.officer)?;
        let ground = self.own_ground(exchange, asked.key.clone(), field).await?;
        let record = ground.exchange().filter(|r| r.system == system.as_str());
        let record = record.ok_or(NoGround::NoExchange(exchange))?;
        let now = self.exchange.clock().now();
        let correction = pb::Correction {
            correction_id: Uuid::now_v7().to_string(),
            exchange_id: exchange.to_string(),
            consumer: self.exchange.department().to_string(),
            system: system.to_string(),
            officer: asked.officer,
            provider: record.provider.clone(),
            record_type: record.record_type.clone(),
            key: asked.key,
            field: asked.field,
            statement: asked.statement,
            evidence: asked.evidence,
            filed_at: Some(timestamp(now)),
            state: CorrectionState::Filed.into(),
            ..Default::default()
        };
        let id = correction.correction_id.clone();
        let case = Case {
            side: Side::Consumer,
            step: Step::New,
            correction,
        };
        self.add(case.clone()).await?;
        self.log(case).await?;
        Ok(id)
    }

    /// Takes a consumer's correction into the queue, and tells its due day. One that is there already stays as it is.
    pub async fn receive(
        &self,
        consumer: &DepartmentId,
        mut correction: pb::Correction,
    ) -> Result<String, CorrectionError> {
        let id: Uuid = parsed("correction_id", &correction.correction_id)?;
        correction.correction_id = id.to_string();
        if let Some(known) = self.case(&correction.correction_id, Side::Provider).await? {
            if known.peer() != consumer.as_str() {
                return Err(CorrectionError::Unknown(correction.correction_id));
            }
            let due = known.correction.due.clone();
            if known.step == Step::New {
                self.log(known).await?;
            }
            return Ok(due);
        }
        let exchange = parsed("exchange_id", &correction.exchange_id)?;
        let field: FieldPath = parsed("field", &correction.field)?;
        fit("key", &correction.key, MAX_KEY, true)?;
        fit_words(
            &correction.statement,
            &correction.evidence,
            &correction.officer,
        )?;
        let (store, peer) = (self.store.clone(), consumer.to_string());
        if blocking(move || store.open_of(&peer)).await?? >= MAX_OPEN {
            return Err(CorrectionError::TooMany);
        }
        let ground = self
            .ground(Role::Provider, exchange, correction.key.clone(), field)
            .await?;
        let record = ground
            .exchange()
            .filter(|r| r.consumer == consumer.as_str());
        let record = record.ok_or(NoGround::NoExchange(exchange))?;
        let received = self.exchange.clock().now().date(self.offset);
        let due = self.calendar.due(received).to_string();
        let correction = pb::Correction {
            exchange_id: exchange.to_string(),
            consumer: consumer.to_string(),
            // What the journal says counts, not what the consumer says now.
            system: record.system.clone(),
            provider: self.exchange.department().to_string(),
            record_type: record.record_type.clone(),
            state: CorrectionState::Open.into(),
            due: due.clone(),
            reply: String::new(),
            answered_at: None,
            ..correction
        };
        let case = Case {
            side: Side::Provider,
            step: Step::New,
            correction,
        };
        self.add(case.clone()).await?;
        self.log(case).await?;
        Ok(due)
    }

    /// Takes the owner's answer to a correction that this department has filed. The same one may come again.
    pub async fn receive_answer(
        &self,
        owner: &DepartmentId,
        answer: pb::AnswerCorrectionRequest,
    ) -> Result<(), CorrectionError> {
        let state = answer.state();
        if !matches!(state, CorrectionState::Corrected | CorrectionState::Upheld) {
            let why = "CORRECTED or UPHELD".to_owned();
            return Err(CorrectionError::Unfit {
                field: "state",
                why,
            });
        }
        fit("reply", &answer.reply, MAX_TEXT, false)?;
        let case = self.case(&answer.correction_id, Side::Consumer).await?;
        let case = case.filter(|case| case.peer() == owner.as_str());
        let unknown = || CorrectionError::Unknown(crate::fault::shown(&answer.correction_id));
        let case = case.ok_or_else(unknown)?;
        let is_same = case.correction.state() == state;
        match case.step {
            Step::Filed | Step::Open => {}
            Step::Decided if is_same => return self.log(case).await,
            Step::Closed if is_same => return Ok(()),
            Step::New | Step::Decided | Step::Answered | Step::Closed => return Err(unknown()),
        }
        self.decide(case, state, answer.reply, answer.answered_at)
            .await
    }

    /// The owner's gateway does not take a correction, for a reason that does not pass.
    pub async fn refused(&self, case: Case, why: String) -> Result<(), CorrectionError> {
        let now = timestamp(self.exchange.clock().now());
        self.decide(case, CorrectionState::Refused, why, Some(now))
            .await
    }

    async fn decide(
        &self,
        case: Case,
        state: CorrectionState,
        reply: String,
        at: Option<prost_types::Timestamp>,
    ) -> Result<(), CorrectionError> {
        let from = case.step;
        let decided = Case {
            step: Step::Decided,
            correction: pb::Correction {
                state: state.into(),
                reply,
                answered_at: at,
                ..case.correction
            },
            ..case
        };
        self.advance(from, decided.clone()).await?;
        self.log(decided).await
    }

    /// The owner has it in its queue.
    pub async fn delivered(&self, case: Case, due: String) -> Result<(), CorrectionError> {
        let correction = pb::Correction {
            due,
            state: CorrectionState::Open.into(),
            ..case.correction.clone()
        };
        let from = case.step;
        let open = Case { correction, ..case }.at(Step::Open);
        self.advance(from, open).await
    }

    /// Takes an owner's notice that a record has changed which this department received. The same one may come again.
    pub async fn receive_notice(
        &self,
        owner: &DepartmentId,
        notice: pb::ChangeNotice,
    ) -> Result<(), CorrectionError> {
        let id: Uuid = parsed("notice_id", &notice.notice_id)?;
        let exchange = parsed("exchange_id", &notice.exchange_id)?;
        let field: FieldPath = parsed("field", &notice.field)?;
        fit("key", &notice.key, MAX_KEY, false)?;
        let ground = self.own_ground(exchange, notice.key.clone(), field).await?;
        let record = ground.exchange().filter(|r| r.provider == owner.as_str());
        let record = record.ok_or(NoGround::NoExchange(exchange))?;
        let heard = Notice {
            side: Side::Consumer,
            step: Step::New,
            peer: owner.to_string(),
            system: record.system.clone(),
            notice: pb::ChangeNotice {
                notice_id: id.to_string(),
                exchange_id: exchange.to_string(),
                provider: owner.to_string(),
                record_type: record.record_type.clone(),
                ..notice
            },
        };
        let (store, added) = (self.store.clone(), heard.clone());
        blocking(move || store.add_notice(&added)).await??;
        self.log_notice(heard).await
    }

    /// Puts the step that a correction has come to on record, and moves it on.
    pub async fn log(&self, case: Case) -> Result<(), CorrectionError> {
        let from = case.step;
        match (case.side, case.step) {
            (Side::Consumer, Step::New) => {
                self.record(CorrectionEvent::Filed, &case).await?;
                self.advance(from, case.at(Step::Filed)).await?;
                self.wake.notify_one();
                Ok(())
            }
            (Side::Consumer, Step::Decided) => {
                self.record(CorrectionEvent::Answered, &case).await?;
                self.advance(from, case.at(Step::Closed)).await
            }
            (Side::Provider, Step::New) => {
                self.record(CorrectionEvent::Received, &case).await?;
                self.advance(from, case.at(Step::Open)).await
            }
            (Side::Provider, Step::Decided) => {
                let notices = self.notices(&case).await?;
                self.record(CorrectionEvent::Answered, &case).await?;
                let (store, now) = (self.store.clone(), self.exchange.clock().now());
                let answered = case.at(Step::Answered);
                Ok(blocking(move || store.answered(&answered, &notices, now)).await??)
            }
            // Nothing of these is to be put on record.
            (_, Step::Filed | Step::Open | Step::Answered | Step::Closed) => Ok(()),
        }
    }

    /// The consumer that filed it knows the answer.
    pub async fn mark_delivered(&self, case: Case) -> Result<(), CorrectionError> {
        let from = case.step;
        self.advance(from, case.at(Step::Closed)).await
    }

    /// Puts on record that a notice was heard, or told.
    pub async fn log_notice(&self, notice: Notice) -> Result<(), CorrectionError> {
        let event = match notice.side {
            Side::Consumer => CorrectionEvent::Heard,
            Side::Provider => CorrectionEvent::Told,
        };
        self.append(notice_entry(event, &notice.peer, &notice.notice))
            .await?;
        self.close_notice(notice).await
    }

    /// Nothing more is done about a notice.
    pub async fn close_notice(&self, notice: Notice) -> Result<(), CorrectionError> {
        let (store, now) = (self.store.clone(), self.exchange.clock().now());
        Ok(blocking(move || store.close_notice(&notice, now)).await??)
    }

    /// One notice for each other consumer that has received what was wrong.
    async fn notices(&self, case: &Case) -> Result<Vec<Notice>, CorrectionError> {
        let correction = case.correction.clone();
        if correction.state() != CorrectionState::Corrected {
            return Ok(Vec::new());
        }
        let exchange = parsed("exchange_id", &correction.exchange_id)?;
        let field: FieldPath = parsed("field", &correction.field)?;
        let (key, own) = (correction.key.clone(), field.clone());
        let ground = self.ground(Role::Provider, exchange, key, own).await?;
        let record_type = parsed("record_type", &correction.record_type)?;
        let (journal, keys) = (self.journal.clone(), self.exchange.subject_keys().clone());
        let key = correction.key.clone();
        let received = blocking(move || {
            let corrected = CorrectedRecord {
                record_type: &record_type,
                key: &key,
                field: &field,
                ground: &ground,
            };
            receivers::of(&journal, &keys, corrected)
        });
        let at = correction.answered_at;
        let notice = |(consumer, received): (String, receivers::LatestExchange)| Notice {
            side: Side::Provider,
            step: Step::New,
            peer: consumer,
            system: String::new(),
            notice: pb::ChangeNotice {
                notice_id: Uuid::now_v7().to_string(),
                provider: correction.provider.clone(),
                record_type: correction.record_type.clone(),
                // Who has perhaps not received the record is not told that there is one.
                key: match received.is_certain {
                    true => correction.key.clone(),
                    false => String::new(),
                },
                field: correction.field.clone(),
                exchange_id: received.exchange.to_string(),
                corrected_at: at,
            },
        };
        let others = received.await??.into_iter();
        let others = others.filter(|(consumer, _)| *consumer != correction.consumer);
        Ok(others.map(notice).collect())
    }

    /// An exchange in which this department received a record. Of its own records it is both consumer and provider, and
    /// has one entry, as the provider.
    async fn own_ground(
        &self,
        exchange: ExchangeId,
        key: String,
        field: FieldPath,
    ) -> Result<Hit, CorrectionError> {
        let (same, own) = (key.clone(), field.clone());
        match self.ground(Role::Consumer, exchange, key, field).await {
            Err(CorrectionError::NoGround(NoGround::NoExchange(_))) => {
                let ground = self.ground(Role::Provider, exchange, same, own).await?;
                let department = self.exchange.department().as_str();
                let is_own = ground.exchange().is_some_and(|r| r.consumer == department);
                is_own
                    .then_some(ground)
                    .ok_or(NoGround::NoExchange(exchange).into())
            }
            found => found,
        }
    }

    async fn ground(
        &self,
        role: Role,
        exchange: ExchangeId,
        key: String,
        field: FieldPath,
    ) -> Result<Hit, CorrectionError> {
        let (journal, keys) = (self.journal.clone(), self.exchange.subject_keys().clone());
        let look = move || ground::of(&journal, &keys, role, exchange, (&key, &field));
        Ok(blocking(look).await??)
    }

    async fn case(&self, id: &str, side: Side) -> Result<Option<Case>, CorrectionError> {
        let (store, id) = (self.store.clone(), id.to_owned());
        Ok(blocking(move || store.case(&id, side)).await??)
    }

    async fn add(&self, case: Case) -> Result<bool, CorrectionError> {
        let store = self.store.clone();
        Ok(blocking(move || store.add(&case)).await??)
    }

    async fn advance(&self, from: Step, to: Case) -> Result<(), CorrectionError> {
        let (store, now) = (self.store.clone(), self.exchange.clock().now());
        // False: somebody else has moved it on, and nothing is left to do here.
        blocking(move || store.advance(from, &to, now)).await??;
        Ok(())
    }

    async fn record(&self, event: CorrectionEvent, case: &Case) -> Result<(), CorrectionError> {
        self.append(entry(event, case.side, &case.correction)).await
    }

    async fn append(&self, entry: Entry) -> Result<(), CorrectionError> {
        self.exchange.journal().append(entry).await?;
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    tokio::task::spawn_blocking(work).await
}

fn parsed<T>(field: &'static str, text: &str) -> Result<T, CorrectionError>
where
    T: std::str::FromStr,
    T::Err: Into<TextError>,
{
    text.parse().map_err(|error: T::Err| {
        let TextError(why) = error.into();
        CorrectionError::Unfit { field, why }
    })
}

/// Why a text is not what it should be.
struct TextError(String);

impl From<NameError> for TextError {
    fn from(error: NameError) -> Self {
        Self(error.to_string())
    }
}

impl From<uuid::Error> for TextError {
    fn from(_: uuid::Error) -> Self {
        Self("write a UUID".to_owned())
    }
}

fn fit_words(statement: &str, evidence: &str, officer: &str) -> Result<(), CorrectionError> {
    fit("statement", statement, MAX_TEXT, true)?;
    fit("evidence", evidence, MAX_TEXT, false)?;
    fit("officer", officer, MAX_OFFICER, false)
}

fn fit(
    field: &'static str,
    text: &str,
    most: usize,
    is_needed: bool,
) -> Result<(), CorrectionError> {
    let why = if is_needed && text.trim().is_empty() {
        "is missing".to_owned()
    } else if !is_fit(text, most) {
        format!("has more than {most} characters, or control characters")
    } else {
        return Ok(());
    };
    Err(CorrectionError::Unfit { field, why })
}
