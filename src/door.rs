//! The doors: the services, at which words come in and statuses go out.

pub mod admission;
pub mod catalog;
pub mod corrections;
pub mod exchange;
pub mod operators;
pub mod peer;
pub mod reflection;
pub mod server;
pub mod tiles;
pub mod witness;

mod finish;
mod pump;
mod reading;
mod status;
pub(crate) mod tally;
mod refusal_reports;
pub(crate) mod accept_failures;
