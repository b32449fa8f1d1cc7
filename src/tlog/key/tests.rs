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

#[test]
fn a_post_quantum_key_loads_again_and_is_its_owners_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal-pq.key");
    let created = PostQuantumKey::create(&path).unwrap();
    let loaded = PostQuantumKey::load(&path).unwrap();
    let verifier = created.verifier("log").unwrap();
    assert_eq!(loaded.verifier("log").unwrap(), verifier);
    assert_eq!(verifier.kind(), KeyKind::MlDsa44);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(matches!(
        PostQuantumKey::create(&path),
        Err(KeyError::NotCreated { .. })
    ));
}

#[test]
fn a_key_of_another_algorithm_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, post_quantum) = (dir.path().join("a"), dir.path().join("b"));
    JournalKey::create(&journal).unwrap();
    PostQuantumKey::create(&post_quantum).unwrap();
    let wrong = PostQuantumKey::load(&journal).unwrap_err().to_string();
    assert!(
        wrong.contains("openssl genpkey -algorithm ML-DSA-44"),
        "{wrong}"
    );
    let wrong = JournalKey::load(&post_quantum).unwrap_err().to_string();
    assert!(
        wrong.contains("openssl genpkey -algorithm Ed25519"),
        "{wrong}"
    );
}

#[test]
fn only_the_keys_that_are_missing_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("var/civil/journal.key");
    let post_quantum = dir.path().join("var/civil/journal-pq.key");
    let (first, made) = JournalKeys::load_or_create(&journal, &post_quantum).unwrap();
    assert_eq!(made, [journal.clone(), post_quantum.clone()]);
    let (again, made) = JournalKeys::load_or_create(&journal, &post_quantum).unwrap();
    assert_eq!(made, Vec::<PathBuf>::new());
    assert_eq!(
        again.verifiers("log").unwrap(),
        first.verifiers("log").unwrap()
    );
    fs::remove_file(&post_quantum).unwrap();
    let (other, made) = JournalKeys::load_or_create(&journal, &post_quantum).unwrap();
    assert_eq!(made, [post_quantum]);
    assert_eq!(
        other.verifiers("log").unwrap()[0],
        first.verifiers("log").unwrap()[0]
    );
}

#[test]
fn what_a_crash_left_half_written_is_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.key");
    fs::write(dir.path().join("journal.new"), "-----BEGIN PRIV").unwrap();
    let created = JournalKey::create(&path).unwrap();
    assert_eq!(
        JournalKey::load(&path).unwrap().verifier("log").unwrap(),
        created.verifier("log").unwrap()
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
