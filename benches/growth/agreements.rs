//! What a decision costs where there are many agreements.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::anyhow;
use landbridge::clock::Moment;
use landbridge::identity::Caller;
use landbridge::name::DepartmentId;
use landbridge::policy::PolicyFile;
use landbridge::policy::PolicyInput;
use landbridge::policy::PolicySet;
use landbridge::registry::Registry;
use landbridge::registry::query::Query;
use landbridge::registry::query::Raw;
use landbridge::registry::query::RawSelection;
use time::UtcOffset;

use crate::Axis;
use crate::Line;

const AGREEMENTS: [usize; 5] = [1, 10, 100, 1_000, 10_000];

pub(crate) fn measure() -> anyhow::Result<Axis> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let registry = Registry::compile(&root.join("proto/registry")).map_err(|f| anyhow!("{f:?}"))?;
    let sample = fs::read_to_string(root.join("config/agreements/CIV-TAX-2026-01.toml"))?;
    let line = |name, consumer: fn(usize) -> String| -> anyhow::Result<Line> {
        let points = AGREEMENTS
            .into_iter()
            .map(|count| Ok((count as f64, decision(&registry, &sample, count, consumer)?)));
        Ok(Line {
            name,
            points: points.collect::<anyhow::Result<_>>()?,
        })
    };
    Ok(Axis {
        title: "Agreements",
        of: "agreements",
        lines: vec![
            line("each with another department", |number| match number {
                0 => "tax".to_owned(),
                number => format!("department-{number}"),
            })?,
            // The one that permits comes last.
            line("all with one department, on one record type", |_| {
                "tax".to_owned()
            })?,
        ],
    })
}

/// Microseconds of a decision by the first of so many agreements that serves the purpose: the last one.
fn decision(
    registry: &Registry,
    sample: &str,
    count: usize,
    consumer: fn(usize) -> String,
) -> anyhow::Result<f64> {
    let files: Vec<_> = (0..count)
        .map(|number| {
            let id = format!("A-{:05}", count - number);
            let text = sample.replace("CIV-TAX-2026-01", &id).replace(
                "consumer    = \"tax\"",
                &format!("consumer    = \"{}\"", consumer(number)),
            );
            PolicyFile {
                path: format!("{id}.toml"),
                text: match number {
                    0 => text,
                    _ => text.replace("\"tax-assessment\"", "\"another-purpose\""),
                },
            }
        })
        .collect();
    let departments = (0..count).map(consumer).chain(["civil".to_owned()]);
    let departments: Vec<DepartmentId> =
        departments.map(|d| d.parse()).collect::<Result<_, _>>()?;
    let policy = PolicySet::compile(&PolicyInput {
        department: &"civil".parse()?,
        departments: &departments,
        registry,
        agreements: &files,
        guardrails: &[],
        offset: UtcOffset::UTC,
        before: None,
    })
    .map_err(|faults| anyhow!("{:?}", faults.first()))?;
    let caller = Caller::assumed("tax".parse()?, Some("assessment".parse()?));
    let raw = Raw {
        purpose: "tax-assessment",
        fields: &[],
        selection: RawSelection::Get { key: "R1" },
    };
    let query = Query::check(registry.record("civil.v1.Resident")?, &raw)?;
    // Noon of a Monday.
    let at = Moment::from_micros(1_780_286_400_000_000);
    let (mut decisions, mut took) = (0, Duration::ZERO);
    while took < Duration::from_millis(300) {
        let query = query.clone();
        let begun = Instant::now();
        let decided = policy.decide(&caller, query, at);
        took += begun.elapsed();
        anyhow::ensure!(black_box(decided).is_ok(), "refused");
        decisions += 1;
    }
    Ok(took.as_secs_f64() * 1e6 / f64::from(decisions))
}
