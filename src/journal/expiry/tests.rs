pub(crate) mod crashes;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::journal::Entry;
use crate::journal::JournalState;
use crate::journal::OpenEntry;
use crate::journal::Outcome;
use crate::journal::erasures::Erasure;
use crate::journal::retention::Class;
use crate::journal::testing::Fault as DiskFault;
use crate::journal::testing::Flaky;
use crate::journal::testing::NOON;
use crate::journal::testing::Publish;
use crate::journal::testing::copy;
use crate::journal::testing::end_of;
use crate::journal::testing::exchange;
use crate::journal::testing::exchange_of;
use crate::journal::testing::exchange_record;
use crate::journal::testing::open_at;
use crate::journal::testing::temporary;
use crate::journal::testing::vkey;
use crate::journal::tiles::Tiles;
use crate::journal::verify::EntryFault;
use crate::journal::verify::Fault;
use crate::journal::verify::verify;
use crate::tlog::merkle::verify_inclusion;

pub(crate) const DAY: i64 = 86_400_000_000;
pub(crate) const TYPES: [&str; 3] = [
    "civil.v1.Resident",
    "tax.v1.Assessment",
    "market.v1.Business",
];

fn rules() -> Retention {
    let class = |name: &str, record_type: &str, keep| Class {
        name: name.to_owned(),
        keep,
        record_types: vec![record_type.parse().unwrap()],
        purposes: vec![],
    };
    Retention {
        classes: vec![
            class("residents", TYPES[0], Keep::Days(10)),
            class("tax", TYPES[1], Keep::Days(40)),
        ],
        default: Keep::Years(1),
    }
}

/// What nothing else in a journal holds.
fn marker(n: u64) -> String {
    format!("officer-{n:04}-of-this-test")
}

pub(crate) fn entry(n: u64, record_type: &str) -> Entry {
    let record = pb::ExchangeRecord {
        record_type: record_type.to_owned(),
        officer: marker(n),
        detail: "x".repeat(200),
        subjects: vec![pb::SubjectTag {
            epoch: 0,
            tag: vec![n as u8; 16].into(),
        }],
        ..exchange_record(n)
    };
    exchange_of(n, record)
}

/// A journal on a clock that is set by hand.
pub(crate) struct Live {
    pub(crate) dir: TempDir,
    disk: Flaky,
    pub(crate) journal: Journal,
    clock: Clock,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self::on(temporary(), Clock::fixed(NOON))
    }

    fn on(dir: TempDir, clock: Clock) -> Self {
        let disk = Flaky::default();
        let (journal, _) = open_at(&disk, dir.path(), Publish::Always, clock.clone()).unwrap();
        Self {
            dir,
            disk,
            journal,
            clock,
        }
    }

    pub(crate) fn append(&self, entry: Entry) -> u64 {
        self.journal.append_blocking(entry).unwrap().index()
    }

    /// An exchange in two entries, with `between` written while it is open.
    fn stream(&self, entry: Entry, between: impl FnOnce()) {
        let record = pb::StreamEndRecord {
            reason: "answered".to_owned(),
            ..Default::default()
        };
        let end = end_of(&entry, Outcome::Answered, record);
        let opened = self.begin(entry);
        between();
        block_on(opened.close(end)).unwrap();
    }

    fn begin(&self, entry: Entry) -> OpenEntry {
        block_on(self.journal.begin(entry)).unwrap()
    }

    pub(crate) fn advance(&self, micros: i64) {
        let Clock::Fixed(clock) = &self.clock else {
            panic!("a clock that is set by hand")
        };
        clock.fetch_add(micros, std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn pass(&self) -> Result<Expired, ExpiryError> {
        self.expiry().pass(self.clock.now(), &mut Pace::full())
    }

    fn expiry(&self) -> Expiry {
        Expiry::new(&self.journal, rules(), self.keys())
    }

    /// Beside the journal's files, which are searched for what was erased.
    fn keys(&self) -> SubjectKeys {
        SubjectKeys::open(&self.dir.path().join("subjects")).unwrap()
    }

    fn reader(&self) -> Reader {
        Reader::open(self.dir.path())
    }

    fn erased(&self) -> Vec<u64> {
        let stored = self.reader().forward(0).unwrap().map(Result::unwrap);
        stored.filter(|s| s.is_erased()).map(|s| s.index).collect()
    }

    fn erasure_of(&self, index: u64) -> Option<Erasure> {
        let stored = self.reader().entry(index).unwrap().unwrap();
        Erasures::of(&self.reader(), &stored).unwrap()
    }

    /// Closes the journal; it must verify, with so many records erased.
    fn assert_whole(&self, erased: u64) {
        self.journal.close();
        let report = verify(self.dir.path(), &[vkey()]);
        assert!(report.fault.is_none(), "{:?}", report.fault);
        assert_eq!(report.erased, erased);
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }.build().unwrap().block_on(future)
}

/// Whether the text stands anywhere in a folder.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        // A spare segment may come and go meanwhile.
        let bytes = fs::read(path).unwrap_or_default();
        bytes
            .windows(text.len())
            .any(|found| found == text.as_bytes())
    })
}

#[test]
fn what_is_due_is_erased_and_nothing_else() {
    let live = Live::new();
    for n in 0..12 {
        live.append(entry(n, TYPES[n as usize % 3]));
    }
    live.advance(11 * DAY);
    let expired = live.pass().unwrap();
    assert_eq!(expired.records, 4);
    let class = &expired.classes["residents"];
    assert_eq!(
        (class.records, class.keep, class.oldest),
        (4, Keep::Days(10), NOON)
    );
    assert_eq!(live.erased(), [0, 3, 6, 9]);
    for n in 0..12 {
        assert_eq!(holds(live.dir.path(), &marker(n)), n % 3 != 0, "entry {n}");
    }
    assert_eq!(live.pass().unwrap(), Expired::default());
    live.assert_whole(4);
}

#[test]
fn the_journal_says_what_was_erased_before_it_is() {
    let live = Live::new();
    for n in 0..5 {
        live.append(entry(n, TYPES[usize::from(n == 2)]));
    }
    live.advance(11 * DAY);
    live.pass().unwrap();
    let erasure = live.erasure_of(3).unwrap();
    assert_eq!((erasure.index, erasure.class.as_str()), (5, "residents"));
    assert_eq!(erasure.keep, Some(Keep::Days(10)));
    assert_eq!(live.erasure_of(2), None);
    let stored = live.reader().entry(5).unwrap().unwrap();
    let Some(pb::journal_record::Kind::Erasure(record)) = stored.record().unwrap().unwrap().kind
    else {
        panic!("an erasure")
    };
    let ranges: Vec<_> = record.ranges.iter().map(|r| (r.first, r.end)).collect();
    assert_eq!(ranges, [(0, 2), (3, 5)]);
    live.assert_whole(4);
}

#[test]
fn a_record_is_kept_to_the_end_of_its_last_day() {
    let live = Live::new();
    live.append(entry(0, TYPES[0]));
    // When its term has passed, and the last moment of that day.
    for micros in [10 * DAY, DAY - 1] {
        live.advance(micros);
        assert_eq!(live.pass().unwrap().records, 0);
    }
    live.advance(1);
    assert_eq!(live.pass().unwrap().records, 1);
    live.assert_whole(1);
}

#[test]
fn an_idle_gateways_segment_is_left_when_it_holds_what_is_due() {
    let live = Live::new();
    live.append(entry(0, TYPES[0]));
    let segments = || Segment::list(&Layout::new(live.dir.path())).unwrap().len();
    assert_eq!(live.pass().unwrap().records, 0);
    assert_eq!(segments(), 1);
    live.advance(11 * DAY);
    assert_eq!(live.pass().unwrap().records, 1);
    assert_eq!(segments(), 2);
    live.assert_whole(1);
}

#[test]
fn a_preview_erases_nothing_and_tells_the_same() {
    let live = Live::new();
    for n in 0..9 {
        live.append(entry(n, TYPES[n as usize % 3]));
    }
    live.advance(50 * DAY);
    let foreseen = preview(live.dir.path(), &rules(), live.clock.now()).unwrap();
    assert!(live.erased().is_empty());
    let erased = live.pass().unwrap();
    assert_eq!((foreseen.records, &foreseen.classes), (6, &erased.classes));
    live.assert_whole(6);
}

#[test]
fn a_reader_that_is_at_it_reads_on() {
    let live = Live::new();
    for n in 0..40 {
        live.append(entry(n, TYPES[0]));
    }
    let mut reading = live.reader().forward(0).unwrap();
    let mut backward = live.reader().backward().unwrap();
    let read =
        |stored: Result<crate::journal::reader::StoredEntry, ReadError>| stored.unwrap().index;
    let mut indexes: Vec<_> = reading.by_ref().take(5).map(read).collect();
    let mut back: Vec<_> = backward.by_ref().take(5).map(read).collect();
    live.advance(11 * DAY);
    assert_eq!(live.pass().unwrap().records, 40);
    indexes.extend(reading.map(read));
    back.extend(backward.map(read));
    back.reverse();
    assert!(indexes.len() > 40, "the erasures' entries come last");
    assert_eq!(indexes, (0..indexes.len() as u64).collect::<Vec<_>>());
    assert_eq!(back, (0..40).collect::<Vec<_>>());
    live.assert_whole(40);
}

#[test]
fn a_stream_whose_opening_was_erased_is_still_closed_after_a_crash() {
    let live = Live::new();
    let opened = live.begin(entry(0, TYPES[0]));
    live.advance(11 * DAY);
    assert_eq!(live.pass().unwrap().records, 1);
    let crashed = temporary();
    copy(live.dir.path(), crashed.path());
    drop(opened);
    live.assert_whole(1);
    let disk = Flaky::default();
    let (journal, recovery) = open_at(&disk, crashed.path(), Publish::Always, live.clock).unwrap();
    assert_eq!(recovery.interrupted, [0]);
    journal.close();
    let report = verify(crashed.path(), &[vkey()]);
    assert!(report.fault.is_none(), "{:?}", report.fault);
    assert!(report.open_streams.is_empty());
}

#[test]
fn the_tree_is_made_anew_from_erased_entries_too() {
    let live = Live::new();
    for n in 0..20 {
        live.append(entry(n, TYPES[0]));
    }
    live.advance(11 * DAY);
    live.pass().unwrap();
    live.journal.close();
    fs::remove_file(live.dir.path().join("leaves.dat")).unwrap();
    let live = Live::on(live.dir, live.clock);
    live.append(entry(30, TYPES[1]));
    live.assert_whole(20);
}

#[test]
fn months_go_with_their_last_record() {
    let live = Live::new();
    let month = epoch(NOON);
    let tagged = |n, record_type, epoch| {
        let mut entry = entry(n, record_type);
        if let Some(pb::journal_record::Kind::Exchange(record)) = &mut entry.record.kind {
            record.subjects[0].epoch = epoch;
        }
        live.append(entry)
    };
    // The last month has a record that stays.
    tagged(0, TYPES[0], month - 9);
    tagged(1, TYPES[0], month - 8);
    tagged(2, TYPES[0], month - 7);
    tagged(3, TYPES[1], month - 7);
    live.advance(11 * DAY);
    let expired = live.pass().unwrap();
    let epochs: Vec<_> = expired.epochs.into_iter().collect();
    assert_eq!(epochs, [month - 9, month - 8]);
    let erasure = live.erasure_of(0).unwrap();
    assert_eq!(erasure.epochs, [month - 9, month - 8]);
    live.advance(30 * DAY);
    assert_eq!(live.pass().unwrap().epochs, BTreeSet::from([month - 7]));
    live.assert_whole(4);
}

#[test]
fn a_month_that_is_not_over_keeps_its_key() {
    let live = Live::new();
    let mut entry = entry(0, TYPES[0]);
    if let Some(pb::journal_record::Kind::Exchange(record)) = &mut entry.record.kind {
        record.subjects[0].epoch = epoch(NOON);
    }
    live.append(entry);
    live.advance(11 * DAY);
    assert_eq!(live.pass().unwrap().epochs, BTreeSet::new());
    live.assert_whole(1);
}

#[test]
fn a_clock_that_went_back_erases_nothing() {
    let live = Live::new();
    live.append(entry(0, TYPES[0]));
    let later = Moment::from_micros(NOON.micros() + 20 * DAY);
    let passed = live.expiry().pass(later, &mut Pace::full());
    assert!(matches!(passed, Err(ExpiryError::Clock)));
    assert!(live.erased().is_empty());
    // What was announced too early permits nothing, now or later.
    live.advance(11 * DAY);
    assert_eq!(live.pass().unwrap().records, 1);
    live.assert_whole(1);
}

/// What is written: of which type, how much later than the one before, and whether it is a stream.
type Step = (usize, i64, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..3usize, 0..4 * DAY, prop::bool::weighted(0.2));
    prop::collection::vec(step, 1..40)
}

/// Writes the steps, and gives what each entry is of, and when it was written.
fn written(live: &Live, steps: &[Step]) -> Vec<(usize, Moment)> {
    let mut written = Vec::new();
    for (n, &(record_type, later, is_stream)) in steps.iter().enumerate() {
        live.advance(later);
        let entry = entry(n as u64, TYPES[record_type]);
        written.push((record_type, live.clock.now()));
        if is_stream {
            live.stream(entry, || live.advance(later));
            written.push((record_type, live.clock.now()));
        } else {
            live.append(entry);
        }
    }
    written
}

fn is_due((record_type, time): (usize, Moment), now: Moment) -> bool {
    let keep = match record_type {
        0 => Keep::Days(10),
        1 => Keep::Days(40),
        _ => Keep::Years(1),
    };
    keep.due(time) <= now
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn exactly_what_is_due_goes_and_all_proofs_stay(steps in steps(), waits in prop::collection::vec(0..30 * DAY, 1..4)) {
        let live = Live::new();
        let written = written(&live, &steps);
        let before = live.journal.checkpoint();
        wait_for(&live, before.size());
        let tiles = Tiles::open(live.dir.path());
        let proofs: Vec<_> = (0..before.size())
            .map(|index| tiles.inclusion(index, before.size()).unwrap())
            .collect();
        let mut expiry = live.expiry();
        for wait in waits {
            live.advance(wait);
            expiry.pass(live.clock.now(), &mut Pace::full()).unwrap();
            let report = verify(live.dir.path(), &[vkey()]);
            prop_assert!(report.fault.is_none(), "{:?}", report.fault);
        }
        let now = live.clock.now();
        let due: Vec<_> = (0..).zip(&written).filter(|(_, w)| is_due(**w, now)).map(|(index, _)| index).collect();
        prop_assert_eq!(&live.erased(), &due);
        let mut index = 0;
        for (n, step) in steps.iter().enumerate() {
            prop_assert_eq!(holds(live.dir.path(), &marker(n as u64)), !due.contains(&index));
            index += 1 + u64::from(step.2);
        }
        for (stored, proof) in live.reader().forward(0).unwrap().zip(&proofs) {
            let stored = stored.unwrap();
            prop_assert_ne!(stored.is_bound(), Some(false));
            let proven = verify_inclusion(&stored.leaf_hash(), stored.index, before.size(), proof, before.root());
            prop_assert_eq!(proven, Ok(()));
        }
        live.assert_whole(due.len() as u64);
    }
}

fn wait_for(live: &Live, size: u64) {
    while live.journal.published().size() < size {
        thread::sleep(POLL);
    }
}
