//! The target that `LANDBRIDGE_FUZZ` names.
#![no_main]

#[path = "../targets.rs"]
mod targets;

use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use targets::Ground;
use targets::Target;

fn target() -> &'static (Ground, Target) {
    static TARGET: OnceLock<(Ground, Target)> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("LANDBRIDGE_FUZZ").unwrap_or_default();
        let found = targets::ALL.iter().find(|(known, _)| *known == name);
        let known: Vec<_> = targets::ALL.iter().map(|(known, _)| *known).collect();
        let (_, target) = found.unwrap_or_else(|| panic!("set LANDBRIDGE_FUZZ to one of {known:?}"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        (Ground::new(&root), *target)
    })
}

fuzz_target!(|bytes: &[u8]| {
    let (ground, target) = target();
    target(ground, bytes);
});
