//! CSV for spreadsheets: a header line, a line for each entry, no cell that a spreadsheet would run as a formula.

use std::borrow::Cow;
use std::io::Write;

use time::UtcOffset;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::ExportError;
use super::columns;
use super::columns::COLUMNS;
use super::columns::Cell;
use super::draft;
use super::draft::HashingFile;
use super::rows::Rows;
use crate::clock::Moment;
use crate::digest::hex;
use crate::tlog::merkle::Hash;

const MICROS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

pub(super) fn write(rows: &mut Rows<'_>, mut file: HashingFile) -> Result<Hash, ExportError> {
    let path = file.path().to_owned();
    let failed = |error: csv::Error| draft::failed(&path, error.into());
    let mut csv = csv::Writer::from_writer(&mut file as &mut dyn Write);
    let names = COLUMNS.iter().map(|column| column.name);
    csv.write_record(names.chain([columns::OTHER]))
        .map_err(failed)?;
    while let Some(row) = rows.next()? {
        for column in COLUMNS {
            csv.write_field(text((column.cell)(&row)).as_bytes())
                .map_err(failed)?;
        }
        let other = columns::other(&row)?.unwrap_or_default();
        csv.write_field(other).map_err(failed)?;
        csv.write_record(None::<&[u8]>).map_err(failed)?;
    }
    csv.flush().map_err(|error| draft::failed(&path, error))?;
    drop(csv);
    file.finish()
}

fn text(cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::None => Cow::Borrowed(""),
        Cell::Number(number) => number.to_string().into(),
        Cell::Time(time) => utc(time).into(),
        Cell::Text(text) => defused(text),
        Cell::Id(id) => id.to_string().into(),
        Cell::Hash(hash) => hex(&hash).into(),
        Cell::Bytes(bytes) => hex(bytes).into(),
        Cell::Texts(texts) => Cow::Owned(defused(&texts.join(" ")).into_owned()),
        Cell::Tags(tags) => {
            let tags: Vec<_> = tags.iter().map(|tag| hex(&tag.tag)).collect();
            tags.join(" ").into()
        }
    }
}

/// As ISO 8601 with microseconds, so that texts sort as times do.
pub(super) fn utc(moment: Moment) -> String {
    // Moments are of years that the format knows.
    moment.at(UtcOffset::UTC).format(MICROS).unwrap_or_default()
}

/// Text that a spreadsheet takes for a formula gets an apostrophe in front, as OWASP's page on CSV injection advises. East
/// Asian settings take the full-width signs as well.
fn defused(text: &str) -> Cow<'_, str> {
    let risky = |c: char| {
        matches!(
            c,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'
        )
    };
    match text.starts_with(risky) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}
