//! An entry as a row: the columns that Parquet and CSV have in common.

use super::ExportError;
use super::rows::Row;
use crate::clock::Moment;
use crate::evidence::json;
use crate::name::ExchangeId;
use crate::pb;
use crate::pb::journal_record::Kind as Record;
use crate::tlog::merkle::Hash;

/// One column of every row.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) cell: fn(&Row) -> Cell<'_>,
}

/// What a column's cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Number,
    Time,
    Text,
    /// 16 bytes, an exchange's id.
    Id,
    /// 32 bytes.
    Hash,
    Bytes,
    Texts,
    /// Each of 16 bytes.
    Tags,
}

/// One cell. What a record leaves unsaid is `None`: an empty text, an empty digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    None,
    Number(u64),
    Time(Moment),
    Text(&'a str),
    Id(ExchangeId),
    Hash(Hash),
    Bytes(&'a [u8]),
    Texts(&'a [String]),
    Tags(&'a [pb::SubjectTag]),
}

/// Columns of which every row has a cell.
pub(super) const REQUIRED: [&str; 3] = ["log_index", "leaf_hash", "time"];

/// In the order of the leaf, then of the record.
pub(super) const COLUMNS: &[Column] = &[
    column("log_index", Form::Number, |row| Cell::Number(row.index())),
    column("leaf_hash", Form::Hash, |row| {
        Cell::Hash(row.stored.leaf_hash())
    }),
    column("time", Form::Time, |row| Cell::Time(row.stored.leaf.time)),
    column("kind", Form::Text, |row| {
        Cell::Text(row.stored.leaf.kind.as_str())
    }),
    column("role", Form::Text, |row| {
        Cell::Text(row.stored.leaf.role.as_str())
    }),
    column("outcome", Form::Text, |row| {
        Cell::Text(row.stored.leaf.outcome.as_str())
    }),
    column("exchange_id", Form::Id, |row| {
        let id = row.stored.leaf.exchange;
        id.map_or(Cell::None, Cell::Id)
    }),
    column("consumer", Form::Text, |row| {
        text(row, |e| &e.consumer, |e| &e.consumer)
    }),
    column("provider", Form::Text, |row| {
        exchange(row, |e| stated(&e.provider))
    }),
    column("system", Form::Text, |row| {
        exchange(row, |e| stated(&e.system))
    }),
    column("officer", Form::Text, |row| {
        exchange(row, |e| stated(&e.officer))
    }),
    column("purpose", Form::Text, |row| {
        exchange(row, |e| stated(&e.purpose))
    }),
    column("case_reference", Form::Text, |row| {
        exchange(row, |e| stated(&e.case_reference))
    }),
    column("mode", Form::Text, |row| exchange(row, |e| stated(&e.mode))),
    column("record_type", Form::Text, |row| {
        text(row, |e| &e.record_type, |e| &e.record_type)
    }),
    column("agreement", Form::Text, |row| {
        text(row, |e| &e.agreement, |e| &e.agreement)
    }),
    column("grant_number", Form::Number, |row| {
        let granted = |agreement: &str, grant: u32| match agreement {
            "" => Cell::None,
            _ => Cell::Number(grant.into()),
        };
        either(
            row,
            |e| granted(&e.agreement, e.grant),
            |e| granted(&e.agreement, e.grant),
        )
    }),
    column("agreement_digest", Form::Bytes, |row| {
        exchange(row, |e| bytes(&e.agreement_digest))
    }),
    column("policy_revision", Form::Bytes, |row| {
        match row.record_kind() {
            Some(Record::Exchange(record)) => bytes(&record.policy_revision),
            Some(Record::Policy(record)) => bytes(&record.revision),
            _ => Cell::None,
        }
    }),
    column("schema_digest", Form::Bytes, |row| {
        exchange(row, |e| bytes(&e.schema_digest))
    }),
    column("fields", Form::Texts, |row| {
        exchange(row, |e| Cell::Texts(&e.fields))
    }),
    column("masked", Form::Texts, |row| {
        exchange(row, |e| Cell::Texts(&e.masked))
    }),
    column("records", Form::Number, |row| {
        either(
            row,
            |e| Cell::Number(e.records),
            |e| Cell::Number(e.records),
        )
    }),
    column("bytes", Form::Number, |row| {
        either(row, |e| Cell::Number(e.bytes), |e| Cell::Number(e.bytes))
    }),
    column("latency_us", Form::Number, |row| {
        either(
            row,
            |e| Cell::Number(e.latency_us),
            |e| Cell::Number(e.latency_us),
        )
    }),
    column("mismatches", Form::Number, |row| {
        exchange(row, |e| Cell::Number(e.mismatches.into()))
    }),
    column("lookup_misses", Form::Number, |row| {
        either(
            row,
            |e| Cell::Number(e.lookup_misses.into()),
            |e| Cell::Number(e.lookup_misses.into()),
        )
    }),
    column("reason", Form::Text, |row| match row.record_kind() {
        Some(Record::Connection(record)) => stated(&record.reason),
        _ => text(row, |e| &e.reason, |e| &e.reason),
    }),
    column("detail", Form::Text, |row| match row.record_kind() {
        Some(Record::Policy(record)) => stated(&record.detail),
        Some(Record::Registry(record)) => stated(&record.detail),
        _ => text(row, |e| &e.detail, |e| &e.detail),
    }),
    column("subjects", Form::Tags, |row| {
        either(
            row,
            |e| Cell::Tags(&e.subjects),
            |e| Cell::Tags(&e.subjects),
        )
    }),
    column("question_digest", Form::Bytes, |row| {
        exchange(row, |e| bytes(&e.question_digest))
    }),
    column("response_digest", Form::Bytes, |row| {
        either(
            row,
            |e| bytes(&e.response_digest),
            |e| bytes(&e.response_digest),
        )
    }),
    column("exchange_digest", Form::Hash, |row| {
        let digest = row.stored.leaf.exchange_digest;
        match digest == [0; 32] {
            true => Cell::None,
            false => Cell::Hash(digest),
        }
    }),
    column("peer_origin", Form::Text, |row| {
        text(row, |e| &e.peer_origin, |e| &e.peer_origin)
    }),
    column("peer_index", Form::Number, |row| {
        let peer = row.stored.leaf.peer;
        peer.map_or(Cell::None, |peer| Cell::Number(peer.index))
    }),
    column("peer_leaf_hash", Form::Hash, |row| {
        let peer = row.stored.leaf.peer;
        peer.map_or(Cell::None, |peer| Cell::Hash(peer.leaf_hash))
    }),
    column("opened_at", Form::Number, |row| {
        let end = row.end();
        end.map_or(Cell::None, |end| Cell::Number(end.opened_at))
    }),
];

/// After the columns: the record, as JSON, of an entry that is of no exchange.
pub(super) const OTHER: &str = "other";

pub(super) fn other(row: &Row) -> Result<Option<String>, ExportError> {
    let Some(record) = &row.record else {
        return Ok(None);
    };
    if row.exchange().is_some() || row.end().is_some() {
        return Ok(None);
    }
    let fields = json::record(record).map_err(|source| ExportError::Entry {
        entry: row.index(),
        source,
    })?;
    Ok(Some(fields.to_string()))
}

const fn column(name: &'static str, form: Form, cell: fn(&Row) -> Cell<'_>) -> Column {
    Column { name, form, cell }
}

/// A cell that only exchanges have.
fn exchange<'a>(row: &'a Row, cell: impl Fn(&'a pb::ExchangeRecord) -> Cell<'a>) -> Cell<'a> {
    row.exchange().map_or(Cell::None, cell)
}

/// A cell of an exchange, and of a stream's end.
fn either<'a>(
    row: &'a Row,
    exchange: impl Fn(&'a pb::ExchangeRecord) -> Cell<'a>,
    end: impl Fn(&'a pb::StreamEndRecord) -> Cell<'a>,
) -> Cell<'a> {
    match row.record_kind() {
        Some(Record::Exchange(record)) => exchange(record),
        Some(Record::StreamEnd(record)) => end(record),
        _ => Cell::None,
    }
}

fn text<'a>(
    row: &'a Row,
    exchange: impl Fn(&'a pb::ExchangeRecord) -> &'a String,
    end: impl Fn(&'a pb::StreamEndRecord) -> &'a String,
) -> Cell<'a> {
    either(row, |e| stated(exchange(e)), |e| stated(end(e)))
}

fn stated(text: &str) -> Cell<'_> {
    match text {
        "" => Cell::None,
        text => Cell::Text(text),
    }
}

fn bytes(bytes: &[u8]) -> Cell<'_> {
    match bytes {
        [] => Cell::None,
        bytes => Cell::Bytes(bytes),
    }
}
