//! The tasks that work with the other gateways: witnessing, reconciliation, published revisions, corrections, offers.

pub mod corrections;
pub mod offers;
pub mod proposal;
pub mod reconcile;
pub mod synchronise;
pub mod witnessing;
