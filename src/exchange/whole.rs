//! Answers of one message: get, verify and count.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;

use super::Exchange;
use super::PreparedAnswer;
use super::answer::Body;
use super::draft::Draft;
use super::draft::warrant::Warrant;
use super::fetch;
use super::receipt;
use super::refusal::Cause;
use super::rounding::counted;
use super::snapshot::Snapshot;
use crate::journal::Kind;
use crate::pb;
use crate::policy::decision::Permit;
use crate::policy::decision::Role;
use crate::redact::admits;
use crate::redact::verify::Verdict;
use crate::redact::verify::verdicts;
use crate::registry::extract::value_of;
use crate::registry::query::Query;
use crate::registry::query::Selection;
use crate::source::Records;
use crate::source::SourceAnswer;
use crate::source::SourceError;
use crate::source::Terms;
use crate::source::peer::evidence::Evidence;

impl Exchange {
    pub(super) async fn get(
        &self,
        snapshot: &Snapshot,
        permit: Permit,
        terms: Terms,
        draft: &mut Draft,
    ) -> Result<PreparedAnswer, Cause> {
        let (deadline, exchange) = (terms.deadline, self);
        within(deadline, async move {
            let fetched = fetch(snapshot, permit, terms, draft).await?;
            let mut records = fetched.into_records()?;
            let batch = records.next().await?;
            batch
                .iter()
                .flatten()
                .for_each(|raw| draft.note_received(raw));
            draft.note_peer_digests(records.evidence());
            let evidence = receipt(records.evidence());
            let warrant = Warrant::of(Kind::Exchange, records.permit(), evidence, snapshot, draft)?;

            let first = exchange.first(snapshot, &mut records, batch).await?;
            let (raw, record) = first.ok_or(Cause::NotFound)?;
            as_asked(records.permit(), &raw)?;
            exchange.ledger.spend(records.permit(), 1, draft.begun())?;
            let sent = if records.permit().role() == Role::Provider {
                &record
            } else {
                &raw
            };
            draft.note_released(&raw, sent)?;
            Ok(PreparedAnswer::Whole(Body::Record(record), warrant))
        })
        .await
    }

    /// The first record, of this batch or a later one, that passes the permit's gate: as it was fetched, and as it may leave.
    async fn first(
        &self,
        snapshot: &Snapshot,
        records: &mut Records,
        mut batch: Option<Vec<Bytes>>,
    ) -> Result<Option<(Bytes, Bytes)>, Cause> {
        let redaction = snapshot
            .redactions
            .of(records.permit(), &self.secrets.pseudonyms);
        while let Some(fetched) = batch {
            for raw in fetched {
                if let Some(record) = redaction.apply(&raw)? {
                    return Ok(Some((raw, record.into_bytes())));
                }
            }
            batch = records.next().await?;
        }
        Ok(None)
    }

    pub(super) async fn verify(
        &self,
        snapshot: &Snapshot,
        permit: Permit,
        terms: Terms,
        draft: &mut Draft,
    ) -> Result<PreparedAnswer, Cause> {
        let (key_tag, tried) = (draft.key_tag(), permit.clone());
        self.ledger.may_verify(&tried, &key_tag, draft.begun())?;
        let judged = self.judged(snapshot, permit, terms, draft).await;

        // The try is held until it is told how it went, also when nothing came of it.
        let unconfirmed = judged
            .as_ref()
            .map_or(0, |(verdicts, _)| unconfirmed(verdicts));
        self.ledger
            .record_mismatches(&tried, &key_tag, unconfirmed, draft.begun());
        let (verdicts, evidence) = judged?;
        verdicts
            .iter()
            .for_each(|verdict| draft.hash_answer(verdict));
        draft.note_peer_digests(evidence.as_ref());
        let evidence = receipt(evidence.as_ref());
        let warrant = Warrant::of(Kind::Exchange, &tried, evidence, snapshot, draft)?;
        self.ledger.spend(&tried, 1, draft.begun())?;
        draft.mismatches(unconfirmed, guessed_wrong(&tried, &verdicts));
        Ok(PreparedAnswer::Whole(Body::Verdicts(verdicts), warrant))
    }

    async fn judged(
        &self,
        snapshot: &Snapshot,
        permit: Permit,
        terms: Terms,
        draft: &mut Draft,
    ) -> Result<(Vec<pb::Verdict>, Option<Evidence>), Cause> {
        within(terms.deadline, async {
            match fetch(snapshot, permit, terms, draft).await? {
                SourceAnswer::Verdicts(verdicts, evidence) => Ok((verdicts, Some(evidence))),
                other => Ok((
                    self.judge(snapshot, other.into_records()?, draft).await?,
                    None,
                )),
            }
        })
        .await
    }

    /// Compares the claims with this department's own record. A record beyond the grant's rows is as good as none.
    async fn judge(
        &self,
        snapshot: &Snapshot,
        mut records: Records,
        draft: &mut Draft,
    ) -> Result<Vec<pb::Verdict>, Cause> {
        let batch = records.next().await?;
        let found = self.first(snapshot, &mut records, batch).await?;
        let Selection::Verify { claims, .. } = &records.permit().query().selection else {
            return Ok(Vec::new());
        };
        let raw = found.as_ref().map(|(raw, _)| raw.as_ref());
        raw.map_or(Ok(()), |raw| draft.tag_subject(raw))?;
        let outcomes = verdicts(raw, claims)?;
        let told = claims
            .iter()
            .zip(outcomes)
            .map(|((field, _), verdict)| pb::Verdict {
                field: field.path().to_string(),
                outcome: match verdict {
                    Verdict::Match => pb::VerdictOutcome::Match,
                    Verdict::Mismatch => pb::VerdictOutcome::Mismatch,
                    Verdict::Unknown => pb::VerdictOutcome::Unknown,
                }
                .into(),
            });
        Ok(told.collect())
    }

    pub(super) async fn count(
        &self,
        snapshot: &Snapshot,
        permit: Permit,
        terms: Terms,
        draft: &mut Draft,
    ) -> Result<PreparedAnswer, Cause> {
        let (permitted, deadline) = (permit.clone(), terms.deadline);
        let grant = permitted.grant();
        let tag = draft.filter_tag(&permit);
        self.ledger.may_count(&permit, &tag, draft.begun())?;
        draft.counts(&permit, &tag);
        self.ledger.spend(&permit, 1, draft.begun())?;
        let answer = within(deadline, async {
            match fetch(snapshot, permit, terms, draft).await? {
                SourceAnswer::Count(told, evidence) => Ok((told, Some(evidence))),
                other => {
                    let count = tally(other.into_records()?).await?;
                    Ok((counted(count, grant, &tag), None))
                }
            }
        });
        let (told, evidence) = answer.await?;
        draft.hash_answer(&told);
        draft.note_peer_digests(evidence.as_ref());
        let evidence = receipt(evidence.as_ref());
        let warrant = Warrant::of(Kind::Exchange, &permitted, evidence, snapshot, draft)?;

        // The consumer's own copy of the agreement holds too.
        let own = counted(told.count, grant, &tag);
        let suppressed = told.suppressed || own.suppressed;
        let body = Body::Count(Box::new(pb::CountRecordsResponse {
            info: None,
            count: if suppressed { 0 } else { own.count },
            suppressed,
            smallest_group: own.smallest_group.max(told.smallest_group),
            count_step: own.count_step.max(told.count_step),
        }));
        Ok(PreparedAnswer::Whole(body, warrant))
    }
}

async fn tally(mut records: Records) -> Result<u64, Cause> {
    let mut count = 0;
    while let Some(batch) = records.next().await? {
        for raw in &batch {
            count += u64::from(admits(records.permit(), raw)?);
        }
    }
    Ok(count)
}

/// Another gateway's record must be the one that was asked for, as far as its key can be read here.
fn as_asked(permit: &Permit, raw: &[u8]) -> Result<(), Cause> {
    let Query {
        schema, selection, ..
    } = permit.query();
    let Selection::Get { key } = selection else {
        return Ok(());
    };
    let mut released = permit.released().iter();
    let clear = released.any(|r| r.mask.is_none() && r.field.path() == schema.key().path());
    if permit.role() == Role::Provider
        || !clear
        || value_of(raw, schema.key())?.as_ref() == Some(key)
    {
        return Ok(());
    }
    let other = SourceError::Garbled("another record than the one that was asked for");
    Err(other.into())
}

fn unconfirmed(verdicts: &[pb::Verdict]) -> u32 {
    let unconfirmed = verdicts
        .iter()
        .filter(|verdict| verdict.outcome() != pb::VerdictOutcome::Match);
    u32::try_from(unconfirmed.count()).unwrap_or(u32::MAX)
}

/// Of the values that were not confirmed, those that the asker could not have read.
fn guessed_wrong(permit: &Permit, verdicts: &[pb::Verdict]) -> u32 {
    let Selection::Verify { claims, .. } = &permit.query().selection else {
        return 0;
    };
    let wrong = claims.iter().zip(verdicts).filter(|((field, _), verdict)| {
        permit.grant().guesses(field) && verdict.outcome() != pb::VerdictOutcome::Match
    });
    u32::try_from(wrong.count()).unwrap_or(u32::MAX)
}

/// Not an `async fn`, which would hold the work twice: as its argument and as what it waits for.
fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, Cause>>,
) -> impl Future<Output = Result<T, Cause>> {
    let in_time = tokio::time::timeout(deadline, work);
    in_time.map(move |outcome| match outcome {
        Ok(outcome) => outcome,
        Err(_) => Err(Cause::Source(SourceError::Timeout(deadline))),
    })
}
