//! Curves over time: how fast, how much, how much refused; of all exchanges, and of each line of them.

use maud::Markup;
use maud::html;
use time::UtcOffset;

use super::period;
use super::words::Words;
use crate::evidence::tally::Period;
use crate::evidence::tally::Series;
use crate::evidence::tally::Sum;
use crate::evidence::tally::Tally;

const WIDTH: usize = 240;
const HEIGHT: u64 = 56;
const MICROS_A_MILLI: u64 = 1_000;
/// The lines that are drawn, those with most requests.
const MAX_LINES: usize = 40;

/// One curve: its name, its unit, and a number for each slot.
struct Curve {
    name: &'static str,
    unit: &'static str,
    numbers: Vec<u64>,
}

/// Of all exchanges, but for the requests, which have a picture of their own.
pub(super) fn of(
    series: &Series,
    period: Period,
    offset: UtcOffset,
    words: &'static Words,
) -> Markup {
    html! {
        div .plots {
            @for curve in curves(series, words).iter().skip(1) {
                figure {
                    figcaption { (curve.name) " · " (words.highest) " " (curve.most()) " " (curve.unit) }
                    (curve.draw())
                    p .axis { span { (period::text(period.since, offset).replace('T', " ")) } span { (period::text(period.until, offset).replace('T', " ")) } }
                }
            }
        }
    }
}

/// Of each provider, consumer and record type.
pub(super) fn lines(tally: &Tally, words: &'static Words) -> Markup {
    let mut lines: Vec<_> = tally.lines.iter().collect();
    lines.sort_by_key(|(_, series)| std::cmp::Reverse(series.whole.requests()));
    html! {
        h3 { (words.each_line) }
        div .wide tabindex="0" role="region" aria-label=(words.each_line) {
            table .curves {
                thead { tr {
                    th scope="col" { (words.provider) } th scope="col" { (words.requests) } th scope="col" { "p95" }
                    th scope="col" { (words.denied) } th scope="col" { (words.records) }
                } }
                tbody { @for (line, series) in lines.into_iter().take(MAX_LINES) {
                    tr {
                        th scope="row" { (line.provider) " → " (line.consumer) br; code { (line.record_type) } }
                        @for curve in curves(series, words) {
                            td { (curve.draw()) small { (curve.most()) " " (curve.unit) } }
                        }
                    }
                } }
            }
        }
    }
}

/// Of a bar where the highest, for `most`, has `full`. What there is one of is seen.
pub(super) fn height(part: u64, most: u64, full: u64) -> u64 {
    match part {
        0 => 0,
        part => (part.saturating_mul(full) / most).max(1),
    }
}

fn curves(series: &Series, words: &'static Words) -> [Curve; 4] {
    let curve = |name, unit, number: fn(&Sum) -> u64| Curve {
        name,
        unit,
        numbers: series.slots.iter().map(number).collect(),
    };
    [
        curve(words.requests, "", Sum::requests),
        curve(words.latency, "ms", |sum| {
            sum.latencies.within(95).div_ceil(MICROS_A_MILLI)
        }),
        curve(words.denied, "", |sum| sum.denied),
        curve(words.records, "", |sum| sum.records),
    ]
}

impl Curve {
    fn most(&self) -> u64 {
        self.numbers.iter().copied().max().unwrap_or(0)
    }

    /// An area from the left to the right, each number as wide as its slot.
    fn draw(&self) -> Markup {
        let most = self.most().max(1);
        let width = self.numbers.len() * (WIDTH / self.numbers.len().max(1));
        let step = width / self.numbers.len().max(1);
        let mut way = format!("M0 {HEIGHT}");
        for number in &self.numbers {
            let height = height(*number, most, HEIGHT - 2);
            way.push_str(&format!("V{}h{step}", HEIGHT - height));
        }
        way.push_str(&format!("V{HEIGHT}Z"));
        let text = format!("{}: {} {}", self.name, self.most(), self.unit);
        html! {
            svg .curve viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(text.trim_end()) {
                path d=(way) {}
            }
        }
    }
}
