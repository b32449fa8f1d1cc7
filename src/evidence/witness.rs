//! The witness: cosigns the checkpoints of other journals, each only if it continues what was cosigned before.
//!
//! C2SP tlog-witness, <https://c2sp.org/tlog-witness>. The thread `witness` owns what was cosigned and its file. Which logs
//! there are, and by whose keys, the directory says: a log that is not there is unknown, and never trusted at first sight.

pub mod request;

mod state;
mod thread;

use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::sync::mpsc::TrySendError;
use std::thread::Builder;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::cosigned::Cosigned;
use super::journals::Journals;
use crate::clock::Clock;
use crate::journal::disk::Disk;
use crate::journal::disk::DiskError;
use crate::journal::disk::RealDisk;
use crate::name::DepartmentId;
use crate::name::Origin;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::note;
use crate::tlog::note::NoteError;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::CheckpointError;
use crate::tlog::signed_checkpoint::SignedCheckpoint;
use request::AddCheckpoint;
use request::Malformed;
use state::StateFile;
use thread::Owner;
use thread::Submission;

/// The requests that may wait for the thread; beyond it they are refused at once.
const QUEUE: usize = 1_024;

/// A handle on the witness. The thread ends when nobody holds one any more; what it answered is durable at every moment.
#[derive(Debug, Clone)]
pub struct Witness {
    queue: mpsc::SyncSender<Submission>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    verifier: VerifierKey,
    /// The own department, for whose journals this witness does not speak.
    own: DepartmentId,
    /// Swapped whole at a reload.
    journals: ArcSwap<Journals>,
    cosigned: Arc<Cosigned>,
    failed: OnceLock<Arc<DiskError>>,
}

/// Why a witness cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("another process has the witness's file `{}` open", path.display())]
    Locked { path: PathBuf },
    #[error("the witness's file `{}` is damaged at byte {offset}; restore it from its newest copy: without it this witness would cosign what contradicts what it has cosigned", path.display())]
    Damaged { path: PathBuf, offset: usize },
    #[error("the witness's file `{}` holds a note that is no checkpoint", path.display())]
    Foreign {
        path: PathBuf,
        #[source]
        source: CheckpointError,
    },
    #[error("the witness's thread cannot be started")]
    Thread(#[source] io::Error),
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CosignRefusal {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the log is not in this federation's directory, or is this department's own")]
    UnknownLog,
    #[error("the checkpoint is not signed by its log's key")]
    Untrusted(#[source] CheckpointError),
    #[error("`old` is larger than the checkpoint")]
    OldTooLarge,
    /// The compare of compare-and-persist.
    #[error("the checkpoint cosigned last has {size} entries")]
    OtherOld { size: u64 },
    #[error("the checkpoint is not shown to continue the one cosigned last")]
    Inconsistent { origin: String },
    #[error("too many requests wait for the witness")]
    Busy,
    /// Only a restart helps: what a failed flush has left on disk is known when it is read again.
    #[error("the witness cannot write what it cosigns")]
    Failed(#[source] Arc<DiskError>),
    #[error("the witness has stopped")]
    Stopped,
}

impl Witness {
    /// Opens the witness of department `own`, or makes one that has cosigned nothing yet. One process at a time may have
    /// the file.
    pub fn open(
        file: &Path,
        key: CosignerKey,
        own: DepartmentId,
        journals: Arc<Journals>,
        clock: Clock,
    ) -> Result<Self, WitnessError> {
        Self::open_on(Arc::new(RealDisk), file, key, own, journals, clock)
    }

    fn open_on(
        disk: Arc<dyn Disk>,
        path: &Path,
        key: CosignerKey,
        own: DepartmentId,
        journals: Arc<Journals>,
        clock: Clock,
    ) -> Result<Self, WitnessError> {
        if let Some(folder) = path.parent() {
            disk.create_dir(folder)?;
        }
        let lock = lock(path)?;
        let cosigned = Arc::new(read_cosigned(path)?);
        journals.hold_against(cosigned.clone());
        let notes = cosigned.notes();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        let state = StateFile::rewrite(disk, path, &notes)?;
        let shared = Arc::new(Shared {
            verifier: key.verifier().clone(),
            own,
            journals: ArcSwap::new(journals),
            cosigned,
            failed: OnceLock::new(),
        });
        let (queue, submissions) = mpsc::sync_channel(QUEUE);
        let owner = Owner::new(submissions, state, key, shared.clone(), clock);
        Builder::new()
            .name("witness".to_owned())
            .spawn(move || {
                owner.run();
                drop(lock);
            })
            .map_err(WitnessError::Thread)?;
        Ok(Self { queue, shared })
    }

    /// The public half of the key that cosigns.
    pub fn verifier(&self) -> &VerifierKey {
        &self.shared.verifier
    }

    /// From now on these are the logs that are known.
    pub fn know(&self, journals: Arc<Journals>) {
        journals.hold_against(self.shared.cosigned.clone());
        self.shared.journals.store(journals);
    }

    /// Judges the body of an `add-checkpoint` request, in the order of the specification; gives the cosignature's line when
    /// the checkpoint is on disk as the last one cosigned.
    pub async fn add(&self, body: &str) -> Result<String, CosignRefusal> {
        let request = AddCheckpoint::parse(body)?;
        let checkpoint = self.shared.verified(request.note)?;
        if request.old > checkpoint.size() {
            return Err(CosignRefusal::OldTooLarge);
        }
        let (reply, answer) = oneshot::channel();
        let submission = Submission {
            old: request.old,
            proof: request.proof,
            checkpoint,
            reply,
        };
        self.queue
            .try_send(submission)
            .map_err(|error| match error {
                TrySendError::Full(_) => CosignRefusal::Busy,
                TrySendError::Disconnected(_) => self.shared.ended(),
            })?;
        answer.await.unwrap_or_else(|_| Err(self.shared.ended()))
    }

    /// The same, from the department whose gateway asks: of its own journal it knows best how it goes on.
    pub async fn add_from(
        &self,
        sender: &DepartmentId,
        body: &str,
    ) -> Result<String, CosignRefusal> {
        let added = self.add(body).await;
        if let Err(CosignRefusal::Inconsistent { origin }) = &added
            && origin
                .parse::<Origin>()
                .is_ok_and(|origin| origin.department() == sender)
        {
            self.shared.cosigned.contradict(origin);
        }
        added
    }

    /// The note of the checkpoint cosigned last, of the log whose origin has that lower-case hexadecimal SHA-256.
    pub fn last(&self, log: &str) -> Option<String> {
        Some(self.shared.cosigned.of(log)?.note.clone())
    }
}

impl Shared {
    /// What the note says, if its log is known and has signed it.
    fn verified(&self, note: &str) -> Result<SignedCheckpoint, CosignRefusal> {
        let (text, _) = note::split(note).map_err(|_| Malformed("it ends in no signed note"))?;
        let origin = text.split('\n').next().unwrap_or_default();
        let journals = self.journals.load();
        let keys: Vec<VerifierKey> = match origin.parse::<Origin>() {
            Ok(origin) if *origin.department() != self.own => {
                journals.keys(&origin).cloned().collect()
            }
            Ok(_) | Err(_) => Vec::new(),
        };
        if keys.is_empty() {
            return Err(CosignRefusal::UnknownLog);
        }
        // Without the lines of others, which nobody here can verify and this witness would keep and show.
        note::only(note, &keys)
            .map_err(CheckpointError::from)
            .and_then(|note| SignedCheckpoint::open(&note, &keys))
            .map_err(|error| match error {
                CheckpointError::Malformed(why)
                | CheckpointError::Note(NoteError::Malformed(why)) => Malformed(why).into(),
                CheckpointError::Note(_) | CheckpointError::OtherOrigin { .. } => {
                    CosignRefusal::Untrusted(error)
                }
            })
    }

    fn ended(&self) -> CosignRefusal {
        match self.failed.get() {
            Some(error) => CosignRefusal::Failed(error.clone()),
            None => CosignRefusal::Stopped,
        }
    }
}

fn read_cosigned(path: &Path) -> Result<Cosigned, WitnessError> {
    Cosigned::from_notes(state::read(path)?).map_err(|source| WitnessError::Foreign {
        path: path.to_owned(),
        source,
    })
}

/// Beside the file, which is replaced whole now and then.
fn lock(path: &Path) -> Result<File, WitnessError> {
    let beside = path.with_extension("lock");
    let error = |source| WitnessError::Disk(DiskError::new("lock", &beside, source));
    let file = File::create(&beside).map_err(error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(WitnessError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}

#[cfg(test)]
mod tests;
