//! What the benches stand on: a federation of real gateways, its database, clients, loads and meters.

pub(crate) mod bed;
pub(crate) mod canned;
pub(crate) mod client;
pub(crate) mod direct;
pub(crate) mod figures;
pub(crate) mod load;
pub(crate) mod median;
pub(crate) mod meter;
pub(crate) mod process;
pub(crate) mod residents;
pub(crate) mod sqlite;
