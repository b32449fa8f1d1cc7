//! Tables in Markdown, a column for each figure.

/// The medians of rounds, figure by figure.
pub(crate) fn medians<const N: usize>(rounds: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|figure| {
        crate::cost::median(rounds.iter().map(|round| round[figure]).collect())
    })
}

pub(crate) fn head(title: &str, columns: &[&str]) {
    println!("\n## {title}\n");
    row(columns.iter().copied());
    row(columns.iter().map(|_| "---"));
}

pub(crate) fn row(cells: impl IntoIterator<Item = impl AsRef<str>>) {
    let cells: Vec<String> = cells
        .into_iter()
        .map(|cell| cell.as_ref().to_owned())
        .collect();
    println!("| {} |", cells.join(" | "));
}

/// As a person reads it: thousands set apart, small numbers to three places.
pub(crate) fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
