//! Measures the parts that a start and a reload are made of, each in memory of its own.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::anyhow;
use landbridge::assembly;
use landbridge::clock::Clock;
use landbridge::config::Config;
use landbridge::fault::Fault;
use landbridge::identity::Caller;
use landbridge::name::DepartmentId;
use landbridge::policy::PolicySet;
use landbridge::registry::Registry;
use landbridge::registry::query::Query;
use landbridge::registry::query::Raw;
use landbridge::registry::query::RawSelection;
use serde_json::Value;
use serde_json::json;

/// Times each compilation once in a process that has done nothing else, then the decisions.
pub(crate) fn measure(settings: &Path, decisions: usize) -> anyhow::Result<Value> {
    let config = Config::load(settings).map_err(faults)?;
    let begun = Instant::now();
    let directory = assembly::directory(&config.directory).map_err(faults)?;
    let (read_directory, after_directory) = (begun.elapsed(), resident()?);
    let begun = Instant::now();
    let registry = Registry::compile(&config.registry).map_err(faults)?;
    let (compile_registry, after_registry) = (begun.elapsed(), resident()?);
    let departments: Vec<DepartmentId> = directory.ids().cloned().collect();
    let begun = Instant::now();
    let policy = assembly::policy(&config, &departments, &registry, None).map_err(faults)?;
    let (compile_policy, after_policy) = (begun.elapsed(), resident()?);
    let grants: usize = policy.agreements().map(|a| a.grants.len()).sum();
    let cold = decide(&policy, &questions(&policy, grants)?)?;
    let few = questions(&policy, 1_000)?;
    let again: Vec<_> = few.iter().cycle().take(decisions).cloned().collect();
    decide(&policy, &few)?;
    let warm = decide(&policy, &again)?;
    let after_decisions = resident()?;
    let begun = Instant::now();
    drop(policy);
    let dropped = begun.elapsed();
    let registry = Arc::new(registry);
    let reloads = reloads(&config, &departments, &registry)?;
    Ok(json!({
        "agreements_grants": grants,
        "record_types": registry.records().count(),
        "departments": departments.len(),
        "directory_ms": ms(read_directory), "registry_ms": ms(compile_registry),
        "policy_ms": ms(compile_policy), "policy_drop_ms": ms(dropped),
        "rss_mb": { "directory": after_directory, "registry": after_registry, "policy": after_policy, "decided": after_decisions },
        "reload_ms": reloads,
        "decision_first_ns": cold, "decision_again_ns": warm,
    }))
}

/// What a reload compiles: where nothing has changed, and where one agreement has.
fn reloads(
    config: &Config,
    departments: &[DepartmentId],
    registry: &Arc<Registry>,
) -> anyhow::Result<Value> {
    let before = assembly::policy(config, departments, registry, None).map_err(faults)?;
    let again = || -> anyhow::Result<f64> {
        let begun = Instant::now();
        let registry =
            Registry::compile_published(&config.registry, &[], Some(registry)).map_err(faults)?;
        assembly::policy(config, departments, &registry, Some(&before)).map_err(faults)?;
        Ok(ms(begun.elapsed()))
    };
    let unchanged = again()?;
    let agreement = before.agreements().next().context("no agreements")?;
    let text = fs::read_to_string(&agreement.file)?;
    fs::write(&agreement.file, format!("{text}# amended\n"))?;
    let one_changed = again();
    fs::write(&agreement.file, text)?;
    Ok(json!({ "unchanged": unchanged, "one_agreement_changed": one_changed? }))
}

/// A look-up by key under one grant after another, in no order.
fn questions(policy: &PolicySet, count: usize) -> anyhow::Result<Vec<(Caller, Query)>> {
    let grants: Vec<_> = policy
        .agreements()
        .flat_map(|agreement| agreement.grants.iter().map(move |grant| (agreement, grant)))
        .collect();
    let stride = 7_919; // prime, so that every grant has its turn
    (0..count)
        .map(|number| {
            let (agreement, grant) = grants
                .get(number * stride % grants.len())
                .context("no grants")?;
            let raw = Raw {
                purpose: agreement.purposes.first().context("no purpose")?.as_str(),
                fields: &[],
                selection: RawSelection::Get { key: "1000" },
            };
            let caller =
                Caller::assumed(agreement.consumer.clone(), grant.systems.first().cloned());
            Ok((caller, Query::check(&grant.schema, &raw)?))
        })
        .collect()
}

/// Nanoseconds a decision: median, p99, p99.9 and the most; with how many were permitted.
fn decide(policy: &PolicySet, asked: &[(Caller, Query)]) -> anyhow::Result<Value> {
    let mut took = Vec::with_capacity(asked.len());
    let mut permitted = 0;
    for (caller, query) in asked {
        let (query, at) = (query.clone(), Clock::System.now());
        let begun = Instant::now();
        let decision = policy.decide(caller, query, at);
        took.push(begun.elapsed());
        permitted += usize::from(decision.is_ok());
    }
    took.sort_unstable();
    let at = |part: f64| {
        let place = (part * (took.len() - 1) as f64) as usize;
        took.get(place).map(Duration::as_nanos)
    };
    let [p50, p99, p999, most] = [0.5, 0.99, 0.999, 1.0].map(|part| at(part).map(|n| n as u64));
    Ok(
        json!({ "n": took.len(), "permitted": permitted, "p50": p50, "p99": p99, "p999": p999, "max": most }),
    )
}

fn ms(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Resident memory in MB.
fn resident() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no VmRSS")?.parse::<u64>()? / 1024)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn faults(faults: Vec<Fault>) -> anyhow::Error {
    let few: Vec<_> = faults.iter().take(5).map(ToString::to_string).collect();
    anyhow!("{} faults: {}", faults.len(), few.join("\n"))
}
