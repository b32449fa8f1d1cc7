//! The least that durable entries cost: their bytes are appended to a file filled with zeros, and flushed.

use std::fs::File;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::cost::micros;
use crate::entries;

const FILE_BYTES: usize = 64 << 20;
/// The header of a commit; then for each entry leaf, salt and the record's length.
const HEADER: usize = 64;
const OVERHEAD: usize = 144 + 32 + 4;

#[derive(Debug)]
pub(crate) struct Bare {
    file: File,
    at: usize,
}

impl Bare {
    pub(crate) fn new(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("bare");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        file.write_all_at(&vec![0; FILE_BYTES], 0)?;
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    /// Commits of `batch` entries, one after another or at best one in each `pace`. Gives the time that each took in
    /// microseconds, in rising order.
    pub(crate) fn run(
        &mut self,
        batch: f64,
        pace: Duration,
        spell: Duration,
    ) -> anyhow::Result<Vec<u32>> {
        let bytes = HEADER + (batch * (OVERHEAD + entries::record_bytes()) as f64) as usize;
        let commit = vec![0x5a; bytes];
        let begun = Instant::now();
        let mut times = Vec::new();
        while begun.elapsed() < spell {
            let started = Instant::now();
            if self.at + bytes > FILE_BYTES {
                self.at = 0;
            }
            self.file.write_all_at(&commit, self.at as u64)?;
            self.file.sync_data()?;
            self.at += bytes;
            times.push(micros(started.elapsed()));
            thread::sleep(pace.saturating_sub(started.elapsed()));
        }
        times.sort_unstable();
        Ok(times)
    }
}
