//! Small plots side by side: a line for each series, both axes logarithmic, legible on light and dark ground alike.

use std::fmt::Write;

use crate::Axis;

/// Of one plot, without its title and the words below it.
const WIDTH: f64 = 190.0;
const HEIGHT: f64 = 130.0;
/// From one plot to the next, and from the edge to a plot.
const STEP: f64 = 260.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 34.0;
const ROW: f64 = 220.0;
const PLOTS_A_ROW: usize = 3;

const STYLE: &str = "<style>
text { font: 11px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 13px }
.frame { fill: none; stroke: #8c959f; stroke-width: 0.6 }
.line0, .line1 { fill: none; stroke-width: 2 }
.line0 { stroke: #0969da } .line1 { stroke: #bc4c00 }
.name0 { fill: #0969da } .name1 { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.line0 { stroke: #4493f8 } .line1 { stroke: #db6d28 }
.name0 { fill: #4493f8 } .name1 { fill: #db6d28 }
}
</style>
";

pub(crate) fn svg(axes: &[Axis]) -> anyhow::Result<String> {
    let mut body = String::new();
    for (number, axis) in axes.iter().enumerate() {
        let column = (number % PLOTS_A_ROW) as f64;
        let row = (number / PLOTS_A_ROW) as f64;
        draw(&mut body, axis, LEFT + column * STEP, TOP + row * ROW)?;
    }
    let rows = axes.len().div_ceil(PLOTS_A_ROW) as f64;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" \
         aria-label=\"CPU microseconds of a call as things grow\">\n{STYLE}{body}</svg>\n",
        PLOTS_A_ROW as f64 * STEP + 10.0,
        rows * ROW + 10.0
    ))
}

fn draw(body: &mut String, axis: &Axis, left: f64, top: f64) -> anyhow::Result<()> {
    let points = || axis.lines.iter().flat_map(|line| line.points.iter());
    // Nothing at all stands where one is.
    let log = |value: f64| value.max(1.0).log10();
    let across = points()
        .map(|(much, _)| log(*much))
        .fold(0.0, f64::max)
        .max(1.0);
    let least = points()
        .map(|(_, cost)| cost.log10().floor())
        .fold(f64::MAX, f64::min);
    let most = points()
        .map(|(_, cost)| cost.log10().ceil())
        .fold(least + 1.0, f64::max);
    let x = |much: f64| left + log(much) / across * WIDTH;
    let y = |cost: f64| top + (most - cost.log10()) / (most - least) * HEIGHT;
    writeln!(
        body,
        "<text class=\"title\" x=\"{left}\" y=\"{:.0}\">{}: CPU µs</text>\
         <rect class=\"frame\" x=\"{left}\" y=\"{top}\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>",
        top - 10.0,
        axis.title
    )?;
    for power in least as i32..=most as i32 {
        let cost = 10_f64.powi(power);
        writeln!(
            body,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{cost}</text>\
             <line class=\"frame\" x1=\"{left}\" x2=\"{:.0}\" y1=\"{:.0}\" y2=\"{:.0}\"/>",
            left - 6.0,
            y(cost) + 4.0,
            left + WIDTH,
            y(cost),
            y(cost)
        )?;
    }
    // Every second one where there would be no room for all.
    let step = if across > 6.0 { 2 } else { 1 };
    for power in (0..=across as i32).step_by(step) {
        let much = 10_f64.powi(power);
        let name = match power {
            0..3 => format!("{much}"),
            3..6 => format!("{}k", much / 1e3),
            _ => format!("{}M", much / 1e6),
        };
        writeln!(
            body,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{name}</text>",
            x(much),
            top + HEIGHT + 15.0
        )?;
    }
    for (number, line) in axis.lines.iter().enumerate() {
        let points = line.points.iter();
        let points = points.map(|(much, cost)| format!("{:.1},{:.1}", x(*much), y(*cost)));
        writeln!(
            body,
            "<polyline class=\"line{number}\" points=\"{}\"/>\
             <text class=\"name{number}\" x=\"{left}\" y=\"{:.0}\">{}</text>",
            points.collect::<Vec<_>>().join(" "),
            top + HEIGHT + 30.0 + number as f64 * 13.0,
            line.name
        )?;
    }
    Ok(())
}
