//! What a peer's answer rests on, as its gateway tells.

use bytes::Bytes;

use crate::pb;
use crate::source::SourceError;

/// The most bytes of a journal's name: a trust domain, a department, a replica. It stands in our journal too, where an
/// entry that is too long would be none.
const MAX_ORIGIN: usize = 512;

/// The provider's side of an exchange.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The provider's journal, e.g. `gov.example/civil/1`.
    pub origin: String,
    pub index: u64,
    /// The leaf in the provider's Merkle tree.
    pub leaf: Bytes,
    /// The provider's canonical digest of the agreement.
    pub agreement_digest: Bytes,
}

impl Evidence {
    /// Reads the evidence of an answer. An answer without a receipt is none.
    pub(super) fn of(info: Option<pb::ExchangeInfo>) -> Result<Self, SourceError> {
        let info = info.ok_or(SourceError::Garbled(
            "an answer that does not say what it rests on",
        ))?;
        let receipt = info
            .receipt
            .ok_or(SourceError::Garbled("an answer without a receipt"))?;
        let agreement_digest = info.agreement_digest;
        if receipt.origin.len() > MAX_ORIGIN || agreement_digest.len() != 32 {
            return Err(SourceError::Garbled(
                "a receipt or an agreement's digest of no such length",
            ));
        }
        Ok(Self {
            origin: receipt.origin,
            index: receipt.index,
            leaf: receipt.leaf,
            agreement_digest,
        })
    }

    /// The receipt of the entry that closed a stream takes the place of the one that opened it.
    /// One entry is of the same journal as the other, so its name stays.
    pub(in crate::source) fn closed(&mut self, receipt: pb::Receipt) {
        self.index = receipt.index;
        self.leaf = receipt.leaf;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(origin: usize, digest: usize) -> Result<Evidence, SourceError> {
        let receipt = pb::Receipt {
            origin: "o".repeat(origin),
            ..pb::Receipt::default()
        };
        Evidence::of(Some(pb::ExchangeInfo {
            agreement_digest: vec![0; digest].into(),
            receipt: Some(receipt),
            ..pb::ExchangeInfo::default()
        }))
    }

    #[test]
    fn what_would_make_our_own_entry_too_long_is_no_evidence() {
        assert_eq!(told(MAX_ORIGIN, 32).unwrap().origin.len(), MAX_ORIGIN);
        for (origin, digest) in [(MAX_ORIGIN + 1, 32), (1, 100_000), (1, 0)] {
            let error = told(origin, digest).unwrap_err();
            assert!(matches!(error, SourceError::Garbled(_)), "{error}");
        }
    }
}
