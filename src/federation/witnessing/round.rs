//! One round: a checkpoint goes to all witnesses at once, and is published when a quorum has cosigned it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio::time::timeout_at;

use super::Contradiction;
use super::LocatedWitness;
use super::Progress;
use super::WitnessError;
use super::Witnesses;
use super::WitnessingTask;
use super::client;
use super::client::SubmissionOutcome;
use crate::evidence::witness::request::AddCheckpoint;
use crate::fault::chain;
use crate::journal::tiles::TileError;
use crate::tlog::cosignature::cosignatures;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// No round takes longer: each question has its own limit, and a witness may be asked twice.
const ROUND: Duration = Duration::from_secs(12);
/// How long the others are waited for when a quorum is there: their cosignatures are welcome, not needed.
const GRACE: Duration = Duration::from_millis(500);

impl WitnessingTask {
    /// Has the newest published checkpoint cosigned, if it is new.
    pub(super) async fn round(&self, witnesses: &Witnesses, progress: &mut Progress) {
        let taken = self.now();
        let checkpoint = self.journal().published();
        if checkpoint.size() <= progress.witnessed {
            return;
        }
        let Some(cosigned) = self.collect(witnesses, &checkpoint).await else {
            return;
        };
        let (journal, size) = (self.journal().clone(), cosigned.size());
        // Dies before it is on disk: the next start asks again. The witnesses know the checkpoint all the same.
        let written = tokio::task::spawn_blocking(move || journal.publish_witnessed(&cosigned));
        match written.await {
            Ok(Ok(())) => {
                progress.witnessed = size;
                // Whatever came since was written after the checkpoint was taken.
                progress.since = Some(taken);
                metrics::gauge!("landbridge_witness_witnessed_entries").set(size as f64);
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "the witnessed checkpoint is not published");
            }
            Err(error) => tracing::error!(%error, "the witnessed checkpoint is not published"),
        }
    }

    /// The checkpoint with the cosignatures of a quorum.
    async fn collect(
        &self,
        witnesses: &Witnesses,
        checkpoint: &Arc<SignedCheckpoint>,
    ) -> Option<SignedCheckpoint> {
        let mut asked: FuturesUnordered<_> = witnesses
            .all
            .iter()
            .map(|reached| async move { (reached, self.cosign(reached, checkpoint).await) })
            .collect();
        let (mut lines, mut met) = (Vec::new(), None);
        let mut deadline = Instant::now() + ROUND;
        while let Ok(Some((reached, cosigned))) = timeout_at(deadline, asked.next()).await {
            match cosigned {
                Ok(line) => lines.push(line),
                Err(trouble) => {
                    self.states.set_failure(reached, &trouble);
                    if trouble.is_contradiction() {
                        self.look_into(reached).await;
                    }
                    continue;
                }
            }
            self.states
                .set_answer(reached, checkpoint.size(), Some(self.now()));
            let Ok(with_lines) = checkpoint.with_lines(lines.iter().map(String::as_str)) else {
                continue;
            };
            if witnesses.policy.satisfied(&with_lines).is_ok() {
                deadline = deadline.min(Instant::now() + GRACE);
                met = Some(with_lines);
            }
        }
        drop(asked);
        self.states.measure(&witnesses.all, checkpoint.size());
        met
    }

    /// Ends the journal if the witness shows another history under this journal's own signature: each further entry would
    /// lengthen a fork. That it merely says so ends nothing.
    async fn look_into(&self, reached: &LocatedWitness) {
        let Ok(Some(last)) = self.last(reached).await else {
            return;
        };
        let found = self.journal().published().size();
        match self.hold_against(reached, &last, found).await {
            Ok(()) | Err(Contradiction::Unread(_)) => {}
            Err(contradiction) => self.journal().contradicted(contradiction.to_string()),
        }
    }

    /// The line of one witness, verified.
    async fn cosign(
        &self,
        reached: &LocatedWitness,
        checkpoint: &SignedCheckpoint,
    ) -> Result<String, WitnessError> {
        let mut old = self.states.known(reached);
        // The second time from the size that the witness has told.
        for _ in 0..2 {
            let body = self.request(old, checkpoint).await?;
            match client::add(self.channel(reached)?, body).await? {
                SubmissionOutcome::Cosigned(lines) => return verified(reached, checkpoint, &lines),
                SubmissionOutcome::OtherOld(size) if size > checkpoint.size() => {
                    return Err(WitnessError::Ahead { size });
                }
                SubmissionOutcome::OtherOld(size) => old = size,
            }
        }
        Err(WitnessError::Garbled("another size each time"))
    }

    async fn request(
        &self,
        old: u64,
        checkpoint: &SignedCheckpoint,
    ) -> Result<String, WitnessError> {
        let (tiles, new) = (self.tiles.clone(), checkpoint.size());
        let proof = tokio::task::spawn_blocking(move || tiles.consistency(old, new)).await;
        // A task that is not run to its end has read nothing.
        let proof = proof
            .unwrap_or(Err(TileError::Beyond))
            .map_err(WitnessError::Unread)?;
        let note = checkpoint.note();
        Ok(AddCheckpoint { old, proof, note }.body())
    }
}

/// Of the lines that a witness gave, the one by the key that the policy has.
fn verified(
    reached: &LocatedWitness,
    checkpoint: &SignedCheckpoint,
    lines: &str,
) -> Result<String, WitnessError> {
    let key = std::slice::from_ref(&reached.witness.key);
    let is_its = |line: &&str| {
        let with_line = checkpoint.with_lines([*line]);
        with_line
            .is_ok_and(|note| cosignatures(note.note(), key).is_ok_and(|found| !found.is_empty()))
    };
    lines
        .lines()
        .find(is_its)
        .map(str::to_owned)
        .ok_or(WitnessError::Garbled("no cosignature by its key"))
}
