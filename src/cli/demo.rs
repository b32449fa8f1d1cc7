//! `demo`: a federation of three departments on this machine, shown at work.

mod gateways;
mod story;

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;

use super::exit::Failure;
use super::exit::Run;
use crate::clock::Clock;
use crate::demo::federation::Federation;
use crate::demo::federation::PORTS;
use crate::demo::federation::Ports;
use crate::demo::fill::fill;
use gateways::Gateways;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge demo
  landbridge demo --dir /tmp/landbridge-demo --port-offset 1000
  landbridge demo --once

The folder holds all of it: settings, agreements, guardrails, certificates, databases, journals. A second run goes on
with what it finds there; remove the folder to begin afresh.

Exit codes: 0 done, 1 something did not go as told.")]
pub(super) struct DemoArgs {
    /// The folder, which is made if it is not there
    #[arg(long, value_name = "DIR", default_value = "landbridge-demo")]
    dir: PathBuf,
    /// How many residents the town has
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2_000..=1_000_000))]
    residents: u32,
    /// Added to every port: 7443 to 9643 are used without it
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=50_000))]
    port_offset: u16,
    /// Ends when the story is told, and does not wait for Ctrl-C
    #[arg(long)]
    once: bool,
}

impl DemoArgs {
    pub(super) async fn run(self) -> Run {
        let ports = PORTS.map(|ports| Ports {
            systems: ports.systems + self.port_offset,
            peers: ports.peers + self.port_offset,
            operators: ports.operators + self.port_offset,
        });
        free(&ports)?;
        let federation = Federation::lay_out(&self.dir, ports, Clock::System.now())?;
        self.town(&federation).await?;
        story::profiles(&federation)?;

        let mut gateways = Gateways::start(&federation).await?;
        let outcome = story::run(&federation).await;
        if outcome.is_ok() && !self.once {
            story::what_next(&federation)?;
            gateways.wait().await?;
        }
        gateways.stop().await?;
        outcome
    }

    /// Fills the databases at the first run, and when another number of residents is wanted.
    async fn town(&self, federation: &Federation) -> Result<(), Failure> {
        let stamp = self.dir.join("var/.residents");
        let wanted = self.residents.to_string();
        if std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
            return Ok(());
        }
        print(&format!(
            "Making a town of {wanted} residents in {} …",
            self.dir.display()
        ))?;
        for department in ["civil", "tax", "market"] {
            std::fs::create_dir_all(self.dir.join("var").join(department))?;
        }
        fill(federation, self.residents, |record, count| {
            // Progress that nobody reads is no reason to stop.
            let _ = print(&format!("  {count:>7} {record}"));
        })
        .await?;
        std::fs::write(stamp, wanted)?;
        Ok(())
    }
}

/// A port that is taken is told before anything is written.
fn free(ports: &[Ports]) -> Result<(), Failure> {
    for port in ports
        .iter()
        .flat_map(|ports| [ports.systems, ports.peers, ports.operators])
    {
        if let Err(error) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            let failure = Failure::from(anyhow::anyhow!("port {port} cannot be used: {error}"));
            return Err(failure
                .hint("stop what listens there, or run `landbridge demo --port-offset 1000`"));
        }
    }
    Ok(())
}

fn print(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// A path as it is typed in the folder where the demo was started.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
