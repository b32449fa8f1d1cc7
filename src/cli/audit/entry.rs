//! An entry as lists show it.

use time::UtcOffset;

use crate::cli::time_arg;
use crate::evidence::row::Row;

pub(super) const HEADER: [&str; 9] = [
    "#",
    "time",
    "side",
    "who",
    "what",
    "purpose",
    "agreement",
    "outcome",
    "exchange",
];

/// Under `HEADER`.
pub(super) fn cells(row: Row, offset: UtcOffset) -> Vec<String> {
    vec![
        row.index.to_string(),
        time_arg::shown(row.time, offset),
        row.side,
        row.who,
        row.what,
        row.purpose,
        row.agreement,
        row.outcome,
        row.exchange.map(|id| id.to_string()).unwrap_or_default(),
    ]
}

/// One line, for entries that come one by one.
pub(super) fn line(row: Row, offset: UtcOffset) -> String {
    let mut cells = cells(row, offset);
    cells.retain(|cell| !cell.is_empty());
    format!("#{}", cells.join("  "))
}
