//! What the pages name exists: the tests that hold a threat, a neighbour or an invariant, the files, the terms.

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

#[test]
fn every_invariant_is_held_by_tests_that_exist() {
    let page = page("docs/architecture.md");
    let (_, section) = page.split_once("## What must hold").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows: Vec<_> = section
        .lines()
        .filter(|line| line.starts_with("| ") && line.ends_with("` |"))
        .collect();
    assert!(rows.len() >= 13, "{} invariants", rows.len());
    for row in rows {
        let cells: Vec<_> = row.trim_matches([' ', '|']).split(" | ").collect();
        let [_, _, files, tests] = cells[..] else {
            panic!("four cells: {row}");
        };
        assert!(quoted(files).count() > 0, "no file: {row}");
        assert!(quoted(tests).count() > 0, "no test: {row}");
        for test in quoted(tests) {
            assert!(exists(test), "there is no {test}");
        }
    }
}

/// Without this a file that is moved leaves the pages behind.
#[test]
fn every_file_that_the_pages_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for path in pages() {
        let text = fs::read_to_string(root.join(&path)).unwrap();
        let folder = root.join(&path).parent().unwrap().to_owned();
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#', ' ']).next().unwrap();
            let is_local =
                !link.is_empty() && !link.contains("://") && !link.starts_with("mailto:");
            if is_local && !folder.join(link).exists() {
                wrong.push(format!("{path}: {link}"));
            }
        }
        for name in quoted(&text).filter(|name| is_path(name)) {
            let name = name.split("::").next().unwrap();
            if !root.join(name).exists() {
                wrong.push(format!("{path}: `{name}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "not there:\n{}", wrong.join("\n"));
}

/// One term for one thing: the glossary's Chinese is what users read.
#[test]
fn every_term_of_the_glossary_is_the_one_that_users_read() {
    let page = page("docs/architecture.md");
    let (_, section) = page.split_once("## Terms").unwrap();
    let read = [
        "README.zh-CN.md",
        "src/console/words.rs",
        "src/evidence/export/bundle/README.md",
    ]
    .map(self::page)
    .concat();
    let rows: Vec<_> = section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(2)
        .collect();
    assert!(rows.len() >= 30, "{} terms", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let chinese = row.trim_matches([' ', '|']).rsplit(" | ").next().unwrap();
        for term in chinese.split(['、', '；', '：']) {
            if !read.contains(term) {
                wrong.push(term);
            }
        }
    }
    assert!(wrong.is_empty(), "users read other words: {wrong:?}");
}

fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// All pages of the project, by their paths from its root.
fn pages() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    for folder in [
        "",
        "docs",
        "docs/decisions",
        "benches",
        "certs",
        "deploy",
        "config",
    ] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                pages.push(Path::new(folder).join(name).to_str().unwrap().to_owned());
            }
        }
    }
    pages
}

/// What stands between backticks on one line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Whether that is a path of this repository, whole.
fn is_path(name: &str) -> bool {
    let roots = ["src/", "tests/", "docs/", "benches/", "deploy/", ".ci/"];
    roots.iter().any(|root| name.starts_with(root)) && !name.contains([' ', '*', '<', '{', '…'])
}

/// Whether there is the test that is named as `file::test`.
fn exists(name: &str) -> bool {
    let (file, test) = name.split_once("::").expect("`file::test`");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    text.contains(&format!("fn {test}("))
}
