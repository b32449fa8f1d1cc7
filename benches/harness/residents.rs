//! Synthetic residents, made by the database itself: a million of them in seconds.

/// One column of the table: its name, its types in PostgreSQL and SQLite, and its value in row `i`, in words that both
/// databases understand.
type Column = (&'static str, &'static str, &'static str, &'static str);

const COLUMNS: [Column; 13] = [
    (
        "resident_id",
        "varchar(12) PRIMARY KEY",
        "TEXT PRIMARY KEY NOT NULL",
        KEY,
    ),
    ("full_name", "text NOT NULL", "TEXT NOT NULL", NAME),
    (
        "national_id",
        "varchar(18) NOT NULL",
        "TEXT NOT NULL",
        NATIONAL_ID,
    ),
    ("gender", "text NOT NULL", "TEXT NOT NULL", GENDER),
    ("birth_date", "date NOT NULL", "TEXT NOT NULL", BIRTH_DATE),
    (
        "status",
        "text NOT NULL",
        "TEXT NOT NULL",
        "'STATUS_ACTIVE'",
    ),
    (
        "address_district",
        "text NOT NULL",
        "TEXT NOT NULL",
        DISTRICT,
    ),
    ("address_street", "text NOT NULL", "TEXT NOT NULL", STREET),
    ("address_house", "text NOT NULL", "TEXT NOT NULL", HOUSE),
    (
        "household_id",
        "varchar(12) NOT NULL",
        "TEXT NOT NULL",
        HOUSEHOLD,
    ),
    ("phone", "text", "TEXT", PHONE),
    ("height_cm", "int4", "INTEGER", "150 + i % 45"),
    (
        "registered_at",
        "timestamptz NOT NULL",
        "TEXT NOT NULL",
        REGISTERED,
    ),
];

const KEY: &str = "'R' || substr(CAST(10000000000 + i AS text), 2)";
const NAME: &str =
    "substr('王李张刘陈杨赵黄周吴', 1 + i % 10, 1) || substr('志明晓华建国秀英', 1 + i % 7, 2)";
const NATIONAL_ID: &str = "'990101' || CAST(1940 + i % 70 AS text) || '0101' || substr(CAST(10000 + i % 10000 AS text), 2)";
const GENDER: &str = "CASE i % 2 WHEN 0 THEN 'GENDER_FEMALE' ELSE 'GENDER_MALE' END";
const BIRTH_DATE: &str = "CAST(1940 + i % 70 AS text) || '-' || substr(CAST(101 + i % 12 AS text), 2) || '-' || substr(CAST(101 + i % 28 AS text), 2)";
const DISTRICT: &str = "CASE i % 3 WHEN 0 THEN 'Nanming' WHEN 1 THEN 'Yunyan' ELSE 'Huaxi' END";
/// As long as such a line can be, so that a record has about 300 bytes.
const STREET: &str = "'样例省样例市新城区新华路街道解放社区居民委员会第' || CAST(1 + i % 12 AS text) || '网格，阳光花园小区北苑，新华北路与解放东路交叉口东南侧一百二十米'";
const HOUSE: &str = "CAST(1 + i % 300 AS text) || '号'";
const HOUSEHOLD: &str = "'H' || substr(CAST(10000000000 + i / 3 AS text), 2)";
const PHONE: &str = "'139' || substr(CAST(100000000 + i % 100000000 AS text), 2)";
const REGISTERED: &str = "CAST(2000 + i % 24 AS text) || '-05-17T09:30:00Z'";

/// The settings of a source that has them at this address.
pub(crate) fn source(url: &str) -> String {
    format!(
        r#"
[[source]]
name = "population"
url = "{url}"

[[source.record]]
type = "civil.v1.Resident"
table = "residents"
absent = [
    "ethnic_group", "former_names", "attributes", "address.province", "address.city", "address.postal_code",
]
"#
    )
}

/// The key of resident `i`, from 1.
pub(crate) fn key(i: u32) -> String {
    format!("R{i:010}")
}

pub(crate) fn for_postgres(residents: u32) -> String {
    let columns = COLUMNS.map(|(name, kind, _, _)| format!("{name} {kind}"));
    let values = COLUMNS.map(|(_, kind, _, value)| {
        let plain = kind.split(' ').next().unwrap_or(kind);
        format!("CAST({value} AS {plain})")
    });
    format!(
        "CREATE TABLE residents ({});
         INSERT INTO residents SELECT {} FROM generate_series(1, {residents}) AS s(i);
         VACUUM ANALYZE residents;
         CHECKPOINT;",
        columns.join(", "),
        values.join(", ")
    )
}

/// Laid out as `landbridge import` does.
pub(crate) fn for_sqlite(residents: u32) -> String {
    let columns = COLUMNS.map(|(name, _, kind, _)| format!("{name} {kind}"));
    let values = COLUMNS.map(|(_, _, _, value)| value);
    format!(
        "CREATE TABLE residents ({}) STRICT, WITHOUT ROWID;
         WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {residents})
         INSERT INTO residents SELECT {} FROM s;
         ANALYZE;",
        columns.join(", "),
        values.join(", ")
    )
}
