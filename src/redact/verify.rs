//! Confirms values without disclosing any.

use std::cmp::Ordering;

use crate::registry::extract::Extractor;
use crate::registry::field::Field;
use crate::registry::scalar::Datum;
use crate::registry::value::Literal;
use crate::registry::wire::Malformed;

/// What a verification says of one claimed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Match,
    Mismatch,
    /// There is no such record, or it states no value there.
    Unknown,
}

/// Judges every claim, in order, by equality.
///
/// A field that states nothing in the sense of `value_of` is `Unknown`: also a number or boolean without explicit
/// presence that stands at its default, since a source that does not know the value encodes the same record.
pub fn verdicts(
    record: Option<&[u8]>,
    claims: &[(Field, Literal)],
) -> Result<Vec<Verdict>, Malformed> {
    let Some(record) = record else {
        return Ok(vec![Verdict::Unknown; claims.len()]);
    };
    let (extractor, slots) = Extractor::of(claims.iter().map(|(field, _)| field));
    let reading = extractor.read(record)?;
    let verdicts = claims.iter().zip(slots).map(|((_, claimed), slot)| {
        match (reading.states(slot), reading.value(slot)) {
            (false, _) | (_, Datum::Something) => Verdict::Unknown,
            (true, found) if found.order(&Datum::of(claimed)) == Some(Ordering::Equal) => {
                Verdict::Match
            }
            (true, _) => Verdict::Mismatch,
        }
    });
    Ok(verdicts.collect())
}
