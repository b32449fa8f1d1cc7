use std::fs;
use std::fs::File;
use std::fs::FileTimes;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

fn inputs() -> (TempDir, Inputs) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for folder in ["agreements", "guardrails", "registry/civil"] {
        fs::create_dir_all(path(folder)).unwrap();
    }
    for file in [
        "civil.toml",
        "directory.toml",
        "agreements/A.toml",
        "registry/civil/a.proto",
    ] {
        fs::write(path(file), file).unwrap();
    }
    let inputs = Inputs {
        files: vec![path("directory.toml"), path("missing.pem")],
        agreements: path("agreements"),
        guardrails: path("guardrails"),
        registry: path("registry"),
        settings: (
            path("civil.toml"),
            file(&path("civil.toml"), &mut block()).ok(),
        ),
        read: Mutex::default(),
    };
    (dir, inputs)
}

#[test]
fn every_change_of_what_is_read_is_seen_and_no_other() {
    let (dir, inputs) = inputs();
    let path = |name: &str| dir.path().join(name);
    let mode = |name: &str, mode| {
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    // Each with whether it changes anything of what is read.
    type Change<'a> = (&'a str, bool, Box<dyn Fn() + 'a>);
    let changes: Vec<Change<'_>> = vec![
        (
            "an edit",
            true,
            Box::new(|| fs::write(path("agreements/A.toml"), "B").unwrap()),
        ),
        (
            "a new file",
            true,
            Box::new(|| fs::write(path("agreements/B.toml"), "").unwrap()),
        ),
        (
            "a name",
            true,
            Box::new(|| {
                fs::rename(path("agreements/B.toml"), path("agreements/C.toml")).unwrap();
            }),
        ),
        (
            "a mode",
            true,
            Box::new(|| mode("agreements/C.toml", 0o666)),
        ),
        (
            "a folder's mode",
            true,
            Box::new(|| mode("agreements", 0o777)),
        ),
        (
            "a file that was missing",
            true,
            Box::new(|| fs::write(path("missing.pem"), "").unwrap()),
        ),
        (
            "a deep file",
            true,
            Box::new(|| fs::write(path("registry/civil/a.proto"), "b").unwrap()),
        ),
        (
            "a file gone",
            true,
            Box::new(|| fs::remove_file(path("agreements/C.toml")).unwrap()),
        ),
        (
            "a folder gone",
            true,
            Box::new(|| fs::remove_dir(path("guardrails")).unwrap()),
        ),
        (
            "a folder back",
            true,
            Box::new(|| fs::create_dir(path("guardrails")).unwrap()),
        ),
        (
            "a link that leads nowhere",
            true,
            Box::new(|| symlink("nowhere", path("agreements/L.toml")).unwrap()),
        ),
        (
            "a link that leads on",
            true,
            Box::new(|| fs::write(path("agreements/nowhere"), "").unwrap()),
        ),
        (
            "a log",
            false,
            Box::new(|| fs::write(path("civil.log"), "").unwrap()),
        ),
        (
            "another kind of file",
            false,
            Box::new(|| fs::write(path("agreements/.A.toml.swp"), "").unwrap()),
        ),
        (
            "a hidden folder of the tree",
            false,
            Box::new(|| fs::create_dir(path("registry/.git")).unwrap()),
        ),
    ];
    for (what, is_read, change) in changes {
        inputs.mark_read(inputs.contents());
        assert!(inputs.is_read(inputs.contents()), "{what}");
        change();
        assert_eq!(!inputs.is_read(inputs.contents()), is_read, "{what}");
    }
}

#[test]
fn what_leaves_no_trace_in_times_and_sizes_is_seen_in_the_contents() {
    let (dir, inputs) = inputs();
    let path = dir.path().join("agreements/A.toml");
    let before = inputs.contents();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "agreements/B.toml").unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_times(FileTimes::new().set_modified(modified))
        .unwrap();
    assert_ne!(inputs.contents(), before);
}

#[test]
fn a_look_sees_what_was_swapped_by_name_alone() {
    let (dir, inputs) = inputs();
    let path = |name: &str| dir.path().join(name);
    let before = inputs.stamp();
    assert_eq!(inputs.stamp(), before);
    fs::create_dir(path("new")).unwrap();
    fs::rename(path("agreements/A.toml"), path("new/A.toml")).unwrap();
    fs::rename(path("agreements"), path("old")).unwrap();
    fs::rename(path("new"), path("agreements")).unwrap();
    assert_ne!(inputs.stamp(), before);
}

#[test]
fn a_change_of_the_settings_is_known() {
    let (dir, inputs) = inputs();
    assert!(!inputs.have_settings_changed());
    fs::write(dir.path().join("civil.toml"), "another").unwrap();
    assert!(inputs.have_settings_changed());
}
