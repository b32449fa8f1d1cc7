//! One demand on entries, met block by block from the newest to the oldest.

use aws_lc_rs::digest;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Statement;
use rusqlite::params;

use super::bits::BLOCK;
use super::bits::Bits;
use super::bits::block_of;
use super::number;
use super::unsigned;
use crate::evidence::criteria::RequiredValue;
use crate::evidence::facet::Facet;
use crate::evidence::facet::Mention;
use crate::name::ExchangeId;

/// Entries in a shard of mentions: whole blocks. The tests, whose journals are short, have several of them.
const SHARD: u64 = if cfg!(test) { BLOCK } else { 64 * BLOCK };

/// Which entries meet a demand.
pub(super) enum Requirement<'c> {
    /// Entries with one of these values.
    Facet {
        keys: Vec<i64>,
        newest: Statement<'c>,
    },
    /// Entries that mention one of these.
    Mention {
        keys: Vec<i64>,
        newest: Statement<'c>,
        within: Statement<'c>,
    },
    /// These entries, ascending.
    Entries(Vec<u64>),
}

impl<'c> Requirement<'c> {
    pub(super) fn facet(
        connection: &'c Connection,
        any: &[RequiredValue],
    ) -> rusqlite::Result<Self> {
        let mut keys = Vec::new();
        for wanted in any {
            let (facet, words) = match wanted {
                RequiredValue::Is(facet, text) => (facet, words(connection, text, None)?),
                RequiredValue::BeginsWith(facet, text) => {
                    (facet, words(connection, text, Some(&format!("{text}~")))?)
                }
            };
            keys.extend(words.into_iter().map(|word| facet_key(*facet, word)));
        }
        Ok(Self::Facet {
            keys,
            newest: connection.prepare(
                "SELECT block, bits FROM facet WHERE key = ? AND block <= ? ORDER BY block DESC LIMIT 1",
            )?,
        })
    }

    pub(super) fn mention(
        connection: &'c Connection,
        any: &[(Mention, Vec<u8>)],
    ) -> rusqlite::Result<Self> {
        Ok(Self::Mention {
            keys: any
                .iter()
                .map(|(mention, bytes)| mention_key(*mention, bytes))
                .collect(),
            newest: connection.prepare(
                "SELECT entry FROM mention WHERE shard = ? AND key = ? AND entry < ? ORDER BY entry DESC LIMIT 1",
            )?,
            within: connection.prepare(
                "SELECT entry FROM mention WHERE shard = ? AND key = ? AND entry >= ? AND entry < ?",
            )?,
        })
    }

    pub(super) fn exchange(
        connection: &Connection,
        exchange: ExchangeId,
    ) -> rusqlite::Result<Self> {
        let mut statement =
            connection.prepare("SELECT id FROM entry WHERE exchange = ? ORDER BY id")?;
        let entries = statement.query_map([exchange.bytes()], |row| unsigned(row, 0))?;
        Ok(Self::Entries(entries.collect::<Result<_, _>>()?))
    }

    /// The newest block up to that one that has such entries, and which they are.
    pub(super) fn newest(&mut self, block: u64) -> rusqlite::Result<Option<(u64, Bits)>> {
        match self {
            Self::Facet { keys, newest } => newest_facet(keys, newest, block),
            Self::Mention {
                keys,
                newest,
                within,
            } => newest_mention(keys, newest, within, block),
            Self::Entries(entries) => Ok(newest_of(entries, block)),
        }
    }
}

fn newest_facet(
    keys: &[i64],
    newest: &mut Statement<'_>,
    block: u64,
) -> rusqlite::Result<Option<(u64, Bits)>> {
    let mut found: Option<(u64, Bits)> = None;
    for key in keys {
        let next = newest
            .query_row(params![key, number(block)], |row| {
                let bits: &[u8] = row.get_ref(1)?.as_blob()?;
                Ok((unsigned(row, 0)?, Bits::decode(bits)))
            })
            .optional()?;
        found = match (found, next) {
            (Some((at, mut bits)), Some((block, more))) if at == block => {
                bits.add(&more);
                Some((at, bits))
            }
            (Some(found), Some(next)) => Some(if next.0 > found.0 { next } else { found }),
            (found, next) => found.or(next),
        };
    }
    Ok(found)
}

/// Shard by shard, so that a mention that is only in old ones is looked for once.
fn newest_mention(
    keys: &[i64],
    newest: &mut Statement<'_>,
    within: &mut Statement<'_>,
    block: u64,
) -> rusqlite::Result<Option<(u64, Bits)>> {
    let end = (block + 1).saturating_mul(BLOCK);
    for shard in (0..=block * BLOCK / SHARD).rev() {
        let mut last: Option<u64> = None;
        for key in keys {
            let entry = newest
                .query_row(params![number(shard), key, number(end)], |row| {
                    unsigned(row, 0)
                })
                .optional()?;
            last = last.max(entry);
        }
        let Some(last) = last else { continue };
        let found = block_of(last);
        let mut bits = Bits::NONE;
        for key in keys {
            let (from, until) = (number(found * BLOCK), number((found + 1) * BLOCK));
            let mut rows = within.query(params![number(shard), key, from, until])?;
            while let Some(row) = rows.next()? {
                bits.set(unsigned(row, 0)?);
            }
        }
        return Ok(Some((found, bits)));
    }
    Ok(None)
}

fn newest_of(entries: &[u64], block: u64) -> Option<(u64, Bits)> {
    let end = entries.partition_point(|&entry| block_of(entry) <= block);
    let entries = entries.get(..end)?;
    let found = block_of(*entries.last()?);
    let mut bits = Bits::NONE;
    for &entry in entries
        .iter()
        .rev()
        .take_while(|&&entry| block_of(entry) == found)
    {
        bits.set(entry);
    }
    Some((found, bits))
}

/// The words from `text` to `until`, or the one word.
fn words(connection: &Connection, text: &str, until: Option<&str>) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare("SELECT id FROM word WHERE text >= ? AND text <= ?")?;
    let words = statement.query_map([text, until.unwrap_or(text)], |row| row.get(0))?;
    words.collect()
}

/// How a value of a facet is named.
pub(super) fn facet_key(facet: Facet, word: i64) -> i64 {
    word << 4 | facet as i64
}

/// How a mention is named: by 48 bits, of which SQLite stores six bytes. Two that share them are told apart by the record.
pub(super) fn mention_key(mention: Mention, bytes: &[u8]) -> i64 {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[mention as u8]);
    context.update(bytes);
    let hash = context.finish();
    let head = hash.as_ref().iter().take(6);
    // One bit less, since SQLite's numbers are signed.
    head.fold(0, |key, &byte| key << 8 | i64::from(byte)) >> 1
}

/// The shard that an entry's mentions are in.
pub(super) fn shard_of(entry: u64) -> u64 {
    entry / SHARD
}
