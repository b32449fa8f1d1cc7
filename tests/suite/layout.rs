//! The order of the modules in `lib.rs` is the order of use: a module may use only those above it. Within one, no circles.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

#[test]
fn a_module_uses_only_those_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
    let order: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert!(order.len() > 10, "lib.rs declares {} modules", order.len());

    let mut wrong = Vec::new();
    for file in sources(&src) {
        let Some(place) = order.iter().position(|module| belongs(&file, &src, module)) else {
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        for later in &order[place + 1..] {
            if text.contains(&format!("crate::{later}::"))
                || text.contains(&format!("crate::{later};"))
            {
                wrong.push(format!("{} uses {later}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Circles between the files of one module, each file with all below it. What is in a circle cannot be understood alone.
#[test]
fn no_files_use_one_another_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut uses: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    let files: Vec<_> = sources(&src)
        .into_iter()
        .filter(|file| !is_for_tests(file))
        .collect();
    for file in &files {
        uses.insert(module(file, &src), BTreeSet::new());
    }
    let known: BTreeSet<_> = uses.keys().cloned().collect();
    for file in &files {
        let own = module(file, &src);
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code: String = code
            .lines()
            .map(|line| line.split("//").next().unwrap())
            .collect::<Vec<_>>()
            .join("\n");
        let used = paths(&code, &own).filter_map(|path| {
            let lengths = (1..=path.len()).rev();
            let mut prefixes = lengths.map(|length| path[..length].to_vec());
            prefixes.find(|prefix| known.contains(prefix))
        });
        uses.get_mut(&own).unwrap().extend(used);
    }
    let modules: BTreeSet<Vec<String>> = known
        .iter()
        .flat_map(|path| (0..path.len()).map(|length| path[..length].to_vec()))
        .collect();
    let mut found = BTreeSet::new();
    for module in &modules {
        let mut siblings: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (user, used) in &uses {
            let Some(from) = child(user, module) else {
                continue;
            };
            let to = used.iter().filter_map(|used| child(used, module));
            siblings
                .entry(from)
                .or_default()
                .extend(to.filter(|to| *to != from));
        }
        found.extend(circles(&siblings).into_iter().map(|circle| {
            let names = circle.into_iter().collect::<Vec<_>>().join(" ");
            format!("{}: {names}", module.join("::"))
        }));
    }
    let ledger = include_str!("layout_circles.txt");
    let known: BTreeSet<_> = ledger
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        found, known,
        "circles that are new, or gone from the ledger"
    );
}

/// The child of the module in which the path lies.
fn child<'a>(path: &'a [String], module: &[String]) -> Option<&'a str> {
    Some(path.strip_prefix(module)?.first()?.as_str())
}

/// The sets of those who reach one another.
fn circles<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<BTreeSet<&'a str>> {
    let reached = |from: &'a str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(at) = next.pop() {
            for to in uses.get(at).into_iter().flatten() {
                if seen.insert(*to) {
                    next.push(to);
                }
            }
        }
        seen
    };
    let all: BTreeMap<_, _> = uses.keys().map(|name| (*name, reached(name))).collect();
    let of_one = |name: &'a str| -> BTreeSet<&'a str> {
        let others = all[name].iter().copied();
        others
            .filter(|other| all.get(other).is_some_and(|back| back.contains(name)))
            .collect()
    };
    let circles = uses.keys().map(|name| of_one(name));
    circles.filter(|circle| circle.len() > 1).collect()
}

/// The paths that begin at the crate or at a parent, from the crate on.
fn paths<'a>(code: &'a str, own: &'a [String]) -> impl Iterator<Item = Vec<String>> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    code.split(move |c| !is_part(c)).filter_map(move |path| {
        let parts: Vec<&str> = path.split("::").collect();
        let ups = parts.iter().take_while(|part| **part == "super").count();
        let (base, rest) = match parts[0] {
            "crate" => (&own[..0], &parts[1..]),
            "self" => (own, &parts[1..]),
            "super" => (&own[..own.len().checked_sub(ups)?], &parts[ups..]),
            _ => return None,
        };
        let rest = rest.iter().map(|part| (*part).to_owned());
        Some(base.iter().cloned().chain(rest).collect())
    })
}

fn module(file: &Path, src: &Path) -> Vec<String> {
    let path = file.strip_prefix(src).unwrap().with_extension("");
    let parts = path.iter().map(|part| part.to_str().unwrap().to_owned());
    parts.collect()
}

fn is_for_tests(file: &Path) -> bool {
    let names = ["tests", "testing", "harness", "sample"];
    let mut parts = file.iter().map(|part| part.to_str().unwrap());
    parts.any(|part| names.contains(&part.trim_end_matches(".rs")))
}

fn belongs(file: &Path, src: &Path, module: &str) -> bool {
    file == src.join(format!("{module}.rs")) || file.starts_with(src.join(module))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}
