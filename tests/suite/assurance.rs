//! The threat model names its tests, and they exist.

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
            let (file, test) = name.split_once("::").expect("`file::test`");
            let text = fs::read_to_string(root.join(file)).unwrap_or_default();
            if !text.contains(&format!("fn {test}(")) {
                wrong.push(format!("{title}: there is no {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
