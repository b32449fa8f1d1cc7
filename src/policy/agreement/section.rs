//! Reads a TOML table key by key, so that every fault in it is found, each with its place.

use std::collections::HashMap;

use toml::de::DeTable;
use toml::de::DeValue;

use super::report::Located;
use super::report::Report;
use super::value::WrongValue;
use super::value::wrong;
use crate::fault::nearest;
use crate::fault::shown;

/// The keys that a table has.
#[derive(Debug)]
pub(super) struct Form {
    /// Each with what to do when it is missing or, being a list, empty.
    pub(super) required: &'static [(&'static str, &'static str)],
    pub(super) optional: &'static [&'static str],
}

impl Form {
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        let required = self.required.iter().map(|(key, _)| *key);
        required.chain(self.optional.iter().copied())
    }

    fn hint(&self, key: &str) -> Option<&'static str> {
        let mut required = self.required.iter();
        required.find(|(k, _)| *k == key).map(|(_, hint)| *hint)
    }
}

/// A table whose keys have been compared with its form.
#[derive(Debug)]
pub(super) struct Section<'a> {
    table: &'a DeTable<'a>,
    /// What stands before its keys, e.g. `grant[0].`.
    prefix: String,
    form: &'static Form,
}

impl<'a> Section<'a> {
    /// Opens the table at that byte, and reports the keys that it lacks and those that it should not have.
    pub(super) fn open(
        table: &'a DeTable<'a>,
        at: usize,
        prefix: String,
        form: &'static Form,
        report: &mut Report<'_>,
    ) -> Self {
        for (key, hint) in form.required {
            if !table.contains_key(*key) {
                let message = format!("the key `{key}` is missing; {hint}");
                report.fault(at, &format!("{prefix}{key}"), message);
            }
        }
        for (key, _) in table {
            let name: &str = key.get_ref();
            if !form.keys().any(|known| known == name) {
                let hint = match nearest(name, form.keys()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "the keys are {}",
                        form.keys().collect::<Vec<_>>().join(", ")
                    ),
                };
                let name = shown(name);
                let message = format!("unknown key `{name}`; {hint}");
                report.fault(key.span().start, &format!("{prefix}{name}"), message);
            }
        }
        Self {
            table,
            prefix,
            form,
        }
    }

    fn value(&self, name: &str) -> Option<Located<&'a DeValue<'a>>> {
        let value = self.table.get(name)?;
        Some(Located {
            value: value.get_ref(),
            at: value.span().start,
            key: format!("{}{name}", self.prefix),
        })
    }

    /// The value under a key, if it stands there and means what the key needs.
    pub(super) fn read<T>(
        &self,
        name: &str,
        read: impl Fn(&DeValue<'_>) -> Result<T, WrongValue>,
        report: &mut Report<'_>,
    ) -> Option<Located<T>> {
        let placed = self.value(name)?;
        report.check(&placed, read(placed.value))
    }

    /// The items of a list of texts, in which none stands twice; none when the key is missing.
    pub(super) fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&DeValue<'_>) -> Result<T, WrongValue>,
        report: &mut Report<'_>,
    ) -> Vec<Located<T>> {
        let mut seen = HashMap::new();
        let mut list = Vec::new();
        let needed = "a list of texts, such as `[\"a\", \"b\"]`";
        for item in self.items(name, needed, report) {
            let Some(value) = report.check(&item, read(item.value)) else {
                continue;
            };
            if let DeValue::String(text) = item.value {
                let text = text.trim();
                if let Some(first) = seen.insert(text, item.key.clone()) {
                    let message = format!("`{text}` stands at `{first}` already; leave one out");
                    report.at(&item, message);
                }
            }
            list.push(value);
        }
        list
    }

    /// The tables under `[[name]]`.
    pub(super) fn tables(
        &self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Vec<Located<&'a DeTable<'a>>> {
        let items = self.items(name, "tables, each under `[[grant]]`", report);
        let table = |item: &Located<&'a DeValue<'a>>| match item.value {
            DeValue::Table(table) => Ok(table),
            other => Err(wrong(other, "a table")),
        };
        items
            .into_iter()
            .filter_map(|item| report.check(&item, table(&item)))
            .collect()
    }

    fn items(
        &self,
        name: &str,
        needed: &'static str,
        report: &mut Report<'_>,
    ) -> Vec<Located<&'a DeValue<'a>>> {
        let Some(list) = self.value(name) else {
            return Vec::new();
        };
        let DeValue::Array(items) = list.value else {
            report.at(&list, wrong(list.value, needed).to_string());
            return Vec::new();
        };
        if let (true, Some(hint)) = (items.is_empty(), self.form.hint(name)) {
            report.at(&list, format!("the list is empty; {hint}"));
        }
        items
            .iter()
            .enumerate()
            .map(|(number, item)| Located {
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
    ) -> Vec<(Located<String>, T)> {
        let Some(table) = self.value(name) else {
            return Vec::new();
        };
        let DeValue::Table(entries) = table.value else {
            let needed = "a table, such as `{ birth_date = \"year\" }`";
            report.at(&table, wrong(table.value, needed).to_string());
            return Vec::new();
        };
        let mut found = Vec::new();
        flatten(entries, "", &mut found);
        found
            .into_iter()
            .filter_map(|(path, at, value)| {
                let path = Located {
                    key: format!("{}.{}", table.key, shown(&path)),
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
        let path = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => flatten(inner, &format!("{path}."), found),
            leaf => found.push((path, key.span().start, leaf)),
        }
    }
}
