//! Holds the record of an exchange against the exchange digest in its leaf.

use super::EntryFault;
use crate::journal::leaf::Leaf;
use crate::journal::statement::Ending;
use crate::journal::statement::Statement;
use crate::name::ExchangeId;
use crate::pb;
use crate::tlog::merkle::Hash;

/// A stream whose end has not come yet.
pub(super) struct OpenStream {
    pub(super) exchange: Option<ExchangeId>,
    digest: Hash,
    /// None where the opening's record was erased.
    statement: Option<Statement>,
}

impl OpenStream {
    pub(super) fn erased(leaf: &Leaf) -> Self {
        Self {
            exchange: leaf.exchange,
            digest: leaf.exchange_digest,
            statement: None,
        }
    }

    /// Its end says the digest of all that was sent; where nobody wrote the end on purpose, that of the opening again.
    pub(super) fn check_end(
        &self,
        leaf: &Leaf,
        end: &pb::StreamEndRecord,
    ) -> Result<(), EntryFault> {
        let holds = match &self.statement {
            _ if end.response_digest.is_empty() => leaf.exchange_digest == self.digest,
            Some(statement) => {
                let ending = Ending::of_stream(leaf.outcome, end);
                statement.is(&leaf.exchange_digest, &ending)
            }
            None => true,
        };
        holds.then_some(()).ok_or(EntryFault::Digest)
    }
}

/// The record of an exchange, or of a stream's opening.
pub(super) fn check(leaf: &Leaf, record: &pb::ExchangeRecord) -> Result<OpenStream, EntryFault> {
    let exchange = leaf.exchange.as_ref().ok_or(EntryFault::NotAnExchange)?;
    let statement = Statement::of(exchange, leaf.role, record)?;
    let ending = Ending::of_exchange(leaf.outcome, record);
    if !statement.is(&leaf.exchange_digest, &ending) {
        return Err(EntryFault::Digest);
    }
    Ok(OpenStream {
        exchange: leaf.exchange,
        digest: leaf.exchange_digest,
        statement: Some(statement),
    })
}
