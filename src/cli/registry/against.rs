//! The revision that a registry is compared with: a folder, a file descriptor set, or a revision in git.

use std::fs;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use prost_reflect::DescriptorPool;

use super::compile;
use crate::cli::exit::Failure;
use crate::registry::Registry;

/// Reads the other revision. What is neither a folder nor a file is looked up in the git repository of `root`.
pub(super) fn read(against: &str, root: &Path) -> Result<Revision, Failure> {
    let path = Path::new(against);
    if path.is_dir() {
        return Ok(Revision::Tree(compile(path)?));
    }
    if path.is_file() {
        let image = fs::read(path).with_context(|| format!("cannot read `{against}`"))?;
        let pool = DescriptorPool::decode(image.as_slice());
        let pool = pool.with_context(|| format!("`{against}` is no file descriptor set"))?;
        return Ok(Revision::Image(pool));
    }
    let texts = in_git(against, root).map_err(|error| {
        let failure = Failure::from(error);
        failure.hint("name a folder, an image that `buf build` wrote, or a revision in git")
    })?;
    let registry = Registry::compile_texts(texts).map_err(Failure::Faults)?;
    Ok(Revision::Tree(registry))
}

/// A revision of the registry.
pub(super) enum Revision {
    Tree(Registry),
    /// Descriptors without the texts that they were made of.
    Image(DescriptorPool),
}

impl Revision {
    pub(super) fn pool(&self) -> &DescriptorPool {
        match self {
            Self::Tree(registry) => registry.pool(),
            Self::Image(pool) => pool,
        }
    }

    /// The registry, by which policies can be compiled.
    pub(super) fn registry(&self) -> Result<&Registry, Failure> {
        match self {
            Self::Tree(registry) => Ok(registry),
            Self::Image(_) => {
                let failure = Failure::usage("an image does not tell what a change touches");
                Err(failure.hint("give `--against` a folder or a revision in git"))
            }
        }
    }
}

/// The `.proto` files of a revision: name in the registry, and text.
fn in_git(revision: &str, root: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let listed = git(root)
        .args([
            "ls-tree",
            "-r",
            "-z",
            "--name-only",
            "--end-of-options",
            revision,
            "--",
            ".",
        ])
        .output()
        .context("cannot run git")?;
    if !listed.status.success() {
        let message = String::from_utf8_lossy(&listed.stderr);
        bail!("git finds no revision `{revision}`: {}", message.trim());
    }
    let listed = String::from_utf8(listed.stdout).context("a file's name is not UTF-8")?;
    let names = listed.split('\0').filter(|name| name.ends_with(".proto"));
    let names: Vec<_> = names.map(str::to_owned).collect();
    if names.is_empty() {
        bail!(
            "there is no `.proto` file in `{revision}` below `{}`",
            root.display()
        );
    }
    contents(revision, root, &names)
}

fn contents(
    revision: &str,
    root: &Path,
    names: &[String],
) -> anyhow::Result<Vec<(String, String)>> {
    let mut git = git(root)
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run git")?;
    let (Some(questions), Some(answers)) = (git.stdin.take(), git.stdout.take()) else {
        bail!("cannot talk to git");
    };
    let mut answers = BufReader::new(answers);
    // Both at once: git stops to listen while nobody takes what it says.
    let texts = std::thread::scope(|scope| {
        scope.spawn(|| ask(questions, revision, names));
        let read = |name: &String| Ok((name.clone(), content(&mut answers)?));
        names.iter().map(read).collect::<anyhow::Result<Vec<_>>>()
    })?;
    git.wait()?;
    Ok(texts)
}

/// An error shows in the answers, which end too early.
fn ask(mut questions: ChildStdin, revision: &str, names: &[String]) -> io::Result<()> {
    for name in names {
        writeln!(questions, "{revision}:./{name}")?;
    }
    Ok(())
}

/// One answer of `git cat-file --batch`: a line with the size, the content, a line feed.
fn content(answers: &mut impl BufRead) -> anyhow::Result<String> {
    let mut head = String::new();
    answers.read_line(&mut head)?;
    let size = head.trim_end().rsplit(' ').next().unwrap_or_default();
    let size: u64 = size
        .parse()
        .with_context(|| format!("git says `{}`", head.trim_end()))?;
    let mut text = String::new();
    answers
        .take(size)
        .read_to_string(&mut text)
        .context("a file is not UTF-8")?;
    answers.read_exact(&mut [0])?;
    Ok(text)
}

fn git(root: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(root);
    git
}
