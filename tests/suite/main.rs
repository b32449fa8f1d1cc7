//! The integration suite: real gateways, real certificates, real databases, real clients.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop where it stands"
)]

mod assurance;
mod attacks;
mod audit;
mod catalogue;
mod check;
mod clients;
mod clock;
mod confusion;
mod console;
mod console_openid;
mod console_policy;
mod corrections;
mod exchange;
mod faults;
mod foreign;
mod fuzz;
mod guessing;
mod hardening;
mod harness;
mod hostile;
mod identity;
mod kills;
mod layout;
mod lost;
mod network;
mod operators;
mod oracles;
mod overload;
mod pages;
mod paths;
mod posture;
mod publication;
mod receipts;
mod reconcile;
mod registry;
mod reload;
mod rules;
mod sign_in;
mod soak;
mod sources;
mod stop;
mod strangers;
mod streams;
mod surfaces;
mod sweep;
mod typed;
mod unlogged;
mod witnesses;
