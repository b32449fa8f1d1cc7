//! A disk under a gateway's journal that fails when it is told to.

use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use super::World;

/// How a disk is; the letters are those of `disk.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Disk {
    Sound = b'.',
    /// No file grows.
    Full = b'n',
    /// Half of what is written gets there, and the write fails.
    WritesFail = b'w',
    FlushesFail = b'f',
    /// Half of what is written gets there, and the gateway is killed at that moment.
    Torn = b't',
    /// Each flush takes 50 ms more.
    Slow = b's',
}

/// The disk of one department's gateway.
pub(crate) struct FailingDisk {
    library: PathBuf,
    under: PathBuf,
    state: PathBuf,
}

impl FailingDisk {
    pub(crate) fn of(world: &World, department: &str) -> Self {
        let library = world.path("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/harness/disk.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .status();
        assert!(built.unwrap().success());
        let state = world.path(&format!("disk.{department}"));
        fs::write(&state, [Disk::Sound as u8]).unwrap();
        Self {
            library,
            under: world
                .path(&format!("var/{department}"))
                .canonicalize()
                .unwrap(),
            state,
        }
    }

    /// What a gateway is started with, to be on this disk.
    pub(crate) fn settings(&self) -> [(&'static str, &str); 3] {
        [
            ("env:LD_PRELOAD", self.library.to_str().unwrap()),
            ("env:DISK_UNDER", self.under.to_str().unwrap()),
            ("env:DISK_STATE", self.state.to_str().unwrap()),
        ]
    }

    pub(crate) fn becomes(&self, disk: Disk) {
        // In place: the gateway has the file mapped.
        let file = OpenOptions::new().write(true).open(&self.state).unwrap();
        file.write_all_at(&[disk as u8], 0).unwrap();
    }
}
