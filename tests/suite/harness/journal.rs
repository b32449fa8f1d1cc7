//! A gateway's journal, read from its files as an auditor would.

use std::path::Path;
use std::path::PathBuf;
use std::slice::from_ref;
use std::time::Duration;

use landbridge::journal::JournalKey;
use landbridge::journal::Leaf;
use landbridge::journal::reader::Reader;
use landbridge::journal::verify::Report;
use landbridge::journal::verify::verify;
use landbridge::name::ExchangeId;
use landbridge::pb;
use landbridge::pb::journal_record::Kind;
use landbridge::tlog::note::VerifierKey;
use landbridge::tlog::signed_checkpoint::SignedCheckpoint;
use tokio::time::timeout;

use super::PATIENCE;

pub(crate) struct Journal {
    origin: String,
    dir: PathBuf,
    key: PathBuf,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) index: u64,
    pub(crate) leaf: Leaf,
    pub(crate) kind: Kind,
}

impl Journal {
    pub(super) fn of(origin: &str, var: &Path) -> Self {
        Self {
            origin: origin.to_owned(),
            dir: var.join("journal"),
            key: var.join("journal.key"),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// All of them, the oldest first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let stored = Reader::open(&self.dir)
            .forward(0)
            .unwrap()
            .map(Result::unwrap);
        let entries = stored.map(|stored| Entry {
            index: stored.index,
            leaf: stored.leaf,
            kind: stored.record().unwrap().unwrap().kind.unwrap(),
        });
        entries.collect()
    }

    /// Those of one exchange: one, or for a stream its opening and its end.
    pub(crate) fn of_exchange(&self, exchange: ExchangeId) -> Vec<Entry> {
        self.entries()
            .into_iter()
            .filter(|entry| entry.leaf.exchange == Some(exchange))
            .collect()
    }

    /// The exchanges, openings of streams included, of one case.
    pub(crate) fn of_case(&self, case: &str) -> Vec<Entry> {
        let of_case = |entry: &Entry| {
            entry
                .exchange()
                .is_some_and(|exchange| exchange.case_reference == case)
        };
        self.entries().into_iter().filter(of_case).collect()
    }

    /// What somebody has read of it.
    pub(crate) fn readings(&self, reader: &str) -> Vec<pb::AccessRecord> {
        let entries = self.entries().into_iter();
        let readings = entries.filter_map(|entry| match entry.kind {
            Kind::Access(access) if access.reader == reader => Some(access),
            _ => None,
        });
        readings.collect()
    }

    /// Waits for the first entry that fits.
    pub(crate) async fn awaits<T>(&self, fits: impl Fn(&Entry) -> Option<T>) -> T {
        let look = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
                if let Some(found) = self.entries().iter().find_map(&fits) {
                    return found;
                }
            }
        };
        match timeout(PATIENCE, look).await {
            Ok(found) => found,
            Err(_) => panic!("the entry did not come; the journal has:\n{}", self.text()),
        }
    }

    /// Waits until a signed checkpoint covers all that is there now.
    pub(crate) async fn published(&self) {
        let entries = self.entries().len();
        let look = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
                let note = Reader::open(&self.dir).published().unwrap();
                let size = note.as_deref().and_then(|note| note.lines().nth(1));
                if size.is_some_and(|size| size.parse::<usize>().unwrap() >= entries) {
                    return;
                }
            }
        };
        assert!(
            timeout(PATIENCE, look).await.is_ok(),
            "no checkpoint of {entries} entries was published"
        );
    }

    /// Waits for the end of a stream.
    pub(crate) async fn end_of(&self, exchange: ExchangeId) -> pb::StreamEndRecord {
        self.awaits(|entry| match &entry.kind {
            Kind::StreamEnd(end) if entry.leaf.exchange == Some(exchange) => Some(end.clone()),
            _ => None,
        })
        .await
    }

    /// Waits until witnesses have cosigned so many of its entries.
    pub(crate) async fn witnessed(&self, entries: u64) -> SignedCheckpoint {
        let key = self.vkey();
        let look = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            loop {
                ticks.tick().await;
                let note = Reader::open(&self.dir).witnessed().unwrap();
                let checkpoint =
                    note.map(|note| SignedCheckpoint::open(&note, from_ref(&key)).unwrap());
                if let Some(checkpoint) = checkpoint.filter(|found| found.size() >= entries) {
                    return checkpoint;
                }
            }
        };
        match timeout(PATIENCE, look).await {
            Ok(found) => found,
            Err(_) => panic!(
                "nobody cosigns {entries} entries; the journal has:\n{}",
                self.text()
            ),
        }
    }

    /// The public half of its key.
    pub(crate) fn vkey(&self) -> VerifierKey {
        JournalKey::load(&self.key)
            .unwrap()
            .verifier(&self.origin)
            .unwrap()
    }

    /// Whether the whole journal is proven by its own key, and what is in it.
    pub(crate) fn report(&self) -> Report {
        verify(&self.dir, &[self.vkey()])
    }

    /// The same of a journal that is.
    pub(crate) fn verified(&self) -> Report {
        let report = self.report();
        assert!(
            report.fault.is_none(),
            "{}: {}",
            self.origin,
            report.fault.unwrap()
        );
        report
    }

    /// One line for each entry.
    pub(crate) fn text(&self) -> String {
        self.entries()
            .iter()
            .map(|entry| format!("{} {} {}\n", entry.index, entry.leaf.kind, entry.reason()))
            .collect()
    }
}

impl Entry {
    /// The record of an exchange or of the opening of a stream.
    pub(crate) fn exchange(&self) -> Option<&pb::ExchangeRecord> {
        match &self.kind {
            Kind::Exchange(exchange) => Some(exchange),
            _ => None,
        }
    }

    /// How it ended, or what it is about.
    pub(crate) fn reason(&self) -> &str {
        match &self.kind {
            Kind::Exchange(exchange) => &exchange.reason,
            Kind::StreamEnd(end) => &end.reason,
            Kind::Policy(policy) if policy.applied => "applied",
            Kind::Policy(_) => "refused",
            Kind::Lifecycle(lifecycle) => &lifecycle.event,
            Kind::Connection(connection) => &connection.reason,
            Kind::Reconciliation(reconciliation) => &reconciliation.peer,
            Kind::Access(access) => &access.action,
            Kind::Registry(registry) => &registry.package,
            Kind::Correction(correction) => &correction.id,
            Kind::Erasure(erasure) => &erasure.class,
            Kind::Heartbeat(_) => "",
        }
    }
}
