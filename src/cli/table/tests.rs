use super::*;

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}

#[test]
fn wide_characters_take_two_columns() {
    let mut table = Table::new(&["name", "status"]);
    table.row(&row(&["王芳", "a"]));
    table.row(&row(&["Li", "b"]));
    assert_eq!(
        table.to_string(),
        " name  status\n──────────────\n 王芳  a\n Li    b"
    );
}

#[test]
fn a_cell_does_not_steer_the_terminal() {
    let mut table = Table::new(&["v"]);
    table.row(&row(&["a\u{1b}[31m\n\u{202e}b"]));
    assert!(
        table
            .to_string()
            .ends_with(" a⟨U+001B⟩[31m⟨U+000A⟩⟨U+202E⟩b"),
        "{table}"
    );
}

#[test]
fn pairs_have_no_header() {
    let table = Table::of_pairs([
        ("field", "full_name".to_owned()),
        ("retry after", "3 s".to_owned()),
    ]);
    assert_eq!(
        table.to_string(),
        " field        full_name\n retry after  3 s"
    );
}
