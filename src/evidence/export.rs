//! Takes entries out of a journal, proven, in the formats that others read.

mod bundle;
mod columns;
mod csv;
mod draft;
mod jsonl;
mod ocsf;
mod parquet;
mod rows;
mod tiles;

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::path::PathBuf;

use ::parquet::errors::ParquetError;
use time::UtcOffset;

use super::criteria::Criteria;
use super::json::UndescribedRecord;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::journal::tiles::TileError;
use crate::journal::verify::Fault;
use crate::journal::verify::verify;
use crate::tlog::merkle::Hash;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::SignedCheckpoint;
use draft::Draft;
use rows::EntrySelection;
use rows::Rows;

/// What is taken out of which journal.
#[derive(Clone, Copy)]
pub struct Export<'a> {
    /// The journal's directory.
    pub journal: &'a Path,
    /// The keys of which one must have signed the journal's checkpoint.
    pub trusted: &'a [VerifierKey],
    pub selection: &'a Selection,
    pub format: Format,
    /// At which offset JSON lines show times; the other formats have UTC.
    pub offset: UtcOffset,
    /// The federation's tlog-policy, which a bundle takes along.
    pub policy: Option<&'a str>,
}

/// Which entries; by default all that the published checkpoint covers.
#[derive(Clone, Default)]
pub struct Selection {
    /// A stream is taken whole: with its opening its end.
    pub criteria: Criteria,
    /// The first index.
    pub from: u64,
    /// The first index that is too late.
    pub to: Option<u64>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One file for DuckDB, pandas, Spark.
    Parquet,
    /// One file for spreadsheets.
    Csv,
    /// One file: a line for each entry, as `audit search --json` prints it.
    Jsonl,
    /// One file: OCSF events, a line each, for SIEMs.
    Ocsf,
    /// A folder: a static C2SP tlog-tiles log.
    Tiles,
    /// A folder: evidence, with all that is needed to verify it.
    Bundle,
}

/// An export that is whole and stands at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenExport {
    /// Entries that were written.
    pub entries: u64,
    /// The SHA-256 of the file; of a folder, that of its `SHA256SUMS`.
    pub sha256: Hash,
    /// The checkpoint that covers the entries.
    pub checkpoint: SignedCheckpoint,
}

/// How far an export has come: zeros while it looks for what was chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries read so far, and those that will be.
    pub read: u64,
    pub of: u64,
    pub written: u64,
}

/// Why nothing was written. What had been begun is gone again.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The journal is not what was signed, or its files cannot be read.
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    #[error("cannot write `{}`", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write the Parquet file")]
    Parquet(#[from] ParquetError),
    #[error("entry {entry}")]
    Entry {
        entry: u64,
        #[source]
        source: UndescribedRecord,
    },
    #[error("tiles are of a whole journal: they cannot be of a selection")]
    WholeOnly,
    #[error(
        "`{from}` is not before `{to}`, or is beyond the {size} entries that the checkpoint covers"
    )]
    Range { from: u64, to: u64, size: u64 },
    #[error("no entry fits")]
    Nothing,
    #[error("interrupted")]
    Interrupted,
}

/// Writes an export to `out`, where nothing may stand yet. Entries that are newer than the published checkpoint are left
/// out. `watch` is told of the progress now and then, and can break it off.
pub fn write(
    export: &Export<'_>,
    out: &Path,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<WrittenExport, ExportError> {
    if export.format == Format::Tiles && !export.selection.is_whole() {
        return Err(ExportError::WholeOnly);
    }
    let draft = Draft::of(out)?;
    let checkpoint = published(export)?;
    let chosen = EntrySelection::of(export, checkpoint.size(), watch)
        .map_err(|error| look_closer(export, error))?;
    let mut rows = Rows::new(export.journal, &checkpoint, chosen, watch)?;
    let sha256 = match export.format {
        Format::Parquet => parquet::write(&mut rows, draft.file()?, checkpoint.note()),
        Format::Csv => csv::write(&mut rows, draft.file()?),
        Format::Jsonl => jsonl::write(&mut rows, draft.file()?, export.offset),
        Format::Ocsf => ocsf::write(&mut rows, draft.file()?, checkpoint.origin()),
        Format::Tiles => tiles::write(&mut rows, draft.folder()?, checkpoint.note()),
        Format::Bundle => bundle::write(&mut rows, draft.folder()?, export, &checkpoint),
    };
    let sha256 = sha256.map_err(|error| look_closer(export, error))?;
    let entries = rows.written();
    draft.publish()?;
    Ok(WrittenExport {
        entries,
        sha256,
        checkpoint,
    })
}

/// The checkpoint that the export rests on: for evidence the one that witnesses have cosigned, if there is one.
fn published(export: &Export<'_>) -> Result<SignedCheckpoint, ExportError> {
    let reader = Reader::open(export.journal);
    let witnessed = match export.format {
        Format::Bundle => reader.witnessed()?,
        _ => None,
    };
    let note = match witnessed {
        Some(note) => note,
        None => reader.published()?.ok_or(Fault::NoCheckpoint)?,
    };
    Ok(SignedCheckpoint::open(&note, export.trusted).map_err(Fault::from)?)
}

/// Names the entry by which a journal differs from what was signed, where a root or a checksum only tells that it does.
fn look_closer(export: &Export<'_>, error: ExportError) -> ExportError {
    match &error {
        ExportError::Fault(Fault::OtherRoot { .. }) => {}
        ExportError::Read(cause) if !matches!(cause, ReadError::Disk(_)) => {}
        _ => return error,
    }
    match verify(export.journal, export.trusted).fault {
        Some(fault) => fault.into(),
        None => error,
    }
}

impl Selection {
    /// Whether it is all of the journal.
    pub fn is_whole(&self) -> bool {
        self.from == 0 && self.to.is_none() && self.criteria.is_open()
    }
}

impl Format {
    pub const ALL: &[Self] = &[
        Self::Parquet,
        Self::Csv,
        Self::Jsonl,
        Self::Ocsf,
        Self::Tiles,
        Self::Bundle,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Ocsf => "ocsf",
            Self::Tiles => "tiles",
            Self::Bundle => "bundle",
        }
    }
}

impl std::fmt::Debug for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Selection")
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Export<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export")
            .field("journal", &self.journal)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl From<TileError> for ExportError {
    fn from(error: TileError) -> Self {
        Self::Fault(Fault::Tree(error))
    }
}

#[cfg(test)]
mod tests;
