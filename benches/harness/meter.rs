//! What servers spend on a load.

use std::fs;

use anyhow::Context;
use serde::Deserialize;
use serde::Serialize;

use crate::harness::process::Process;

/// What one process spent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) process: String,
    pub(crate) cpu_seconds: f64,
    pub(crate) rss_mib: f64,
    pub(crate) peak_rss_mib: f64,
}

/// What the servers had spent when it was started.
#[derive(Debug)]
pub(crate) struct Meter<'a> {
    servers: &'a [(&'static str, &'a Process)],
    before: Vec<f64>,
}

impl<'a> Meter<'a> {
    pub(crate) fn start(servers: &'a [(&'static str, &'a Process)]) -> anyhow::Result<Self> {
        let begin = |(_, process): &(_, &Process)| {
            process.forget_peak()?;
            process.cpu()
        };
        Ok(Self {
            servers,
            before: servers.iter().map(begin).collect::<Result<_, _>>()?,
        })
    }

    /// What each has spent since, for one of so many units of work.
    pub(crate) fn read(self, units: f64) -> anyhow::Result<Vec<Cost>> {
        let spent = self.servers.iter().zip(self.before);
        spent
            .map(|((name, process), before)| {
                let memory = process.memory()?;
                Ok(Cost {
                    process: (*name).to_owned(),
                    cpu_seconds: (process.cpu()? - before) / units,
                    rss_mib: memory.now,
                    peak_rss_mib: memory.peak,
                })
            })
            .collect()
    }
}

/// Of the minute before.
pub(crate) fn load_average() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let first = text.split(' ').next().context("/proc/loadavg")?;
    Ok(first.parse()?)
}
