//! `audit prove`: writes the proof that an entry stands in the journal, for whoever trusts nobody here.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::Place;
use super::entry_arg::EntryArg;
use super::entry_arg::which;
use super::unreadable;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::journal::Kind;
use crate::journal::reader::StoredEntry;
use crate::journal::tiles::TileError;
use crate::journal::tiles::Tiles;
use crate::tlog::proof::Proof;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

pub(super) const EXTENSION: &str = ".tlog-proof";

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge audit prove --config config/civil.toml <exchange id>
  landbridge audit prove --config config/civil.toml --index 4 --out 4.tlog-proof

A proof is a C2SP tlog-proof: the entry's index, its path through the tree, and the signed checkpoint. It holds no personal
data. `audit verify-proof` and tools of others verify it without the journal.

The checkpoint is the one that witnesses have cosigned last, if it covers the entry; otherwise the published one.
A streamed exchange has two entries, and so two files: `<exchange>.opening.tlog-proof` and `<exchange>.end.tlog-proof`;
`--out x.tlog-proof` makes them `x.opening.tlog-proof` and `x.end.tlog-proof`.

The `extra` line carries the entry's leaf in base64. Nothing vouches for that line by itself: hash it with a leading zero
byte (SHA-256), and the path leads from there to the root that was signed, or the proof is worth nothing.")]
pub(super) struct ProveArgs {
    /// The id of an exchange, or the index of an entry
    #[arg(value_name = "ID OR INDEX", value_parser = which, required_unless_present = "index")]
    which: Option<EntryArg>,
    /// The index of an entry
    #[arg(long, value_name = "N", conflicts_with = "which")]
    index: Option<u64>,
    /// Where to write the proof [default: `<exchange>.tlog-proof`, or `<index>.tlog-proof`, in this folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The checkpoints that a proof can lead to, verified.
pub(super) struct Checkpoints {
    published: SignedCheckpoint,
    witnessed: Option<SignedCheckpoint>,
}

impl ProveArgs {
    pub(super) fn run(self, place: &Place, output: &OutputOptions) -> Run {
        let json = output.for_one()?;
        let which = match (self.which, self.index) {
            (Some(which), _) => which,
            (None, Some(index)) => EntryArg::Entry(index),
            (None, None) => return Err(Failure::usage("which entry?")),
        };
        let entries = which.entries(place)?;
        let checkpoints = Checkpoints::read(place)?;
        let mut out = io::stdout().lock();
        for entry in &entries {
            let (checkpoint, is_witnessed) = checkpoints.covering(entry)?;
            let file = file(self.out.as_deref(), entry, entries.len() > 1);
            write(&file, entry, checkpoint, place)?;
            let report = ProofReport {
                file: &file,
                entry,
                checkpoint,
                is_witnessed,
            };
            report.write(json, &mut out)?;
        }
        out.flush()?;
        Ok(Exit::Done)
    }
}

impl Checkpoints {
    pub(super) fn read(place: &Place) -> Result<Self, Failure> {
        let trusted = place.trusted()?;
        let reader = place.reader();
        let open =
            |note: String| SignedCheckpoint::open(&note, trusted).map_err(Failure::unverified);
        let witnessed = reader.witnessed().map_err(unreadable)?;
        let published = reader.published().map_err(unreadable)?;
        let published =
            published.ok_or_else(|| anyhow::anyhow!("the journal has no published checkpoint"))?;
        Ok(Self {
            published: open(published)?,
            witnessed: witnessed.map(open).transpose()?,
        })
    }

    pub(super) fn covering(
        &self,
        entry: &StoredEntry,
    ) -> Result<(&SignedCheckpoint, bool), Failure> {
        let covers = |checkpoint: &&SignedCheckpoint| entry.index < checkpoint.size();
        if let Some(witnessed) = self.witnessed.as_ref().filter(covers) {
            return Ok((witnessed, true));
        }
        if covers(&&self.published) {
            return Ok((&self.published, false));
        }
        let failure = Failure::from(anyhow::anyhow!(
            "entry {} is newer than the published checkpoint",
            entry.index
        ));
        Err(failure.hint("a running gateway publishes every second: try again"))
    }
}

/// Writes an entry's proof to a file, if the journal proves it.
pub(super) fn write(
    file: &Path,
    entry: &StoredEntry,
    checkpoint: &SignedCheckpoint,
    place: &Place,
) -> Result<(), Failure> {
    let proof = prove(entry, checkpoint, place)?;
    fs::write(file, proof.to_string())
        .with_context(|| format!("cannot write `{}`", file.display()))?;
    Ok(())
}

/// Makes the proof and proves it: what is handed out must hold.
fn prove(
    entry: &StoredEntry,
    checkpoint: &SignedCheckpoint,
    place: &Place,
) -> Result<Proof, Failure> {
    let tiles = Tiles::open(&place.dir);
    let mut proof = tiles
        .proof(entry.index, checkpoint)
        .map_err(|error| match error {
            // The checkpoint promises a tree that is not there.
            TileError::Beyond => Failure::unverified(error),
            TileError::Disk(_) => Failure::from(error),
        })?;
    proof.extra = Some(entry.leaf_bytes().to_vec());
    proof
        .prove(entry.leaf_bytes(), &place.trusted)
        .map_err(Failure::unverified)?;
    Ok(proof)
}

/// Of several entries of one exchange each has a file of its own.
fn file(out: Option<&Path>, entry: &StoredEntry, several: bool) -> PathBuf {
    let stem = match (out, entry.leaf.exchange) {
        (Some(out), _) if !several => return out.to_owned(),
        (Some(out), _) => {
            let out = out.display().to_string();
            out.strip_suffix(EXTENSION).unwrap_or(&out).to_owned()
        }
        (None, Some(exchange)) => exchange.to_string(),
        (None, None) => entry.index.to_string(),
    };
    if !several {
        return PathBuf::from(stem + EXTENSION);
    }
    let part = match entry.leaf.kind {
        Kind::Intent => "opening".to_owned(),
        Kind::StreamEnd => "end".to_owned(),
        _ => entry.index.to_string(),
    };
    PathBuf::from(format!("{stem}.{part}{EXTENSION}"))
}

/// What was written.
struct ProofReport<'a> {
    file: &'a Path,
    entry: &'a StoredEntry,
    checkpoint: &'a SignedCheckpoint,
    is_witnessed: bool,
}

impl ProofReport<'_> {
    fn write(&self, json: bool, to: &mut impl Write) -> io::Result<()> {
        let (file, entry, checkpoint) = (self.file.display(), self.entry, self.checkpoint);
        if json {
            let json = serde_json::json!({
                "file": file.to_string(),
                "origin": checkpoint.origin(),
                "index": entry.index,
                "kind": entry.leaf.kind.as_str(),
                "exchange": entry.leaf.exchange.map(|exchange| exchange.to_string()),
                "size": checkpoint.size(),
                "witnessed": self.is_witnessed,
            });
            return writeln!(to, "{json}");
        }
        let of = match self.is_witnessed {
            true => "witnessed",
            false => "published, not witnessed yet",
        };
        writeln!(
            to,
            "{file}: entry {} ({}) of {}, in the checkpoint of {} entries ({of})",
            entry.index,
            entry.leaf.kind,
            checkpoint.origin(),
            checkpoint.size()
        )
    }
}

#[cfg(test)]
mod tests;
