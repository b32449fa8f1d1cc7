//! The medians of all rounds: as tables for a reader, with the single rounds as JSON for a program.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;
use serde_json::json;

use crate::harness::figures::Extent;
use crate::harness::figures::Unary;
use crate::harness::median::median;
use crate::harness::median::processors;
use crate::harness::meter::Cost;
use crate::two_hops::round::Contender;
use crate::two_hops::round::Round;

/// The note on a contender that keeps no evidence.
pub(crate) const NULL_JOURNAL: &str = ", null journal";

#[derive(Debug)]
pub(crate) struct Report {
    extent: Extent,
    rounds: Vec<Value>,
}

impl Report {
    pub(crate) fn new(extent: Extent) -> Self {
        Self {
            extent,
            rounds: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, round: &Round) -> anyhow::Result<()> {
        self.rounds.push(serde_json::to_value(round)?);
        Ok(())
    }

    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let folder = file.parent().context("a file without a folder")?;
        fs::create_dir_all(folder)?;
        let report = json!({
            "processors": processors(),
            "seconds": self.extent.spell.as_secs_f64(),
            "medians": median(&self.rounds),
            "rounds": self.rounds,
        });
        Ok(fs::write(file, serde_json::to_string_pretty(&report)?)?)
    }

    pub(crate) fn markdown(&self) -> anyhow::Result<String> {
        let median: Round = serde_json::from_value(median(&self.rounds))?;
        let contenders = &median.contenders;
        let loads = self
            .rounds
            .iter()
            .map(|round| round["load_average"].to_string());
        let mut page = format!(
            "Medians of {} rounds on {} processors; load average before each: {}.\n",
            self.rounds.len(),
            processors(),
            loads.collect::<Vec<_>>().join(", ")
        );
        writeln!(page, "\n## GetRecord, 8 connections with 16 calls each\n")?;
        unary(&mut page, contenders, |contender| &contender.many)?;
        with_and_without_journal(&mut page, contenders)?;
        writeln!(page, "\n## GetRecord, one call at a time\n")?;
        unary(&mut page, contenders, |contender| &contender.alone)?;
        writeln!(
            page,
            "\n## QueryRecords, {} records\n",
            self.extent.residents
        )?;
        streams(&mut page, contenders)?;
        writeln!(page, "\n## At rest\n")?;
        rest(&mut page, contenders)?;
        Ok(page)
    }
}

fn unary(
    page: &mut String,
    contenders: &[Contender],
    load: impl Fn(&Contender) -> &Unary,
) -> anyhow::Result<()> {
    page.push_str(
        "| | calls/s | of direct | p50 ms | p99 ms | CPU s per 1000 | together | × direct | RSS MiB (peak) | record bytes |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let direct = load(contenders.first().context("no contender")?);
    for contender in contenders {
        let unary = load(contender);
        let cpu = together(&unary.costs);
        writeln!(
            page,
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {} | {:.4} | {:.1} | {} | {:.0} |",
            contender.name,
            unary.calls_per_second,
            unary.calls_per_second / direct.calls_per_second,
            unary.p50_ms,
            unary.p99_ms,
            each(&unary.costs, |cost| format!("{:.4}", cost.cpu_seconds)),
            cpu,
            cpu / together(&direct.costs),
            each(&unary.costs, memory),
            unary.record_bytes,
        )?;
    }
    Ok(())
}

/// What the evidence costs, if gateways without it were measured.
fn with_and_without_journal(page: &mut String, contenders: &[Contender]) -> anyhow::Result<()> {
    let [_, with, without] = contenders else {
        return Ok(());
    };
    if !without.name.ends_with(NULL_JOURNAL) {
        return Ok(());
    }
    let (with, without) = (&with.many, &without.many);
    writeln!(
        page,
        "\nThroughput with the journal: {:.3} of that without; CPU a call: {:.2} times.",
        with.calls_per_second / without.calls_per_second,
        together(&with.costs) / together(&without.costs),
    )?;
    Ok(())
}

fn streams(page: &mut String, contenders: &[Contender]) -> anyhow::Result<()> {
    page.push_str(
        "| | records/s | of direct | CPU s per 1,000,000 | together | RSS MiB (peak) | record bytes |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let direct = &contenders.first().context("no contender")?.stream;
    for contender in contenders {
        let stream = &contender.stream;
        writeln!(
            page,
            "| {} | {:.0} | {:.2} | {} | {:.2} | {} | {:.0} |",
            contender.name,
            stream.records_per_second,
            stream.records_per_second / direct.records_per_second,
            each(&stream.costs, |cost| format!("{:.2}", cost.cpu_seconds)),
            together(&stream.costs),
            each(&stream.costs, memory),
            stream.record_bytes,
        )?;
    }
    Ok(())
}

fn rest(page: &mut String, contenders: &[Contender]) -> anyhow::Result<()> {
    page.push_str(
        "| | gateway | idle RSS MiB | start-up ms | start-up over this round's journal ms |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for contender in contenders {
        for rest in &contender.rest {
            writeln!(
                page,
                "| {} | {} | {:.1} | {:.0} | {:.0} |",
                contender.name, rest.process, rest.idle_rss_mib, rest.start_up_ms, rest.restart_ms,
            )?;
        }
    }
    Ok(())
}

fn each(costs: &[Cost], figure: impl Fn(&Cost) -> String) -> String {
    let figures = costs
        .iter()
        .map(|cost| format!("{} {}", cost.process, figure(cost)));
    figures.collect::<Vec<_>>().join(", ")
}

fn memory(cost: &Cost) -> String {
    format!("{:.1} ({:.1})", cost.rss_mib, cost.peak_rss_mib)
}

fn together(costs: &[Cost]) -> f64 {
    costs.iter().map(|cost| cost.cpu_seconds).sum()
}
