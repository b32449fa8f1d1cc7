//! The threat model and the list of neighbours name their tests, and the tests exist.

use std::fs;
use std::path::Path;

#[test]
fn every_threat_is_held_by_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let threats: Vec<&str> = model.split("\n### ").skip(1).collect();
    assert!(threats.len() >= 18, "{} threats", threats.len());
    let mut wrong = Vec::new();
    for threat in threats {
        let title = threat.lines().next().unwrap();
        let named: Vec<_> = threat
            .lines()
            .filter_map(|line| line.strip_prefix("- `")?.strip_suffix('`'))
            .collect();
        if named.is_empty() {
            wrong.push(format!("{title}: no test"));
        }
        for name in named {
            if !exists(name) {
                wrong.push(format!("{title}: there is no {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_neighbour_is_held_by_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("docs/neighbours.md")).unwrap();
    let heads = ["| what | how | held by |", "| --- | --- | --- |"];
    let rows: Vec<_> = list
        .lines()
        .filter(|line| line.starts_with('|') && !heads.contains(line))
        .collect();
    let mut wrong = Vec::new();
    for row in &rows {
        let (_, held_by) = row.trim_end_matches([' ', '|']).rsplit_once('|').unwrap();
        let named: Vec<_> = held_by.split('`').skip(1).step_by(2).collect();
        if named.is_empty() || !named.into_iter().all(exists) {
            wrong.push(*row);
        }
    }
    assert!(!rows.is_empty());
    assert!(wrong.is_empty(), "no such test:\n{}", wrong.join("\n"));
}

/// Whether there is the test that is named as `file::test`.
fn exists(name: &str) -> bool {
    let (file, test) = name.split_once("::").expect("`file::test`");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    text.contains(&format!("fn {test}("))
}
