//! Redaction: one pass over a record's bytes keeps what the permit releases, masks it, and drops all else.
