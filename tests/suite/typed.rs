//! What README, docs, the demo and `--help` tell readers to type works as it stands, in a fresh clone.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// In the order in which a reader comes to them: what one has made, the next may use.
const PAGES: [&str; 6] = [
    "README.md",
    "docs/registry.md",
    "docs/corrections.md",
    "docs/evidence.md",
    "docs/audit-api.md",
    "docs/console.md",
];

/// Types what it is given, as `typed.sh` begins, in a network of its own: the demo listens where its pages say.
fn type_all(script: &str) -> (String, String) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let clone = tempfile::tempdir().unwrap();
    let release = clone.path().join("target/release");
    fs::create_dir_all(&release).unwrap();
    symlink(env!("CARGO_BIN_EXE_landbridge"), release.join("landbridge")).unwrap();
    for folder in ["tests", "proto", "config", "docs"] {
        symlink(repository.join(folder), clone.path().join(folder)).unwrap();
    }
    let tools = ["target/venv/bin", "tests/clients/node/node_modules/.bin"]
        .map(|folder| repository.join(folder).display().to_string());
    let file = clone.path().join("typed.sh");
    fs::write(
        &file,
        format!("{}\n{script}\nleave\n", include_str!("typed.sh")),
    )
    .unwrap();
    let output = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
        ])
        .args(["bash", "typed.sh"])
        .current_dir(clone.path())
        .env("TOOLS", tools.join(":"))
        .env_remove("LANDBRIDGE_PROFILE")
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let failed = fs::read_to_string(clone.path().join("failed")).expect(&log);
    (failed, log.into_owned())
}

#[test]
fn what_the_pages_tell_readers_to_type_works_as_it_stands() {
    let mut script = String::from("demo\n");
    for page in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = fs::read_to_string(path).unwrap();
        let steps = steps(&text);
        assert!(!steps.is_empty(), "{page} has nothing to type");
        for step in steps {
            match step {
                Step::Commands(commands) => add(&mut script, page, &commands),
                Step::File { path, text } => {
                    writeln!(script, "cat >> {path} <<'END'\n{text}END").unwrap();
                }
            }
        }
    }
    let (failed, log) = type_all(&script);
    assert!(failed.is_empty(), "{log}\n\n{failed}");
}

#[test]
fn what_the_demo_and_the_help_tell_readers_to_type_works_as_it_stands() {
    let mut script = String::from("demo\nwhat_next\nexamples_from\n");
    let mut verbs = VecDeque::from([Vec::new()]);
    let mut examples = 0;
    while let Some(verb) = verbs.pop_front() {
        let help = help(&verb);
        for inner in subcommands(&help) {
            verbs.push_back([verb.clone(), vec![inner]].concat());
        }
        for example in in_examples(&help) {
            examples += 1;
            add(
                &mut script,
                &format!("landbridge {} --help", verb.join(" ")),
                &example,
            );
        }
    }
    assert!(examples > 60, "{examples} examples");
    let (failed, log) = type_all(&script);
    assert!(failed.is_empty(), "{log}\n\n{failed}");
}

#[test]
fn both_readmes_tell_readers_to_type_the_same() {
    let commands = |page: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = fs::read_to_string(path).unwrap();
        let mut typed = Vec::new();
        for step in steps(&text) {
            let (Step::Commands(text) | Step::File { text, .. }) = step;
            for line in text.lines() {
                let line = line.split('#').next().unwrap_or_default().trim_end();
                typed.push(line.replace("<交换编号>", "<exchange id>"));
            }
        }
        typed
    };
    let english = commands("README.md");
    assert!(english.len() > 10, "{english:?}");
    assert_eq!(commands("README.zh-CN.md"), english);
}

/// A part of a page that is to be typed.
enum Step {
    Commands(String),
    /// A file, or what is added to one: the paragraph before it leads to its name.
    File {
        path: String,
        text: String,
    },
}

/// The fenced blocks of a page that are commands, or files with a name.
fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut paragraph, mut is_over) = (String::new(), false);
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.trim_start().strip_prefix("```") else {
            match line.trim() {
                "" => is_over = true,
                words => {
                    if is_over {
                        paragraph.clear();
                    }
                    is_over = false;
                    paragraph.extend([words, " "]);
                }
            }
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let text: String = lines
            .by_ref()
            .take_while(|line| line.trim_start() != "```")
            .map(|line| format!("{}\n", line.get(indent..).unwrap_or_default()))
            .collect();
        match (kind, named_file(&paragraph)) {
            ("sh", _) => steps.push(Step::Commands(text)),
            ("proto" | "toml" | "csv", Some(path)) => steps.push(Step::File { path, text }),
            _ => {}
        }
        paragraph.clear();
    }
    steps
}

/// The last name of a file in a paragraph.
fn named_file(paragraph: &str) -> Option<String> {
    let names = paragraph.split('`').skip(1).step_by(2);
    let is_file = |name: &&str| {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        ending.is_some_and(|ending| ["proto", "toml", "csv"].contains(&ending))
    };
    names.filter(is_file).last().map(str::to_owned)
}

fn help(verb: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .args(verb)
        .arg("--help")
        .output()
        .unwrap();
    assert!(output.status.success(), "{verb:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn subcommands(help: &str) -> Vec<String> {
    let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
    listed
        .lines()
        .map_while(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Each example is indented by two; a line that is indented further goes on with it.
fn in_examples(help: &str) -> Vec<String> {
    let shown = help.split("Examples:\n").nth(1).unwrap_or_default();
    let mut examples: Vec<String> = Vec::new();
    for line in shown.lines().map_while(|line| line.strip_prefix("  ")) {
        match (line.strip_prefix(' '), examples.last_mut()) {
            (Some(more), Some(example)) => {
                write!(example, "\n{}", more.trim_start()).unwrap();
            }
            _ => examples.push(line.to_owned()),
        }
    }
    examples
}

/// Adds commands to the script.
fn add(script: &mut String, place: &str, commands: &str) {
    writeln!(
        script,
        "typed '{place}' <<'END'\n{}\nEND",
        commands.trim_end()
    )
    .unwrap();
}
