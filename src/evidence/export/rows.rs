//! The chosen entries of a journal in order, each checked on its way and all of them proven at the end.

use std::ops::ControlFlow;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

use super::Export;
use super::ExportError;
use super::Progress;
use crate::evidence::search;
use crate::journal::erasures::Erasures;
use crate::journal::reader::Forward;
use crate::journal::reader::Reader;
use crate::journal::reader::StoredEntry;
use crate::journal::tiles::Tiles;
use crate::journal::verify::EntryFault;
use crate::journal::verify::Fault;
use crate::pb;
use crate::pb::journal_record::Kind;
use crate::tlog::merkle::Frontier;
use crate::tlog::merkle::verify_consistency;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// How many entries are read between two reports of the progress.
const REPORT_EVERY: u64 = 1_024;

/// One entry whose record is the one to which its leaf commits, or was erased.
pub(super) struct Row {
    pub(super) stored: StoredEntry,
    pub(super) record: Option<pb::JournalRecord>,
}

impl Row {
    pub(super) fn index(&self) -> u64 {
        self.stored.index
    }

    pub(super) fn exchange(&self) -> Option<&pb::ExchangeRecord> {
        match self.record_kind() {
            Some(Kind::Exchange(record)) => Some(record),
            _ => None,
        }
    }

    pub(super) fn end(&self) -> Option<&pb::StreamEndRecord> {
        match self.record_kind() {
            Some(Kind::StreamEnd(record)) => Some(record),
            _ => None,
        }
    }

    /// What its record tells; `None` once that was erased.
    pub(super) fn record_kind(&self) -> Option<&Kind> {
        self.record.as_ref()?.kind.as_ref()
    }
}

/// Which entries are written. One bit for each entry of the journal, when not all are.
pub(super) struct EntrySelection {
    range: Range<u64>,
    bits: Option<Vec<u64>>,
}

impl EntrySelection {
    pub(super) fn of(
        export: &Export<'_>,
        size: u64,
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Self, ExportError> {
        let selection = export.selection;
        let (from, to) = (selection.from, selection.to.unwrap_or(size).min(size));
        if from > to || (from == to && size > 0) {
            return Err(ExportError::Range {
                from,
                to: selection.to.unwrap_or(size),
                size,
            });
        }
        let mut chosen = Self {
            range: from..to,
            bits: None,
        };
        if !selection.criteria.is_open() {
            chosen.choose(export, watch)?;
        }
        Ok(chosen)
    }

    /// Found backwards, as only the end of a stream tells how it ended. What is found is read again, and proven then.
    fn choose(
        &mut self,
        export: &Export<'_>,
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), ExportError> {
        let words = usize::try_from(self.range.end.div_ceil(64)).unwrap_or(usize::MAX);
        let mut bits = vec![0; words];
        let (mut first, mut last) = (self.range.end, self.range.start);
        let mut interrupted = false;
        let reader = Reader::open(export.journal);
        let range = self.range.clone();
        // Not by the index: it may leave out what it likes.
        search::each(&reader, None, &export.selection.criteria, None, |hit| {
            let end = hit.end.as_ref().map(|end| end.index);
            for index in [Some(hit.index), end].into_iter().flatten() {
                if range.contains(&index) {
                    set(&mut bits, index);
                    (first, last) = (first.min(index), last.max(index));
                }
            }
            interrupted = watch(Progress::default()).is_break();
            !interrupted && hit.index >= range.start
        })?;
        if interrupted {
            return Err(ExportError::Interrupted);
        }
        self.range = first.min(last)..(last + 1).min(self.range.end);
        self.bits = Some(bits);
        Ok(())
    }

    fn contains(&self, index: u64) -> bool {
        self.bits.as_ref().is_none_or(|bits| {
            let word = usize::try_from(index / 64)
                .ok()
                .and_then(|word| bits.get(word));
            word.is_some_and(|word| word >> (index % 64) & 1 == 1)
        })
    }
}

fn set(bits: &mut [u64], index: u64) {
    let word = usize::try_from(index / 64)
        .ok()
        .and_then(|word| bits.get_mut(word));
    if let Some(word) = word {
        *word |= 1 << (index % 64);
    }
}

/// Reads the chosen entries. `None` is only given once those that were read are known to be in the tree that was signed:
/// what was written before may not be used.
pub(super) struct Rows<'a> {
    forward: Forward,
    tiles: Tiles,
    checkpoint: &'a SignedCheckpoint,
    chosen: EntrySelection,
    /// The tree up to the next entry. What stands before the first one is taken from the tree's files and proven with the
    /// rest: no other hashes lead to the signed root.
    frontier: Frontier,
    watch: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    written: u64,
    journal: PathBuf,
    erasures: Option<Erasures>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        journal: &Path,
        checkpoint: &'a SignedCheckpoint,
        chosen: EntrySelection,
        watch: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Self, ExportError> {
        let tiles = Tiles::open(journal);
        Ok(Self {
            forward: Reader::open(journal).forward(chosen.range.start)?,
            frontier: Frontier::load(chosen.range.start, |node| tiles.node(node))?,
            tiles,
            checkpoint,
            chosen,
            watch,
            written: 0,
            journal: journal.to_owned(),
            erasures: None,
        })
    }

    /// The entries given so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The tree that the entries stand in.
    pub(super) fn tiles(&self) -> &Tiles {
        &self.tiles
    }

    pub(super) fn next(&mut self) -> Result<Option<Row>, ExportError> {
        while self.frontier.size() < self.chosen.range.end {
            self.report()?;
            let stored = self.read()?;
            if self.chosen.contains(stored.index) {
                self.written += 1;
                let record = stored.record()?;
                return Ok(Some(Row { stored, record }));
            }
        }
        self.prove()?;
        Ok(None)
    }

    fn read(&mut self) -> Result<StoredEntry, ExportError> {
        let (entry, published) = (self.frontier.size(), self.checkpoint.size());
        let Some(stored) = self.forward.next().transpose()? else {
            let found = entry;
            return Err(Fault::CutBack { published, found }.into());
        };
        let what = match stored.is_bound() {
            Some(true) => None,
            Some(false) => Some(EntryFault::Commitment),
            None if self.was_erased(&stored)? => None,
            None => Some(EntryFault::Withheld),
        };
        if let Some(what) = what {
            return Err(Fault::Entry { entry, what }.into());
        }
        self.frontier.push(stored.leaf_hash());
        Ok(stored)
    }

    /// Whether the journal that was signed says that a record was erased, and when it was due.
    fn was_erased(&mut self, stored: &StoredEntry) -> Result<bool, ExportError> {
        let erasures = match self.erasures.take() {
            Some(erasures) => erasures,
            // Read at the first record that is not there: what speaks for it, and for later ones, comes after it.
            None => Erasures::since(&Reader::open(&self.journal), stored.index)?,
        };
        let covering = erasures.covering(stored.index);
        let erased = covering.is_some_and(|erasure| {
            erasure.index < self.checkpoint.size() && erasure.was_due(stored.leaf.time)
        });
        self.erasures = Some(erasures);
        Ok(erased)
    }

    /// The entries that were read stand where they were read, in the tree of the signed root.
    fn prove(&self) -> Result<(), ExportError> {
        let (read, size) = (self.frontier.size(), self.checkpoint.size());
        let root = self.frontier.root();
        let proof = self.tiles.consistency(read, size)?;
        verify_consistency((read, &root), (size, self.checkpoint.root()), &proof)
            .map_err(|_| Fault::OtherRoot { size }.into())
    }

    fn report(&mut self) -> Result<(), ExportError> {
        let read = self.frontier.size() - self.chosen.range.start;
        if !read.is_multiple_of(REPORT_EVERY) {
            return Ok(());
        }
        let progress = Progress {
            read,
            of: self.chosen.range.end - self.chosen.range.start,
            written: self.written,
        };
        match (self.watch)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ExportError::Interrupted),
        }
    }
}
