//! JSON lines, as `audit search --json` prints them.

use time::UtcOffset;

use super::ExportError;
use super::draft::HashingFile;
use super::rows::Rows;
use crate::evidence::json;
use crate::tlog::merkle::Hash;

pub(super) fn write(
    rows: &mut Rows<'_>,
    mut file: HashingFile,
    offset: UtcOffset,
) -> Result<Hash, ExportError> {
    while let Some(row) = rows.next()? {
        let entry = row.index();
        let line = json::entry(entry, &row.stored.leaf, row.record.as_ref(), offset)
            .map_err(|source| ExportError::Entry { entry, source })?;
        file.put(format!("{line}\n").as_bytes())?;
    }
    file.finish()
}
