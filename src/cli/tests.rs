use clap::CommandFactory;
use clap::Parser;

use super::*;

/// Parses a line as a shell would split it.
fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn lines_parse_or_are_bad_usage() {
    let rows = [
        ("landbridge get civil.v1.Resident K -p tax", true),
        (
            "landbridge get civil.v1.Resident - --purpose tax --fields a,b.c --case C1 --officer O --provider civil",
            true,
        ),
        ("landbridge get civil.v1.Resident -p tax", false),
        (
            "landbridge query civil.v1.Resident -p tax --limit 5 --order-by a --cursor AAEC --all",
            true,
        ),
        ("landbridge query civil.v1.Resident -p tax --limit 0", false),
        (
            "landbridge query civil.v1.Resident -p tax --cursor ???",
            false,
        ),
        (
            "landbridge verify civil.v1.Resident K -p tax --claim a=b --claim c=d=e",
            true,
        ),
        ("landbridge verify civil.v1.Resident K -p tax", false),
        (
            "landbridge verify civil.v1.Resident K -p tax --claim nothing",
            false,
        ),
        (
            "landbridge count civil.v1.Resident -p tax --filter true --json",
            true,
        ),
        ("landbridge catalog", true),
        ("landbridge catalog list --gateway [::1]:7443 -o csv", true),
        (
            "landbridge catalog --profile p.toml show civil.v1.Resident",
            true,
        ),
        ("landbridge catalog show", false),
        ("landbridge catalog --timeout 0", false),
        ("landbridge pki init --dir d", true),
        (
            "landbridge pki issue --ca d --id spiffe://g/department/civil --out o --dns a --dns b --ip ::1",
            true,
        ),
        ("landbridge pki issue --ca d --id civil --out o", false),
        (
            "landbridge pki issue --ca d --id spiffe://g/department/civil --out o --days 0",
            false,
        ),
        ("landbridge --json catalog", true),
        ("landbridge catalog --json -o table", false),
        ("landbridge completions zsh", true),
        ("landbridge completions tcsh", false),
        ("landbridge man --dir d", true),
        ("landbridge", false),
    ];
    for (line, good) in rows {
        assert_eq!(parse(line).is_ok(), good, "{line}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for line in [
        "landbridge --help",
        "landbridge get --help",
        "landbridge -V",
        "landbridge pki issue -h",
    ] {
        let error = parse(line).err().unwrap();
        assert_eq!(exit_of(&error), Exit::Done, "{line}");
    }
    let error = parse("landbridge frobnicate").err().unwrap();
    assert_eq!(exit_of(&error), Exit::Usage);
}

#[test]
fn every_verb_has_a_summary_and_every_asking_verb_an_example() {
    let command = Cli::command();
    for verb in command.get_subcommands() {
        assert!(
            verb.get_about().is_some(),
            "{} has no summary",
            verb.get_name()
        );
        let shown = verb
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let example = format!("\n  landbridge {}", verb.get_name());
        assert!(
            shown.contains(&example),
            "{} has no example",
            verb.get_name()
        );
    }
}
