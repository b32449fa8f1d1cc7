//! Sources against real servers.

mod agreement;
mod answers;
mod fixture;
mod keys;
mod mapping;
mod narrowing;
mod permits;
mod server;
