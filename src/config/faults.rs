//! The faults of a settings file, each with its place in the text.

use std::path::Path;

use crate::fault::Fault;
use crate::fault::position;

/// The faults of one settings file.
pub(super) struct Faults<'a> {
    file: String,
    text: &'a str,
    found: Vec<Fault>,
}

impl<'a> Faults<'a> {
    pub(super) fn of(path: &Path, text: &'a str) -> Self {
        Self {
            file: path.display().to_string(),
            text,
            found: Vec::new(),
        }
    }

    /// Gives the value if none was found.
    pub(super) fn unless<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.found.is_empty() {
            Ok(value)
        } else {
            Err(self.found)
        }
    }

    pub(super) fn add(&mut self, key: &str, message: String) {
        let (line, column) = place(self.text, key);
        self.found.push(Fault {
            file: self.file.clone(),
            line,
            column,
            key: key.to_owned(),
            message,
        });
    }

    pub(super) fn parsed<T: Default>(
        &mut self,
        key: &str,
        text: &str,
        wanted: &str,
        parse: fn(&str) -> Option<T>,
    ) -> T {
        parse(text).unwrap_or_else(|| {
            self.add(key, format!("`{text}` is not {wanted}"));
            T::default()
        })
    }
}

/// Where a key such as `limits.deadline` or `retention.class[1].keep` stands in the text, as line and column; 0 and 0 when it
/// comes from the environment or a default.
fn place(text: &str, key: &str) -> (usize, usize) {
    let Ok(document) = toml::de::DeTable::parse(text) else {
        return (0, 0);
    };
    let mut table = Some(document.get_ref());
    let mut span = None;
    for segment in key.split('.') {
        let (name, number) = numbered(segment);
        let found = table.and_then(|table| table.get(name));
        let value = match (found, number) {
            (Some(value), Some(number)) => value.get_ref().get(number),
            (value, _) => value,
        };
        let Some(value) = value else {
            return (0, 0);
        };
        span = Some(value.span());
        table = value.get_ref().as_table();
    }
    span.map_or((0, 0), |span| position(text, span.start))
}

/// Takes `class[1]` apart.
fn numbered(segment: &str) -> (&str, Option<usize>) {
    let parts = segment.strip_suffix(']').and_then(|s| s.split_once('['));
    match parts.and_then(|(name, number)| Some((name, number.parse().ok()?))) {
        Some((name, number)) => (name, Some(number)),
        None => (segment, None),
    }
}
