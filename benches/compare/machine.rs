//! What was measured on, and when.

use std::fs;

use landbridge::clock::Clock;
use serde_json::Value;
use serde_json::json;
use time::UtcOffset;

use crate::compare::contender::Kind;
use crate::compare::options::Options;
use crate::harness::median::processors;

pub(crate) fn describe(options: &Options) -> anyhow::Result<Value> {
    let mut versions = serde_json::Map::new();
    for kind in Kind::ALL {
        if options.wants(kind.name()) {
            versions.insert(kind.name().to_owned(), kind.version(&options.envoy)?.into());
        }
    }
    Ok(json!({
        "processor": processor()?,
        "processors": processors(),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        "date": Clock::System.now().date(UtcOffset::UTC).to_string(),
        "versions": versions,
    }))
}

fn processor() -> anyhow::Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let model = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "model name").then(|| value.trim().to_owned())
    });
    Ok(model.unwrap_or_else(|| std::env::consts::ARCH.to_owned()))
}
