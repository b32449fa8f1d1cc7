//! SQL databases as sources: one SELECT, its rows straight to protobuf bytes.
