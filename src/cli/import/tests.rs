use std::fs;
use std::path::Path;

use clap::Parser;

use crate::cli::Cli;
use crate::cli::exit::Exit;

const SCHEMA: &str = r#"
syntax = "proto3";
package civil.v1;
import "landbridge/v1/annotations.proto";
// A person.
message Person {
  option (landbridge.v1.record) = { owner: "civil" key: "id" title: "Person" sharing: SHARING_CLASS_CONDITIONAL };
  string id = 1;
  string full_name = 2;
  uint32 height = 3;
}
"#;

/// Imports a text into a fresh database; gives the exit and whether the database is there.
fn imported(csv: &str, more: &[&str]) -> (Exit, bool) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write(
        &folder.path().join("registry/civil/v1/person.proto"),
        SCHEMA,
    );
    fs::write(at("people.csv"), csv).unwrap();
    let (file, registry, database) = (at("people.csv"), at("registry"), at("civil.sqlite"));
    let line = ["landbridge", "import", &file, "--record", "civil.v1.Person"];
    let place = ["--registry", &registry, "--database", &database];
    let line = line.iter().chain(&place).chain(more);
    let exit = Cli::try_parse_from(line).unwrap().run();
    (exit, fs::exists(&database).unwrap())
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const GOOD: &str = "id,full_name,height\n1,王芳,170\n2,Li,\n";

#[test]
fn rows_that_fit_are_imported() {
    assert_eq!(imported(GOOD, &[]), (Exit::Done, true));
}

#[test]
fn a_row_that_does_not_fit_fails_the_import() {
    assert_eq!(
        imported("id,full_name,height\n1,x,tall\n", &[]).0,
        Exit::Failed
    );
    assert_eq!(imported("id,nickname\n1,x\n", &[]).0, Exit::Failed);
}

#[test]
fn a_dry_run_writes_nothing() {
    assert_eq!(imported(GOOD, &["--dry-run"]), (Exit::Done, false));
}

#[test]
fn a_table_of_an_unfit_name_is_bad_usage() {
    let line = "landbridge import x.csv --record a.v1.B --config c.toml --table a;b";
    assert!(Cli::try_parse_from(line.split(' ')).is_err());
}
