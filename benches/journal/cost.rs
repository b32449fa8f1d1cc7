//! What this process spends, and how long things took.

use std::fs;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;

/// The kernel counts CPU time in hundredths of a second, on every platform that Linux has today.
const TICKS: f64 = 100.0;

/// Measures a spell: its length, and the CPU time that all threads spent in it.
#[derive(Debug)]
pub(crate) struct Meter {
    begun: Instant,
    cpu: f64,
}

/// What a spell took, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

impl Meter {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Ok(Self {
            cpu: cpu()?,
            begun: Instant::now(),
        })
    }

    pub(crate) fn read(&self) -> anyhow::Result<Spent> {
        Ok(Spent {
            wall: self.begun.elapsed().as_secs_f64(),
            cpu: cpu()? - self.cpu,
        })
    }
}

impl Spent {
    /// As many cores as were busy throughout.
    pub(crate) fn cores(&self) -> f64 {
        self.cpu / self.wall
    }
}

/// Seconds of CPU so far, in user and kernel mode.
fn cpu() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // After the name, which may hold anything: proc_pid_stat(5), from field 3 on.
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Vec<f64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// The value that this part of all, from 0 to 1, did not exceed; of values in rising order.
pub(crate) fn quantile(sorted: &[u32], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (part * last as f64).round() as usize;
    f64::from(sorted.get(at).copied().unwrap_or(0))
}

/// As latencies are kept.
pub(crate) fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
