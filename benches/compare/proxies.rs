//! The proxies of others: their configurations are in this folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use landbridge::demo::federation::Federation;

use crate::compare::contender::Kind;
use crate::harness::bed::free_port;
use crate::harness::process::Process;

/// The proxy of the asking department (`a`) or of the one with the records (`b`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) federation: &'a Federation,
    pub(crate) envoy: &'a Path,
}

impl Place<'_> {
    /// Gives the port at which it listens.
    pub(crate) fn start(self, next: u16) -> anyhow::Result<(Process, u16)> {
        let (port, folder) = (free_port()?, self.federation.folder.join("var"));
        let (file, text) = self.configuration()?;
        let certs = self.federation.folder.join("certs");
        let text = [
            ("{port}", port.to_string()),
            ("{next}", next.to_string()),
            ("{workers}", self.workers().to_string()),
            ("{certs}", certs.display().to_string()),
            ("{folder}", folder.display().to_string()),
        ]
        .iter()
        .fold(text.to_owned(), |text, (word, value)| {
            text.replace(word, value)
        });
        let configuration = folder.join(file);
        fs::write(&configuration, text)?;
        let log = folder.join(format!("{file}.log"));
        let mut command = self.command(&configuration)?;
        let process = Process::start_listening(&mut command, &log, port);
        Ok((process.with_context(|| file.to_owned())?, port))
    }

    fn configuration(self) -> anyhow::Result<(&'static str, &'static str)> {
        let at_a = self.name == "a";
        Ok(match self.kind {
            Kind::Envoy if at_a => ("envoy-a.yaml", include_str!("envoy-a.yaml")),
            Kind::Envoy => ("envoy-b.yaml", include_str!("envoy-b.yaml")),
            Kind::Nginx if at_a => ("nginx-a.conf", include_str!("nginx-a.conf")),
            Kind::Nginx => ("nginx-b.conf", include_str!("nginx-b.conf")),
            Kind::Haproxy if at_a => ("haproxy-a.cfg", include_str!("haproxy-a.cfg")),
            Kind::Haproxy => ("haproxy-b.cfg", include_str!("haproxy-b.cfg")),
            other => anyhow::bail!("{other:?} has no configuration"),
        })
    }

    /// Each documentation advises a worker for each processor. That is also what service meshes give a sidecar: two.
    fn workers(self) -> usize {
        2
    }

    fn command(self, configuration: &Path) -> anyhow::Result<Command> {
        let mut command = Command::new(self.kind.program(self.envoy));
        match self.kind {
            Kind::Envoy => command
                .args(["--disable-hot-restart", "--log-level", "warn"])
                .args(["--concurrency", &self.workers().to_string()])
                .arg("--config-path"),
            Kind::Haproxy => {
                self.certificates_with_keys()?;
                command.args(["-db", "-f"])
            }
            _ => command.arg("-c"),
        };
        command.arg(configuration);
        Ok(command)
    }

    /// HAProxy wants both in one file.
    fn certificates_with_keys(self) -> anyhow::Result<()> {
        for name in ["tax/systems", "tax/peers", "civil/peers"] {
            let file = |kind: &str| self.federation.certificate(&format!("{name}.{kind}"));
            let both = [fs::read(file("pem"))?, fs::read(file("key"))?].concat();
            fs::write(file("both.pem"), both)?;
        }
        Ok(())
    }
}
