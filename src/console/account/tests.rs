use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

/// Of RFC 6238, appendix B: `12345678901234567890`.
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// The last six digits of the appendix's eight, with their times in seconds.
const CODES: [(i64, &str); 4] = [
    (59, "287082"),
    (1_111_111_109, "081804"),
    (1_234_567_890, "005924"),
    (20_000_000_000, "353130"),
];

fn at(seconds: i64) -> Moment {
    Moment::from_micros(seconds * 1_000_000)
}

fn name(name: &str) -> ReaderName {
    name.parse().unwrap()
}

struct File(tempfile::TempDir);

impl File {
    fn with(text: &str) -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        fs::write(file.path(), text).unwrap();
        file.becomes(0o600);
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("accounts.toml")
    }

    fn becomes(&self, mode: u32) {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn refused(&self) -> String {
        let error = Accounts::load(&self.path()).unwrap_err().to_string();
        error.replace(&self.path().display().to_string(), "accounts.toml")
    }
}

/// An account with the secret of the RFC; its password is given back.
fn lin() -> (Accounts, String) {
    let handed = NewAccount::fresh(&name("lin"), Role::Auditor, "Landbridge").unwrap();
    let stanza = handed
        .stanza
        .lines()
        .map(|line| match line.starts_with("totp") {
            true => format!("totp = \"{SECRET}\"\n"),
            false => format!("{line}\n"),
        });
    let file = File::with(&stanza.collect::<String>());
    (
        Accounts::load(&file.path()).unwrap(),
        handed.password.to_string(),
    )
}

#[test]
fn the_right_password_with_the_code_of_the_time_proves_who_it_is() {
    let (accounts, password) = lin();
    for (seconds, code) in CODES {
        let proven = accounts.prove("lin", &password, code, at(seconds));
        let step = u64::try_from(seconds / 30).unwrap();
        let expected = ProvenCredentials {
            name: name("lin"),
            role: Role::Auditor,
            step,
        };
        assert_eq!(proven, Some(expected), "{code}");
    }
    let (seconds, code) = CODES[1];
    for (name, password, code, seconds) in [
        ("lin", "", code, seconds),
        ("lin", "wrong", code, seconds),
        ("wei", password.as_str(), code, seconds),
        ("lin", password.as_str(), "", seconds),
        ("lin", password.as_str(), "081805", seconds),
        ("lin", password.as_str(), code, seconds + 61),
        ("lin", password.as_str(), code, seconds - 61),
    ] {
        assert_eq!(
            accounts.prove(name, password, code, at(seconds)),
            None,
            "{name} {code} {seconds}"
        );
    }
    // A clock that is a little slow or fast.
    let late = accounts.prove("lin", &password, code, at(seconds + 30));
    assert_eq!(late.unwrap().step, u64::try_from(seconds / 30).unwrap());
}

#[test]
fn what_is_handed_over_is_another_each_time_and_shown_nowhere_else() {
    let [one, two] =
        [(); 2].map(|()| NewAccount::fresh(&name("lin"), Role::Viewer, "Landbridge").unwrap());
    assert_ne!(*one.password, *two.password);
    assert_ne!(*one.uri, *two.uri);
    assert_eq!(one.password.len(), 24);
    assert!(!one.stanza.contains(one.password.as_str()));
    assert!(
        one.stanza
            .contains("password = \"$argon2id$v=19$m=19456,t=2,p=1$"),
        "{}",
        one.stanza.as_str()
    );
    let accounts = Accounts::load(&File::with(&one.stanza).path()).unwrap();
    assert_eq!(
        format!("{accounts:?}"),
        "Accounts { account: [Account(lin, viewer)] }"
    );
    assert_eq!(format!("{one:?}"), "Handed(..)");
}

#[test]
fn a_file_that_cannot_be_trusted_or_understood_is_refused_without_quoting_it() {
    let (handed, other) = (
        NewAccount::fresh(&name("lin"), Role::Viewer, "Landbridge").unwrap(),
        NewAccount::fresh(&name("wei"), Role::Viewer, "Landbridge").unwrap(),
    );
    let file = File::with(&handed.stanza);
    file.becomes(0o640);
    assert_eq!(
        file.refused(),
        "others than its owner may read `accounts.toml` (mode 640): `chmod 600` it"
    );
    let secret = handed.stanza.lines().last().unwrap();
    for (text, why) in [
        (handed.stanza.repeat(2), "`lin` is there twice"),
        (
            handed.stanza.replace("$argon2id", "$md5"),
            "the `password` of `lin` is no argon2id hash",
        ),
        (
            handed.stanza.replace(secret, "totp = \"GEZDGNBV\""),
            "the `totp` of `lin` is not base 32 of at least 16 bytes",
        ),
        (
            handed.stanza.replace("viewer", "root"),
            "unknown variant `root`, expected one of `viewer`, `auditor`, `administrator`",
        ),
    ] {
        let told = File::with(&text).refused();
        assert_eq!(
            told,
            format!("`accounts.toml` is no file of accounts: {why}")
        );
        assert!(!told.contains("$argon2id") && !told.contains(secret));
    }
    assert!(
        Accounts::load(&File::with(&[handed.stanza.as_str(), &other.stanza].concat()).path())
            .is_ok()
    );
}
