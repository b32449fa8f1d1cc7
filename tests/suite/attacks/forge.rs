//! Journals as an attacker makes them who has a department's files and, to sign them, its keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landbridge::clock::Clock;
use landbridge::clock::Moment;
use landbridge::digest::sha256;
use landbridge::journal::Journal;
use landbridge::journal::JournalKey;
use landbridge::journal::JournalKeys;
use landbridge::journal::JournalSettings;
use landbridge::journal::Kind as LeafKind;
use landbridge::journal::LEAF_BYTES;
use landbridge::journal::Leaf;
use landbridge::journal::leaf_hash;
use landbridge::journal::reader::Reader;
use landbridge::journal::statement::Ending;
use landbridge::journal::statement::Statement;
use landbridge::name::ExchangeId;
use landbridge::pb;
use landbridge::pb::journal_record::Kind;
use landbridge::tlog::merkle::Frontier;
use prost::Message;

use crate::harness::World;

/// In the length of a record that was erased.
const ERASED: u32 = 1 << 31;

/// An entry as it stands in a segment.
#[derive(Clone)]
pub(super) struct Forged {
    pub(super) leaf: Leaf,
    salt: [u8; 32],
    record: Vec<u8>,
    blank: bool,
}

impl Forged {
    /// Changes what the record of an exchange tells, and leaves the leaf alone.
    pub(super) fn tell(&mut self, change: impl FnOnce(&mut pb::ExchangeRecord)) {
        let mut record = pb::JournalRecord::decode(self.record.as_slice()).unwrap();
        let Some(Kind::Exchange(exchange)) = &mut record.kind else {
            panic!("not an exchange");
        };
        change(exchange);
        self.record = record.encode_to_vec();
    }

    /// Makes the leaf's exchange digest that of the record as it is now.
    pub(super) fn restate(&mut self) {
        let record = pb::JournalRecord::decode(self.record.as_slice()).unwrap();
        let Some(Kind::Exchange(record)) = &record.kind else {
            panic!("not an exchange");
        };
        let (exchange, outcome) = (self.leaf.exchange.unwrap(), self.leaf.outcome);
        let statement = Statement::of(&exchange, self.leaf.role, record).unwrap();
        self.leaf.exchange_digest = statement.digest(&Ending::of_exchange(outcome, record));
    }

    /// Makes the leaf commit to the record as it is now.
    pub(super) fn bind(&mut self) {
        let label = b"landbridge.record.v1\0".as_slice();
        self.leaf.record_commitment = sha256(&[label, &self.salt, &self.record]);
    }

    /// Puts zeros in the place of the record, as the expiry does.
    pub(super) fn blank(&mut self) {
        self.blank = true;
    }

    pub(super) fn later(&mut self, micros: i64) {
        self.leaf.time = Moment::from_micros(self.leaf.time.micros() + micros);
    }

    /// As `docs/evidence.md` and `frame.rs` have it; of a record without its salt nothing stays.
    fn stored(&self) -> Vec<u8> {
        let mut bytes = self.leaf.encode().to_vec();
        let length = self.record.len() as u32;
        if self.blank {
            bytes.extend([0; 32]);
            bytes.extend((length | ERASED).to_be_bytes());
            bytes.resize(bytes.len() + self.record.len(), 0);
        } else {
            bytes.extend(self.salt);
            bytes.extend(length.to_be_bytes());
            bytes.extend(&self.record);
        }
        bytes
    }
}

/// All entries of a department's journal.
pub(super) fn entries(world: &World, department: &str) -> Vec<Forged> {
    let journal = world.journal(department);
    let stored = Reader::open(journal.dir()).forward(0).unwrap();
    let entries = stored.map(Result::unwrap).map(|stored| {
        let (salt, record) = stored.sealed().unwrap();
        Forged {
            leaf: stored.leaf,
            salt: *salt,
            record: record.to_vec(),
            blank: false,
        }
    });
    entries.collect()
}

/// A journal of these entries in a new folder, published and signed with the department's own keys.
pub(super) fn sign(world: &World, department: &str, entries: &[Forged], dir: &Path) {
    // A journal without entries first, in which the entries are then found as after a crash.
    open(world, department, dir).unwrap().close();
    let key = Signer::of(world, department);
    lay(dir, entries, &Mark::Signed(&key));
    open(world, department, dir).unwrap().close();
}

/// Opens a journal with the department's keys, as its gateway would at its start.
pub(super) fn open(
    world: &World,
    department: &str,
    dir: &Path,
) -> Result<Journal, landbridge::journal::JournalError> {
    let var = world.path(&format!("var/{department}"));
    let (journal, post_quantum) = (var.join("journal.key"), var.join("journal-pq.key"));
    let (keys, made) = JournalKeys::load_or_create(&journal, &post_quantum).unwrap();
    assert_eq!(
        made,
        <[PathBuf; 0]>::default(),
        "the gateway has made its keys"
    );
    let settings = JournalSettings {
        dir: dir.to_owned(),
        origin: format!("gov.example/{department}/1"),
        linger: Duration::ZERO,
        segment_bytes: 256 << 10,
        max_unpublished_age: Duration::from_secs(60),
    };
    Journal::open(settings, keys, Clock::System).map(|(journal, _)| journal)
}

/// The journal's first segment.
pub(super) fn segment(dir: &Path) -> PathBuf {
    dir.join("seg/00000000000000000000.seg")
}

/// What a forged commit bears to prove it.
pub(super) enum Mark<'a> {
    /// The signature of the journal's own key.
    Signed(&'a Signer),
    /// Bytes in the place of a signature.
    Rubbish,
    /// Nothing, as the commits of an earlier version.
    Unsigned,
}

/// A journal's key, which signs what it is given.
pub(super) struct Signer {
    key: JournalKey,
    origin: String,
}

impl Signer {
    pub(super) fn of(world: &World, department: &str) -> Self {
        let path = world.path(&format!("var/{department}/journal.key"));
        Self {
            key: JournalKey::load(&path).unwrap(),
            origin: format!("gov.example/{department}/1"),
        }
    }

    fn sign(&self, size: u64, root: &[u8; 32]) -> Vec<u8> {
        let text = format!("{}\n{size}\n{}\n", self.origin, STANDARD.encode(root));
        let note = self.key.sign_text(&text, &self.origin).unwrap();
        let (_, line) = note.trim_end().rsplit_once(' ').unwrap();
        // Behind the key's id.
        STANDARD.decode(line).unwrap().split_off(4)
    }
}

/// Writes these entries over the first segment, each as a commit of its own whose checksum and root are right.
pub(super) fn lay(dir: &Path, entries: &[Forged], mark: &Mark<'_>) {
    let file = segment(dir);
    let length = fs::metadata(&file).unwrap().len() as usize;
    let mut tree = Frontier::default();
    let mut open: BTreeMap<u64, Option<ExchangeId>> = BTreeMap::new();
    let mut bytes = Vec::with_capacity(length);
    for (index, entry) in (0..).zip(entries) {
        let stored = entry.stored();
        tree.push(leaf_hash(stored.first_chunk::<LEAF_BYTES>().unwrap()));
        match entry.leaf.kind {
            LeafKind::Intent => _ = open.insert(index, entry.leaf.exchange),
            LeafKind::StreamEnd => open.retain(|_, exchange| *exchange != entry.leaf.exchange),
            _ => {}
        }
        let oldest_open = open.keys().next().copied();
        bytes.extend(frame(index, &stored, &tree.root(), oldest_open, mark));
    }
    assert!(bytes.len() < length, "the first segment holds all");
    bytes.resize(length, 0);
    fs::write(file, bytes).unwrap();
}

fn frame(
    index: u64,
    entry: &[u8],
    root: &[u8; 32],
    oldest_open: Option<u64>,
    mark: &Mark<'_>,
) -> Vec<u8> {
    let (version, mark) = match mark {
        Mark::Signed(signer) => (2, signer.sign(index + 1, root)),
        Mark::Rubbish => (2, vec![7; 64]),
        Mark::Unsigned => (1, Vec::new()),
    };
    let mut frame = vec![0xff, b'L', b'B', version];
    let length = 64 + mark.len() + entry.len();
    frame.extend((length as u32).to_be_bytes());
    frame.extend(index.to_be_bytes());
    frame.extend(1u32.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(root);
    frame.extend(oldest_open.unwrap_or(u64::MAX).to_be_bytes());
    frame.extend(mark);
    frame.extend(entry);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..20]), &frame[24..]);
    frame[20..24].copy_from_slice(&crc.to_be_bytes());
    frame
}
