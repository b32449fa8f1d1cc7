//! The medians of all rounds: as a page and a plot for readers, with the single rounds as JSON for a program.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;
use serde_json::json;

use crate::compare::contender::Kind;
use crate::compare::machine;
use crate::compare::options::Options;
use crate::compare::plot;
use crate::compare::round::RATE;
use crate::compare::round::Round;
use crate::compare::table;
use crate::harness::median::median;

pub(crate) const COMMAND: &str = "benches/compare/run";

#[derive(Debug)]
pub(crate) struct Report<'a> {
    options: &'a Options,
    rounds: Vec<Value>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self {
            options,
            rounds: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, round: &Round) -> anyhow::Result<()> {
        self.rounds.push(serde_json::to_value(round)?);
        Ok(())
    }

    /// Writes `results.md`, `results.json` and `results.svg`, if so the file is called.
    pub(crate) fn write(&self, file: &Path, page: &str) -> anyhow::Result<()> {
        let folder = file.parent().context("a file without a folder")?;
        fs::create_dir_all(folder)?;
        let report = json!({
            "command": COMMAND,
            "machine": machine::describe(self.options)?,
            "seconds": self.options.extent.spell.as_secs_f64(),
            "open_loop_rate": RATE,
            "medians": median(&self.rounds),
            "rounds": self.rounds,
        });
        let json = serde_json::to_string_pretty(&report)?;
        fs::write(file.with_extension("json"), json + "\n")?;
        fs::write(file.with_extension("svg"), plot::svg(&self.median()?)?)?;
        Ok(fs::write(file.with_extension("md"), page)?)
    }

    fn median(&self) -> anyhow::Result<Round> {
        Ok(serde_json::from_value(median(&self.rounds))?)
    }

    pub(crate) fn markdown(&self) -> anyhow::Result<String> {
        let median = self.median()?;
        let mut page = self.heading()?;
        writeln!(page, "\n## 128 calls in flight\n")?;
        page.push_str(
            "8 connections with 16 calls each, each followed by the next (closed loop).\n\n",
        );
        table::many(&mut page, &median.contenders)?;
        writeln!(page, "\n## One call at a time\n")?;
        table::alone(&mut page, &median.contenders)?;
        writeln!(page, "\n## {RATE} calls a second\n")?;
        page.push_str(
            "Calls are made when they are due, whatever became of the ones before (open loop); latency counts from then.\n\n",
        );
        table::paced(&mut page, &median.contenders)?;
        let records = self.options.extent.residents;
        writeln!(page, "\n## A stream of {records} records of 300 bytes\n")?;
        table::streams(&mut page, &median.contenders)?;
        writeln!(page, "\n## What it does not do\n")?;
        page.push_str("| | version | does not do |\n| --- | --- | --- |\n");
        for kind in Kind::ALL {
            if self.options.wants(kind.name()) {
                let version = kind.version(&self.options.envoy)?;
                writeln!(page, "| {} | {version} | {} |", kind.name(), kind.lacks())?;
            }
        }
        Ok(page)
    }

    fn heading(&self) -> anyhow::Result<String> {
        let machine = machine::describe(self.options)?;
        let text = |name: &str| {
            machine
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let loads = self
            .rounds
            .iter()
            .filter_map(|round| round.get("load_average"));
        Ok(format!(
            "`{COMMAND}` on {}: {}, {} processors, Linux {}. Medians of {} interleaved rounds; load average before each: {}.\n\n\
             Client → A → mutual TLS → B → backend, all on the loopback address of one machine; client → A is mutual TLS, too. \
             CPU per call is the fair figure: where generator, proxies and backend share processors, calls/s depends on all.\n",
            text("date"),
            text("processor"),
            crate::harness::median::processors(),
            text("kernel"),
            self.rounds.len(),
            Vec::from_iter(loads.map(Value::to_string)).join(", "),
        ))
    }
}
