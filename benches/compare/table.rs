//! The tables of the page: each figure beside those of the direct call and of two Envoys.

use std::fmt::Write;

use crate::compare::contender::Kind;
use crate::compare::round::Measured;
use crate::harness::meter::Cost;

pub(crate) fn many(page: &mut String, all: &[Measured]) -> anyhow::Result<()> {
    page.push_str(
        "| | calls/s | × direct | × Envoys | p50 ms | p99 ms | p99.9 ms | CPU s per 1000 | together | × Envoys | × Rust hops | RSS MiB |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let rate = |one: &Measured| one.many.calls_per_second;
    let cpu = |one: &Measured| together(&one.many.costs);
    for one in all {
        writeln!(
            page,
            "| {} | {:.0} | {} | {} | {:.2} | {:.2} | {:.2} | {} | {:.4} | {} | {} | {} |",
            one.name,
            rate(one),
            beside(Kind::Direct, all, one, rate),
            beside(Kind::Envoy, all, one, rate),
            one.many.p50_ms,
            one.many.p99_ms,
            one.many.p999_ms,
            each(&one.many.costs, |cost| format!("{:.4}", cost.cpu_seconds)),
            cpu(one),
            beside(Kind::Envoy, all, one, cpu),
            beside(Kind::Hops, all, one, cpu),
            each(&one.many.costs, |cost| format!("{:.0}", cost.rss_mib)),
        )?;
    }
    Ok(())
}

pub(crate) fn alone(page: &mut String, all: &[Measured]) -> anyhow::Result<()> {
    page.push_str(
        "| | calls/s | p50 ms | × Envoys | p99 ms | p99.9 ms | CPU s per 1000 |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for one in all {
        writeln!(
            page,
            "| {} | {:.0} | {:.2} | {} | {:.2} | {:.2} | {:.3} |",
            one.name,
            one.alone.calls_per_second,
            one.alone.p50_ms,
            beside(Kind::Envoy, all, one, |one| one.alone.p50_ms),
            one.alone.p99_ms,
            one.alone.p999_ms,
            together(&one.alone.costs),
        )?;
    }
    Ok(())
}

pub(crate) fn paced(page: &mut String, all: &[Measured]) -> anyhow::Result<()> {
    page.push_str(
        "| | p50 ms | p99 ms | p99.9 ms | unanswered | CPU s per 1000 | × Envoys |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let cpu = |one: &Measured| together(&one.paced.costs);
    for one in all {
        writeln!(
            page,
            "| {} | {:.2} | {:.2} | {:.2} | {:.0} | {:.3} | {} |",
            one.name,
            one.paced.p50_ms,
            one.paced.p99_ms,
            one.paced.p999_ms,
            one.paced.unanswered,
            cpu(one),
            beside(Kind::Envoy, all, one, cpu),
        )?;
    }
    Ok(())
}

pub(crate) fn streams(page: &mut String, all: &[Measured]) -> anyhow::Result<()> {
    page.push_str(
        "| | records/s | × direct | × Envoys | CPU s per 1,000,000 | peak RSS MiB | record bytes |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let rate = |one: &Measured| one.stream.records_per_second;
    for one in all {
        writeln!(
            page,
            "| {} | {:.0} | {} | {} | {:.2} | {} | {:.0} |",
            one.name,
            rate(one),
            beside(Kind::Direct, all, one, rate),
            beside(Kind::Envoy, all, one, rate),
            together(&one.stream.costs),
            each(&one.stream.costs, |cost| format!(
                "{:.0}",
                cost.peak_rss_mib
            )),
            one.stream.record_bytes,
        )?;
    }
    Ok(())
}

pub(crate) fn together(costs: &[Cost]) -> f64 {
    costs.iter().map(|cost| cost.cpu_seconds).sum()
}

/// How many times the figure of another contender, if that was measured.
fn beside(
    other: Kind,
    all: &[Measured],
    one: &Measured,
    figure: impl Fn(&Measured) -> f64,
) -> String {
    let other = all.iter().find(|measured| measured.name == other.name());
    other.map_or_else(
        || "–".to_owned(),
        |other| format!("{:.2}", figure(one) / figure(other)),
    )
}

fn each(costs: &[Cost], figure: impl Fn(&Cost) -> String) -> String {
    let figures = costs
        .iter()
        .map(|cost| format!("{} {}", cost.process, figure(cost)));
    figures.collect::<Vec<_>>().join(", ")
}
