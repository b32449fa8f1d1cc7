//! Reads the `.proto` files below a folder.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use crate::fault::Fault;
use crate::text::unmarked;

/// The most files that a tree may have.
const MAX_FILES: usize = 10_000;
/// The deepest that folders may nest.
const MAX_FOLDERS: usize = 32;
/// The most that one file may have, in bytes.
const MAX_FILE: u64 = 4 << 20;
/// The most that all files may have together, in bytes.
const MAX_TREE: usize = 256 << 20;

/// A file of the tree as it was read.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root, with `/`: the name by which others import it.
    pub(crate) name: String,
    /// The path as an administrator knows it.
    pub(super) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(super) fn fault(&self, line: usize, column: usize, key: &str, message: String) -> Fault {
        Fault {
            file: self.path.clone(),
            line,
            column,
            key: key.to_owned(),
            message,
        }
    }
}

/// All `.proto` files below the root, by name.
pub(super) fn read(root: &Path) -> Result<Vec<Source>, Vec<Fault>> {
    let Walk {
        files, mut faults, ..
    } = Walk::from(root);
    let mut sources = Vec::new();
    let mut bytes = 0;
    for (name, path) in files {
        match source(name, &path) {
            Ok(source) => {
                bytes += source.text.len();
                sources.push(source);
            }
            Err(message) => faults.push(fault(&path, &message)),
        }
        if bytes > MAX_TREE {
            faults.push(too_large(&path));
            break;
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

/// Where all `.proto` files below the root are.
pub(super) fn paths(root: &Path) -> Result<Vec<PathBuf>, Vec<Fault>> {
    let walk = Walk::from(root);
    match walk.faults.is_empty() {
        true => Ok(walk.files.into_iter().map(|(_, path)| path).collect()),
        false => Err(walk.faults),
    }
}

/// Finds the files. Hidden entries are left out; links are followed, loops refused.
#[derive(Default)]
struct Walk {
    /// Each with its name.
    files: Vec<(String, PathBuf)>,
    faults: Vec<Fault>,
    full: bool,
}

impl Walk {
    fn from(root: &Path) -> Self {
        let mut walk = Self::default();
        match root.canonicalize() {
            Ok(canonical) => walk.folder(root, "", &[canonical]),
            Err(error) => walk.fault(root, &error.to_string()),
        }
        if walk.files.is_empty() && walk.faults.is_empty() {
            walk.fault(root, "there is no `.proto` file below this folder");
        }
        walk
    }

    /// `above`: the canonical paths of the folder and of those that it stands in.
    fn folder(&mut self, folder: &Path, prefix: &str, above: &[PathBuf]) {
        let entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => return self.fault(folder, &error.to_string()),
        };
        let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        for path in paths {
            if self.full {
                return;
            }
            self.entry(&path, prefix, above);
        }
    }

    fn entry(&mut self, path: &Path, prefix: &str, above: &[PathBuf]) {
        let file_name = path.file_name().unwrap_or_default();
        let Some(name) = file_name.to_str() else {
            return self.fault(path, "the name is not UTF-8; rename it");
        };
        if name.starts_with('.') {
            return;
        }
        let name = format!("{prefix}{name}");
        let is_proto = path.extension().is_some_and(|e| e == "proto");
        match path.metadata() {
            Ok(meta) if meta.is_dir() => self.enter(path, &name, above),
            Ok(meta) if meta.is_file() && is_proto => self.file(path, name),
            Ok(_) => {}
            Err(error) if is_proto => self.fault(path, &error.to_string()),
            Err(_) => {}
        }
    }

    fn enter(&mut self, path: &Path, name: &str, above: &[PathBuf]) {
        let canonical = match path.canonicalize() {
            Ok(canonical) => canonical,
            Err(error) => return self.fault(path, &error.to_string()),
        };
        if above.contains(&canonical) {
            return self.fault(
                path,
                "the link leads back to a folder that it stands in; remove it",
            );
        }
        if above.len() > MAX_FOLDERS {
            let message = format!("folders nest deeper than {MAX_FOLDERS} levels");
            return self.fault(path, &message);
        }
        let above = [above, &[canonical]].concat();
        self.folder(path, &format!("{name}/"), &above);
    }

    fn file(&mut self, path: &Path, name: String) {
        if self.files.len() == MAX_FILES {
            self.full = true;
            return self.faults.push(too_large(path));
        }
        self.files.push((name, path.to_owned()));
    }

    fn fault(&mut self, path: &Path, message: &str) {
        self.faults.push(fault(path, message));
    }
}

/// Reads a file, or says why it cannot be one of the registry.
fn source(name: String, path: &Path) -> Result<Source, String> {
    let bytes = read_file(path).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("the file is larger than {} MiB", MAX_FILE >> 20));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| "the file is not UTF-8; save it as UTF-8".to_owned())?;
    Ok(Source {
        name,
        path: path.display().to_string(),
        text: unmarked(text),
    })
}

/// At most one byte more than a file may have.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(path: &Path) -> Fault {
    let message = format!(
        "the tree has more than {MAX_FILES} `.proto` files or {} MiB; is this the registry's folder?",
        MAX_TREE >> 20
    );
    fault(path, &message)
}

fn fault(path: &Path, message: &str) -> Fault {
    Fault {
        file: path.display().to_string(),
        line: 0,
        column: 0,
        key: String::new(),
        message: message.to_owned(),
    }
}
