//! A change to a policy file, checked and rehearsed before it is applied, and given back as a patch: files stay the source.

mod findings;

use std::path::Path;
use std::sync::Arc;

use axum::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use maud::Markup;
use maud::html;
use serde::Deserialize;

use super::Console;
use super::candidate;
use super::difference;
use super::extractors::Administrator;
use super::page;
use super::page::Page;
use super::page_error::PageError;
use super::rehearsal;
use super::rehearsal::Rehearsal;
use super::words::Words;
use crate::clock::Moment;
use crate::exchange::snapshot::Snapshot;
use crate::fault::Fault;
use crate::journal::reader::Reader;
use crate::policy::PolicyFile;
use crate::policy::change::Change;
use crate::policy::change::changes;
use crate::reading::error::ReadingError;
use crate::text;

const HERE: &str = "/console/propose";
const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;
/// Of the journal's last days, if nobody says how many.
const DAYS: u16 = 30;
const MOST_DAYS: u16 = 3_660;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FileChoice {
    file: String,
}

/// What the form has.
#[derive(Debug, Deserialize)]
pub(super) struct Proposal {
    /// The name of a part of the policy; empty for a new agreement.
    #[serde(default)]
    file: String,
    /// Of a new agreement's file.
    #[serde(default)]
    name: String,
    text: String,
    #[serde(default)]
    days: String,
}

/// A file that is to be changed, or made.
#[derive(Default)]
struct Target {
    is_new: bool,
    name: String,
    path: String,
    /// What stands there now.
    text: String,
}

/// What a check finds.
enum Checked {
    Refused(Vec<Fault>),
    Accepted {
        changes: Vec<Change>,
        rehearsal: Rehearsal,
    },
}

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Administrator,
    Query(chosen): Query<FileChoice>,
) -> Result<Response, PageError> {
    let on_record = console
        .view(&visitor.who, "propose")
        .await
        .map_err(visitor.unread())?;
    let words = visitor.language.words();
    let snapshot = console.desk.exchange.snapshot();
    let target = Target::find(&chosen.file, "", &snapshot);
    Ok(Page::new(&visitor, words.propose, HERE).show(
        on_record,
        &html! {
            p { (words.propose_hint) }
            (choice(&chosen.file, &snapshot, words))
            @if let Some(target) = &target { (form(target, &target.text, DAYS, words)) }
        },
    ))
}

/// Checks and rehearses.
pub(super) async fn check(
    State(console): State<Arc<Console>>,
    visitor: Administrator,
    headers: HeaderMap,
    Form(proposal): Form<Proposal>,
) -> Result<Response, PageError> {
    console.check_own_page(&headers)?;
    let words = visitor.language.words();
    let (target, text) = proposal.read(&console).map_err(visitor.unread())?;
    let days = proposal.days().map_err(visitor.unread())?;
    let on_record = console
        .view(
            &visitor.who,
            &format!("propose {} days={days}", target.name),
        )
        .await
        .map_err(visitor.unread())?;
    let checked = rehearsed(&console, &target, &text, days)
        .await
        .map_err(visitor.unread())?;
    Ok(Page::new(&visitor, words.propose, HERE).show(on_record, &html! {
        (findings::show(&checked, console.desk.offset, words))
        section {
            h2 { (words.patch) " " small { code { (target.path) } } }
            @if target.text == text { p { (words.nothing_changed) } } @else { (difference::draw(&target.text, &text)) }
        }
        (form(&target, &text, days, words))
    }))
}

/// The same change as a file.
pub(super) async fn patch(
    State(console): State<Arc<Console>>,
    visitor: Administrator,
    headers: HeaderMap,
    Form(proposal): Form<Proposal>,
) -> Result<Response, PageError> {
    console.check_own_page(&headers)?;
    let (target, text) = proposal.read(&console).map_err(visitor.unread())?;
    let on_record = console
        .view(&visitor.who, &format!("propose.patch {}", target.name))
        .await
        .map_err(visitor.unread())?;
    let patch = difference::patch(&target.path, &target.text, &text);
    Ok(page::file(
        on_record,
        "policy.patch",
        "text/x-diff; charset=utf-8",
        patch,
    ))
}

impl Proposal {
    /// The file that is meant, and the text that it is to have.
    fn read(&self, console: &Console) -> Result<(Target, String), ReadingError> {
        let snapshot = console.desk.exchange.snapshot();
        let target = Target::find(&self.file, &self.name, &snapshot).ok_or_else(|| {
            ReadingError::invalid(
                "file",
                "there is no such file; expected a name such as `tax-2027.toml`",
            )
        })?;
        // Browsers send line ends as a network would have them.
        Ok((target, self.text.replace("\r\n", "\n")))
    }

    fn days(&self) -> Result<u16, ReadingError> {
        let days = match self.days.trim() {
            "" => Some(DAYS),
            days => days.parse().ok(),
        };
        days.filter(|days| (1..=MOST_DAYS).contains(days))
            .ok_or_else(|| ReadingError::invalid("days", "expected a number from 1 to 3660"))
    }
}

impl Target {
    /// A part of the policy by its name; with none, a new file beside the other agreements.
    fn find(part: &str, new: &str, snapshot: &Snapshot) -> Option<Self> {
        if !part.is_empty() {
            let part = snapshot.policy.parts().find(|known| known.name == part)?;
            return Some(Self {
                is_new: false,
                name: part.name.to_owned(),
                path: part.file.to_owned(),
                text: text::read(Path::new(part.file)).unwrap_or_default(),
            });
        }
        let stem = new.strip_suffix(".toml")?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if stem.is_empty() || !stem.chars().all(is_plain) {
            return None;
        }
        let folder = Path::new(&snapshot.policy.agreements().next()?.file)
            .parent()?
            .to_owned();
        let path = folder.join(new);
        Some(Self {
            is_new: true,
            name: new.to_owned(),
            text: text::read(&path).unwrap_or_default(),
            path: path.display().to_string(),
        })
    }
}

async fn rehearsed(
    console: &Console,
    target: &Target,
    text: &str,
    days: u16,
) -> Result<Checked, ReadingError> {
    let edited = PolicyFile {
        path: target.path.clone(),
        text: text.to_owned(),
    };
    let desk = &console.desk;
    let (snapshot, own) = (desk.exchange.snapshot(), desk.exchange.department().clone());
    let (journal, offset, until) = (desk.journal.clone(), desk.offset, desk.now());
    let since = Moment::from_micros(until.micros().saturating_sub(i64::from(days) * DAY_MICROS));
    desk.look_up(move || {
        let candidate = match candidate::compile(&snapshot, &journal, &own, offset, edited) {
            Ok(candidate) => candidate,
            Err(faults) => return Ok(Checked::Refused(faults)),
        };
        let policies = [&snapshot.policy, &candidate];
        let reader = Reader::open(&journal);
        let rehearsal = rehearsal::rehearse(&reader, since, until, policies, &snapshot.registry);
        Ok(Checked::Accepted {
            changes: changes(&snapshot.policy, &candidate),
            rehearsal: rehearsal.map_err(ReadingError::failed)?,
        })
    })
    .await
}

fn choice(chosen: &str, snapshot: &Snapshot, words: &Words) -> Markup {
    html! {
        form .search method="get" action=(HERE) {
            p {
                label for="file" { (words.file) }
                select id="file" name="file" {
                    option value="" { (words.new_agreement) }
                    @for part in snapshot.policy.parts() {
                        option value=(part.name) selected[part.name == chosen] { (part.name) " · " (part.file) }
                    }
                }
            }
            button { (words.show) }
        }
        @if chosen.is_empty() {
            (form(&Target { is_new: true, ..Target::default() }, "", DAYS, words))
        }
    }
}

fn form(target: &Target, text: &str, days: u16, words: &Words) -> Markup {
    let rows = text.lines().count().clamp(16, 40);
    html! {
        form .search method="post" action=(HERE) {
            @if target.is_new {
                p { label for="new-name" { (words.new_name) }
                    input #new-name name="name" value=(target.name) required placeholder="tax-2027.toml" pattern="[A-Za-z0-9_-]+[.]toml" maxlength="64" spellcheck="false"; }
            } @else {
                input type="hidden" name="file" value=(target.name);
            }
            p .text { label for="text" { (words.its_text) }
                textarea #text name="text" rows=(rows) spellcheck="false" required { (text) } }
            p { label for="days" { (words.days_back) }
                input #days name="days" value=(days) inputmode="numeric" maxlength="4"; }
            p {
                button { (words.check_and_rehearse) } " "
                button .quiet formaction={ (HERE) "/patch" } { (words.download_patch) }
            }
        }
    }
}
