//! Answers of one message: get, verify and count.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;

use super::Exchange;
use super::Found;
use super::answer::Body;
use super::draft::Draft;
use super::refusal::Cause;
use super::snapshot::Snapshot;
use crate::pb;
use crate::policy::decision::Permit;
use crate::policy::decision::Role;
use crate::redact::Redaction;
use crate::redact::verify::Verdict;
use crate::redact::verify::verdicts;
use crate::registry::query::Selection;
use crate::source::Fetched;
use crate::source::Records;
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
    ) -> Result<Found, Cause> {
        let (deadline, exchange) = (terms.deadline, self);
        within(deadline, async move {
            let mut records = snapshot
                .sources
                .fetch(permit, terms)
                .await?
                .into_records()?;
            let (raw, record) = exchange.first(&mut records).await?.ok_or(Cause::NotFound)?;
            exchange.ledger.spend(records.permit(), 1, draft.begun())?;
            draft.heard(records.evidence());
            let sent = if records.permit().role() == Role::Provider {
                &record
            } else {
                &raw
            };
            draft.released(&raw, sent)?;
            Ok(Found::Whole(Body::Record(record)))
        })
        .await
    }

    /// The first record that passes the permit's gate: as it was fetched, and as it may leave.
    async fn first(&self, records: &mut Records) -> Result<Option<(Bytes, Bytes)>, Cause> {
        let redaction = Redaction::of(records.permit(), &self.secrets.pseudonyms);
        while let Some(batch) = records.next().await? {
            for raw in batch {
                if let Some(record) = redaction.apply(&raw)? {
                    return Ok(Some((raw, record.into_bytes())));
                }
            }
        }
        Ok(None)
    }

    pub(super) async fn verify(
        &self,
        snapshot: &Snapshot,
        permit: Permit,
        terms: Terms,
        draft: &mut Draft,
    ) -> Result<Found, Cause> {
        let (key_tag, tried) = (draft.key_tag(), permit.clone());
        self.ledger.may_verify(&tried, &key_tag, draft.begun())?;
        let judged = self.judged(snapshot, permit, terms).await;

        // The try is held until it is told how it went, also when nothing came of it.
        let unconfirmed = judged
            .as_ref()
            .map_or(0, |(verdicts, _)| unconfirmed(verdicts));
        self.ledger
            .mismatched(&tried, &key_tag, unconfirmed, draft.begun());
        let (verdicts, evidence) = judged?;
        self.ledger.spend(&tried, 1, draft.begun())?;
        draft.heard(evidence.as_ref());
        draft.mismatches(unconfirmed);
        verdicts.iter().for_each(|verdict| draft.told(verdict));
        Ok(Found::Whole(Body::Verdicts(verdicts)))
    }

    async fn judged(
        &self,
        snapshot: &Snapshot,
        permit: Permit,
        terms: Terms,
    ) -> Result<(Vec<pb::Verdict>, Option<Evidence>), Cause> {
        within(terms.deadline, async {
            match snapshot.sources.fetch(permit, terms).await? {
                Fetched::Verdicts(verdicts, evidence) => Ok((verdicts, Some(evidence))),
                other => Ok((self.judge(other.into_records()?).await?, None)),
            }
        })
        .await
    }

    /// Compares the claims with this department's own record. A record beyond the grant's rows is as good as none.
    async fn judge(&self, mut records: Records) -> Result<Vec<pb::Verdict>, Cause> {
        let found = self.first(&mut records).await?;
        let Selection::Verify { claims, .. } = &records.permit().query().selection else {
            return Ok(Vec::new());
        };
        let raw = found.as_ref().map(|(raw, _)| raw.as_ref());
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
    ) -> Result<Found, Cause> {
        let smallest_group = permit.grant().smallest_group;
        self.ledger.spend(&permit, 1, draft.begun())?;
        let (told, evidence) = within(terms.deadline, async {
            match snapshot.sources.fetch(permit, terms).await? {
                Fetched::Count(told, evidence) => Ok((told, Some(evidence))),
                other => {
                    let count = self.tally(other.into_records()?).await?;
                    Ok((
                        pb::CountRecordsResponse {
                            count,
                            ..Default::default()
                        },
                        None,
                    ))
                }
            }
        })
        .await?;
        draft.heard(evidence.as_ref());

        let suppressed = told.suppressed || told.count < smallest_group;
        let count = if suppressed { 0 } else { told.count };
        let smallest_group = smallest_group.max(told.smallest_group);
        draft.told(&pb::CountRecordsResponse {
            info: None,
            count,
            suppressed,
            smallest_group,
        });
        Ok(Found::Whole(Body::Count {
            count,
            suppressed,
            smallest_group,
        }))
    }

    async fn tally(&self, mut records: Records) -> Result<u64, Cause> {
        let redaction = Redaction::of(records.permit(), &self.secrets.pseudonyms);
        let mut count = 0;
        while let Some(batch) = records.next().await? {
            for raw in &batch {
                count += u64::from(redaction.admits(raw)?);
            }
        }
        Ok(count)
    }
}

fn unconfirmed(verdicts: &[pb::Verdict]) -> u32 {
    let unconfirmed = verdicts
        .iter()
        .filter(|verdict| verdict.outcome() != pb::VerdictOutcome::Match);
    u32::try_from(unconfirmed.count()).unwrap_or(u32::MAX)
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
