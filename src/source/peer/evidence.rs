//! What a peer's answer rests on, as its gateway tells.

use bytes::Bytes;

use crate::pb;
use crate::source::SourceError;

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
        Ok(Self {
            origin: receipt.origin,
            index: receipt.index,
            leaf: receipt.leaf,
            agreement_digest,
        })
    }

    /// The receipt of the entry that closed a stream takes the place of the one that opened it.
    pub(in crate::source) fn closed(&mut self, receipt: pb::Receipt) {
        self.origin = receipt.origin;
        self.index = receipt.index;
        self.leaf = receipt.leaf;
    }
}
