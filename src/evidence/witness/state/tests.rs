use super::*;
use crate::journal::disk::RealDisk;
use crate::journal::testing::temporary;

fn written(path: &Path, commits: &[&[&str]]) -> StateFile {
    let mut state = StateFile::rewrite(Arc::new(RealDisk), path, &[]).unwrap();
    for notes in commits {
        state.append(notes).unwrap();
    }
    state
}

#[test]
fn what_was_appended_is_read_in_its_order() {
    let dir = temporary();
    let path = dir.path().join("witness.state");
    assert_eq!(read(&path).unwrap(), Vec::<String>::new());
    written(&path, &[&["a1", "b1"], &["a2"]]);
    assert_eq!(read(&path).unwrap(), ["a1", "b1", "a2"]);
}

#[test]
fn a_commit_cut_off_anywhere_is_passed_over() {
    let dir = temporary();
    let path = dir.path().join("witness.state");
    written(&path, &[&["a1", "b1"], &["a2"]]);
    let whole = fs::read(&path).unwrap();
    let first = commit_of(&["a1", "b1"]).len();
    for length in first..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(read(&path).unwrap(), ["a1", "b1"], "{length}");
        // As a file looks that grew before its content came.
        let mut zeros = whole[..length].to_vec();
        zeros.resize(whole.len() + 10, 0);
        fs::write(&path, &zeros).unwrap();
        assert_eq!(read(&path).unwrap(), ["a1", "b1"], "{length}");
    }
}

#[test]
fn damage_before_the_last_commit_is_no_torn_tail() {
    let dir = temporary();
    let path = dir.path().join("witness.state");
    written(&path, &[&["a1"], &["a2"], &["a3"]]);
    let whole = fs::read(&path).unwrap();
    let commit = commit_of(&["a1"]).len();
    for at in 0..commit {
        let mut damaged = whole.clone();
        damaged[commit + at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let found = read(&path).unwrap_err();
        assert!(
            matches!(found, WitnessError::Damaged { offset, .. } if offset == commit),
            "{at}: {found}"
        );
    }
}

#[test]
fn a_file_that_is_mostly_replaced_is_written_anew() {
    let dir = temporary();
    let path = dir.path().join("witness.state");
    let mut state = written(&path, &[]);
    let note = "x".repeat(100_000);
    while !state.is_stale() {
        state.append(&[&note]).unwrap();
    }
    assert!(fs::metadata(&path).unwrap().len() > SMALL);
    state.compact(&[&note, "b"]).unwrap();
    assert!(!state.is_stale());
    state.append(&["c"]).unwrap();
    assert_eq!(read(&path).unwrap(), [note.as_str(), "b", "c"]);
}
