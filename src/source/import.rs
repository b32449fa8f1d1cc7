//! Fills a SQLite source from a CSV file: all rows or none.
