//! How many entries the journal has over time, to pick a part of it: by a drag across it, or bar by bar.

use std::path::Path;

use maud::Markup;
use maud::html;
use time::UtcOffset;

use super::period;
use super::plots::height;
use super::words::Words;
use crate::clock::Moment;
use crate::evidence::timeline::Timeline;
use crate::reading::error::ReadingError;

/// The most bars.
const SLOTS: u64 = 96;
const BAR: u64 = 10;
const HEIGHT: u64 = 60;

/// Entries between each moment and the next.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    moments: Vec<Moment>,
    counts: Vec<u64>,
}

impl Histogram {
    /// From the journal's first entry up to now where no other time is given.
    pub(super) fn count(
        journal: &Path,
        since: Option<Moment>,
        until: Option<Moment>,
        now: Moment,
    ) -> Result<Self, ReadingError> {
        let timeline = Timeline::open(journal).map_err(ReadingError::failed)?;
        let begins = timeline.begins().map_err(ReadingError::failed)?;
        let Some(since) = since.or(begins) else {
            return Ok(Self::default());
        };
        // In whole seconds, as the form has them.
        let (since, until) = (since.seconds(), until.unwrap_or(now).seconds() + 1);
        let whole = u64::try_from(until - since).unwrap_or(0);
        let step = whole.div_ceil(SLOTS).max(1);
        let moment = |slot: u64| {
            let after = i64::try_from(slot * step).unwrap_or(i64::MAX);
            Moment::from_micros(since.saturating_add(after).saturating_mul(1_000_000))
        };
        let slots = whole.div_ceil(step);
        let moments: Vec<_> = (0..=slots).map(moment).collect();
        let counts = timeline.counts(&moments).map_err(ReadingError::failed)?;
        Ok(Self { moments, counts })
    }

    /// Each bar leads to where `link` leads for its time; the script makes a drag do the same.
    pub(super) fn draw(
        &self,
        offset: UtcOffset,
        link: impl Fn(Moment, Moment) -> String,
        words: &Words,
    ) -> Markup {
        let (Some(&since), Some(&until)) = (self.moments.first(), self.moments.last()) else {
            return html! {};
        };
        let most = self.counts.iter().copied().max().unwrap_or(0).max(1);
        let width = self.counts.len() as u64 * BAR;
        let ends = self.moments.iter().zip(self.moments.iter().skip(1));
        let bars = ends.zip(&self.counts).zip((0..).step_by(BAR as usize));
        let text = |at| period::text(at, offset).replace('T', " ");
        html! {
            p .axis { span { (text(since)) } span { (words.histogram) } span { (text(until)) } }
            svg .histogram viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" role="group" aria-label=(words.histogram)
                data-since=(period::text(since, offset)) data-until=(period::text(until, offset)) {
                @for (((&from, &to), &count), x) in bars {
                    @if count > 0 {
                        @let height = height(count, most, HEIGHT - 2);
                        a href=(link(from, to)) aria-label=(format!("{}: {count}", text(from))) {
                            title { (text(from)) ": " (count) }
                            rect x=(x) y="0" width=(BAR) height=(HEIGHT) class="slot" {}
                            rect x=(x) y=(HEIGHT - height) width=(BAR - 1) height=(height) class="count" {}
                        }
                    }
                }
            }
        }
    }
}
