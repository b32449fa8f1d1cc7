//! The thread that keeps an index behind its journal: it reads what has become durable and puts it in.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::Index;
use super::IndexCoverage;
use super::IndexError;
use super::openings::Openings;
use super::schema;
use super::write::Batch;
use super::write::Memory;
use crate::fault::chain;
use crate::journal::reader::Reader;
use crate::journal::reader::commits::Commit;
use crate::journal::reader::commits::Commits;
use crate::pb::journal_record::Kind as Record;

/// How often the journal is asked for what came.
const PAUSE: Duration = Duration::from_millis(200);
/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// A transaction ends with the commit by which it has so many entries.
const BATCH: usize = 20_000;

/// Keeps the index of a journal until it is closed.
#[derive(Debug)]
pub struct IndexFollower {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

/// What the thread works on.
pub(super) struct Follower {
    connection: Connection,
    /// The file that the connection has open, and which it is: under its name there may be another one by now, or none.
    file: PathBuf,
    inode: Option<u64>,
    covered: IndexCoverage,
    commits: Commits,
    /// Read, but not yet durable.
    waiting: Option<Commit>,
    /// More may be durable than the last transaction took in.
    has_more: bool,
    openings: Openings,
    memory: Memory,
}

impl IndexFollower {
    /// Starts a thread that follows the journal in that folder. `durable` gives the size up to which entries are durable:
    /// what a crash may take back is not indexed.
    pub fn start(
        journal: &Path,
        durable: impl Fn() -> u64 + Send + 'static,
    ) -> Result<Self, IndexError> {
        let (stop, stopped) = mpsc::channel();
        let journal = journal.to_owned();
        let thread = thread::Builder::new()
            .name("journal-index".to_owned())
            .spawn(move || run(&journal, &durable, &stopped))
            .map_err(IndexError::Thread)?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread, and makes durable what it did. Blocks until then.
    pub fn close(self) {
        // If the thread is gone already, there is nothing to tell it.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the index's thread has panicked");
        }
    }
}

/// Whatever happens to the index, the gateway goes on: searches read the journal meanwhile.
fn run(journal: &Path, durable: &dyn Fn() -> u64, stopped: &mpsc::Receiver<()>) {
    loop {
        let followed =
            Follower::open(journal).and_then(|mut follower| follower.follow(durable, stopped));
        let Err(error) = followed else { return };
        tracing::warn!(error = %chain(&error), "the search index is not kept up; it will be tried again");
        if error.is_damage()
            && let Err(error) = schema::delete(journal)
        {
            tracing::warn!(%error, "the damaged search index cannot be deleted");
        }
        // Nothing is wrong with the disk where somebody has deleted the files.
        let retry = match error {
            IndexError::Gone => PAUSE,
            _ => RETRY,
        };
        if !matches!(stopped.recv_timeout(retry), Err(RecvTimeoutError::Timeout)) {
            return;
        }
    }
}

impl Follower {
    /// Goes on where the index ends; makes it anew when it cannot be used.
    pub(super) fn open(journal: &Path) -> Result<Self, IndexError> {
        match Self::resume(journal) {
            Ok(Some(follower)) => return Ok(follower),
            Ok(None) => tracing::info!("the search index does not fit; it is made anew"),
            Err(error) if error.is_damage() => {
                tracing::warn!(error = %chain(&error), "the search index is damaged; it is made anew");
            }
            Err(error) => return Err(error),
        }
        schema::delete(journal).map_err(|source| folder_error(journal, source))?;
        Self::resume(journal)?.ok_or_else(|| {
            // An empty index fits every journal.
            folder_error(journal, io::Error::other("it changes meanwhile"))
        })
    }

    fn resume(journal: &Path) -> Result<Option<Self>, IndexError> {
        schema::make_folder(journal).map_err(|source| folder_error(journal, source))?;
        let file = schema::file(journal);
        let Some((connection, covered)) = schema::open_to_write(&file)? else {
            return Ok(None);
        };
        let reader = Reader::open(journal);
        let index = Index {
            connection,
            covered,
        };
        if !index.agrees()? {
            return Ok(None);
        }
        let connection = index.connection;
        let Some(commits) = reader.commits(covered.last.as_ref())? else {
            return Ok(None);
        };
        Ok(Some(Self {
            connection,
            inode: inode(&file),
            file,
            covered,
            commits,
            waiting: None,
            has_more: false,
            openings: Openings::new(reader),
            memory: Memory::default(),
        }))
    }

    fn follow(
        &mut self,
        durable: &dyn Fn() -> u64,
        stopped: &mpsc::Receiver<()>,
    ) -> Result<(), IndexError> {
        loop {
            self.advance(durable())?;
            // Under load, a few large transactions instead of one for each commit of the journal.
            let pause = match self.has_more {
                true => Duration::ZERO,
                false => PAUSE,
            };
            if !matches!(stopped.recv_timeout(pause), Err(RecvTimeoutError::Timeout)) {
                // The last entries, as a rule; an index that is far behind goes on at the next start.
                self.advance(durable())?;
                return Ok(schema::flush(&self.connection)?);
            }
        }
    }

    /// Puts in the next commits of what is durable; false if there are none.
    pub(super) fn advance(&mut self, durable: u64) -> Result<bool, IndexError> {
        if self.inode.is_none() || inode(&self.file) != self.inode {
            return Err(IndexError::Gone);
        }
        let batch = self.next_batch(durable)?;
        if batch.is_empty() {
            return Ok(false);
        }
        self.put(batch)?;
        Ok(true)
    }

    fn next_batch(&mut self, durable: u64) -> Result<Vec<Commit>, IndexError> {
        let (mut batch, mut entries) = (Vec::new(), 0);
        while entries < BATCH {
            let next = match self.waiting.take() {
                Some(commit) => Some(commit),
                None => self.commits.next()?,
            };
            let Some(commit) = next else { break };
            if commit.mark.at.first + commit.entries.len() as u64 > durable {
                self.waiting = Some(commit);
                break;
            }
            entries += commit.entries.len();
            batch.push(commit);
        }
        self.has_more = entries >= BATCH;
        Ok(batch)
    }

    /// All of the batch and how far it goes, or nothing.
    fn put(&mut self, commits: Vec<Commit>) -> Result<(), IndexError> {
        let mut covered = self.covered;
        // Dies before the end of this: the transaction is undone, and the next start goes on before it.
        let transaction = self.connection.unchecked_transaction()?;
        let mut batch = Batch::new(&transaction, &mut self.memory)?;
        for commit in commits {
            batch.pass(commit.mark.at)?;
            covered.last = Some(commit.mark);
            for stored in commit.entries {
                covered.complete_to = stored.index + 1;
                let Some(hit) = self.openings.join(&stored, &transaction)? else {
                    continue;
                };
                batch.put(&hit)?;
                if let Some(Record::Erasure(erasure)) = hit.record_kind() {
                    batch.erase(&erasure.ranges, hit.index)?;
                }
            }
        }
        batch.finish()?;
        schema::write_state(&transaction, &covered)?;
        transaction.commit()?;
        self.covered = covered;
        Ok(())
    }
}

fn inode(file: &Path) -> Option<u64> {
    fs::metadata(file).ok().map(|metadata| metadata.ino())
}

fn folder_error(journal: &Path, source: io::Error) -> IndexError {
    IndexError::Folder {
        path: schema::folder(journal),
        source,
    }
}
