//! What is made of journals: search, exports, the account of a person's data, reconciliation, alarms, statistics.
//!
//! Nothing here writes entries; what it says rests on entries that are proven.

pub mod alarm;
pub mod cosigned;
pub mod criteria;
pub mod export;
pub(crate) mod facet;
pub mod hit;
pub mod index;
pub mod journals;
pub mod json;
pub mod person;
pub mod policy_texts;
pub mod receipt;
pub mod reconcile;
pub mod row;
pub mod search;
pub mod tally;
pub mod timeline;
pub mod usage;
pub mod witness;
pub mod witness_states;

#[cfg(test)]
mod tests;
