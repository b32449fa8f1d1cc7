//! What a check and a rehearsal have found, as people read it.

use std::collections::BTreeSet;

use maud::Markup;
use maud::html;
use time::UtcOffset;

use super::Checked;
use crate::audit::rehearsal::Rehearsal;
use crate::audit::rehearsal::Shift;
use crate::audit::rehearsal::Turn;
use crate::console::candidate;
use crate::console::page;
use crate::console::words::Words;
use crate::exchange::snapshot::Snapshot;
use crate::policy::PolicySet;

/// The most questions that are listed.
const MAX_SHIFTS: usize = 200;

pub(super) fn told(checked: &Checked, offset: UtcOffset, words: &Words) -> Markup {
    match checked {
        Checked::Refused(faults) => html! {
            section {
                h2 { span .state data-good="false" { (words.would_be_refused) } }
                ul .faults { @for fault in faults { li { (page::value(&fault.to_string())) } } }
            }
        },
        Checked::Accepted { moved, rehearsal } => html! {
            section {
                h2 { span .state data-good="true" { (words.would_be_accepted) } }
                (moved)
            }
            (shifts(rehearsal, offset, words))
        },
    }
}

/// Who would get other fields, whoever has asked so far.
pub(super) fn moved(snapshot: &Snapshot, candidate: &PolicySet, words: &Words) -> Markup {
    let moved = candidate::moved(&snapshot.policy, candidate);
    let fields = |fields: &BTreeSet<String>| {
        html! { ul .tags { @for field in fields { li { code { (field) } } } } }
    };
    html! {
        h3 { (words.access) }
        @if moved.is_empty() { p { (words.same_access) } } @else {
            div .wide tabindex="0" role="region" aria-label=(words.access) {
                table {
                    thead { tr {
                        th scope="col" { (words.consumer) } th scope="col" { (words.record_type) } th scope="col" { (words.mode) }
                        th scope="col" { (words.gains) } th scope="col" { (words.loses) }
                    } }
                    tbody { @for (way, moved) in &moved {
                        tr {
                            th scope="row" { (way.consumer) } td { code { (way.record_type) } } td { (way.mode.as_str()) }
                            td { (fields(&moved.gained)) } td { (fields(&moved.lost)) }
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
            @if let Some(at) = rehearsal.stopped_at {
                p .alert role="alert" { (words.stopped_at) " " (page::moment(at, offset)) }
            }
            @if rehearsal.shifts.is_empty() { p { (words.same_answers) } } @else {
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
