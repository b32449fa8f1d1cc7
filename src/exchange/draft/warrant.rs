//! Leave for an answer to go on: it is of this department's own records, or its provider has it provably on record.

use super::Draft;
use crate::exchange::refusal::Cause;
use crate::exchange::snapshot::Snapshot;
use crate::journal::Kind;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::pb;
use crate::policy::decision::Permit;
use crate::policy::decision::Role;
use crate::source::SourceError;

/// What must be there before anything of an exchange goes on to its asker. Only the check of a receipt makes one, where there
/// is a provider to give it.
#[derive(Debug)]
pub(crate) struct Warrant {
    exchange: ExchangeId,
}

impl Warrant {
    /// For what the draft has received so far: an answer, the opening of a stream, or the end of one.
    pub(crate) fn of(
        kind: Kind,
        permit: &Permit,
        receipt: Option<&pb::Receipt>,
        snapshot: &Snapshot,
        draft: &mut Draft,
    ) -> Result<Self, Cause> {
        match permit.role() {
            Role::Provider => {}
            Role::Consumer => {
                let provider = permit.query().schema.owner();
                draft.prove(kind, receipt, provider, &snapshot.journals)?;
            }
        }
        Ok(Self {
            exchange: draft.exchange(),
        })
    }

    /// Uses it up for the exchange that it is for, and no other.
    pub(crate) fn use_for(self, exchange: ExchangeId) -> Result<(), Cause> {
        match self.exchange == exchange {
            true => Ok(()),
            false => Err(Cause::Panicked),
        }
    }
}

/// Why a source gave nothing. A provider's refusal is held against its receipt, as an answer is.
pub(crate) fn cause_of(
    error: SourceError,
    provider: &DepartmentId,
    snapshot: &Snapshot,
    draft: &mut Draft,
) -> Cause {
    if let SourceError::Refused(refusal) = &error
        && let Err(bad) = draft.prove_refusal(refusal, provider, &snapshot.journals)
    {
        return bad.into();
    }
    error.into()
}
