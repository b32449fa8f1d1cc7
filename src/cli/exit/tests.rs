use std::io;

use anyhow::Context;

use super::*;

fn said(failure: &Failure) -> (Exit, String) {
    let mut out = Vec::new();
    let exit = failure.report(false, &mut out);
    (exit, String::from_utf8(out).unwrap())
}

#[test]
fn exit_codes_are_what_scripts_rely_on() {
    let codes = [
        (Exit::Done, 0),
        (Exit::Failed, 1),
        (Exit::Denied, 2),
        (Exit::Unverified, 3),
        (Exit::Usage, 64),
        (Exit::Interrupted, 130),
    ];
    for (exit, code) in codes {
        assert_eq!(exit.code(), code);
    }
}

#[test]
fn an_error_is_one_line_with_its_causes_and_then_the_hint() {
    let cause = io::Error::new(io::ErrorKind::NotFound, "no such file");
    let error = Err::<(), _>(cause)
        .context("the key cannot be read")
        .unwrap_err();
    let failure = Failure::from(error).hint("give another `--key`");
    assert_eq!(
        said(&failure),
        (
            Exit::Failed,
            "error: the key cannot be read: no such file\nhint: give another `--key`\n".to_owned()
        )
    );
}

#[test]
fn a_cause_that_is_repeated_is_said_once() {
    let cause = io::Error::other("disk full");
    let error = Err::<(), _>(cause)
        .context("cannot write: disk full")
        .unwrap_err();
    assert_eq!(said(&error.into()).1, "error: cannot write: disk full\n");
}

#[test]
fn an_error_does_not_steer_the_terminal() {
    let failure = Failure::usage("bad\u{1b}[2J\nname");
    assert_eq!(
        said(&failure),
        (
            Exit::Usage,
            "error: bad⟨U+001B⟩[2J⟨U+000A⟩name\n".to_owned()
        )
    );
}

#[test]
fn a_reader_that_went_away_is_no_failure_and_is_not_told() {
    let gone = io::Error::from(io::ErrorKind::BrokenPipe);
    assert_eq!(said(&gone.into()), (Exit::Done, String::new()));
    let gone = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
    assert_eq!(said(&gone.unwrap_err().into()), (Exit::Done, String::new()));
}

#[test]
fn every_fault_of_a_file_is_told() {
    let fault = |line| Fault {
        file: "a.toml".to_owned(),
        line,
        column: 0,
        key: "x".to_owned(),
        message: "wrong".to_owned(),
    };
    let failure = Failure::Faults(vec![fault(1), fault(7)]);
    assert_eq!(
        said(&failure),
        (
            Exit::Usage,
            "error: a.toml:1: x: wrong\nerror: a.toml:7: x: wrong\n".to_owned()
        )
    );
}

#[test]
fn programs_get_errors_as_json() {
    let mut out = Vec::new();
    Failure::usage("no").hint("yes").report(true, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "{\"error\":\"no\",\"hint\":\"yes\"}\n"
    );
}
