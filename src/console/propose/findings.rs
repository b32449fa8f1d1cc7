//! What a check and a rehearsal have found, as people read it.

use maud::Markup;
use maud::html;
use time::UtcOffset;

use super::Checked;
use crate::console::page;
use crate::console::rehearsal::Rehearsal;
use crate::console::rehearsal::Shift;
use crate::console::rehearsal::Turn;
use crate::console::words::Words;
use crate::policy::change::Change;
use crate::policy::change::Effect;

/// The most questions that are listed.
const MAX_SHIFTS: usize = 200;

pub(super) fn show(checked: &Checked, offset: UtcOffset, words: &Words) -> Markup {
    match checked {
        Checked::Refused(faults) => html! {
            section {
                h2 { span .state data-good="false" { (words.would_be_refused) } }
                ul .faults { @for fault in faults { li { (page::value(&fault.to_string())) } } }
            }
        },
        Checked::Accepted { changes, rehearsal } => html! {
            section {
                h2 { span .state data-good="true" { (words.would_be_accepted) } }
                (granted(changes, words))
            }
            (shifts(rehearsal, offset, words))
        },
    }
}

/// What the change does to what is granted: what widens first, and red.
fn granted(changes: &[Change], words: &Words) -> Markup {
    let effect = |change: &Change| match change.effect {
        Effect::Widens => (words.widens, Some("false")),
        Effect::Alters => (words.alters, None),
        Effect::Narrows => (words.narrows, Some("true")),
    };
    html! {
        h3 { (words.access) }
        @if changes.is_empty() { p { (words.same_access) } } @else {
            div .wide tabindex="0" role="region" aria-label=(words.access) {
                table {
                    thead { tr {
                        th scope="col" { (words.effect) } th scope="col" { (words.place) } th scope="col" { (words.key) }
                        th scope="col" { (words.now) } th scope="col" { (words.then) }
                    } }
                    tbody { @for change in changes {
                        @let (text, good) = effect(change);
                        tr .widens[change.effect == Effect::Widens] {
                            th scope="row" { span .state data-good=[good] { (text) } }
                            td { (page::value(&change.place)) } td { code { (change.key) } }
                            td { (page::value(&change.before)) } td { (page::value(&change.after)) }
                        }
                    } }
                }
            }
        }
    }
}

/// What would become of the questions that were asked.
fn shifts(rehearsal: &Rehearsal, offset: UtcOffset, words: &Words) -> Markup {
    let turn = |shift: &Shift| match shift.turn {
        Turn::Lost => words.lost,
        Turn::Gained => words.gained,
        Turn::Otherwise => words.otherwise,
    };
    html! {
        section {
            h2 { (words.rehearsal) }
            p { (words.rehearsed) " " (rehearsal.exchanges) "." @if rehearsal.unjudged > 0 { " " (words.unjudged) " " (rehearsal.unjudged) "." } }
            (page::coverage(rehearsal.coverage, offset, words))
            @if rehearsal.exchanges == rehearsal.unjudged { p { (words.none_judged) } }
            @else if rehearsal.shifts.is_empty() { p { (words.same_answers) } }
            @else {
                div .wide tabindex="0" role="region" aria-label=(words.rehearsal) {
                    table {
                        thead { tr {
                            th scope="col" { (words.would) } th scope="col" { (words.who) } th scope="col" { (words.what) }
                            th scope="col" { (words.purpose) } th scope="col" { (words.exchange_count) } th scope="col" { (words.last_time) }
                            th scope="col" { (words.why) }
                        } }
                        tbody { @for shift in rehearsal.shifts.iter().take(MAX_SHIFTS) {
                            tr {
                                th scope="row" { span .state data-good=(shift.turn != Turn::Lost) { (turn(shift)) } }
                                td { (page::value(&shift.question.consumer)) "/" (page::value(&shift.question.system)) }
                                td { (shift.question.mode) " " code { (shift.question.record_type) } }
                                td { (page::value(&shift.question.purpose)) }
                                td { (shift.exchanges) }
                                td .time { (page::moment(shift.last, offset)) }
                                td { @if let Some(denial) = &shift.denial { code { (denial.reason()) } " " (page::value(&denial.to_string())) } }
                            }
                        } }
                    }
                }
                @if rehearsal.shifts.len() > MAX_SHIFTS { p { "+ " (rehearsal.shifts.len() - MAX_SHIFTS) } }
            }
        }
    }
}
