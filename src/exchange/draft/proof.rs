//! The digest on which both gateways agree, and the provider's receipt held against it.

use tonic::Code;

use super::Draft;
use crate::audit::Kind;
use crate::audit::Outcome;
use crate::audit::PeerLeaf;
use crate::audit::digest::ExchangeStatement;
use crate::audit::journals::Journals;
use crate::audit::receipt::BadReceipt;
use crate::audit::receipt::Expected;
use crate::audit::receipt::VerifiedReceipt;
use crate::name::DepartmentId;
use crate::pb;
use crate::registry::Digest;
use crate::source::peer::refusal::PeerRefusal;

impl Draft {
    /// Holds the receipt of what was received against this account of it.
    pub(in crate::exchange) fn prove(
        &mut self,
        kind: Kind,
        receipt: Option<&pb::Receipt>,
        provider: &DepartmentId,
        journals: &Journals,
    ) -> Result<(), BadReceipt> {
        if kind != Kind::Intent {
            // The answer says so, whatever its receipt is worth.
            self.stated = Some(Outcome::Answered);
        }
        let proven = self.check(&[kind], &[Outcome::Answered], receipt, provider, journals)?;
        self.proven_by(proven);
        Ok(())
    }

    /// The same for a refusal, which has a receipt unless the provider could write none. That there is no such record is an
    /// answer like any other, and wants one.
    pub(in crate::exchange) fn prove_refusal(
        &mut self,
        refusal: &PeerRefusal,
        provider: &DepartmentId,
        journals: &Journals,
    ) -> Result<(), BadReceipt> {
        let Some(receipt) = &refusal.receipt else {
            return match refusal.code {
                Code::NotFound => Err(BadReceipt::Missing),
                _ => Ok(()),
            };
        };
        let begun = self
            .peer
            .as_ref()
            .is_some_and(|peer| peer.kind() == Kind::Intent);
        let kinds: &[Kind] = match begun {
            // Its header has come, so that only its end is left.
            true => &[Kind::StreamEnd],
            // A stream may be cut before its header is sent.
            false => &[Kind::Exchange, Kind::StreamEnd],
        };
        let outcomes: &[Outcome] = match refusal.code {
            Code::NotFound => &[Outcome::Answered],
            _ => &[Outcome::Denied, Outcome::ProviderError, Outcome::CutShort],
        };
        let proven = self.check(kinds, outcomes, Some(receipt), provider, journals)?;
        self.stated = Some(proven.outcome());
        self.proven_by(proven);
        Ok(())
    }

    fn check(
        &self,
        kinds: &[Kind],
        outcomes: &[Outcome],
        receipt: Option<&pb::Receipt>,
        provider: &DepartmentId,
        journals: &Journals,
    ) -> Result<VerifiedReceipt, BadReceipt> {
        let expected = Expected {
            provider,
            exchange: self.exchange,
            begun: self.started,
            kinds,
            outcomes,
            digest: &|kind, outcome| self.digest(outcome, &self.response(kind, outcome)),
        };
        VerifiedReceipt::check(receipt, journals, &expected)
    }

    fn proven_by(&mut self, receipt: VerifiedReceipt) {
        self.record.peer_origin.clone_from(&receipt.entry().origin);
        self.peer = Some(receipt);
    }

    /// The provider's entry.
    pub(super) fn peer_leaf(&self) -> Option<PeerLeaf> {
        self.peer.as_ref().map(|receipt| receipt.entry().clone())
    }

    /// What went over the wire so far; zero where there was no answer, or not yet.
    pub(super) fn response(&self, kind: Kind, outcome: Outcome) -> Digest {
        match (kind, outcome) {
            (Kind::StreamEnd, _) | (Kind::Exchange, Outcome::Answered) => {
                self.response.clone().finish()
            }
            _ => [0; 32],
        }
    }

    /// Zero where the request is not even made of proper names: then there is nothing to agree on.
    pub(super) fn digest(&self, outcome: Outcome, response: &Digest) -> Digest {
        let statement = || {
            let nonce = <[u8; 32]>::try_from(self.record.nonce.as_ref()).unwrap_or_default();
            let (consumer, provider) = (
                self.record.consumer.parse().ok()?,
                self.record.provider.parse().ok()?,
            );
            let (record_type, purpose) = (
                self.record.record_type.parse().ok()?,
                self.record.purpose.parse().ok()?,
            );
            let statement = ExchangeStatement {
                exchange: &self.exchange,
                nonce: &nonce,
                consumer: &consumer,
                provider: &provider,
                record_type: &record_type,
                purpose: &purpose,
                outcome,
                request: &self.request,
                response,
            };
            Some(statement.digest())
        };
        statement().unwrap_or_default()
    }
}
