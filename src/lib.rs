//! Landbridge: departments share records directly, released by agreement and provable afterwards.
//!
//! The modules stand in the order in which a request meets them, and each uses only those above it.

pub mod pb;
pub mod fault;
pub mod text;
pub mod digest;
pub mod mode;
pub mod name;
pub mod clock;
pub(crate) mod hourly;
pub mod identity;
pub mod registry;
pub mod policy;
pub mod source;
pub mod redact;
pub mod tlog;
pub mod journal;
pub mod evidence;
pub mod publication;
pub mod exchange;
pub mod correction;
pub mod reading;
pub mod door;
pub mod console;
pub mod config;
pub mod assembly;
pub mod federation;
pub mod gateway;
pub mod demo;
pub mod cli;
