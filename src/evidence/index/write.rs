//! Puts entries into the index, a batch of whole commits in one transaction.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Statement;
use rusqlite::named_params;
use rusqlite::params;

use super::bits::Bits;
use super::bits::block_of;
use super::number;
use super::requirement::facet_key;
use super::requirement::mention_key;
use super::requirement::shard_of;
use crate::evidence::facet::Volume;
use crate::evidence::hit::Hit;
use crate::journal::scan::CommitAt;
use crate::pb;

/// Words that are remembered; beyond that they are looked up again.
const MOST_WORDS: usize = 100_000;
/// A waypoint is set when the last one is so many bytes behind.
const WAYPOINT_BYTES: u64 = 64 * 1024;

/// What is worth remembering from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Memory {
    words: HashMap<String, i64>,
    waypoint: Option<CommitAt>,
}

/// One batch. Rows go in at once; what many entries share is gathered and goes in, sorted, with `finish`.
pub(super) struct Batch<'c> {
    memory: &'c mut Memory,
    statements: Statements<'c>,
    facets: BTreeMap<(i64, u64), Bits>,
    blocks: BTreeMap<u64, Volume>,
    mentions: BTreeSet<(u64, i64, u64)>,
}

struct Statements<'c> {
    word: Statement<'c>,
    new_word: Statement<'c>,
    entry: Statement<'c>,
    waypoint: Statement<'c>,
    bits: Statement<'c>,
    facet: Statement<'c>,
    block: Statement<'c>,
    mention: Statement<'c>,
    erase: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            word: connection.prepare("SELECT id FROM word WHERE text = ?")?,
            new_word: connection.prepare("INSERT INTO word (text) VALUES (?) RETURNING id")?,
            entry: connection.prepare(
                "INSERT OR REPLACE INTO entry VALUES (:id, :time, :kind, :role, :outcome, :exchange, :digest, :heard,
                 :consumer, :provider, :records, :bytes, :latency_us, :closing)",
            )?,
            waypoint: connection.prepare("INSERT OR REPLACE INTO waypoint VALUES (?, ?, ?)")?,
            bits: connection.prepare("SELECT bits FROM facet WHERE key = ? AND block = ?")?,
            facet: connection.prepare("INSERT OR REPLACE INTO facet VALUES (?, ?, ?)")?,
            block: connection.prepare(
                "INSERT INTO block VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
                 records = max(records, excluded.records), bytes = max(bytes, excluded.bytes),
                 latency_us = max(latency_us, excluded.latency_us)",
            )?,
            mention: connection.prepare("INSERT OR IGNORE INTO mention VALUES (?, ?, ?)")?,
            erase: connection
                .prepare("DELETE FROM mention WHERE shard = ? AND entry >= ? AND entry < ?")?,
        })
    }
}

impl<'c> Batch<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        memory: &'c mut Memory,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            memory,
            statements: Statements::new(connection)?,
            facets: BTreeMap::new(),
            blocks: BTreeMap::new(),
            mentions: BTreeSet::new(),
        })
    }

    /// Notes where a commit stands, if none is noted shortly before it.
    pub(super) fn pass(&mut self, commit: CommitAt) -> rusqlite::Result<()> {
        let near = self.memory.waypoint.is_some_and(|last| {
            last.segment == commit.segment && commit.offset < last.offset + WAYPOINT_BYTES
        });
        if near {
            return Ok(());
        }
        self.memory.waypoint = Some(commit);
        self.statements.waypoint.execute(params![
            number(commit.first),
            number(commit.segment),
            number(commit.offset)
        ])?;
        Ok(())
    }

    /// An entry; once more when it is a stream's opening and the stream has ended.
    pub(super) fn put(&mut self, hit: &Hit) -> rusqlite::Result<()> {
        self.put_row(hit)?;
        let block = block_of(hit.index);
        let mut keys = Vec::new();
        let mut failed = None;
        hit.each_facet(|facet, value| match self.word(value) {
            Ok(word) => keys.push(facet_key(facet, word)),
            Err(error) => failed = Some(error),
        });
        if let Some(error) = failed {
            return Err(error);
        }
        for key in keys {
            self.bits(key, block)?.set(hit.index);
        }
        hit.each_mention(|mention, bytes| {
            let key = mention_key(mention, bytes);
            self.mentions.insert((shard_of(hit.index), key, hit.index));
        });
        let (volume, greatest) = (hit.volume(), self.blocks.entry(block).or_default());
        greatest.records = greatest.records.max(volume.records);
        greatest.bytes = greatest.bytes.max(volume.bytes);
        greatest.latency_us = greatest.latency_us.max(volume.latency_us);
        Ok(())
    }

    fn put_row(&mut self, hit: &Hit) -> rusqlite::Result<()> {
        let (mut consumer, mut provider) = (None, None);
        if let Some(record) = hit.exchange() {
            consumer = Some(self.word(&record.consumer)?);
            provider = Some(self.word(&record.provider)?);
        }
        let last = hit.end.as_ref().map_or(&hit.leaf, |end| &end.leaf);
        let volume = hit.volume();
        self.statements.entry.execute(named_params! {
            ":id": number(hit.index),
            ":time": hit.leaf.time.micros(),
            ":kind": hit.leaf.kind.code(),
            ":role": hit.leaf.role.code(),
            ":outcome": last.outcome.code(),
            ":exchange": hit.leaf.exchange.as_ref().map(|exchange| exchange.bytes()),
            ":digest": last.exchange_digest,
            ":heard": hit.has_answer(),
            ":consumer": consumer,
            ":provider": provider,
            ":records": number(volume.records),
            ":bytes": number(volume.bytes),
            ":latency_us": number(volume.latency_us),
            ":closing": hit.end.as_ref().map(|end| number(end.index)),
        })?;
        Ok(())
    }

    /// Whom and what erased records mention is forgotten.
    pub(super) fn erase(&mut self, ranges: &[pb::EntryRange], end: u64) -> rusqlite::Result<()> {
        self.put_mentions()?;
        for range in ranges {
            let range = range.first..range.end.min(end);
            if range.is_empty() {
                continue;
            }
            for shard in shard_of(range.start)..=shard_of(range.end - 1) {
                let erased = params![number(shard), number(range.start), number(range.end)];
                self.statements.erase.execute(erased)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> rusqlite::Result<()> {
        self.put_mentions()?;
        for ((key, block), bits) in std::mem::take(&mut self.facets) {
            let row = params![key, number(block), bits.encode()];
            self.statements.facet.execute(row)?;
        }
        for (block, volume) in std::mem::take(&mut self.blocks) {
            let greatest = [volume.records, volume.bytes, volume.latency_us].map(number);
            let [records, bytes, latency_us] = greatest;
            let row = params![number(block), records, bytes, latency_us];
            self.statements.block.execute(row)?;
        }
        Ok(())
    }

    fn put_mentions(&mut self) -> rusqlite::Result<()> {
        for (shard, key, entry) in std::mem::take(&mut self.mentions) {
            let row = params![number(shard), key, number(entry)];
            self.statements.mention.execute(row)?;
        }
        Ok(())
    }

    fn bits(&mut self, key: i64, block: u64) -> rusqlite::Result<&mut Bits> {
        use std::collections::btree_map::Entry;
        match self.facets.entry((key, block)) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(vacant) => {
                let stored = self
                    .statements
                    .bits
                    .query_row(params![key, number(block)], |row| {
                        Ok(Bits::decode(row.get_ref(0)?.as_blob()?))
                    })
                    .optional()?;
                Ok(vacant.insert(stored.unwrap_or(Bits::NONE)))
            }
        }
    }

    fn word(&mut self, text: &str) -> rusqlite::Result<i64> {
        if let Some(word) = self.memory.words.get(text) {
            return Ok(*word);
        }
        let known = self
            .statements
            .word
            .query_row([text], |row| row.get(0))
            .optional()?;
        let word = match known {
            Some(word) => word,
            None => self
                .statements
                .new_word
                .query_row([text], |row| row.get(0))?,
        };
        if self.memory.words.len() >= MOST_WORDS {
            self.memory.words.clear();
        }
        self.memory.words.insert(text.to_owned(), word);
        Ok(word)
    }
}
