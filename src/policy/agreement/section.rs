//! Reads a TOML table key by key, so that every fault in it is found, each with its place.

use toml::Spanned;
use toml::de::DeString;
use toml::de::DeTable;
use toml::de::DeValue;

use super::report::Placed;
use super::report::Report;
use super::value::WrongValue;
use super::value::wrong;
use crate::fault::nearest;

/// A table of which every key is known.
#[derive(Debug)]
pub(super) struct Section<'a> {
    table: &'a DeTable<'a>,
    at: usize,
    /// What stands before its keys, e.g. `grant[0].`.
    prefix: String,
}

impl<'a> Section<'a> {
    /// Opens a table, and reports the keys that it should not have.
    pub(super) fn open(
        table: &'a DeTable<'a>,
        at: usize,
        prefix: String,
        known: &[&str],
        report: &mut Report<'_>,
    ) -> Self {
        for (key, _) in table {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let mend = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("; did you mean `{near}`?"),
                    None => format!("; the keys here are `{}`", known.join("`, `")),
                };
                let name = super::value::shown(name);
                let message = format!("unknown key `{name}`{mend}");
                report.fault(key.span().start, &format!("{prefix}{name}"), message);
            }
        }
        Self { table, at, prefix }
    }

    fn value(&self, name: &str) -> Option<Placed<&'a DeValue<'a>>> {
        let value: &'a Spanned<DeValue<'a>> = self.table.get(name)?;
        Some(Placed {
            value: value.get_ref(),
            at: value.span().start,
            key: format!("{}{name}", self.prefix),
        })
    }

    pub(super) fn optional<T>(
        &self,
        name: &str,
        read: impl Fn(&DeValue<'_>) -> Result<T, WrongValue>,
        report: &mut Report<'_>,
    ) -> Option<Placed<T>> {
        let placed = self.value(name)?;
        report.check(&placed, read(placed.value))
    }

    /// Like `optional`, but reports a key that is missing, with the mend.
    pub(super) fn required<T>(
        &self,
        name: &str,
        mend: &str,
        read: impl Fn(&DeValue<'_>) -> Result<T, WrongValue>,
        report: &mut Report<'_>,
    ) -> Option<Placed<T>> {
        if !self.has(name) {
            let key = format!("{}{name}", self.prefix);
            report.fault(
                self.at,
                &key,
                format!("the key `{name}` is missing; {mend}"),
            );
        }
        self.optional(name, read, report)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// The items of a list; none when the key is missing.
    pub(super) fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&DeValue<'_>) -> Result<T, WrongValue>,
        report: &mut Report<'_>,
    ) -> Vec<Placed<T>> {
        let items = self.items(name, "a list of texts, such as `[\"a\", \"b\"]`", report);
        items
            .into_iter()
            .filter_map(|item| report.check(&item, read(item.value)))
            .collect()
    }

    /// The tables under `[[name]]`.
    pub(super) fn tables(
        &self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Vec<Placed<&'a DeTable<'a>>> {
        let items = self.items(name, "tables, each under `[[grant]]`", report);
        items
            .into_iter()
            .filter_map(|item| {
                let table = match item.value {
                    DeValue::Table(table) => Ok(table),
                    other => Err(wrong(other, "a table")),
                };
                report.check(&item, table)
            })
            .collect()
    }

    fn items(
        &self,
        name: &str,
        needed: &'static str,
        report: &mut Report<'_>,
    ) -> Vec<Placed<&'a DeValue<'a>>> {
        let Some(list) = self.value(name) else {
            return Vec::new();
        };
        let DeValue::Array(items) = list.value else {
            report.at(&list, wrong(list.value, needed));
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .map(|(number, item)| Placed {
                value: item.get_ref(),
                at: item.span().start,
                key: format!("{}[{number}]", list.key),
            })
            .collect()
    }

    /// The entries of a table whose keys are field paths, quoted or not: TOML reads `a.b = "x"` as a table in a table.
    pub(super) fn by_path<T>(
        &self,
        name: &str,
        read: impl Fn(&DeValue<'_>) -> Result<T, WrongValue>,
        report: &mut Report<'_>,
    ) -> Vec<(Placed<String>, T)> {
        let Some(table) = self.value(name) else {
            return Vec::new();
        };
        let DeValue::Table(entries) = table.value else {
            report.at(
                &table,
                wrong(table.value, "a table, such as `{ birth_date = \"year\" }`"),
            );
            return Vec::new();
        };
        let mut found = Vec::new();
        flatten(entries, "", &mut found);
        found
            .into_iter()
            .filter_map(|(path, at, value)| {
                let path = Placed {
                    key: format!("{}.{path}", table.key),
                    at,
                    value: path,
                };
                let value = report.check(&path, read(value))?;
                Some((path, value.value))
            })
            .collect()
    }
}

// The parser bounds how deep tables nest.
fn flatten<'a>(
    table: &'a DeTable<'a>,
    prefix: &str,
    found: &mut Vec<(String, usize, &'a DeValue<'a>)>,
) {
    for (key, value) in table {
        let key: &Spanned<DeString<'_>> = key;
        let path = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => flatten(inner, &format!("{path}."), found),
            leaf => found.push((path, key.span().start, leaf)),
        }
    }
}
