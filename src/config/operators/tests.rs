use std::path::Path;

use super::*;

const ONE: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const TWO: &str = "ca7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn faults(text: &str) -> Vec<String> {
    let raw: RawOperators = toml::from_str(text).unwrap();
    let mut faults = Faults::of(Path::new("civil.toml"), "");
    raw.check(None, &mut faults);
    let found = faults.unless(()).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

fn reader(name: &str, token: &str, rights: &str) -> String {
    format!("[[reader]]\nname = \"{name}\"\ntoken_sha256 = \"{token}\"\nrights = [{rights}]\n")
}

#[test]
fn two_readers_with_their_own_tokens_have_no_fault() {
    let text =
        reader("lin.auditor", ONE, "\"tiles\", \"search\"") + &reader("wei", TWO, "\"export\"");
    assert_eq!(faults(&text), [""; 0]);
}

#[test]
fn a_reader_without_rights_or_like_another_is_a_fault_with_its_hint() {
    let right = "\"search\"";
    let text = [
        reader("lin", ONE, right),
        reader("lin", TWO, right),
        reader("wei", ONE, right),
        reader("zhao", &TWO.replace('7', "8"), ""),
    ]
    .concat();
    assert_eq!(
        faults(&text),
        [
            "civil.toml: operators.reader: `lin` is there twice; the journal could not tell the two apart, so give each a name of its own",
            "civil.toml: operators.reader: `wei` has the token of `lin`; make each reader a token with `landbridge audit token`",
            "civil.toml: operators.reader: `zhao` has no `rights`; give some of tiles, search, subjects, export, or remove the reader",
        ]
    );
}

#[test]
fn this_door_stays_on_the_loopback_address() {
    let found = faults("listen = \"0.0.0.0:9443\"");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("0.0.0.0:9443 is not a loopback address"),
        "{found:?}"
    );
}

#[test]
fn a_host_is_a_name_alone() {
    for good in ["audit.civil.gov.example", "10.0.0.7", "[2001:db8::1]"] {
        assert_eq!(faults(&format!("hosts = [\"{good}\"]")), [""; 0], "{good}");
    }
    for bad in [
        "https://audit.example",
        "audit.example:9443",
        "audit.example/console",
        "",
    ] {
        let found = faults(&format!("hosts = [\"{bad}\"]"));
        assert!(found[0].contains("is no host's name"), "{bad}: {found:?}");
    }
}

#[test]
fn a_token_itself_in_the_settings_is_refused_without_being_shown() {
    let token = "lbr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let error = toml::from_str::<RawOperators>(&reader("lin", token, "\"tiles\"")).unwrap_err();
    assert!(
        error.message().contains("expected a SHA-256"),
        "{}",
        error.message()
    );
    assert!(!error.message().contains("lbr_"), "{}", error.message());
    let error = toml::from_str::<RawOperators>(&reader("lin", ONE, "\"all\"")).unwrap_err();
    assert!(error.message().contains("`tiles`"), "{}", error.message());
}
