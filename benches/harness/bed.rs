//! Two departments' gateways as real processes, between a client and a database.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::Context;
use anyhow::anyhow;
use landbridge::clock::Clock;
use landbridge::demo::federation::DEPARTMENTS;
use landbridge::demo::federation::Federation;
use landbridge::demo::federation::Ports;

use crate::harness::process::Process;

/// Two gateways of one build over one source.
#[derive(Debug, Clone)]
pub(crate) struct Pair<'a> {
    /// What is special about them, as the report shows it.
    pub(crate) name: String,
    pub(crate) gateway: &'a Path,
    /// In the settings of the gateway that has the records.
    pub(crate) source: String,
    /// Over those of the settings' file, e.g. `("LIMITS__MAX_REQUESTS", "1")`.
    pub(crate) settings: Settings,
}

pub(crate) type Settings = &'static [(&'static str, &'static str)];

/// The gateways of one federation.
#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) federation: Federation,
    gateway: PathBuf,
    settings: Settings,
    pub(crate) tax: Process,
    pub(crate) civil: Process,
}

impl Bed {
    /// Lays the sample federation out and starts the gateways that matter: the asking one and the one with the database.
    pub(crate) fn lay_out(folder: &Path, pair: &Pair<'_>) -> anyhow::Result<Self> {
        Self::lay_out_with(folder, pair, |_| Ok(()))
    }

    /// The same with more in the federation's folder, put there before the gateways start.
    pub(crate) fn lay_out_with(
        folder: &Path,
        pair: &Pair<'_>,
        more: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let federation = federation(folder)?;
        more(folder)?;
        for (department, _) in DEPARTMENTS {
            fs::create_dir_all(folder.join("var").join(department))?;
        }
        set_source(&federation, "civil", &pair.source)?;
        set_source(&federation, "tax", "")?;
        lift_limits(folder)?;
        let (tax, civil) = start_both(pair.gateway, pair.settings, &federation)?;
        Ok(Self {
            tax,
            civil,
            federation,
            gateway: pair.gateway.to_owned(),
            settings: pair.settings,
        })
    }

    /// Stops both gateways and starts them over the journals that they have written.
    pub(crate) fn restart(self) -> anyhow::Result<Self> {
        self.tax.stop().context("the gateway of tax")?;
        self.civil.stop().context("the gateway of civil")?;
        let (tax, civil) = start_both(&self.gateway, self.settings, &self.federation)?;
        Ok(Self {
            tax,
            civil,
            federation: self.federation,
            gateway: self.gateway,
            settings: self.settings,
        })
    }

    /// Where the asking department's own systems call.
    pub(crate) fn door(&self) -> anyhow::Result<u16> {
        let ports = self.federation.ports_of("tax").context("no tax office")?;
        Ok(ports.systems)
    }
}

/// The sample federation at ports that are free now.
pub(crate) fn federation(folder: &Path) -> anyhow::Result<Federation> {
    let laid_out = Federation::lay_out(folder, free_ports()?, Clock::System.now());
    Ok(laid_out?)
}

/// At the same time: each is the other's witness, without which neither becomes ready.
fn start_both(
    gateway: &Path,
    settings: Settings,
    federation: &Federation,
) -> anyhow::Result<(Process, Process)> {
    thread::scope(|scope| {
        let civil = scope.spawn(|| start(gateway, settings, federation, "civil"));
        let tax = start(gateway, settings, federation, "tax")?;
        let civil = civil
            .join()
            .map_err(|_| anyhow!("a thread that panicked"))??;
        Ok((tax, civil))
    })
}

fn start(
    gateway: &Path,
    settings: Settings,
    federation: &Federation,
    department: &str,
) -> anyhow::Result<Process> {
    let log = federation.folder.join("var").join(department).join("log");
    let mut command = Command::new(gateway);
    command
        .args(["serve", "--config"])
        .arg(federation.settings(department));
    for (key, value) in settings {
        command.env(format!("LANDBRIDGE__{key}"), value);
    }
    Process::start(&mut command, &log).with_context(|| format!("the gateway of {department}"))
}

/// Puts a source in place of the sample's, which stand at the end of the file.
fn set_source(federation: &Federation, department: &str, source: &str) -> anyhow::Result<()> {
    let file = federation.settings(department);
    let text = fs::read_to_string(&file)?;
    let (head, _) = text.split_once("[[source]]").context("no source")?;
    Ok(fs::write(file, format!("{head}{source}"))?)
}

/// A million people at once need more than an agreement.
fn lift_limits(folder: &Path) -> anyhow::Result<()> {
    fs::write(
        folder.join("config/agreements/CIV-TAX-2026-01.toml"),
        include_str!("agreement.toml"),
    )?;
    let guardrail = folder.join("config/guardrails/personal.cedar");
    let text = fs::read_to_string(&guardrail)?;
    let lifted = text.replace("max_records > 10000", "max_records > 10000000");
    Ok(fs::write(guardrail, lifted)?)
}

/// Ports that are free now. All are held until the last is found, so that none is found twice.
fn free_ports() -> anyhow::Result<[Ports; 3]> {
    let held: Vec<TcpListener> = (0..9)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()?;
    let ports: Vec<u16> = held
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect::<anyhow::Result<_>>()?;
    let mut ports = ports.into_iter();
    let mut next = || ports.next().context("too few ports");
    let mut three = || {
        Ok::<_, anyhow::Error>(Ports {
            systems: next()?,
            peers: next()?,
            operators: next()?,
        })
    };
    Ok([three()?, three()?, three()?])
}

/// A port for a server that is no gateway.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
