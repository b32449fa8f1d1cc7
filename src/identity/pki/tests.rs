use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::identity::harness::NOW;
use crate::identity::harness::read;
use crate::identity::harness::spiffe;
use crate::identity::harness::term;

#[test]
fn keys_are_for_their_owner_only_and_nothing_is_left_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca");
    let mut ca = Authority::create(&path, "test", NOW).unwrap();
    ca.issue(&spiffe("tax"), &[], term(0, 1))
        .unwrap()
        .save(&path, "tax")
        .unwrap();
    let mut files: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ca.key",
            "ca.pem",
            "crl.pem",
            "issued.toml",
            "tax.key",
            "tax.pem"
        ]
    );
    for (name, mode) in &files {
        assert_eq!(mode & 0o077 == 0, name.ends_with(".key"), "{name}");
    }
}

#[test]
fn a_folder_has_one_ca() {
    let folder = tempfile::tempdir().unwrap();
    Authority::create(folder.path(), "test", NOW).unwrap();
    let before = read(folder.path().join("ca.pem"));
    let error = Authority::create(folder.path(), "test", NOW).unwrap_err();
    assert!(matches!(error, PkiError::Exists(_)));
    assert_eq!(read(folder.path().join("ca.pem")), before);
}

#[test]
fn a_ca_that_was_not_finished_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    Authority::create(folder.path(), "test", NOW).unwrap();
    fs::remove_file(folder.path().join("ca.pem")).unwrap();
    Authority::create(folder.path(), "test", NOW).unwrap();
    assert!(folder.path().join("ca.pem").exists());
}

#[test]
fn an_opened_ca_remembers_and_revokes_by_id_or_serial() {
    let folder = tempfile::tempdir().unwrap();
    let mut ca = Authority::create(folder.path(), "test", NOW).unwrap();
    let tax = ca.issue(&spiffe("tax"), &[], term(0, 1)).unwrap();
    ca.issue(&spiffe("civil"), &[], term(0, 1)).unwrap();
    ca.issue(&spiffe("civil"), &[], term(0, 2)).unwrap();

    let mut ca = Authority::open(folder.path()).unwrap();
    assert_eq!(ca.issued().len(), 3);
    let by_id = ca.revoke(&spiffe("civil").to_string(), NOW).unwrap();
    assert_eq!(by_id.len(), 2);
    let colons: Vec<_> = tax
        .serial
        .as_bytes()
        .chunks(2)
        .map(|pair| str::from_utf8(pair).unwrap())
        .collect();
    let by_serial = ca.revoke(&colons.join(":").to_uppercase(), NOW).unwrap();
    assert_eq!(by_serial[0].id, spiffe("tax").to_string());
    assert!(matches!(
        ca.revoke(&tax.serial, NOW),
        Err(PkiError::NotIssued(_))
    ));
    assert!(matches!(ca.revoke("00", NOW), Err(PkiError::NotIssued(_))));

    let ca = Authority::open(folder.path()).unwrap();
    assert!(
        ca.issued()
            .iter()
            .all(|issued| issued.revoked == Some(NOW.seconds()))
    );
    assert_eq!(ca.ledger.crl_number, 3);
}

#[test]
fn a_ledger_that_was_edited_badly_is_refused_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    Authority::create(folder.path(), "test", NOW).unwrap();
    fs::write(folder.path().join("issued.toml"), "name = 7").unwrap();
    let error = Authority::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("issued.toml"), "{error}");
}

#[test]
fn a_revoked_certificate_that_cannot_be_listed_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut ca = Authority::create(folder.path(), "test", NOW).unwrap();
    let issue = ca.issue(&spiffe("tax"), &[], term(0, 1)).unwrap();
    ca.revoke(&issue.serial, NOW).unwrap();
    let path = folder.path().join("issued.toml");
    fs::write(&path, read(path.clone()).replace(&issue.serial, "4 2")).unwrap();
    let error = Authority::open(folder.path())
        .unwrap()
        .renew_crl(NOW)
        .unwrap_err();
    assert!(matches!(error, PkiError::Ledger { .. }), "{error:?}");
}

#[test]
fn an_issue_shows_no_key_in_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut ca = Authority::create(folder.path(), "test", NOW).unwrap();
    let issue = ca.issue(&spiffe("tax"), &[], term(0, 1)).unwrap();
    assert_eq!(
        format!("{issue:?}"),
        format!("Issue {{ serial: {:?}, .. }}", issue.serial)
    );
}
