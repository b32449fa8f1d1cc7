//! `serve`: runs one department's gateway.

use std::io;
use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use metrics_exporter_prometheus::PrometheusBuilder;
use rustix::process::DumpableBehavior;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::set_dumpable_behavior;
use rustix::process::setrlimit;
use tracing_subscriber::EnvFilter;

use super::exit::Exit;
use super::exit::Failure;
use super::exit::Run;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::LogConfig;
use crate::config::LogFormat;
use crate::gateway::Gateway;
use crate::gateway::StartError;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge serve --config config/tax.toml
  LANDBRIDGE__LOG__FORMAT=json landbridge serve --config config/tax.toml

Single settings may come from the environment: LANDBRIDGE__, then the key with __ for its dots.

SIGTERM and Ctrl-C stop it: what was let in is answered first. SIGHUP reloads agreements, guardrails, registry,
directory, witnesses, certificates and CRLs; so does a change of these files. A reload with a fault is refused whole.

With `witness.policy` in the settings it answers exchanges only once its witnesses have confirmed that its journal is the
newest that they know. A journal that was restored from an older copy is refused.

Exit codes: 0 stopped, 1 failed, 64 bad usage or settings.")]
pub(super) struct ServeArgs {
    /// The settings of the department's gateway
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Waits for no witness: neither now, to learn whether the journal is its newest state, nor later, to have it witnessed.
    /// For emergencies; the journal says that it was so
    #[arg(long)]
    without_witnesses: bool,
    /// Goes on without keys that the journal shows to have been there, and that no backup has any more. What was on record by
    /// them cannot be found again; the journal says what was lost
    #[arg(long)]
    accept_lost_secrets: bool,
}

impl ServeArgs {
    pub(super) fn run(self) -> Run {
        let mut config = Config::load(&self.config).map_err(Failure::Faults)?;
        config.witness.demanded = !self.without_witnesses;
        config.journal.accept_lost = self.accept_lost_secrets;
        log(&config.log)?;
        keep_memory_off_the_disk();
        take_file_handles(&config);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(serve(config))
    }
}

/// Memory holds keys and records: neither a crash nor a debugger of the same user may write it out.
fn keep_memory_off_the_disk() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::Core, none);
    // A core that goes to a program, such as systemd-coredump, is not bound by the limit.
    let undumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    for refused in [limited, undumpable].into_iter().filter_map(Result::err) {
        tracing::warn!(error = %refused, "core dumps could not be turned off");
    }
}

/// Takes as many file handles as the system allows; the soft limit is usually 1,024, for programs that cannot do with more.
fn take_file_handles(config: &Config) {
    let allowed = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: allowed.maximum,
        maximum: allowed.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::warn!(%error, "the limit of file handles could not be raised");
    }
    let wanted = config.limits.file_handles();
    if let Some(available) = allowed.maximum
        && available < wanted
    {
        tracing::warn!(
            available,
            wanted,
            "fewer file handles than the limits of connections may take; raise the limit (`LimitNOFILE=` of systemd, `ulimit -Hn`), or lower `limits.max_connections`"
        );
    }
}

async fn serve(config: Config) -> Run {
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .context("metrics cannot be recorded")?;
    let gateway = Gateway::start(config, Clock::System, metrics)
        .await
        .map_err(|error| match error {
            StartError::Faults(faults) => Failure::Faults(faults),
            error => error.into(),
        })?;
    gateway.run().await?;
    Ok(Exit::Done)
}

fn log(config: &LogConfig) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.level)
        .context("log.level is not a level or a filter such as `info`")?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match config.format {
        LogFormat::Human => subscriber.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
    Ok(())
}
