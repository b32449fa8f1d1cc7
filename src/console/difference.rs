//! What differs between two texts, line by line.

use maud::Markup;
use maud::html;
use similar::Change;
use similar::ChangeTag;
use similar::TextDiff;

use super::page;

/// Lines around a change that did not change.
const CONTEXT: usize = 3;

/// As people read it.
pub(super) fn draw(before: &str, after: &str) -> Markup {
    let difference = TextDiff::from_lines(before, after);
    html! {
        pre .difference tabindex="0" {
            @for (number, group) in difference.grouped_ops(CONTEXT).iter().enumerate() {
                @if number > 0 { "⋯\n" }
                @for change in group.iter().flat_map(|part| difference.iter_changes(part)) { (line(&change)) }
            }
        }
    }
}

fn line(change: &Change<&str>) -> Markup {
    let text = page::value(change.value().trim_end_matches('\n'));
    html! {
        @match change.tag() {
            ChangeTag::Equal => { "  " (text) "\n" }
            ChangeTag::Delete => { del { "- " (text) "\n" } }
            ChangeTag::Insert => { ins { "+ " (text) "\n" } }
        }
    }
}

/// As `patch -p1` reads it.
pub(super) fn patch(file: &str, before: &str, after: &str) -> String {
    let file = file.trim_start_matches('/');
    let (old, new) = (format!("a/{file}"), format!("b/{file}"));
    let difference = TextDiff::from_lines(before, after);
    difference
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&old, &new)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_names_the_file_from_where_it_is_applied() {
        assert_eq!(
            patch("/etc/landbridge/a.toml", "one\ntwo\n", "one\nthree\n"),
            "--- a/etc/landbridge/a.toml\n+++ b/etc/landbridge/a.toml\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"
        );
        assert_eq!(patch("a.toml", "one\n", "one\n"), "");
    }

    #[test]
    fn what_differs_is_marked_and_what_hides_is_seen() {
        let drawn = draw("a\nb\n", "a\nc\u{202e}\n").into_string();
        assert!(drawn.contains("<del>- <bdi>b</bdi>\n</del>"), "{drawn}");
        assert!(drawn.contains("⟨U+202E⟩"), "{drawn}");
    }
}
