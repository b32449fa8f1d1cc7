//! The doors: the gRPC services, at which words come in and statuses go out.

pub mod catalog;
pub mod exchange;
pub mod peer;
pub mod reflection;
pub mod server;

mod pump;
mod status;
