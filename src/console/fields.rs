//! Fields of forms: a label, and what is filled in.

use maud::Markup;
use maud::html;

use super::words::Words;
use crate::exchange::snapshot::Snapshot;

/// Any text.
pub(super) fn free(text: &str, name: &str, value: &str) -> Markup {
    html! { p { label for=(name) { (text) } input id=(name) name=(name) value=(value) maxlength="512" spellcheck="false" autocomplete="off"; } }
}

/// A number, from which on something counts.
pub(super) fn least(text: &str, name: &str, value: &str) -> Markup {
    html! { p { label for=(name) { (text) } input id=(name) name=(name) value=(value) inputmode="numeric" maxlength="20" autocomplete="off"; } }
}

/// A time, to the second.
pub(super) fn when(text: &str, name: &str, value: &str) -> Markup {
    html! { p { label for=(name) { (text) } input id=(name) name=(name) type="datetime-local" step="1" value=(value); } }
}

/// One of those there are, or none.
pub(super) fn one_of(text: &str, name: &str, value: &str, all: &[&str], words: &Words) -> Markup {
    html! {
        p {
            label for=(name) { (text) }
            select id=(name) name=(name) {
                option value="" { (words.any) }
                @for one in all { option value=(one) selected[*one == value] { (one) } }
                // A name of former times is asked for all the same.
                @if !value.is_empty() && !all.contains(&value) { option value=(value) selected { (value) } }
            }
        }
    }
}

/// A department of the federation.
pub(super) fn department(
    text: &str,
    name: &str,
    value: &str,
    snapshot: &Snapshot,
    words: &Words,
) -> Markup {
    let all: Vec<_> = snapshot.directory.ids().map(|id| id.as_str()).collect();
    one_of(text, name, value, &all, words)
}

/// A record type of the registry.
pub(super) fn record_type(value: &str, snapshot: &Snapshot, words: &Words) -> Markup {
    let records = snapshot.registry.records();
    let all: Vec<_> = records.map(|schema| schema.name().as_str()).collect();
    one_of(words.record_type, "record_type", value, &all, words)
}
