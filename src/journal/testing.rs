//! What the journal's tests share: entries, and a disk whose operations can be made to fail.

use std::fs;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use super::Entry;
use super::Journal;
use super::JournalError;
use super::JournalKey;
use super::JournalKeys;
use super::JournalSettings;
use super::Kind;
use super::Outcome;
use super::Recovery;
use super::Role;
use super::StreamEnd;
use super::disk::Disk;
use super::disk::DiskError;
use super::disk::DiskFile;
use super::statement;
use super::statement::Ending;
use super::statement::Statement;
use crate::clock::Clock;
use crate::clock::Moment;
use crate::name::ExchangeId;
use crate::pb;
use crate::pb::journal_record;
use crate::tlog::key::PostQuantumKey;
use crate::tlog::note::VerifierKey;

pub(crate) const ORIGIN: &str = "gov.example/civil/1";
pub(crate) const NOON: Moment = Moment::from_micros(1_795_392_000_000_000);

pub(super) fn key() -> JournalKey {
    JournalKey::from_seed([7; 32])
}

pub(crate) fn keys() -> JournalKeys {
    JournalKeys {
        journal: key(),
        post_quantum: PostQuantumKey::from_seed([8; 32]),
    }
}

pub(crate) fn vkey() -> VerifierKey {
    key().verifier(ORIGIN).unwrap()
}

pub(crate) fn settings(dir: &Path, segment_bytes: u64) -> JournalSettings {
    JournalSettings {
        dir: dir.to_owned(),
        origin: ORIGIN.to_owned(),
        linger: Duration::ZERO,
        segment_bytes,
        max_unpublished_age: Duration::from_secs(60),
    }
}

/// How often a test's journal publishes on its own.
#[derive(Clone, Copy)]
pub(crate) enum Publish {
    Always,
    /// Only when it is opened and closed.
    Never,
}

pub(crate) fn open(
    disk: &Flaky,
    dir: &Path,
    publish: Publish,
) -> Result<(Journal, Recovery), JournalError> {
    open_at(disk, dir, publish, Clock::fixed(NOON))
}

pub(crate) fn open_at(
    disk: &Flaky,
    dir: &Path,
    publish: Publish,
    clock: Clock,
) -> Result<(Journal, Recovery), JournalError> {
    let every = match publish {
        Publish::Always => Duration::from_millis(1),
        Publish::Never => Duration::from_secs(3_600),
    };
    Journal::open_on(
        Arc::new(disk.clone()),
        every,
        settings(dir, 4_096),
        keys(),
        clock,
    )
}

pub(crate) fn exchange_id(n: u64) -> ExchangeId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    bytes[0] = 1;
    bytes[6] = 0x70;
    ExchangeId::from_slice(&bytes).unwrap()
}

/// The entry with the exchange digest that its record gives.
pub(crate) fn restated(mut entry: Entry) -> Entry {
    let Some(journal_record::Kind::Exchange(record)) = &entry.record.kind else {
        panic!("not an exchange");
    };
    let statement = Statement::of(&entry.exchange.unwrap(), entry.role, record).unwrap();
    entry.exchange_digest = statement.digest(&Ending::of_exchange(entry.outcome, record));
    entry
}

/// An exchange of this gateway as provider, answered.
pub(crate) fn exchange(n: u64) -> Entry {
    exchange_of(n, exchange_record(n))
}

/// The same, of another record.
pub(crate) fn exchange_of(n: u64, record: pb::ExchangeRecord) -> Entry {
    restated(Entry {
        kind: Kind::Exchange,
        role: Role::Provider,
        outcome: Outcome::Answered,
        exchange: Some(exchange_id(n)),
        exchange_digest: [0; 32],
        peer: None,
        record: record_of(record),
    })
}

/// The end of a stream that such an entry opens, when nothing was sent.
pub(super) fn end_of(opening: &Entry, outcome: Outcome, record: pb::StreamEndRecord) -> StreamEnd {
    StreamEnd {
        outcome,
        exchange_digest: opening.exchange_digest,
        peer: None,
        record,
    }
}

pub(crate) fn exchange_record(n: u64) -> pb::ExchangeRecord {
    pb::ExchangeRecord {
        consumer: "tax".to_owned(),
        provider: "civil".to_owned(),
        system: "assessment".to_owned(),
        officer: format!("officer {n}"),
        purpose: "arrears".to_owned(),
        mode: "get".to_owned(),
        record_type: "civil.v1.Resident".to_owned(),
        agreement: "CIV-TAX-2026-01".to_owned(),
        grant: 2,
        reason: "answered".to_owned(),
        digest_form: statement::FORM,
        ..pb::ExchangeRecord::default()
    }
}

pub(crate) fn record_of(exchange: pb::ExchangeRecord) -> pb::JournalRecord {
    pb::JournalRecord {
        kind: Some(journal_record::Kind::Exchange(exchange)),
    }
}

/// Copies a journal as a crash would leave it.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            // A spare segment may come and go meanwhile.
            false => _ = fs::copy(entry.path(), to),
        }
    }
}

/// A commit as the version before signatures wrote it.
pub(super) fn unsigned(frame: &[u8]) -> Vec<u8> {
    let mut earlier = [&frame[..64], &frame[128..]].concat();
    earlier[3] = 1;
    let length = earlier.len() as u32;
    earlier[4..8].copy_from_slice(&length.to_be_bytes());
    sum(&mut earlier);
    earlier
}

/// Gives a commit the checksum that fits.
pub(super) fn sum(frame: &mut [u8]) {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..20]), &frame[24..]);
    frame[20..24].copy_from_slice(&crc.to_be_bytes());
}

/// What fails.
#[derive(Clone)]
pub(crate) enum Fault {
    /// The operation of that number, counted from 0, and with `after` every later one.
    Nth { n: usize, after: bool },
    /// Every operation of that name on files with that in their path.
    All {
        operation: &'static str,
        path: &'static str,
        kind: io::ErrorKind,
    },
}

/// A disk in memory's speed: nothing is flushed, as no test cuts the power.
#[derive(Clone, Default)]
pub(crate) struct Flaky(Arc<FlakyState>);

#[derive(Default)]
struct FlakyState {
    fault: Mutex<Option<Fault>>,
    operations: Mutex<usize>,
    /// While true, flushes of segments wait.
    held: Mutex<bool>,
    released: Condvar,
}

impl Flaky {
    pub(super) fn failing(fault: Fault) -> Self {
        let disk = Self::default();
        disk.fail(Some(fault));
        disk
    }

    pub(crate) fn fail(&self, fault: Option<Fault>) {
        *self.0.fault.lock().unwrap() = fault;
    }

    pub(super) fn operations(&self) -> usize {
        *self.0.operations.lock().unwrap()
    }

    pub(super) fn hold_flushes(&self, held: bool) {
        *self.0.held.lock().unwrap() = held;
        self.0.released.notify_all();
    }

    fn wait_while_held(&self) {
        let held = self.0.held.lock().unwrap();
        drop(self.0.released.wait_while(held, |held| *held).unwrap());
    }

    fn check(&self, operation: &'static str, path: &Path) -> Result<(), DiskError> {
        let now = {
            let mut operations = self.0.operations.lock().unwrap();
            *operations += 1;
            *operations - 1
        };
        let kind = match &*self.0.fault.lock().unwrap() {
            Some(Fault::Nth { n, after }) if now == *n || (*after && now > *n) => {
                io::ErrorKind::Other
            }
            Some(Fault::All {
                operation: failing,
                path: part,
                kind,
            }) if *failing == operation && path.to_string_lossy().contains(part) => *kind,
            _ => return Ok(()),
        };
        Err(DiskError::new(operation, path, kind.into()))
    }
}

struct FlakyFile {
    disk: Flaky,
    file: fs::File,
    path: PathBuf,
}

impl Disk for Flaky {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.check("create", path)?;
        fs::create_dir_all(path).unwrap();
        Ok(())
    }

    fn create(&self, path: &Path) -> Result<Box<dyn DiskFile>, DiskError> {
        self.check("create", path)?;
        let file = fs::File::create(path).unwrap();
        Ok(Box::new(FlakyFile {
            disk: self.clone(),
            file,
            path: path.to_owned(),
        }))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>, DiskError> {
        self.check("open", path)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .unwrap();
        Ok(Box::new(FlakyFile {
            disk: self.clone(),
            file,
            path: path.to_owned(),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.check("rename", from)?;
        fs::rename(from, to).unwrap();
        Ok(())
    }

    fn flush_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.check("flush", path)
    }
}

impl DiskFile for FlakyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        let checked = self.disk.check("write", &self.path);
        // A write that fails may have written a part.
        let written = if checked.is_ok() {
            bytes
        } else {
            &bytes[..bytes.len() / 2]
        };
        self.file.write_all_at(written, offset).unwrap();
        checked
    }

    fn truncate(&self, length: u64) -> Result<(), DiskError> {
        self.disk.check("truncate", &self.path)?;
        self.file.set_len(length).unwrap();
        Ok(())
    }

    fn flush(&self) -> Result<(), DiskError> {
        if self
            .path
            .extension()
            .is_some_and(|extension| extension == "seg")
        {
            self.disk.wait_while_held();
        }
        self.disk.check("flush", &self.path)
    }
}

/// A directory in memory where the system has one: the tests open some thousand journals.
pub(crate) fn temporary() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}
