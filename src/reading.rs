//! The reading desk: who may read what of the journal, what is looked up for them, and the entry that it leaves.
//!
//! What readers reach by the operators' door and by the console rests on it.

pub mod desk;
pub(crate) mod error;
pub(crate) mod lookup;
pub(crate) mod person;
pub(crate) mod progress;
pub(crate) mod proof;
pub(crate) mod query_words;
pub(crate) mod question;
pub mod reader;
pub(crate) mod usages;
pub mod visibility;
