//! What a peer's answer rests on, as its gateway tells: nothing of it has been checked.

use bytes::Bytes;

use crate::pb;
use crate::source::SourceError;

/// The provider's side of an exchange.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Of the provider's entry; a stream has it of its opening one.
    pub receipt: Option<Box<pb::Receipt>>,
    /// The provider's canonical digest of the agreement.
    pub agreement_digest: Bytes,
    /// The provider's digest of the record type's schema.
    pub schema_digest: Bytes,
}

impl Evidence {
    /// Reads the evidence of an answer.
    pub(super) fn of(info: Option<pb::ExchangeInfo>) -> Result<Self, SourceError> {
        let info = info.ok_or(SourceError::Garbled(
            "an answer that does not say what it rests on",
        ))?;
        // They stand in our journal where they differ from ours, and an entry that is too long would be none.
        if info.agreement_digest.len() != 32 || info.schema_digest.len() != 32 {
            return Err(SourceError::Garbled(
                "a digest of an agreement or a schema that has not 32 bytes",
            ));
        }
        Ok(Self {
            receipt: info.receipt.map(Box::new),
            agreement_digest: info.agreement_digest,
            schema_digest: info.schema_digest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_counts(agreement: usize, schema: usize) -> Result<Evidence, SourceError> {
        Evidence::of(Some(pb::ExchangeInfo {
            agreement_digest: vec![0; agreement].into(),
            schema_digest: vec![0; schema].into(),
            ..pb::ExchangeInfo::default()
        }))
    }

    #[test]
    fn what_would_make_our_own_entry_too_long_is_no_evidence() {
        assert_eq!(with_counts(32, 32).unwrap().agreement_digest.len(), 32);
        for (agreement, schema) in [(100_000, 32), (0, 32), (32, 100_000), (32, 31)] {
            let error = with_counts(agreement, schema).unwrap_err();
            assert!(matches!(error, SourceError::Garbled(_)), "{error}");
        }
    }
}
