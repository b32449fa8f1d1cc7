//! `serve`: runs one department's gateway.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusBuilder;
use tracing_subscriber::EnvFilter;

use super::exit::Exit;
use super::faults;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::LogConfig;
use crate::config::LogFormat;
use crate::gateway::Gateway;
use crate::gateway::StartError;

pub(super) async fn serve(settings: &Path) -> anyhow::Result<Exit> {
    let config = match Config::load(settings) {
        Ok(config) => config,
        Err(found) => return Ok(faults::print(&found)),
    };
    log(&config.log).context("log.level")?;
    let metrics = PrometheusBuilder::new().install_recorder().context("metrics cannot be recorded")?;
    let department = config.department.clone();
    let gateway = match Gateway::start(config, Clock::System, metrics).await {
        Ok(gateway) => gateway,
        Err(StartError::Faults(found)) => return Ok(faults::print(&found)),
        Err(error) => return Err(error.into()),
    };
    let at = gateway.addresses();
    tracing::info!(
        %department,
        systems = %at.systems,
        peers = %at.peers,
        operators = %at.operators,
        "ready"
    );
    gateway.run().await?;
    Ok(Exit::Done)
}

fn log(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.level)?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Human => subscriber.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
    Ok(())
}
