//! The plot for the README: bars that are legible on light and dark ground alike.

use std::fmt::Write;

use crate::compare::contender::Kind;
use crate::compare::round::Measured;
use crate::compare::round::Round;
use crate::compare::table::together;

const BAR: usize = 22;
const ROW: usize = 30;
/// Where bars begin, and how long the longest is.
const LEFT: usize = 250;
const LONGEST: f64 = 400.0;
const WIDTH: usize = 760;

/// One panel: its title, and the figure of a contender with how it is written.
type Panel = (&'static str, fn(&Measured) -> f64, fn(f64) -> String);

const PANELS: [Panel; 3] = [
    (
        "CPU ms a call, A and B together (less is better)",
        |one| together(&one.many.costs),
        |value| format!("{value:.3}"),
    ),
    (
        "Calls a second, 128 in flight (more is better)",
        |one| one.many.calls_per_second,
        |value| format!("{value:.0}"),
    ),
    (
        "Latency in ms of one call at a time, p50 (less is better)",
        |one| one.alone.p50_ms,
        |value| format!("{value:.2}"),
    ),
];

const STYLE: &str = "<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 }
.other { fill: #8c959f }
.ours { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.other { fill: #6e7681 }
.ours { fill: #4493f8 }
}
</style>
";

pub(crate) fn svg(round: &Round) -> anyhow::Result<String> {
    let (mut body, mut y) = (String::new(), 10);
    for panel in PANELS {
        y = draw(&mut body, y, panel, &round.contenders)?;
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" role=\"img\" \
         aria-label=\"Landbridge beside other ways over two hops\">\n{STYLE}{body}</svg>\n"
    ))
}

/// Gives where the next panel begins.
fn draw(body: &mut String, top: usize, panel: Panel, all: &[Measured]) -> anyhow::Result<usize> {
    let (title, figure, write) = panel;
    let longest = all.iter().map(figure).fold(f64::MIN_POSITIVE, f64::max);
    let mut y = top + 18;
    writeln!(
        body,
        "<text class=\"title\" x=\"10\" y=\"{y}\">{title}</text>"
    )?;
    y += 12;
    for one in all {
        let value = figure(one);
        let length = (value / longest * LONGEST).max(1.0);
        let ours = Kind::ALL
            .iter()
            .any(|kind| kind.ours() && kind.name() == one.name);
        let class = if ours { "ours" } else { "other" };
        let middle = y + BAR / 2 + 5;
        writeln!(
            body,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{length:.0}\" height=\"{BAR}\" rx=\"2\"/>\
             <text x=\"{:.0}\" y=\"{middle}\">{}</text>",
            LEFT - 10,
            one.name,
            LEFT as f64 + length + 8.0,
            write(value),
        )?;
        y += ROW;
    }
    Ok(y + 14)
}
