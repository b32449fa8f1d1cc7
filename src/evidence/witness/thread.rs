//! The witness's thread: compares, makes durable and only then answers, many requests to one flush.

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use tokio::sync::oneshot;

use super::CosignRefusal;
use super::Shared;
use super::state::StateFile;
use crate::clock::Clock;
use crate::evidence::cosigned::LastCosigned;
use crate::evidence::cosigned::log_hash;
use crate::fault::chain;
use crate::journal::disk::DiskError;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::merkle;
use crate::tlog::merkle::Hash;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// The most requests that share a flush.
const BATCH: usize = 256;

/// A checkpoint of a known log, signed by it, of at least `old` entries.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) old: u64,
    pub(super) proof: Vec<Hash>,
    pub(super) checkpoint: SignedCheckpoint,
    /// Takes the cosignature's line.
    pub(super) reply: oneshot::Sender<Result<String, CosignRefusal>>,
}

pub(super) struct Owner {
    queue: Receiver<Submission>,
    state: StateFile,
    key: CosignerKey,
    shared: Arc<Shared>,
    clock: Clock,
}

/// What a batch has cosigned and not yet made durable.
type UnsyncedBatch = HashMap<String, Arc<LastCosigned>>;

impl Owner {
    pub(super) fn new(
        queue: Receiver<Submission>,
        state: StateFile,
        key: CosignerKey,
        shared: Arc<Shared>,
        clock: Clock,
    ) -> Self {
        Self {
            queue,
            state,
            key,
            shared,
            clock,
        }
    }

    /// Runs until nobody holds the witness any more, or its file cannot be written.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.queue.recv() {
            let batch = iter::once(first).chain(self.queue.try_iter()).take(BATCH);
            let (mut fresh, mut answers) = (UnsyncedBatch::new(), Vec::new());
            for submission in batch {
                let verdict = self.judge(&submission, &mut fresh);
                answers.push((submission.reply, verdict));
            }
            let persisted = self.persist(fresh).map_err(|error| self.fail(error));
            for (reply, verdict) in answers {
                let verdict = match &persisted {
                    Ok(()) => verdict,
                    Err(error) => Err(CosignRefusal::Failed(error.clone())),
                };
                count(&verdict);
                // Whoever asked may be gone; what was cosigned stands all the same.
                let _ = reply.send(verdict);
            }
            let compacted =
                persisted.and_then(|()| self.compact().map_err(|error| self.fail(error)));
            if compacted.is_err() {
                return;
            }
        }
    }

    fn persist(&mut self, fresh: UnsyncedBatch) -> Result<(), DiskError> {
        if fresh.is_empty() {
            return Ok(());
        }
        let notes: Vec<&str> = fresh.values().map(|last| last.note.as_str()).collect();
        self.state.append(&notes)?;
        self.shared.cosigned.put(fresh);
        Ok(())
    }

    fn compact(&mut self) -> Result<(), DiskError> {
        if !self.state.is_stale() {
            return Ok(());
        }
        let notes = self.shared.cosigned.notes();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        self.state.compact(&notes)
    }

    /// A failed flush is never tried again: the system may have dropped what it could not write, and would then report
    /// success.
    fn fail(&self, error: DiskError) -> Arc<DiskError> {
        tracing::error!(error = %chain(&error), "the witness has failed: it cosigns nothing until a restart");
        self.shared.failed.get_or_init(|| Arc::new(error)).clone()
    }

    /// The checks that depend on what was cosigned last, requests before this one in the batch included.
    fn judge(
        &self,
        submission: &Submission,
        fresh: &mut UnsyncedBatch,
    ) -> Result<String, CosignRefusal> {
        let checkpoint = &submission.checkpoint;
        let inconsistent = || CosignRefusal::Inconsistent {
            origin: checkpoint.origin().to_owned(),
        };
        let log = log_hash(checkpoint.origin());
        let last = fresh
            .get(&log)
            .cloned()
            .or_else(|| self.shared.cosigned.of(&log));
        let (size, root) = last.map_or((0, merkle::empty_root()), |last| (last.size, last.root));
        if submission.old != size {
            return Err(CosignRefusal::OtherOld { size });
        }
        if checkpoint.size() == 0 && *checkpoint.root() != merkle::empty_root() {
            return Err(inconsistent());
        }
        merkle::verify_consistency(
            (size, &root),
            (checkpoint.size(), checkpoint.root()),
            &submission.proof,
        )
        .map_err(|_| inconsistent())?;
        let line = self.key.cosign(checkpoint, self.clock.now());
        let last = LastCosigned {
            size: checkpoint.size(),
            root: *checkpoint.root(),
            note: format!("{}{line}\n", checkpoint.note()),
            since: Instant::now(),
        };
        fresh.insert(log, Arc::new(last));
        Ok(line)
    }
}

fn count(verdict: &Result<String, CosignRefusal>) {
    let answer = match verdict {
        Ok(_) => "cosigned",
        Err(CosignRefusal::OtherOld { .. }) => "other_old",
        Err(CosignRefusal::Inconsistent { .. }) => "inconsistent",
        Err(_) => "refused",
    };
    metrics::counter!("landbridge_witness_requests_total", "answer" => answer).increment(1);
}
