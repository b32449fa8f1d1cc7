//! What the tests of several modules share: entries of a log that others made.

/// Of transparency-dev/tessera's testdata/log.
pub(crate) const TESSERA_ENTRIES: [&str; 15] = [
    "one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten", "ileven", "twelf",
    "threeten", "fourten", "fivten",
];
