//! What a reload reads by path: which files there are now, and whether they are as they were when they were last read.

#[cfg(test)]
mod tests;

use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use crate::assembly::files::AGREEMENTS;
use crate::assembly::files::GUARDRAILS;
use crate::assembly::files::policy_paths;
use crate::assembly::run_blocking;
use crate::config::Config;
use crate::config::DoorConfig;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::registry::Registry;

/// Read at a time, to be hashed.
const BLOCK: usize = 64 * 1024;

/// The files and folders, each by the path that the settings have: links are followed anew whenever one looks.
#[derive(Debug)]
pub(super) struct Inputs {
    files: Vec<PathBuf>,
    agreements: PathBuf,
    guardrails: PathBuf,
    registry: PathBuf,
    /// The settings, and what they were when this was made.
    settings: (PathBuf, Option<(u32, Digest)>),
    /// As the last reading found them, be it that they were put in force or refused.
    read: Mutex<Option<Contents>>,
}

/// What all of it says, with everything beside that a reading judges, such as modes and what cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contents(Digest);

/// Which files these are and when they were changed, which is quick to find out. It misses a change that leaves the times
/// alone, as networks' file systems do for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp(Vec<(PathBuf, Option<Place>)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    device: u64,
    inode: u64,
    bytes: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Inputs {
    pub(super) fn of(config: &Config) -> Self {
        let mut files = vec![config.directory.clone()];
        files.extend(config.witness.policy.clone());
        files.extend(material(&config.systems));
        files.extend(material(&config.peers));
        // A change of the settings is told of, though it takes effect at a restart.
        files.push(config.file.clone());
        Self {
            settings: (config.file.clone(), file(&config.file, &mut block()).ok()),
            files,
            agreements: config.agreements.clone(),
            guardrails: config.guardrails.clone(),
            registry: config.registry.clone(),
            read: Mutex::default(),
        }
    }

    /// Takes down what a reading has found.
    pub(super) fn mark_read(&self, contents: Contents) {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(contents);
    }

    /// Whether the last reading has found just this.
    pub(super) fn is_read(&self, contents: Contents) -> bool {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) == Some(contents)
    }

    /// On a thread of its own: they may be many, or on a slow server.
    pub(super) async fn contents_blocking(self: &Arc<Self>) -> Contents {
        let own = self.clone();
        run_blocking(move || own.contents()).await
    }

    pub(super) fn have_settings_changed(&self) -> bool {
        let (path, before) = &self.settings;
        file(path, &mut block()).ok() != *before
    }

    pub(super) fn stamp(&self) -> Stamp {
        let place = |path: PathBuf| {
            let place = fs::metadata(&path).ok().as_ref().map(Place::of);
            (path, place)
        };
        Stamp(self.paths(|_| {}).into_iter().map(place).collect())
    }

    pub(super) fn contents(&self) -> Contents {
        let mut all = digest::Context::new(&digest::SHA256);
        let mut block = block();
        let paths = self.paths(|fault| update(&mut all, fault.to_string().as_bytes()));
        for path in paths {
            update(&mut all, path.as_os_str().as_bytes());
            match file(&path, &mut block) {
                Ok((mode, of_file)) => {
                    all.update(&mode.to_be_bytes());
                    all.update(&of_file);
                }
                Err(error) => update(&mut all, error.to_string().as_bytes()),
            }
        }
        Contents(of(all))
    }

    /// Everything that is read, by the folders' listings as they are now; tells what cannot be listed.
    fn paths(&self, mut unlisted: impl FnMut(&Fault)) -> Vec<PathBuf> {
        let mut paths = self.files.clone();
        // For their modes.
        paths.extend([&self.agreements, &self.guardrails, &self.registry].map(PathBuf::clone));
        let listings = [
            policy_paths(&self.agreements, AGREEMENTS).map_err(|fault| vec![fault]),
            policy_paths(&self.guardrails, GUARDRAILS).map_err(|fault| vec![fault]),
            Registry::paths(&self.registry),
        ];
        for listing in listings {
            match listing {
                Ok(listed) => paths.extend(listed),
                Err(faults) => faults.iter().for_each(&mut unlisted),
            }
        }
        paths
    }
}

impl Place {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn material(door: &DoorConfig) -> impl Iterator<Item = PathBuf> {
    let material = &door.material;
    let files = [&material.certificate, &material.key, &material.ca];
    files.into_iter().chain(&material.crls).cloned()
}

/// Keys are among what is read, so it is wiped. Once for all files: that costs more than to hash a small one.
fn block() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![0; BLOCK])
}

/// The mode, and the digest of what is in it. Opening a pipe would wait for its writer.
fn file(path: &Path, block: &mut [u8]) -> io::Result<(u32, Digest)> {
    let metadata = fs::metadata(path)?;
    let mut context = digest::Context::new(&digest::SHA256);
    if metadata.is_file() {
        let mut file = File::open(path)?;
        loop {
            match file.read(block) {
                Ok(0) => break,
                Ok(bytes) => context.update(block.get(..bytes).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok((metadata.mode(), of(context)))
}

/// With its length, so that one text's end cannot be another's beginning.
fn update(context: &mut digest::Context, text: &[u8]) {
    context.update(&(text.len() as u64).to_be_bytes());
    context.update(text);
}

fn of(context: digest::Context) -> Digest {
    let mut digest = Digest::default();
    digest.copy_from_slice(context.finish().as_ref());
    digest
}
