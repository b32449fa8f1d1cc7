//! Proves a whole journal from its files and its public key alone.

mod account;
mod compare;
mod erased_records;

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message;

use super::disk::DiskError;
use super::frame::BadFrame;
use super::frame::Frame;
use super::frame::RawEntry;
use super::frame::SealedRecord;
use super::layout::Layout;
use super::leaf::BadLeaf;
use super::leaf::Kind;
use super::leaf::Leaf;
use super::leaf::leaf_hash;
use super::pace::Pace;
use super::pace::WorkStopped;
use super::policies::Policies;
use super::policies::TextsOnRecord;
use super::reader::ReadError;
use super::retention::Retention;
use super::scan::Walker;
use super::statement::UnknownForm;
use super::tiles::TileError;
use super::tiles::Tiles;
use super::tiles::writer::Growth;
use super::tiles::writer::TileWriter;
use crate::clock::Moment;
use crate::digest::Digest;
use crate::digest::hex;
use crate::pb;
use crate::pb::journal_record;
use crate::tlog::merkle::Frontier;
use crate::tlog::note::VerifierKey;
use crate::tlog::quorum::QuorumError;
use crate::tlog::quorum::WitnessPolicy;
use crate::tlog::quorum::WitnessedCheckpoint;
use crate::tlog::signed_checkpoint::CheckpointError;
use crate::tlog::signed_checkpoint::SignedCheckpoint;
use account::OpenStream;
use compare::Compare;
use erased_records::ErasedRecords;

/// What was read and proven, up to the first fault if there is one.
#[derive(Debug, Default)]
pub struct Report {
    /// The published checkpoint, verified.
    pub checkpoint: Option<SignedCheckpoint>,
    /// The checkpoint that witnesses cosigned last, verified as the journal's own.
    pub witnessed: Option<SignedCheckpoint>,
    /// By whom, as the policy counts; None without a policy.
    pub witnesses: Option<WitnessedCheckpoint>,
    /// Entries that are proven: by the published checkpoint, and after it each commit by its own signature.
    pub entries: u64,
    pub commits: u64,
    /// The first and the last entry's time.
    pub times: Option<(Moment, Moment)>,
    /// How many entries there are of each kind, by the kind's word.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Records that are no longer there. Without a fault, the journal itself says of each that it was erased when its term
    /// had ended.
    pub erased: u64,
    /// Streams without an end. In a journal whose gateway runs they may still be open.
    pub open_streams: Vec<u64>,
    /// Texts of the policy that are kept and of which nothing on record says that they were in force.
    pub unproven_texts: u64,
    /// Bytes after the last commit: one that is just being written, or that a crash cut off before anybody was told.
    pub torn_bytes: u64,
    pub fault: Option<Fault>,
}

impl Report {
    /// The proven entries that no published checkpoint covers: were some of them cut off, these files would not tell.
    pub fn unpublished(&self) -> u64 {
        let published = self.checkpoint.as_ref().map_or(0, SignedCheckpoint::size);
        self.entries.saturating_sub(published)
    }
}

/// Why a journal is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the journal has no published checkpoint")]
    NoCheckpoint,
    #[error("the published checkpoint does not hold")]
    Checkpoint(#[from] CheckpointError),
    #[error("the witnessed checkpoint does not hold")]
    Witnessed(#[source] CheckpointError),
    #[error("the journal is not witnessed enough")]
    Unwitnessed(#[from] QuorumError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("entry {entry}: {what}")]
    Entry { entry: u64, what: EntryFault },
    #[error("the published checkpoint covers {published} entries, the journal has {found}")]
    CutBack { published: u64, found: u64 },
    #[error("the first {size} entries do not have the root that was signed")]
    OtherRoot { size: u64 },
    #[error(
        "nothing proves the entries from {entry} on, which no published checkpoint covers: {cause}"
    )]
    Unproven { entry: u64, cause: BadFrame },
    #[error("the tree's files differ from the entries")]
    Tree(#[from] TileError),
    #[error("the text `policy/{}` is not the one that was in force", hex(digest))]
    Text { digest: Digest },
    #[error(transparent)]
    Stopped(#[from] WorkStopped),
}

/// What is wrong with one entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    #[error(transparent)]
    Leaf(#[from] BadLeaf),
    #[error("record does not match its commitment")]
    Commitment,
    #[error("leaf is not the one that the tree has")]
    Changed,
    #[error("its time is before that of the entry before it")]
    Time,
    #[error("its record is not that of an exchange")]
    NotAnExchange,
    #[error("its record does not say what its exchange digest says")]
    Digest,
    #[error(transparent)]
    Form(#[from] UnknownForm),
    #[error("its record is not that of a stream's end")]
    NotAnEnd,
    #[error("it ends the stream of entry {0}, which is not open")]
    NotOpen(u64),
    #[error("it ends the stream of entry {0}, which is of another exchange")]
    OtherExchange(u64),
    #[error("it ends a stream, and none of its exchange is open")]
    EndsNothing,
    #[error("its record is withheld: no erasure that was signed for speaks for it")]
    Withheld,
    #[error("its record was erased before its term had ended, by entry {0}")]
    ErasedEarly(u64),
    #[error("its record is not that of an erasure")]
    NotAnErasure,
}

/// Verifies the journal in a directory. Its checkpoints must be signed by one of the keys.
pub fn verify(dir: &Path, trusted: &[VerifierKey]) -> Report {
    verify_within(dir, trusted, Scope::default(), &mut Pace::full())
}

/// What is verified.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    /// Whose witnesses must have seen it.
    pub witnesses: Option<&'a WitnessPolicy>,
    /// The rules that erasures must have kept to. Without them they are held to the terms that they name themselves.
    pub retention: Option<&'a Retention>,
    /// Not what lies after the published checkpoint: a running gateway is writing there.
    pub published_only: bool,
}

/// As [`verify`], within a scope and at a pace.
pub fn verify_within(
    dir: &Path,
    trusted: &[VerifierKey],
    scope: Scope<'_>,
    pace: &mut Pace,
) -> Report {
    let mut report = Report::default();
    report.fault = Verifier::new(dir, trusted, &mut report)
        .and_then(|verifier| verifier.run(scope, pace))
        .and_then(|()| match scope.witnesses {
            Some(policy) => check_witnesses(policy, &mut report),
            None => Ok(()),
        })
        .err();
    report
}

/// Without a witnessed checkpoint the published one may do: a policy can be content with no witness.
fn check_witnesses(policy: &WitnessPolicy, report: &mut Report) -> Result<(), Fault> {
    let checkpoint = report.witnessed.as_ref().or(report.checkpoint.as_ref());
    let checkpoint = checkpoint.ok_or(Fault::NoCheckpoint)?;
    report.witnesses = Some(policy.satisfied(checkpoint)?);
    Ok(())
}

struct Verifier<'a> {
    trusted: &'a [VerifierKey],
    report: &'a mut Report,
    checkpoint: SignedCheckpoint,
    walker: Walker,
    frontier: Frontier,
    tiles: Tiles,
    /// Compares the tree's files with what they should hold.
    tree: TileWriter,
    streams: BTreeMap<u64, OpenStream>,
    withheld: ErasedRecords,
    texts: TextsOnRecord,
    policies: Policies,
}

impl<'a> Verifier<'a> {
    fn new(dir: &Path, trusted: &'a [VerifierKey], report: &'a mut Report) -> Result<Self, Fault> {
        let layout = Layout::new(dir);
        // First: what is witnessed was published before, so the published one that is read next reaches as far.
        let witnessed = layout
            .read_witnessed()
            .map_err(ReadError::from)?
            .map(|note| SignedCheckpoint::open(&note, trusted).map_err(Fault::Witnessed))
            .transpose()?;
        let note = layout
            .read_signed()
            .map_err(ReadError::from)?
            .ok_or(Fault::NoCheckpoint)?;
        let checkpoint = SignedCheckpoint::open(&note, trusted)?;
        report.checkpoint = Some(checkpoint.clone());
        report.witnessed = witnessed;
        let compare = Compare {
            published: checkpoint.size(),
        };
        let tree = TileWriter::open(&compare, &layout, 0)?;
        let policies = Policies::beside(dir);
        Ok(Self {
            trusted,
            report,
            checkpoint,
            walker: Walker::start(layout.clone()),
            frontier: Frontier::default(),
            tiles: Tiles::of(layout),
            tree,
            streams: BTreeMap::new(),
            withheld: ErasedRecords::default(),
            texts: TextsOnRecord::default(),
            policies,
        })
    }

    fn run(mut self, scope: Scope<'_>, pace: &mut Pace) -> Result<(), Fault> {
        self.check_root()?;
        loop {
            if scope.published_only && self.frontier.size() >= self.checkpoint.size() {
                // Nor what witnesses have seen: they may have seen more since the checkpoint was read.
                self.check_texts()?;
                return self.check_erased(scope.retention);
            }
            match self.step() {
                Ok(Some(bytes)) => pace.pause_after(bytes)?,
                Ok(None) => break,
                Err(fault) => {
                    if !self.is_unpublished_tail(&fault)? {
                        return Err(fault);
                    }
                    break;
                }
            }
        }
        self.report.torn_bytes = self.walker.torn_bytes()?;
        self.report.open_streams = std::mem::take(&mut self.streams).into_keys().collect();
        let (published, found) = (self.checkpoint.size(), self.frontier.size());
        if found < published {
            return Err(Fault::CutBack { published, found });
        }
        self.check_witnessed()?;
        self.check_texts()?;
        self.check_erased(scope.retention)
    }

    /// What is not there any more must have been erased when it was due.
    fn check_erased(&self, retention: Option<&Retention>) -> Result<(), Fault> {
        match self.withheld.find(retention) {
            Some((entry, what)) => Err(Fault::Entry { entry, what }),
            None => Ok(()),
        }
    }

    /// The texts of the policy must be those that were in force.
    fn check_texts(&mut self) -> Result<(), Fault> {
        self.texts.read_lists(&self.policies)?;
        let (unproven, altered) = self.texts.check(&self.policies)?;
        self.report.unproven_texts = unproven;
        match altered {
            Some(digest) => Err(Fault::Text { digest }),
            None => Ok(()),
        }
    }

    /// What witnesses have seen must be the beginning of what is there now.
    fn check_witnessed(&self) -> Result<(), Fault> {
        let Some(witnessed) = &self.report.witnessed else {
            return Ok(());
        };
        let (size, found) = (witnessed.size(), self.checkpoint.size());
        if found < size {
            return Err(Fault::CutBack {
                published: size,
                found,
            });
        }
        // The tree's files were compared with the entries.
        if self.tiles.root(size)? != *witnessed.root() {
            return Err(Fault::OtherRoot { size });
        }
        Ok(())
    }

    /// Whether a fault is that of a commit that nobody was told of. One that was published is never such.
    fn is_unpublished_tail(&mut self, fault: &Fault) -> Result<bool, Fault> {
        let torn = matches!(
            fault,
            Fault::Read(ReadError::Damaged {
                cause: BadFrame::Checksum | BadFrame::Length | BadFrame::Magic | BadFrame::Index,
                ..
            })
        );
        Ok(torn && self.frontier.size() >= self.checkpoint.size() && self.walker.is_torn_tail()?)
    }

    /// Proves one commit, and gives its bytes.
    fn step(&mut self) -> Result<Option<usize>, Fault> {
        let frame = match self.walker.read_intact() {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(None),
            Err(error) => return Err(self.look_closer(error)),
        };
        let (frontier, growth) = self.check(&frame)?;
        if frontier.root() != frame.header.root {
            return Err(self.changed(&frame, self.walker.damaged(BadFrame::Root)));
        }
        let size = self.checkpoint.size();
        if self.frontier.size() < size && frontier.size() > size {
            // Only whole commits are ever signed for.
            return Err(Fault::OtherRoot { size });
        }
        if frontier.size() > size {
            frame
                .check_signature(self.checkpoint.origin(), self.trusted)
                .map_err(|cause| Fault::Unproven {
                    entry: frame.header.first,
                    cause,
                })?;
        }
        if self.streams.keys().next().copied() != frame.header.oldest_open {
            return Err(self.walker.damaged(BadFrame::Open).into());
        }
        self.tree
            .append(&frame.leaves(), &growth)
            .map_err(TileError::from)?;
        self.walker.pass(&frame.header);
        self.frontier = frontier;
        self.report.entries = self.frontier.size();
        self.report.commits += 1;
        self.check_root()?;
        Ok(Some(frame.header.length))
    }

    /// Names the entry by which a published commit is damaged, where its checksum cannot.
    fn look_closer(&mut self, error: ReadError) -> Fault {
        let damaged = matches!(
            error,
            ReadError::Damaged {
                cause: BadFrame::Checksum,
                ..
            }
        );
        if !damaged || self.frontier.size() >= self.checkpoint.size() {
            return error.into();
        }
        let Ok(Some(frame)) = self.walker.read() else {
            return error.into();
        };
        match self.check(&frame) {
            Ok(_) => self.changed(&frame, error),
            Err(fault) => fault,
        }
    }

    /// Names the first entry of a commit whose leaf is not that of the tree's files.
    fn changed(&self, frame: &Frame, error: ReadError) -> Fault {
        let mut entries = (frame.header.first..).zip(frame.entries());
        match entries.find(|(entry, raw)| self.is_changed(*entry, raw)) {
            Some((entry, _)) => Fault::Entry {
                entry,
                what: EntryFault::Changed,
            },
            None => error.into(),
        }
    }

    /// Whether the tree's files have another leaf there.
    fn is_changed(&self, entry: u64, raw: &RawEntry) -> bool {
        let leaf = self.tiles.leaves(entry, 1);
        leaf.is_ok_and(|leaf| leaf != raw.leaf)
    }

    /// Checks the entries of a commit; gives the tree with them and what it has gained.
    fn check(&mut self, frame: &Frame) -> Result<(Frontier, Growth), Fault> {
        let mut frontier = self.frontier.clone();
        let mut growth = Growth::default();
        for (entry, raw) in (frame.header.first..).zip(frame.entries()) {
            self.check_entry(entry, raw).map_err(|what| {
                let what = match what {
                    // Name the cause: a digest does not fit when its leaf was changed.
                    EntryFault::Digest if self.is_changed(entry, raw) => EntryFault::Changed,
                    what => what,
                };
                Fault::Entry { entry, what }
            })?;
            growth.push(&mut frontier, leaf_hash(&raw.leaf));
        }
        Ok((frontier, growth))
    }

    fn check_entry(&mut self, entry: u64, raw: &RawEntry) -> Result<(), EntryFault> {
        let leaf = Leaf::parse(&raw.leaf)?;
        let sealed = raw.sealed.as_ref();
        if sealed.is_some_and(|sealed| sealed.commitment() != leaf.record_commitment) {
            return Err(EntryFault::Commitment);
        }
        let (first, last) = self.report.times.unwrap_or((leaf.time, leaf.time));
        if leaf.time < last {
            return Err(EntryFault::Time);
        }
        match (leaf.kind, sealed) {
            (Kind::Exchange, Some(sealed)) => _ = check_exchange(&leaf, sealed)?,
            (Kind::Intent, sealed) => {
                let opened = match sealed {
                    Some(sealed) => check_exchange(&leaf, sealed)?,
                    None => OpenStream::erased(&leaf),
                };
                self.streams.insert(entry, opened);
            }
            (Kind::StreamEnd, Some(sealed)) => self.check_end(&leaf, sealed)?,
            (Kind::StreamEnd, None) => self.check_erased_end(&leaf)?,
            (Kind::Erasure, Some(sealed)) => self.check_erasure(entry, &leaf, sealed)?,
            (Kind::Lifecycle | Kind::Policy, Some(sealed)) => {
                decode(sealed)
                    .iter()
                    .for_each(|record| self.texts.note(record));
            }
            _ => {}
        }
        if sealed.is_none() {
            self.withheld.note(entry, leaf.time);
            self.report.erased += 1;
        }
        self.report.times = Some((first, leaf.time));
        *self.report.kinds.entry(leaf.kind.as_str()).or_default() += 1;
        Ok(())
    }

    fn check_end(&mut self, leaf: &Leaf, sealed: &SealedRecord) -> Result<(), EntryFault> {
        let Some(journal_record::Kind::StreamEnd(end)) = decode(sealed) else {
            return Err(EntryFault::NotAnEnd);
        };
        match self.streams.remove(&end.opened_at) {
            Some(opened) if opened.exchange == leaf.exchange => opened.check_end(leaf, &end),
            Some(_) => Err(EntryFault::OtherExchange(end.opened_at)),
            None => Err(EntryFault::NotOpen(end.opened_at)),
        }
    }

    /// Which stream it ended stood in the record; both entries bear the exchange's id.
    fn check_erased_end(&mut self, leaf: &Leaf) -> Result<(), EntryFault> {
        let mut open = self.streams.iter();
        let opened_at =
            open.find_map(|(at, opened)| (opened.exchange == leaf.exchange).then_some(*at));
        let opened_at = opened_at.ok_or(EntryFault::EndsNothing)?;
        self.streams.remove(&opened_at);
        Ok(())
    }

    fn check_erasure(
        &mut self,
        entry: u64,
        leaf: &Leaf,
        sealed: &SealedRecord,
    ) -> Result<(), EntryFault> {
        let Some(journal_record::Kind::Erasure(record)) = decode(sealed) else {
            return Err(EntryFault::NotAnErasure);
        };
        if entry < self.checkpoint.size() {
            self.withheld.erasures.add(entry, leaf.time, &record);
        }
        Ok(())
    }

    /// At the size that was signed the tree must have the root that was signed.
    fn check_root(&self) -> Result<(), Fault> {
        let size = self.checkpoint.size();
        if self.frontier.size() == size && self.frontier.root() != *self.checkpoint.root() {
            return Err(Fault::OtherRoot { size });
        }
        Ok(())
    }
}

fn check_exchange(leaf: &Leaf, sealed: &SealedRecord) -> Result<OpenStream, EntryFault> {
    match decode(sealed) {
        Some(journal_record::Kind::Exchange(record)) => account::check(leaf, &record),
        _ => Err(EntryFault::NotAnExchange),
    }
}

fn decode(sealed: &SealedRecord) -> Option<journal_record::Kind> {
    pb::JournalRecord::decode(sealed.record.clone()).ok()?.kind
}

impl From<DiskError> for Fault {
    fn from(error: DiskError) -> Self {
        Self::Read(error.into())
    }
}

#[cfg(test)]
mod tests;
