//! The witness policy that a journal or a proof is held against.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::Value as Json;
use time::UtcOffset;

use crate::cli::exit::Failure;
use crate::cli::time_arg;
use crate::clock::Moment;
use crate::tlog::quorum::Witness;
use crate::tlog::quorum::WitnessPolicy;
use crate::tlog::quorum::WitnessedCheckpoint;

#[derive(Args)]
pub(super) struct PolicyOptions {
    /// Which witnesses must have cosigned: a C2SP tlog-policy file
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl PolicyOptions {
    pub(super) fn load(&self) -> Result<Option<WitnessPolicy>, Failure> {
        let Some(path) = &self.policy else {
            return Ok(None);
        };
        let file = path.display().to_string();
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read `{file}`"))?;
        WitnessPolicy::parse(&file, &text)
            .map(Some)
            .map_err(Failure::Faults)
    }
}

pub(super) fn witnesses_json(witnessed: &WitnessedCheckpoint, offset: UtcOffset) -> Json {
    let witness = |(witness, time): &(Witness, Option<Moment>)| {
        serde_json::json!({
            "name": witness.name,
            "key": witness.key.name(),
            "time": time.map(|time| time_arg::rfc3339(time, offset)),
        })
    };
    witnessed.cosigners.iter().map(witness).collect()
}
