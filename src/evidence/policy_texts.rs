//! Which texts of the policy a journal says were in force.

use std::path::Path;

use super::criteria::Criteria;
use super::index::Index;
use super::search::each;
use crate::journal::Kind;
use crate::journal::policies::Policies;
use crate::journal::policies::TextsOnRecord;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;

/// By the entries of all starts and reloads.
pub fn on_record(journal: &Path, index: Option<&Index>) -> Result<TextsOnRecord, ReadError> {
    let mut known = TextsOnRecord::default();
    for kind in [Kind::Lifecycle, Kind::Policy] {
        let criteria = Criteria {
            kind: Some(kind),
            ..Criteria::default()
        };
        each(&Reader::open(journal), index, &criteria, None, |hit| {
            if let Some(record) = hit.record_kind() {
                known.note(record);
            }
            true
        })?;
    }
    known.read_lists(&Policies::beside(journal))?;
    Ok(known)
}
