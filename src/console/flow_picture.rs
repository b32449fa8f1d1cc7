//! Departments as islands, and what they exchange as bridges; and the same over time.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::f64::consts::TAU;

use maud::Markup;
use maud::html;
use time::UtcOffset;

use super::period;
use super::plots::height;
use super::words::Words;
use crate::evidence::tally::Period;
use crate::evidence::tally::Sum;
use crate::evidence::tally::Tally;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
const ISLAND: f64 = 46.0;
/// The widest bridge and the narrowest, in units of the picture.
const WIDEST: f64 = 22.0;
const NARROWEST: f64 = 2.0;
/// How far a bridge bends out of the straight line, so that the way there and the way back lie beside one another.
const BEND: f64 = 0.16;
const BARS_HEIGHT: u64 = 140;
const BAR: usize = 12;

/// What is drawn, and how.
pub(super) struct Drawing<'a> {
    pub(super) tally: &'a Tally,
    pub(super) period: Period,
    pub(super) offset: UtcOffset,
    /// Whether whoever looks may follow to the exchanges.
    pub(super) links: bool,
    pub(super) words: &'static Words,
}

impl Drawing<'_> {
    /// Each bridge goes from the provider to the consumer; its width is the volume, the broken line on it what was not answered.
    pub(super) fn islands(&self) -> Markup {
        let Self {
            tally,
            period,
            offset,
            links,
            words,
        } = *self;
        let mut bridges: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
        for (line, series) in tally
            .lines
            .iter()
            .filter(|(line, _)| !line.provider.is_empty())
        {
            let ends = (line.provider.as_str(), line.consumer.as_str());
            bridges.entry(ends).or_default().join(&series.whole);
        }
        let names: BTreeSet<_> = bridges.keys().flat_map(|(from, to)| [*from, *to]).collect();
        let places: BTreeMap<_, _> = names
            .iter()
            .enumerate()
            .map(|(n, name)| (*name, place(n, names.len())))
            .collect();
        let most = bridges.values().map(Sum::requests).max().unwrap_or(1);
        let place = |name: &str| places.get(name).copied().unwrap_or_default();
        html! {
            section {
                h2 { (words.bridges) }
                p { (words.bridges_hint) }
                svg .flow viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="group" aria-label=(words.bridges) {
                    @for ((from, to), sum) in &bridges {
                        @let drawn = bridge(place(from), place(to), sum, most, &format!("{from} → {to}: {}", caption(sum, words)));
                        @if links {
                            a href=(format!("/console/exchanges?provider={from}&consumer={to}&{}", period::pairs(period.since, period.until, offset))) { (drawn) }
                        } @else { (drawn) }
                    }
                    @for (name, (x, y)) in &places {
                        circle .island cx=(whole(*x)) cy=(whole(*y)) r=(ISLAND) {}
                        text x=(whole(*x)) y=(whole(*y + 5.0)) { (name) }
                    }
                }
            }
        }
    }

    /// A bar for each slot: below what was answered, then what was refused, then what failed. Each leads to its exchanges.
    pub(super) fn over_time(&self) -> Markup {
        let Self {
            tally,
            period,
            offset,
            links,
            words,
        } = *self;
        let slots = &tally.all.slots;
        let most = slots.iter().map(Sum::requests).max().unwrap_or(0).max(1);
        let width = slots.len() * BAR;
        let bar = |slot: usize, sum: &Sum| {
            let (since, until) = (period.begins(slot), period.begins(slot + 1));
            let text = format!(
                "{}: {}",
                period::text(since, offset).replace('T', " "),
                caption(sum, words)
            );
            let (answered, denied) = (
                height(sum.answered, most, BARS_HEIGHT),
                height(sum.denied, most, BARS_HEIGHT),
            );
            let failed = height(sum.failed, most, BARS_HEIGHT);
            let drawn = html! {
                title { (text) }
                rect x=(slot * BAR) y="0" width=(BAR - 1) height=(BARS_HEIGHT) class="slot" {}
                rect x=(slot * BAR) y=(BARS_HEIGHT - answered) width=(BAR - 1) height=(answered) class="answered" {}
                rect x=(slot * BAR) y=(BARS_HEIGHT - answered - denied) width=(BAR - 1) height=(denied) class="denied" {}
                rect x=(slot * BAR) y=(BARS_HEIGHT.saturating_sub(answered + denied + failed)) width=(BAR - 1) height=(failed) class="failed" {}
            };
            let link = format!("/console/exchanges?{}", period::pairs(since, until, offset));
            html! {
                @if links && sum.requests() > 0 { a href=(link) { (drawn) } } @else { g { (drawn) } }
            }
        };
        html! {
            section {
                h2 { (words.over_time) }
                p .legend {
                    span .answered { (words.answered) } " " span .denied { (words.denied) } " " span .failed { (words.failed_share) }
                    " · " (words.highest) " " (most)
                }
                svg .bars viewBox=(format!("0 0 {width} {BARS_HEIGHT}")) role="group" aria-label=(words.over_time) {
                    @for (slot, sum) in slots.iter().enumerate() { (bar(slot, sum)) }
                }
            }
        }
    }
}

/// On an ellipse, the first above.
fn place(number: usize, all: usize) -> (f64, f64) {
    let angle = TAU * (number as f64 / all.max(1) as f64 - 0.25);
    let (x, y) = (WIDTH / 2.0 - ISLAND * 1.3, HEIGHT / 2.0 - ISLAND * 1.3);
    (
        WIDTH / 2.0 + x * angle.cos(),
        HEIGHT / 2.0 + y * angle.sin(),
    )
}

fn bridge((x1, y1): (f64, f64), (x2, y2): (f64, f64), sum: &Sum, most: u64, text: &str) -> Markup {
    let share = (sum.requests() as f64 / most.max(1) as f64).sqrt();
    let width = (WIDEST * share).max(NARROWEST);
    let bad = (sum.denied + sum.failed) as f64 / sum.requests().max(1) as f64;
    let (middle_x, middle_y) = (
        (x1 + x2) / 2.0 - (y2 - y1) * BEND,
        (y1 + y2) / 2.0 + (x2 - x1) * BEND,
    );
    let way = format!(
        "M{} {}Q{} {} {} {}",
        whole(x1),
        whole(y1),
        whole(middle_x),
        whole(middle_y),
        whole(x2),
        whole(y2)
    );
    html! {
        g .bridge {
            title { (text) }
            path d=(way) class="answered" stroke-width=(format!("{width:.1}")) {}
            @if bad > 0.0 { path d=(way) class="not-answered" stroke-width=(format!("{:.1}", (width * bad).max(1.0))) {} }
        }
    }
}

fn whole(number: f64) -> i64 {
    number.round() as i64
}

fn caption(sum: &Sum, words: &Words) -> String {
    let mut told = format!(
        "{} {}, {} {}, {} {}, {} {}",
        sum.answered,
        words.answered,
        sum.denied,
        words.denied,
        sum.failed,
        words.failed_share,
        sum.records,
        words.records
    );
    for (number, text) in [
        (sum.by_asker, words.by_asker),
        (sum.unanswered, words.unanswered),
    ] {
        if number > 0 {
            told.push_str(&format!("; {number} {text}"));
        }
    }
    told
}
