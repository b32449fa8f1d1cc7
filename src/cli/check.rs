//! `check`: everything that a start or a reload would refuse, without starting.

use std::path::Path;

use super::exit::Exit;
use super::faults;
use crate::clock::Clock;
use crate::config::Config;
use crate::fault::Fault;
use crate::gateway::assemble::Reach;
use crate::gateway::assemble::Trusted;
use crate::gateway::assemble::assemble;

pub(super) async fn check(settings: &Path, json: bool) -> anyhow::Result<Exit> {
    let found = match faults_of(settings).await {
        Ok(summary) => {
            println!("{}", if json { "[]" } else { &summary });
            return Ok(Exit::Done);
        }
        Err(found) => found,
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(Exit::Usage);
    }
    Ok(faults::print(&found))
}

async fn faults_of(settings: &Path) -> Result<String, Vec<Fault>> {
    let (config, clock) = (Config::load(settings)?, Clock::System);
    let trusted = Trusted::load(&config, &clock)?;
    let reach = Reach::open(&config, &trusted, &clock)?;
    let assembled = assemble(&config, trusted, &reach).await?;
    let snapshot = &assembled.snapshot;
    Ok(format!(
        "{}: no faults. {} record types, {} agreements, {} departments, policy revision {}",
        settings.display(),
        snapshot.registry.records().count(),
        snapshot.policy.agreements().count(),
        snapshot.directory.ids().count(),
        snapshot.policy.revision_text(),
    ))
}
