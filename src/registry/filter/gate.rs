//! The in-memory form of a filter, run on encoded records.

pub(super) struct Gate;
