//! The order of the modules in `lib.rs` is the order of use: a module may use only those above it.

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
