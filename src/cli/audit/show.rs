//! `audit show`: an entry in full, with the proof that it stands in the journal.

use std::io;
use std::io::Write;

use clap::Args;
use serde_json::Value as Json;

use super::Place;
use super::claimed;
use super::entry_arg::EntryArg;
use super::entry_arg::which;
use super::plain;
use super::unreadable;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::cli::table::Table;
use crate::digest::hex;
use crate::evidence::json;
use crate::journal::erasures::Erasure;
use crate::journal::erasures::Erasures;
use crate::journal::reader::StoredEntry;
use crate::journal::tiles::TileError;
use crate::journal::tiles::Tiles;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::merkle::verify_inclusion;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

#[derive(Args)]
pub(super) struct ShowArgs {
    /// The id of an exchange, or the index of an entry
    #[arg(value_name = "ID OR INDEX", value_parser = which)]
    which: EntryArg,
}

/// What is shown of one entry.
struct EntryReport {
    entry: Json,
    proof: Proof,
}

/// What ties an entry to the journal's published checkpoint.
struct Proof {
    checkpoint: Option<Checkpoint>,
    /// Whether a trusted key has signed the checkpoint; None without a key.
    signed: Option<bool>,
    record: RecordProof,
    inclusion: Inclusion,
}

enum RecordProof {
    /// It is the one to which the leaf commits.
    Bound,
    /// It is another one.
    Changed,
    Erased(Erasure),
    /// It is missing, and nothing that is signed for says that it was erased.
    Withheld,
}

enum Inclusion {
    Proven {
        hashes: Vec<String>,
    },
    Broken,
    /// The entry is newer than the checkpoint.
    NotYet,
}

impl ShowArgs {
    pub(super) fn run(self, place: &Place, output: &OutputOptions) -> Run {
        let json = output.for_one()?;
        let entries = self.which.entries(place)?;
        let mut out = io::stdout().lock();
        let mut proven = true;
        for (number, stored) in entries.iter().enumerate() {
            let shown = EntryReport::new(stored, place)?;
            proven &= shown.proof.holds();
            if json {
                writeln!(out, "{}", shown.to_json())?;
            } else {
                if number > 0 {
                    writeln!(out)?;
                }
                shown.write(&mut out)?;
            }
        }
        out.flush()?;
        Ok(if proven { Exit::Done } else { Exit::Unverified })
    }
}

impl EntryReport {
    fn new(stored: &StoredEntry, place: &Place) -> Result<Self, Failure> {
        let record = stored.record().map_err(unreadable)?;
        let entry = json::entry(stored.index, &stored.leaf, record.as_ref(), place.offset)?;
        Ok(Self {
            entry,
            proof: Proof::of(stored, place)?,
        })
    }

    fn to_json(&self) -> Json {
        let mut shown = self.entry.clone();
        shown
            .as_object_mut()
            .map(|shown| shown.insert("proof".to_owned(), self.proof.to_json()));
        shown
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut pairs = plain::pairs(&self.entry);
        pairs.extend(
            self.proof
                .lines()
                .into_iter()
                .map(|(name, told)| (format!("proof.{name}"), told)),
        );
        pairs.retain(|(_, value)| value != "null");
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        writeln!(to, "{}", Table::of_pairs(pairs))
    }
}

impl Proof {
    fn of(stored: &StoredEntry, place: &Place) -> Result<Self, Failure> {
        let note = place.reader().published().map_err(unreadable)?;
        let checkpoint = note.as_deref().and_then(claimed);
        let signed = match &note {
            Some(note) if !place.trusted.is_empty() => {
                Some(SignedCheckpoint::open(note, &place.trusted).is_ok())
            }
            _ => None,
        };
        let inclusion = match &checkpoint {
            Some(checkpoint) if stored.index < checkpoint.size => {
                inclusion(stored, checkpoint, place)?
            }
            _ => Inclusion::NotYet,
        };
        Ok(Self {
            record: RecordProof::of(stored, checkpoint.as_ref(), place)?,
            checkpoint,
            signed,
            inclusion,
        })
    }

    fn holds(&self) -> bool {
        self.record.holds()
            && self.signed != Some(false)
            && !matches!(self.inclusion, Inclusion::Broken)
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("record", self.record.text())];
        if let Some(checkpoint) = &self.checkpoint {
            lines.push((
                "checkpoint",
                format!("{} entries of {}", checkpoint.size, checkpoint.origin),
            ));
            lines.push(("root", hex(&checkpoint.root)));
        }
        lines.push((
            "signature",
            match self.signed {
                Some(true) => "by a trusted key",
                Some(false) => "NOT BY A TRUSTED KEY",
                None => "not checked: give `--vkey`",
            }
            .to_owned(),
        ));
        lines.push((
            "inclusion",
            match &self.inclusion {
                Inclusion::Proven { hashes } => format!("proven by {} hashes", hashes.len()),
                Inclusion::Broken => "THE ENTRY DOES NOT LEAD TO THE ROOT".to_owned(),
                Inclusion::NotYet => "newer than the checkpoint".to_owned(),
            },
        ));
        lines
    }

    fn to_json(&self) -> Json {
        let checkpoint = self.checkpoint.as_ref().map(|checkpoint| {
            serde_json::json!({
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root": hex(&checkpoint.root),
            })
        });
        let (inclusion, path) = match &self.inclusion {
            Inclusion::Proven { hashes } => ("proven", Some(hashes)),
            Inclusion::Broken => ("broken", None),
            Inclusion::NotYet => ("not-yet", None),
        };
        serde_json::json!({
            "holds": self.holds(),
            "record_bound": self.record.is_bound(),
            "erased_by": self.record.erasure().map(|erasure| erasure.index),
            "erased_under": self.record.erasure().map(|erasure| &erasure.class),
            "checkpoint": checkpoint,
            "signed": self.signed,
            "inclusion": inclusion,
            "path": path,
        })
    }
}

impl RecordProof {
    fn of(
        stored: &StoredEntry,
        checkpoint: Option<&Checkpoint>,
        place: &Place,
    ) -> Result<Self, Failure> {
        match stored.is_bound() {
            Some(true) => return Ok(Self::Bound),
            Some(false) => return Ok(Self::Changed),
            None => {}
        }
        let erasure = Erasures::of(&place.reader(), stored).map_err(unreadable)?;
        let signed_for = |erasure: &Erasure| {
            checkpoint.is_some_and(|checkpoint| erasure.index < checkpoint.size)
        };
        Ok(erasure
            .filter(signed_for)
            .map_or(Self::Withheld, Self::Erased))
    }

    fn holds(&self) -> bool {
        matches!(self, Self::Bound | Self::Erased(_))
    }

    /// Nothing can be said of what is not there.
    fn is_bound(&self) -> Option<bool> {
        match self {
            Self::Bound => Some(true),
            Self::Changed => Some(false),
            Self::Erased(_) | Self::Withheld => None,
        }
    }

    fn erasure(&self) -> Option<&Erasure> {
        match self {
            Self::Erased(erasure) => Some(erasure),
            Self::Bound | Self::Changed | Self::Withheld => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Bound => "is the one to which the leaf commits".to_owned(),
            Self::Changed => "IS NOT the one to which the leaf commits".to_owned(),
            Self::Erased(erasure) => {
                format!(
                    "erased by entry {} under class {}",
                    erasure.index, erasure.class
                )
            }
            Self::Withheld => {
                "IS WITHHELD: no entry says that it was erased when it was due".to_owned()
            }
        }
    }
}

fn inclusion(
    stored: &StoredEntry,
    checkpoint: &Checkpoint,
    place: &Place,
) -> Result<Inclusion, Failure> {
    let path = match Tiles::open(&place.dir).inclusion(stored.index, checkpoint.size) {
        Ok(path) => path,
        // The published checkpoint promises a tree that is not there.
        Err(TileError::Beyond) => return Ok(Inclusion::Broken),
        Err(error) => return Err(error.into()),
    };
    let proven = verify_inclusion(
        &stored.leaf_hash(),
        stored.index,
        checkpoint.size,
        &path,
        &checkpoint.root,
    );
    Ok(match proven {
        Ok(()) => Inclusion::Proven {
            hashes: path.iter().map(|hash| hex(hash)).collect(),
        },
        Err(_) => Inclusion::Broken,
    })
}
