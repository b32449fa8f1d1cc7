//! The registry as a contract: what breaks it, by our own verdict and by `buf breaking`.

mod corpus;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use landbridge::registry::Registry;
use landbridge::registry::compat::compare;
use landbridge::registry::compat::rule::Category;
use serde_json::Value;
use serde_json::json;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::edit;
use crate::harness::records::Resident;

/// Rules that were broken, how often each, of one pair.
type Verdict = BTreeMap<String, usize>;

/// buf tells of it only while the package has another extension left, and we always.
const DIFFERS: &str = "PACKAGE_EXTENSION_NO_DELETE";

#[test]
fn verdicts_on_a_corpus_of_changes_are_those_of_buf() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = corpus::pairs();
    assert!(pairs.len() >= 300, "the corpus has {} pairs", pairs.len());
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    for pair in &pairs {
        pair.write(&before, &after);
    }
    let compiled = [&before, &after].map(|tree| Registry::compile(tree).unwrap());
    let findings = compare(compiled[0].pool(), compiled[1].pool());
    let images = [image(&before), image(&after)];

    let (mut broken, mut differing) = (0, Vec::new());
    for category in [
        Category::File,
        Category::Package,
        Category::WireJson,
        Category::Wire,
    ] {
        let ours = findings
            .iter()
            .filter(|finding| finding.rule.is_in(category))
            .map(|finding| {
                let place = format!("{} {}", finding.file, finding.element);
                (place, finding.rule.name().to_owned())
            });
        let ours = by_pair(ours.collect());
        let theirs = by_pair(buf_breaking(&images, category));
        for pair in &pairs {
            let (ours, theirs) = (ours.get(&pair.name), theirs.get(&pair.name));
            if ours != theirs {
                let by = category.as_str();
                differing.push(format!(
                    "{by}: {}\nours {ours:?}\nbuf's {theirs:?}",
                    pair.what
                ));
            }
            broken += theirs.map_or(0, |verdict| verdict.values().sum());
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
    assert!(broken > 1000, "the corpus breaks too little: {broken}");
}

/// By the pair's name, which begins each package and folder.
fn by_pair(findings: Vec<(String, String)>) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::<_, Verdict>::new();
    let findings = findings.into_iter();
    for (place, rule) in findings.filter(|(_, rule)| rule != DIFFERS) {
        let (_, number) = place.split_once("pair").expect("a finding is of some pair");
        let pair = format!("pair{}", number.get(..3).unwrap());
        let verdict = verdicts.entry(pair).or_default();
        *verdict.entry(rule).or_default() += 1;
    }
    verdicts
}

fn buf() -> Command {
    let program =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/node/node_modules/.bin/buf");
    assert!(
        program.exists(),
        "buf is not there; run tests/run, which installs it"
    );
    let mut command = Command::new(program);
    command.env("BUF_CACHE_DIR", std::env::temp_dir());
    command
}

fn image(tree: &Path) -> PathBuf {
    let image = tree.with_extension("binpb");
    let built = buf()
        .args(["build", "--output"])
        .arg(&image)
        .arg(tree)
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    image
}

fn buf_breaking([before, after]: &[PathBuf; 2], category: Category) -> Vec<(String, String)> {
    let name = category.as_str();
    let config = format!(r#"{{"version":"v2","breaking":{{"use":["{name}"]}}}}"#);
    let output = buf()
        .arg("breaking")
        .arg(after)
        .arg("--against")
        .arg(before)
        .args(["--config", &config, "--error-format", "json"])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        !told.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    told.lines()
        .map(|line| {
            let finding: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| finding[key].as_str().unwrap();
            // What a deleted file or package is called stands in the message alone.
            let path = finding["path"].as_str().unwrap_or_default();
            (
                format!("{path} {}", text("message")),
                text("type").to_owned(),
            )
        })
        .collect()
}

/// Rules of style that buf has, too.
const LINT: [&str; 15] = [
    "COMMENT_ENUM",
    "COMMENT_FIELD",
    "COMMENT_MESSAGE",
    "ENUM_PASCAL_CASE",
    "ENUM_VALUE_PREFIX",
    "ENUM_VALUE_UPPER_SNAKE_CASE",
    "ENUM_ZERO_VALUE_SUFFIX",
    "FIELD_LOWER_SNAKE_CASE",
    "MESSAGE_PASCAL_CASE",
    "ONEOF_LOWER_SNAKE_CASE",
    "PACKAGE_DIRECTORY_MATCH",
    "RPC_PASCAL_CASE",
    "SERVICE_PASCAL_CASE",
    "PACKAGE_LOWER_SNAKE_CASE",
    "PACKAGE_VERSION_SUFFIX",
];

/// Names in every style that somebody may have.
const NAMES: [&str; 30] = [
    "Foo",
    "foo",
    "FOO",
    "FooBar",
    "fooBar",
    "foo_bar",
    "FOO_BAR",
    "Foo_Bar",
    "foo_Bar",
    "FooBAR",
    "FOOBar",
    "Foo2",
    "foo2",
    "foo_2",
    "Foo2Bar",
    "foo2bar",
    "foo2_bar",
    "foo_2bar",
    "Foo2bar",
    "FOO2",
    "FOO_2",
    "F",
    "f",
    "f2",
    "F2",
    "HTTPServer",
    "http_server_v2",
    "IDNumber",
    "id_n",
    "A1b2C3",
];

#[test]
fn remarks_on_style_are_those_of_buf() {
    let folder = tempfile::tempdir().unwrap();
    for (number, name) in NAMES.iter().enumerate() {
        let package = format!("style.n{number}.v1");
        let directory = match number {
            // Not where its package says.
            7 => "elsewhere".to_owned(),
            _ => format!("style/n{number}/v1"),
        };
        let comment = if number % 3 == 0 { "// Told.\n" } else { "" };
        let prefix = name.to_uppercase();
        let text = format!(
            "syntax = \"proto3\";\npackage {package};\n\
             {comment}message {name} {{\n{comment}string x{name} = 1;\n{comment}string {name}x = 2;\n\
             oneof o{name} {{\n{comment}string y = 3;\n}}\n{comment}message {name} {{\n}}\n}}\n\
             {comment}enum E{name} {{\n{name}_ZERO = 0;\nE_{prefix}_ONE = 1;\nE{prefix}_TWO = 2;\nE_{name} = 3;\n}}\n\
             {comment}enum {name}E {{\n{prefix}_E_UNSPECIFIED = 0;\n{prefix}E_{name} = 1;\n}}\n\
             service {name}S {{\nrpc {name}(M) returns (M);\n}}\n{comment}message M {{\n}}\n"
        );
        let path = folder.path().join(directory);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join(format!("n{number}.proto")), text).unwrap();
    }
    let registry = Registry::compile(folder.path()).unwrap();
    let ours: BTreeSet<_> = landbridge::registry::lint::lint(registry.pool())
        .into_iter()
        .filter(|remark| LINT.contains(&remark.rule))
        .map(|remark| (remark.file, remark.line as u64, remark.rule.to_owned()))
        .collect();
    let config = json!({ "version": "v2", "lint": { "use": LINT } }).to_string();
    let output = buf()
        .arg("lint")
        .args(["--config", &config, "--error-format", "json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let theirs: BTreeSet<_> = told
        .lines()
        .map(|line| {
            let remark: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| remark[key].as_str().unwrap().to_owned();
            (
                text("path"),
                remark["start_line"].as_u64().unwrap(),
                text("type"),
            )
        })
        .collect();
    assert!(theirs.len() > 300, "{}", theirs.len());
    let only = |one: &BTreeSet<_>, other| one.difference(other).cloned().collect::<Vec<_>>();
    assert_eq!(
        (only(&ours, &theirs), only(&theirs, &ours)),
        (vec![], vec![])
    );
}

/// What `landbridge registry` prints, and how it ends.
fn landbridge(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .arg("registry")
        .args(arguments)
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder);
    git.args(["-c", "user.name=test", "-c", "user.email=test@example.org"]);
    let output = git.args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A copy of the sample registry below a folder of a git repository, committed.
fn sample(folder: &Path) -> PathBuf {
    let root = folder.join("schemas");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/registry");
    let copied = Command::new("cp").arg("-r").arg(sample).arg(&root).status();
    assert!(copied.unwrap().success());
    git(folder, &["init", "--quiet"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "--message", "Before"]);
    root
}

#[test]
fn a_change_is_checked_against_a_folder_an_image_and_a_revision_in_git() {
    let folder = tempfile::tempdir().unwrap();
    let root = sample(folder.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let before = sample(elsewhere.path());
    let changed = root.join("civil/v1/resident.proto");
    let text = std::fs::read_to_string(&changed).unwrap();
    let text = text
        .replace("mask: \"month\"", "")
        .replace("full_name = 2", "name = 2");
    std::fs::write(&changed, &text).unwrap();
    let line_of =
        |part: &str| 1 + text.lines().position(|line| line.contains(part)).unwrap() as u64;
    let (name, birth) = (line_of("string name = 2"), line_of("birth_date = 5"));

    let registry = Registry::compile(&before).unwrap();
    let image = folder.path().join("before.binpb");
    std::fs::write(&image, registry.pool().encode_to_vec()).unwrap();

    let root = root.to_str().unwrap();
    for against in [before.to_str().unwrap(), image.to_str().unwrap(), "HEAD"] {
        let (exit, told) = landbridge(&["check", root, "--against", against, "--json"]);
        assert_eq!(exit, Some(1), "{told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        let findings: Vec<_> = told["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                (
                    finding["rule"].as_str().unwrap(),
                    finding["line"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            findings,
            [
                ("FIELD_SAME_NAME", name),
                ("FIELD_SAME_JSON_NAME", name),
                ("FIELD_MASK_NOT_WEAKENED", birth)
            ],
            "{against}"
        );
    }
    assert_eq!(landbridge(&["check", root]).0, Some(0));
    assert_eq!(
        landbridge(&["check", root, "--against", "HEAD", "--rules", "WIRE"]).0,
        Some(0)
    );
    let (exit, told) = landbridge(&["check", root, "--against", "no-such-thing"]);
    assert_eq!(exit, Some(1));
    assert!(
        told.contains("git finds no revision `no-such-thing`"),
        "{told}"
    );
}

#[test]
fn the_layout_is_checked_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let root = sample(folder.path());
    let untidy = root.join("tax/v1/payment.proto");
    let text = std::fs::read_to_string(&untidy).unwrap();
    std::fs::write(&untidy, text.replace("  ", "\t")).unwrap();
    let (root, told) = (root.to_str().unwrap(), format!("{}\n", untidy.display()));

    assert_eq!(
        landbridge(&["fmt", root, "--check"]),
        (Some(1), told.clone())
    );
    assert_eq!(landbridge(&["fmt", root]), (Some(0), told));
    assert_eq!(std::fs::read_to_string(&untidy).unwrap(), text);
    assert_eq!(
        landbridge(&["fmt", root, "--check"]),
        (Some(0), String::new())
    );
}

#[tokio::test]
async fn what_a_change_touches_is_told_before_it_is_published() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    for _ in 0..2 {
        system.ask(&Asked::get(&Resident(1).key())).await.unwrap();
    }
    let (before, after) = (world.path("proto/registry"), world.path("proto/candidate"));
    let copied = Command::new("cp")
        .arg("-r")
        .arg(&before)
        .arg(&after)
        .status();
    assert!(copied.unwrap().success());
    let changed = after.join("civil/v1/resident.proto");
    edit(
        &changed,
        "string full_name = 2",
        "reserved 2; reserved \"full_name\"; string name = 40",
    );
    edit(&changed, "  STATUS_ACTIVE = 1;", "  STATUS_ALIVE = 1;");

    edit(
        &after.join("civil/v1/household.proto"),
        "message Household {",
        "message Homestead {",
    );

    let config = world.federation.settings("civil");
    let [before, after, config] = [&before, &after, &config].map(|path| path.to_str().unwrap());
    let (exit, told) = landbridge(&[
        "check",
        after,
        "--against",
        before,
        "--config",
        config,
        "--json",
    ]);
    assert_eq!(exit, Some(1), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let rules: Vec<_> = told["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["rule"])
        .collect();
    assert!(
        rules.contains(&&json!("GRANTED_FIELD_NO_DELETE")),
        "{rules:?}"
    );
    let touched: Vec<_> = told["touched"]
        .as_array()
        .unwrap()
        .iter()
        .map(|touched| {
            let text = |key: &str| touched[key].as_str().unwrap();
            format!("{} {}: {}", text("what"), text("name"), text("consequence"))
        })
        .collect();
    for wanted in [
        "agreement CIV-TAX-2026-01: `full_name` of civil.v1.Resident is no longer released",
        "policy grant[0].rows: would be refused: `STATUS_ACTIVE` is not a value of civil.v1.Status",
        "source source[population].record[1].type: would be refused: unknown record type `civil.v1.Household`",
        "consumer tax assessment: asked 2 times for civil.v1.Resident",
    ] {
        assert!(
            touched.iter().any(|told| told.starts_with(wanted)),
            "{wanted}\n{touched:#?}"
        );
    }
}
