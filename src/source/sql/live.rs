//! What a table looks like in the database at this moment.

use std::sync::Arc;

use super::Dialect;
use super::codec::Codec;
use super::plan::Output;
use super::settings::Identifier;

/// A column that the gateway's role may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveColumn {
    pub(super) name: String,
    /// The type by which a codec is chosen: PostgreSQL's `typname` (of a domain, the type beneath; `enum` for enum types),
    /// MySQL's `DATA_TYPE`, SQLite's affinity.
    pub(super) kind: String,
    /// The type as the database's own people write it.
    pub(super) shown: String,
    /// Of a PostgreSQL array: the `kind` of its elements.
    pub(super) element: Option<String>,
    /// Of a text of MySQL: its character set and collation.
    pub(super) collation: Option<(Identifier, Identifier)>,
    /// Of a PostgreSQL enum type, or an array of one: what its values are called.
    pub(super) labels: Vec<String>,
    pub(super) uniqueness: Uniqueness,
    /// The database keeps its texts in UTF-8, in which their bytes go as the characters do.
    pub(super) in_utf8: bool,
}

/// What unique indexes on one column alone make sure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Uniqueness {
    Nothing,
    /// No two rows have the same value.
    Values,
    /// No two rows have values that the column's own order takes for the same.
    Order,
}

impl Uniqueness {
    pub(super) fn of(values: bool, order: bool) -> Self {
        match (values, order) {
            (_, true) => Self::Order,
            (true, false) => Self::Values,
            (false, false) => Self::Nothing,
        }
    }
}

impl LiveColumn {
    /// Databases but PostgreSQL do not heed the case of a column's name.
    pub(super) fn is_called(&self, name: &str, dialect: Dialect) -> bool {
        match dialect {
            Dialect::Postgres => self.name == name,
            Dialect::MySql | Dialect::Sqlite => self.name.eq_ignore_ascii_case(name),
        }
    }
}

/// Takes the schema or an empty text, then the table. An index of a table from which others inherit says nothing of
/// their rows.
pub(super) const POSTGRES: &str = r#"
SELECT a.attname::text AS name,
       CASE WHEN b.typtype = 'e' THEN 'enum' ELSE b.typname::text END AS kind,
       format_type(a.atttypid, a.atttypmod) AS shown,
       CASE WHEN e.typtype = 'e' THEN 'enum' ELSE e.typname::text END AS element,
       (SELECT string_agg(l.enumlabel, chr(31) ORDER BY l.enumsortorder) FROM pg_enum l
         WHERE l.enumtypid IN (b.oid, e.oid)) AS labels,
       u.is_unique, u.is_unique AND u.in_order AS in_order,
       current_setting('server_encoding') IN ('UTF8', 'SQL_ASCII') AS in_utf8
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
  LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'
  CROSS JOIN LATERAL (
       SELECT count(*) > 0 AS is_unique, coalesce(bool_or(i.indcollation[0] = a.attcollation), false) AS in_order
         FROM pg_index i
        WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
          AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
          AND NOT EXISTS (SELECT 1 FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent
                           WHERE h.inhparent = a.attrelid AND p.relkind = 'r')) u
 WHERE a.attrelid = to_regclass(coalesce(quote_ident(nullif($1, '')) || '.', '') || quote_ident($2))
   AND a.attnum > 0 AND NOT a.attisdropped
   AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
"#;

pub(super) const BETWEEN_LABELS: char = '\x1f';

pub(super) fn postgres_outputs() -> Vec<Arc<Output>> {
    let texts = ["name", "kind", "shown", "element", "labels"].map(|name| (name, Codec::Rendered));
    let truths = ["is_unique", "in_order", "in_utf8"].map(|name| (name, Codec::Boolean));
    outputs(texts.into_iter().chain(truths))
}

/// Takes the time limit of a statement in milliseconds. Tells the server process, and whether the transaction is as the
/// gateway has begun it.
pub(super) const POSTGRES_STATE: &str = r#"
SELECT pg_backend_pid()::text AS process,
       current_setting('transaction_read_only') = 'on' AND current_setting('TimeZone') = 'UTC'
       AND EXISTS (SELECT 1 FROM pg_settings WHERE name = 'statement_timeout' AND setting::bigint = $1) AS is_set
"#;

pub(super) fn postgres_state_outputs() -> Vec<Arc<Output>> {
    outputs([("process", Codec::Rendered), ("is_set", Codec::Boolean)])
}

pub(super) const POSTGRES_PROCESS: &str = "SELECT pg_backend_pid()::text AS process";

pub(super) fn postgres_process_outputs() -> Vec<Arc<Output>> {
    outputs([("process", Codec::Rendered)])
}

fn outputs(columns: impl IntoIterator<Item = (&'static str, Codec)>) -> Vec<Arc<Output>> {
    let output = |(name, codec): (&str, _)| {
        Arc::new(Output {
            name: name.to_owned(),
            codec,
        })
    };
    columns.into_iter().map(output).collect()
}

/// Takes the schema or NULL, then the table. An index of a table that stands for others says nothing of their rows.
pub(super) const MYSQL: &str = r#"
SELECT CAST(c.COLUMN_NAME AS CHAR), CAST(LOWER(c.DATA_TYPE) AS CHAR), CAST(LOWER(c.COLUMN_TYPE) AS CHAR), NULL,
       EXISTS (SELECT 1 FROM information_schema.STATISTICS s
                WHERE s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME AND s.NON_UNIQUE = 0
                  AND s.COLUMN_NAME = c.COLUMN_NAME AND s.SUB_PART IS NULL
                  AND NOT EXISTS (SELECT 1 FROM information_schema.STATISTICS o
                                   WHERE o.TABLE_SCHEMA = s.TABLE_SCHEMA AND o.TABLE_NAME = s.TABLE_NAME
                                     AND o.INDEX_NAME = s.INDEX_NAME AND o.SEQ_IN_INDEX > 1)
                  AND NOT EXISTS (SELECT 1 FROM information_schema.TABLES t
                                   WHERE t.TABLE_SCHEMA = s.TABLE_SCHEMA AND t.TABLE_NAME = s.TABLE_NAME
                                     AND t.ENGINE IN ('MRG_MyISAM', 'FEDERATED', 'CONNECT', 'SPIDER'))),
       CAST(c.CHARACTER_SET_NAME AS CHAR), CAST(c.COLLATION_NAME AS CHAR),
       CASE WHEN LOWER(c.DATA_TYPE) = 'enum' THEN CAST(c.COLUMN_TYPE AS CHAR) END
  FROM information_schema.COLUMNS c
 WHERE c.TABLE_SCHEMA = COALESCE(?, DATABASE()) AND c.TABLE_NAME = ?
"#;

/// Takes the schema or NULL, then the table. The third column is the declared type, from which comes the affinity; the
/// fifth tells of a primary key of this column alone, the sixth the collations of its unique indexes, the last the encoding.
pub(super) const SQLITE: &str = r#"
SELECT c.name, '', c.type, NULL,
       c.pk = 1 AND (SELECT max(pk) FROM pragma_table_info(?2, coalesce(?1, 'main'))) = 1,
       (SELECT group_concat(x.coll)
          FROM pragma_index_list(?2, coalesce(?1, 'main')) l, pragma_index_xinfo(l.name, coalesce(?1, 'main')) x
         WHERE l."unique" AND NOT l.partial AND x.key AND x.cid = c.cid
           AND (SELECT count(*) FROM pragma_index_xinfo(l.name, coalesce(?1, 'main')) k WHERE k.key) = 1),
       (SELECT encoding = 'UTF-8' FROM pragma_encoding)
  FROM pragma_table_xinfo(?2, coalesce(?1, 'main')) c
"#;

/// The affinity of a declared type, by the rules of <https://www.sqlite.org/datatype3.html> 3.1.
pub(super) fn affinity(declared: &str) -> &'static str {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if has("INT") {
        "integer"
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        "text"
    } else if has("BLOB") || declared.is_empty() {
        "none"
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        "real"
    } else {
        "numeric"
    }
}
