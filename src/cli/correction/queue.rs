//! What the owner's officers do, on the machine of their gateway.

use std::io;
use std::io::Write;

use clap::Args;
use serde_json::json;

use super::Settings;
use super::row::CORRECTIONS;
use super::row::CorrectionRow;
use crate::cli::exit::Failure;
use crate::cli::output;
use crate::cli::output::OutputOptions;
use crate::clock::Clock;
use crate::correction::MAX_TEXT;
use crate::correction::Side;
use crate::correction::Step;
use crate::correction::answer;
use crate::correction::is_fit;
use crate::correction::store::Case;
use crate::correction::timestamp;
use crate::pb;
use crate::pb::CorrectionState;

pub(super) fn list(all: bool, settings: &Settings, output: &OutputOptions) -> Result<(), Failure> {
    let (config, store) = settings.open()?;
    let cases = store.cases(Side::Provider)?;
    let wanted = cases.iter().filter(|case| all || case.step < Step::Decided);
    let mut rows: Vec<_> = wanted
        .map(|case| CorrectionRow::of(&case.correction, config.offset))
        .collect();
    rows.sort_by(|a, b| a.due.cmp(&b.due));
    output::list(
        output.for_lists(),
        &rows,
        &CORRECTIONS,
        CorrectionRow::cells,
    )?;
    let today = Clock::System.now().date(config.offset).to_string();
    let is_late = |row: &&CorrectionRow| row.state == "open" && row.due < today;
    let late = rows.iter().filter(is_late).count();
    if late > 0 {
        writeln!(
            io::stderr(),
            "{late} of them should have been answered before today"
        )?;
    }
    Ok(())
}

pub(super) fn show(id: &str, settings: &Settings, output: &OutputOptions) -> Result<(), Failure> {
    let (config, store) = settings.open()?;
    let case = match store.case(id, Side::Provider)? {
        Some(case) => Some(case),
        // What this department has filed itself.
        None => store.case(id, Side::Consumer)?,
    };
    let row = CorrectionRow::of(&case.ok_or_else(|| unknown(id))?.correction, config.offset);
    let mut out = io::stdout().lock();
    if output.for_one()? {
        serde_json::to_writer(&mut out, &row).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    for (name, value) in row.portrait() {
        writeln!(out, "{name:<12} {value}")?;
    }
    Ok(())
}

#[derive(Args)]
pub(super) struct AnswerArgs {
    /// The correction's id, as the queue has it
    id: String,
    /// The record was wrong, and is corrected
    #[arg(long, required_unless_present = "upheld", conflicts_with = "upheld")]
    corrected: bool,
    /// The record stands as it is
    #[arg(long)]
    upheld: bool,
    /// What is answered, at most 2,000 characters
    #[arg(long, value_name = "TEXT")]
    reply: String,
}

impl AnswerArgs {
    /// The gateway puts it on record and tells the consumers.
    pub(super) fn run(self, settings: &Settings, output: &OutputOptions) -> Result<(), Failure> {
        if self.reply.trim().is_empty() || !is_fit(&self.reply, MAX_TEXT) {
            let failure = Failure::usage(format!(
                "the reply is empty, has more than {MAX_TEXT} characters, or control characters"
            ));
            return Err(failure.hint("write what was found, and on what ground"));
        }
        let (_, store) = settings.open()?;
        let case = store.case(&self.id, Side::Provider)?;
        let case = case.ok_or_else(|| unknown(&self.id))?;
        let state = match self.corrected {
            true => CorrectionState::Corrected,
            false => CorrectionState::Upheld,
        };
        let now = Clock::System.now();
        let decided = Case {
            side: Side::Provider,
            step: Step::Decided,
            correction: pb::Correction {
                state: state.into(),
                reply: self.reply,
                answered_at: Some(timestamp(now)),
                ..case.correction
            },
        };
        if !store.advance(Step::Open, &decided, now)? {
            let failure = Failure::usage(format!("`{}` is answered already", self.id));
            return Err(failure.hint("`landbridge correction show` tells how"));
        }
        let word = answer(state);
        let mut out = io::stdout().lock();
        match output.for_one()? {
            true => writeln!(out, "{}", json!({ "correction": self.id, "answer": word }))?,
            false => writeln!(
                out,
                "{} is answered: {word}; the gateway tells the consumers as soon as it runs",
                self.id
            )?,
        }
        Ok(())
    }
}

fn unknown(id: &str) -> Failure {
    let failure = Failure::usage(format!(
        "there is no correction `{}`",
        crate::fault::shown(id)
    ));
    failure.hint("`landbridge correction queue` lists them")
}
