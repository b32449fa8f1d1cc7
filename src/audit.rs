//! The journal: an append-only, tamper-evident log of every exchange.
