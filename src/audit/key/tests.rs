use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

#[test]
fn a_created_key_loads_again_and_is_its_owners_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.key");
    let created = JournalKey::create(&path).unwrap().verifier("log").unwrap();
    assert_eq!(
        JournalKey::load(&path).unwrap().verifier("log").unwrap(),
        created
    );
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn an_existing_key_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.key");
    JournalKey::create(&path).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(
        JournalKey::create(&path),
        Err(KeyError::NotCreated { .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_key_as_openssl_writes_it_loads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.key");
    // The private key of RFC 8410, section 10.3.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    fs::write(&path, pem).unwrap();
    // As `openssl pkey -pubout` gives it.
    let public = STANDARD
        .decode("Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")
        .unwrap();
    let expected = VerifierKey::new("log", public.try_into().unwrap()).unwrap();
    assert_eq!(
        JournalKey::load(&path).unwrap().verifier("log").unwrap(),
        expected
    );
}

#[test]
fn a_file_that_is_no_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.key");
    assert!(matches!(
        JournalKey::load(&path),
        Err(KeyError::Unreadable { .. })
    ));
    for content in [
        "",
        "not a key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        fs::write(&path, content).unwrap();
        assert!(
            matches!(JournalKey::load(&path), Err(KeyError::NotAKey { .. })),
            "{content}"
        );
    }
}
