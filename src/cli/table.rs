//! Tables for people: wide characters take two columns, and nothing in a cell steers the terminal.

use std::fmt;

use crate::text::visible;
use comfy_table::ContentArrangement;
use comfy_table::TableComponent;
use comfy_table::presets::NOTHING;

pub(super) struct Table(comfy_table::Table);

impl Table {
    pub(super) fn new<T: AsRef<str>>(header: &[T]) -> Self {
        let mut table = Self::bare();
        table.0.set_header(
            header
                .iter()
                .map(|title| visible(title.as_ref()).into_owned()),
        );
        table
    }

    /// Two columns without a header: names and their values.
    pub(super) fn of_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut table = Self::bare();
        for (name, value) in pairs {
            table.row(&[name.to_owned(), value]);
        }
        table
    }

    fn bare() -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_preset(NOTHING)
            .set_style(TableComponent::HeaderLines, '─')
            .remove_style(TableComponent::MiddleHeaderIntersections)
            .remove_style(TableComponent::VerticalLines)
            .set_content_arrangement(ContentArrangement::Disabled);
        Self(table)
    }

    pub(super) fn row(&mut self, cells: &[String]) {
        self.0
            .add_row(cells.iter().map(|cell| visible(cell).into_owned()));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The padding after the last column would only be copied along.
        f.write_str(&self.0.trim_fmt())
    }
}

#[cfg(test)]
mod tests;
