//! The digest on which both gateways agree, and the provider's receipt held against it.

use tonic::Code;

use super::Draft;
use crate::digest::Digest;
use crate::evidence::journals::Journals;
use crate::evidence::receipt::BadReceipt;
use crate::evidence::receipt::Expected;
use crate::evidence::receipt::VerifiedReceipt;
use crate::journal::Kind;
use crate::journal::Outcome;
use crate::journal::PeerLeaf;
use crate::journal::Role as Side;
use crate::journal::statement::Ending;
use crate::journal::statement::Statement;
use crate::name::DepartmentId;
use crate::pb;
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
                Code::NotFound => {
                    // The answer says so, whatever it proves.
                    self.stated = Some(Outcome::Answered);
                    Err(BadReceipt::Missing)
                }
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
            digest: &|kind, outcome| self.digest(&self.ending(kind, outcome)),
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

    /// A stream that the provider cut before its header came has an end there, and one entry here.
    pub(super) fn as_proven(&self, kind: Kind) -> Kind {
        match &self.peer {
            Some(peer) if peer.kind() == Kind::StreamEnd => Kind::StreamEnd,
            _ => kind,
        }
    }

    /// What went over the wire so far; zero where there was no answer, or not yet.
    pub(super) fn ending(&self, kind: Kind, outcome: Outcome) -> Ending {
        let (records, response) = match (kind, outcome) {
            (Kind::StreamEnd, _) | (Kind::Exchange, Outcome::Answered) => {
                let sent = match self.side {
                    Side::Consumer => self.received,
                    Side::Provider | Side::None => self.record.records,
                };
                (sent, self.response.clone().finish())
            }
            _ => (0, [0; 32]),
        };
        Ending {
            outcome,
            records,
            response,
        }
    }

    /// That exchange digest which an entry has whose record says the same.
    pub(super) fn digest(&self, ending: &Ending) -> Digest {
        let statement = Statement::of(&self.exchange, self.side, &self.record);
        statement.map_or([0; 32], |statement| statement.digest(ending))
    }
}
