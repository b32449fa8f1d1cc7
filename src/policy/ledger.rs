//! What has been spent of each grant's limits. Restored from the journal at start; spent before disclosure, refunded never.

use super::decision::Denial;
use super::decision::Permit;
use crate::clock::Moment;
use crate::name::AgreementId;
use crate::name::RecordType;

/// The counters of one gateway. Outlives reloads.
#[derive(Debug, Default)]
pub struct Ledger {
    // fields are the implementer's
}

impl Ledger {
    /// Lets one exchange begin: the rate, and that the day's quota is not used up.
    pub fn admit(&self, permit: &Permit, at: Moment) -> Result<(), Denial> {
        todo!()
    }

    /// Spends records of the day's quota, before they are sent: all of them or none.
    pub fn spend(&self, permit: &Permit, records: u64, at: Moment) -> Result<(), Denial> {
        todo!()
    }

    /// Whether another verification of the record with that key tag may be tried.
    pub fn may_verify(
        &self,
        permit: &Permit,
        key_tag: &[u8; 16],
        at: Moment,
    ) -> Result<(), Denial> {
        todo!()
    }

    /// Counts values that were not confirmed.
    pub fn mismatched(&self, permit: &Permit, key_tag: &[u8; 16], values: u32, at: Moment) {
        todo!()
    }

    /// Counts again, at start, what the journal says was spent at that time.
    pub fn restore(&self, spent: &Spent, at: Moment) {
        todo!()
    }
}

/// What one journal entry says was spent.
#[derive(Debug, Clone)]
pub struct Spent {
    pub agreement: AgreementId,
    pub grant: usize,
    pub record: RecordType,
    pub records: u64,
    pub key_tag: Option<[u8; 16]>,
    pub mismatches: u32,
}
