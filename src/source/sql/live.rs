//! What a table looks like in the database at this moment.

use super::Dialect;
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
    /// A unique index stands on this column alone, so its own order has no ties.
    pub(super) unique: bool,
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

/// Takes the schema or NULL, then the table.
pub(super) const POSTGRES: &str = r#"
SELECT a.attname::text,
       CASE WHEN b.typtype = 'e' THEN 'enum' ELSE b.typname::text END,
       format_type(a.atttypid, a.atttypmod),
       CASE WHEN e.typtype = 'e' THEN 'enum' ELSE e.typname::text END,
       EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid
               AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
  LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'
 WHERE a.attrelid = to_regclass(coalesce(quote_ident($1) || '.', '') || quote_ident($2))
   AND a.attnum > 0 AND NOT a.attisdropped
   AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
"#;

/// Takes the schema or NULL, then the table.
pub(super) const MYSQL: &str = r#"
SELECT CAST(c.COLUMN_NAME AS CHAR), CAST(LOWER(c.DATA_TYPE) AS CHAR), CAST(LOWER(c.COLUMN_TYPE) AS CHAR), NULL,
       EXISTS (SELECT 1 FROM information_schema.STATISTICS s
                WHERE s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME AND s.NON_UNIQUE = 0
                  AND s.COLUMN_NAME = c.COLUMN_NAME AND s.SUB_PART IS NULL
                  AND NOT EXISTS (SELECT 1 FROM information_schema.STATISTICS o
                                   WHERE o.TABLE_SCHEMA = s.TABLE_SCHEMA AND o.TABLE_NAME = s.TABLE_NAME
                                     AND o.INDEX_NAME = s.INDEX_NAME AND o.SEQ_IN_INDEX > 1)),
       CAST(c.CHARACTER_SET_NAME AS CHAR), CAST(c.COLLATION_NAME AS CHAR)
  FROM information_schema.COLUMNS c
 WHERE c.TABLE_SCHEMA = COALESCE(?, DATABASE()) AND c.TABLE_NAME = ?
"#;

/// Takes the schema or NULL, then the table. The second column is the declared type, from which comes the affinity.
pub(super) const SQLITE: &str = r#"
SELECT c.name, '', c.type, NULL,
       (c.pk = 1 AND (SELECT max(pk) FROM pragma_table_info(?2, coalesce(?1, 'main'))) = 1)
       OR EXISTS (SELECT 1 FROM pragma_index_list(?2, coalesce(?1, 'main')) l
                   WHERE l."unique" AND NOT l.partial
                     AND (SELECT group_concat(i.name) FROM pragma_index_info(l.name, coalesce(?1, 'main')) i) = c.name)
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
