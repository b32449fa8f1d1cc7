//! What fails in a pass, and what somebody does to records without one.

use std::io;

use super::*;
use crate::journal::frame::Frame;
use crate::journal::frame::HEADER_BYTES;
use crate::journal::frame::Header;
use crate::journal::retention::DEFAULT;
use crate::journal::verify::Scope;
use crate::journal::verify::verify_within;

/// A closed journal in several segments, all of whose first 12 records but every third are due, and a stream that is.
fn base() -> (TempDir, Clock) {
    let live = Live::new();
    for n in 0..12 {
        live.append(entry(n, TYPES[if n % 3 == 0 { 2 } else { 0 }]));
    }
    live.stream(entry(12, TYPES[0]), || {});
    live.advance(11 * DAY);
    live.journal.close();
    (live.dir, live.clock)
}

const DUE: u64 = 10;

fn at_copy_of(base: &TempDir, clock: &Clock) -> Live {
    let dir = temporary();
    copy(base.path(), dir.path());
    Live::on(dir, clock.clone())
}

#[test]
fn whichever_operation_fails_the_next_pass_finishes() {
    let (base, clock) = base();
    let dry = at_copy_of(&base, &clock);
    let before = dry.disk.operations();
    assert_eq!(dry.pass().unwrap().records, DUE);
    let operations = dry.disk.operations() - before;
    dry.assert_whole(DUE);
    let mut disturbed = 0;
    for n in 0..operations {
        for after in [false, true] {
            let live = at_copy_of(&base, &clock);
            let n = live.disk.operations() + n;
            live.disk.fail(Some(DiskFault::Nth { n, after }));
            disturbed += usize::from(live.pass().is_err());
            live.journal.close();
            // As it was left: nothing is withheld.
            let report = verify(live.dir.path(), &[vkey()]);
            assert!(report.fault.is_none(), "operation {n}: {:?}", report.fault);

            let live = Live::on(live.dir, clock.clone());
            live.pass().unwrap();
            for n in 0..12 {
                assert_eq!(holds(live.dir.path(), &marker(n)), n % 3 == 0, "entry {n}");
            }
            live.append(entry(40, TYPES[1]));
            live.assert_whole(DUE);
        }
    }
    assert!(disturbed > operations, "{disturbed} of {operations} twice");
}

#[test]
fn what_was_announced_is_not_announced_again() {
    let (base, clock) = base();
    let live = at_copy_of(&base, &clock);
    live.disk.fail(Some(DiskFault::All {
        operation: "write",
        path: "0.new",
        kind: io::ErrorKind::StorageFull,
    }));
    assert!(matches!(live.pass(), Err(ExpiryError::Read(_))));
    // The disk was full, no more: the journal goes on.
    assert!(matches!(live.journal.state(), JournalState::Writable));
    assert!(live.erased().is_empty());
    live.disk.fail(None);
    let size = live.append(entry(50, TYPES[1]));
    let expired = live.pass().unwrap();
    assert_eq!(expired.records, DUE);
    // Only the segments that the first pass did not come to.
    let later: Vec<_> = live
        .reader()
        .forward(size + 1)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let segments = Segment::list(&Layout::new(live.dir.path())).unwrap();
    assert!(later.len() < segments.len());
    let begun = fs::read_to_string(live.journal.layout().erasing()).unwrap();
    assert_eq!(begun, "");
    live.assert_whole(DUE);
}

#[test]
fn an_error_of_the_disk_ends_the_journal() {
    for operation in ["write", "flush", "rename"] {
        let (base, clock) = base();
        let live = at_copy_of(&base, &clock);
        live.disk.fail(Some(DiskFault::All {
            operation,
            path: "0.new",
            kind: io::ErrorKind::Other,
        }));
        assert!(
            matches!(live.pass(), Err(ExpiryError::Failed(_))),
            "{operation}"
        );
        live.disk.fail(None);
        assert!(matches!(
            live.journal.append_blocking(exchange(60)),
            Err(AppendError::Failed(_))
        ));
        assert!(live.journal.still_holds().is_err());
        live.journal.close();
        let live = Live::on(live.dir, clock);
        assert_eq!(live.pass().unwrap().records, DUE);
        live.assert_whole(DUE);
    }
}

/// Blanks the records of some entries as nobody may: without an erasure's entry.
pub(crate) fn blank(dir: &Path, is_blank: impl Fn(u64) -> bool) {
    let layout = Layout::new(dir);
    for first in layout.list_segments().unwrap() {
        let path = layout.segment(first);
        let mut bytes = fs::read(&path).unwrap();
        let mut at = 0;
        while let Some(header) = bytes.get(at..at + HEADER_BYTES) {
            let Ok(header) = Header::parse(header.first_chunk().unwrap()) else {
                break;
            };
            let frame = bytes[at..at + header.length].to_vec();
            let frame = Frame::parse(header, frame.into()).unwrap();
            bytes[at..at + header.length].copy_from_slice(&frame.without(&is_blank));
            at += header.length;
        }
        fs::write(path, bytes).unwrap();
    }
}

fn fault(dir: &Path, retention: Option<&Retention>) -> Option<(u64, EntryFault)> {
    let scope = Scope {
        retention,
        ..Scope::default()
    };
    match verify_within(dir, &[vkey()], scope, &mut Pace::full()).fault? {
        Fault::Entry { entry, what } => Some((entry, what)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_that_is_withheld_is_found_among_those_that_were_erased() {
    let (base, clock) = base();
    let live = at_copy_of(&base, &clock);
    live.pass().unwrap();
    live.journal.close();
    assert_eq!(fault(live.dir.path(), None), None);
    blank(live.dir.path(), |index| index == 9);
    assert_eq!(
        fault(live.dir.path(), None),
        Some((9, EntryFault::Withheld))
    );
}

/// A journal of five entries with an erasure for two of them, that are gone.
fn erased_by(keep: &str, publish: Publish) -> TempDir {
    let dir = temporary();
    let clock = Clock::fixed(NOON);
    let (journal, _) = open_at(&Flaky::default(), dir.path(), publish, clock).unwrap();
    for n in 0..5 {
        journal.append_blocking(entry(n, TYPES[2])).unwrap();
    }
    let record = pb::ErasureRecord {
        class: DEFAULT.to_owned(),
        keep: keep.to_owned(),
        ranges: vec![pb::EntryRange { first: 1, end: 3 }],
        epochs: vec![],
    };
    journal.append_blocking(Entry::erasure(record)).unwrap();
    let crashed = temporary();
    copy(dir.path(), crashed.path());
    journal.close();
    let left = match publish {
        Publish::Always => dir,
        Publish::Never => crashed,
    };
    blank(left.path(), |index| (1..3).contains(&index));
    left
}

#[test]
fn an_erasure_before_the_term_that_it_names_is_found() {
    let dir = erased_by("30d", Publish::Always);
    assert_eq!(
        fault(dir.path(), None),
        Some((1, EntryFault::ErasedEarly(5)))
    );
    let dir = erased_by("soon", Publish::Always);
    assert_eq!(
        fault(dir.path(), None),
        Some((1, EntryFault::ErasedEarly(5)))
    );
}

#[test]
fn an_erasure_that_nothing_was_signed_for_speaks_for_nobody() {
    // The checkpoint is that of the empty journal, as it was before a crash.
    let dir = erased_by("30d", Publish::Never);
    assert_eq!(fault(dir.path(), None), Some((1, EntryFault::Withheld)));
}

#[test]
fn an_erasure_is_held_to_the_settings_where_they_are_given() {
    let (base, clock) = base();
    let live = at_copy_of(&base, &clock);
    live.pass().unwrap();
    live.journal.close();
    assert_eq!(fault(live.dir.path(), Some(&rules())), None);
    let mut longer = rules();
    longer.classes[0].keep = Keep::Days(12);
    let found = fault(live.dir.path(), Some(&longer));
    assert!(
        matches!(found, Some((1, EntryFault::ErasedEarly(_)))),
        "{found:?}"
    );
}

#[test]
fn a_scrub_finds_what_has_rotted_and_ends_the_journal() {
    let (base, clock) = base();
    let live = at_copy_of(&base, &clock);
    live.pass().unwrap();
    let report = live.journal.scrub(&mut Pace::full()).unwrap();
    assert_eq!((report.fault.is_none(), report.erased), (true, DUE));
    let path = live.journal.layout().segment(0);
    let mut bytes = fs::read(&path).unwrap();
    // In the record of the first entry.
    bytes[HEADER_BYTES + 200] ^= 1;
    fs::write(&path, bytes).unwrap();
    let failure = live.journal.scrub(&mut Pace::full()).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "the journal on disk is not what it should be"
    );
    assert!(matches!(
        live.journal.append_blocking(exchange(60)),
        Err(AppendError::Failed(_))
    ));
    live.journal.close();
}

#[test]
fn a_scrub_can_be_stopped() {
    let (base, clock) = base();
    let live = at_copy_of(&base, &clock);
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    let mut pace = Pace::throttled(1, stop);
    let report = live.journal.scrub(&mut pace).unwrap();
    assert!(matches!(report.fault, Some(Fault::Stopped(_))));
    assert!(matches!(live.pass(), Ok(Expired { records: DUE, .. })));
    live.assert_whole(DUE);
}
