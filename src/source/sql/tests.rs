//! Sources against real servers.

mod agreement;
mod answers;
mod connections;
mod fixture;
mod keys;
mod mapping;
mod narrowing;
mod permits;
mod poolers;
mod relay;
mod server;
