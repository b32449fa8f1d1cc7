use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

// 23 November 2026.
const AT: Moment = Moment::from_micros(1_795_392_000_000_000);
const MONTH: i64 = 31 * 86_400 * 1_000_000;

fn temporary() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn later(months: i64) -> Moment {
    Moment::from_micros(AT.micros() + months * MONTH)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

// Computed with Python's hmac from the description at `tag`.
#[test]
fn tags_are_those_that_others_compute() {
    let key = MonthKey::new(682, &std::array::from_fn(|n| n as u8));
    let subject = key.subject("national_id", "990101199001011234");
    assert_eq!(subject.epoch, 682);
    assert_eq!(hex(&subject.tag), "3ef58d8a90984a61bcd756e3c5d79779");
    let key = key.record_key(&"civil.v1.Resident".parse().unwrap(), "R-1");
    assert_eq!(hex(&key), "029b56e89b116067c89d9bf2b92b4ed1");
}

#[test]
fn tags_of_two_months_or_two_departments_cannot_be_joined() {
    let (ours, theirs) = (temporary(), temporary());
    let keys = SubjectKeys::open(ours.path()).unwrap();
    let now = keys.month(AT).unwrap();
    let then = keys.month(later(1)).unwrap();
    let others = SubjectKeys::open(theirs.path()).unwrap().month(AT).unwrap();
    let tag = now.subject("scheme", "id").tag;
    assert_ne!(tag, then.subject("scheme", "id").tag);
    assert_ne!(tag, others.subject("scheme", "id").tag);
    assert_ne!(tag, now.subject("scheme2", "id").tag);
}

#[test]
fn a_months_key_is_made_once_for_its_owner_only() {
    let folder = temporary();
    let dir = folder.path().join("subjects");
    let tag = |keys: &SubjectKeys| keys.month(AT).unwrap().subject("scheme", "id");
    let made = tag(&SubjectKeys::open(&dir).unwrap());
    assert_eq!(tag(&SubjectKeys::open(&dir).unwrap()), made);
    assert_eq!(names(&dir), ["2026-11.key"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("2026-11.key")), 0o600);
}

#[test]
fn once_used_a_months_key_is_not_read_again() {
    let folder = temporary();
    let keys = SubjectKeys::open(folder.path()).unwrap();
    let tag = keys.month(AT).unwrap().subject("scheme", "id");
    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(keys.month(AT).unwrap().subject("scheme", "id"), tag);
}

#[test]
fn a_search_over_months_has_the_tag_of_each_that_has_a_key() {
    let folder = temporary();
    let keys = SubjectKeys::open(folder.path()).unwrap();
    for month in [0, 1, 3, 4] {
        keys.month(later(month)).unwrap();
    }
    let reader = SubjectKeys::at(folder.path());
    let epochs = |since, until| -> Vec<u32> {
        let tags = reader
            .subject_between("scheme", "id", since, until)
            .unwrap();
        tags.iter().map(|tag| tag.epoch).collect()
    };
    assert_eq!(epochs(None, None), [682, 683, 685, 686]);
    // With the month before: what began in it may be on record in the next.
    assert_eq!(epochs(Some(later(1)), Some(later(3))), [682, 683, 685]);
    assert_eq!(epochs(Some(later(6)), None), Vec::<u32>::new());
    let tags = reader.subject_between("scheme", "id", None, None).unwrap();
    assert_eq!(
        tags[2],
        keys.month(later(3)).unwrap().subject("scheme", "id")
    );
}

#[test]
fn a_destroyed_key_is_gone_and_never_made_again() {
    let folder = temporary();
    let keys = SubjectKeys::open(folder.path()).unwrap();
    keys.month(AT).unwrap();
    keys.month(later(1)).unwrap();
    keys.destroy(682).unwrap();
    assert_eq!(names(folder.path()), ["2026-11.destroyed", "2026-12.key"]);
    for keys in [keys, SubjectKeys::open(folder.path()).unwrap()] {
        let destroyed = keys.month(AT).unwrap_err();
        assert_eq!(
            destroyed.to_string(),
            "the key of 2026-11 has been destroyed and is not made again; is the clock right?"
        );
        assert_eq!(keys.epochs().unwrap(), [683]);
        keys.destroy(682).unwrap();
    }
    // A month that never had one, too.
    let keys = SubjectKeys::open(folder.path()).unwrap();
    keys.destroy(epoch(later(18))).unwrap();
    assert!(keys.month(later(18)).is_err());
}

#[test]
fn what_a_crash_left_half_done_is_taken_over_or_finished() {
    let folder = temporary();
    // While a key was made.
    fs::write(folder.path().join("2026-11.new"), [0; 40]).unwrap();
    // While one was destroyed.
    fs::write(folder.path().join("2026-10.key"), [1; 32]).unwrap();
    fs::write(folder.path().join("2026-10.destroyed"), []).unwrap();
    assert!(SubjectKeys::at(folder.path()).epochs().unwrap().is_empty());
    let keys = SubjectKeys::open(folder.path()).unwrap();
    keys.month(AT).unwrap();
    assert_eq!(names(folder.path()), ["2026-10.destroyed", "2026-11.key"]);
    assert_ne!(
        fs::read(folder.path().join("2026-11.key")).unwrap(),
        [0; 32]
    );
}

#[test]
fn a_key_file_of_another_length_is_not_used_nor_replaced() {
    let folder = temporary();
    let path = folder.path().join("2026-11.key");
    fs::write(&path, [1; 31]).unwrap();
    let keys = SubjectKeys::open(folder.path()).unwrap();
    assert!(matches!(
        keys.month(AT),
        Err(SubjectKeyError::NotAKey { .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), [1; 31]);
}

#[test]
fn files_of_other_names_are_no_keys() {
    let folder = temporary();
    for name in [
        "1969-12.key",
        "2026-13.key",
        "2026-1.key",
        "+2026-11.key",
        "99999999999-01.key",
        "4294967295-12.key",
        "x.key",
        "2026-11",
    ] {
        fs::write(folder.path().join(name), [1; 32]).unwrap();
    }
    let keys = SubjectKeys::open(folder.path()).unwrap();
    assert!(keys.epochs().unwrap().is_empty());
}

#[test]
fn a_month_begins_at_midnight_utc() {
    let midnight = 1_764_547_200_000_000; // 1 December 2025
    assert_eq!(epoch(Moment::from_micros(midnight - 1)), 670);
    assert_eq!(epoch(Moment::from_micros(midnight)), 671);
    assert_eq!(epoch(Moment::from_micros(0)), 0);
    assert_eq!(epoch(Moment::from_micros(-1)), 0);
}

#[test]
fn keys_do_not_show_in_debug_output() {
    let folder = temporary();
    let keys = SubjectKeys::open(folder.path()).unwrap();
    assert_eq!(format!("{keys:?}"), "SubjectKeys(..)");
    assert_eq!(format!("{:?}", keys.month(AT).unwrap()), "MonthKey(..)");
}
