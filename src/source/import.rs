//! From CSV into SQLite.
