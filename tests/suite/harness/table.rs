//! Tables that people read, as rows of cells.

use regex::Regex;

/// All tables of a page, their headings included.
pub(crate) fn of_page(html: &str) -> Vec<Vec<String>> {
    let row = Regex::new("(?s)<tr[ >].*?</tr>").unwrap();
    let cell = Regex::new("(?s)<t[hd][ >].*?</t[hd]>").unwrap();
    row.find_iter(html)
        .map(|row| {
            let cells = cell.find_iter(row.as_str());
            cells.map(|cell| without_tags(cell.as_str())).collect()
        })
        .collect()
}

/// What a reader sees of a page.
pub(crate) fn without_tags(html: &str) -> String {
    Regex::new("(?s)<.*?>")
        .unwrap()
        .replace_all(html, "")
        .into_owned()
}

/// What a command prints: two blanks or more stand between cells.
pub(crate) fn of_text(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let cells = line.trim().split("  ").map(str::trim);
        let cells = cells.filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect()
    };
    text.lines().map(cells).collect()
}
