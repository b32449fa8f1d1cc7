//! Who is compared, and what each does not do.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use landbridge::demo::federation::Federation;

use crate::compare::hop;
use crate::compare::options::Options;
use crate::compare::proxies::Place;
use crate::compare::ready;
use crate::harness::bed;
use crate::harness::bed::Bed;
use crate::harness::bed::Pair;
use crate::harness::direct;
use crate::harness::process::Process;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Direct,
    Hops,
    Envoy,
    Nginx,
    Haproxy,
    Ready,
    Sqlite,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Direct,
        Self::Hops,
        Self::Envoy,
        Self::Nginx,
        Self::Haproxy,
        Self::Ready,
        Self::Sqlite,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct call",
            Self::Hops => "two bare Rust hops",
            Self::Envoy => "two Envoys",
            Self::Nginx => "two nginx",
            Self::Haproxy => "two HAProxy",
            Self::Ready => "two Landbridge gateways",
            Self::Sqlite => "two Landbridge gateways, SQLite",
        }
    }

    pub(crate) fn ours(self) -> bool {
        matches!(self, Self::Ready | Self::Sqlite)
    }

    /// In the reader's eyes the fastest contender is the one that does least.
    pub(crate) fn lacks(self) -> &'static str {
        match self {
            Self::Direct => {
                "everything: each system holds the other department's addresses, certificates and rules itself"
            }
            Self::Hops => "everything but the certificates: no rule, no redaction, no log at all",
            Self::Envoy => {
                "RBAC by caller and path alone: no fields, rows or purposes, no agreement with limits. No redaction, nothing \
                 released is validated. An access log in memory first, unsigned, lost with the machine and open to change"
            }
            Self::Nginx | Self::Haproxy => {
                "as Envoy; and callers are told by the common name alone, since the URI in a certificate cannot be read"
            }
            Self::Ready => {
                "nothing of these: agreements, guardrails, masks, validation, a signed journal on disk at both gateways \
                 before an answer leaves, receipts. Its records are ready made, as the proxies' are"
            }
            Self::Sqlite => "nothing, as above; and its records come from a database, row by row",
        }
    }

    pub(crate) fn program(self, envoy: &Path) -> PathBuf {
        match self {
            Self::Envoy => envoy.to_owned(),
            // Debian keeps servers out of users' paths.
            Self::Nginx => PathBuf::from("/usr/sbin/nginx"),
            Self::Haproxy => PathBuf::from("/usr/sbin/haproxy"),
            _ => PathBuf::from(env!("CARGO_BIN_EXE_landbridge")),
        }
    }

    /// As its program says, or as Cargo does.
    pub(crate) fn version(self, envoy: &Path) -> anyhow::Result<String> {
        let flag = match self {
            Self::Direct => return Ok("tonic over rustls, as in Cargo.lock".to_owned()),
            Self::Hops => return Ok("hyper over rustls, as in Cargo.lock".to_owned()),
            Self::Envoy | Self::Ready | Self::Sqlite => "--version",
            Self::Nginx | Self::Haproxy => "-v",
        };
        let said = Command::new(self.program(envoy)).arg(flag).output();
        let said = said.with_context(|| format!("{} cannot be run", self.name()))?;
        let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        // The first is the program's own name, or its path.
        let mut words = said.split_whitespace().skip(1);
        let version = words.find(|word| word.contains('.') && word.contains(char::is_numeric));
        let version = version.context("a program without a version")?;
        // Envoy's is between its commit and how it was built.
        Ok(version
            .split('/')
            .find(|part| part.contains('.'))
            .unwrap_or(version)
            .to_owned())
    }
}

/// A contender at work.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) federation: Federation,
    pub(crate) port: u16,
    pub(crate) processes: Vec<(&'static str, Process)>,
}

impl Contender {
    /// The backend is the one of the round, the source the one of gateways with a database.
    pub(crate) fn start(
        kind: Kind,
        folder: &Path,
        backend: u16,
        source: &str,
        options: &Options,
    ) -> anyhow::Result<Self> {
        match kind {
            Kind::Ready => return Self::gateways(folder, &ready::settings(backend)),
            Kind::Sqlite => return Self::gateways(folder, source),
            Kind::Direct => {
                let federation = bed::federation(folder)?;
                let (server, port) = direct::start(&federation)?;
                return Ok(Self {
                    federation,
                    port,
                    processes: vec![("server", server)],
                });
            }
            _ => {}
        }
        let federation = bed::federation(folder)?;
        let begin = |name, next| match kind {
            Kind::Hops => {
                let port = bed::free_port()?;
                Ok::<_, anyhow::Error>((hop::start(name, &federation, port, next)?, port))
            }
            kind => Place {
                name,
                kind,
                federation: &federation,
                envoy: &options.envoy,
            }
            .start(next),
        };
        let (b, next) = begin("b", backend)?;
        let (a, port) = begin("a", next)?;
        Ok(Self {
            federation,
            port,
            processes: vec![("A", a), ("B", b)],
        })
    }

    /// Two gateways of this build with everything on.
    pub(crate) fn gateways(folder: &Path, source: &str) -> anyhow::Result<Self> {
        let pair = Pair {
            name: String::new(),
            gateway: Path::new(env!("CARGO_BIN_EXE_landbridge")),
            source: source.to_owned(),
            settings: &[],
        };
        let bed = Bed::lay_out(folder, &pair)?;
        Ok(Self {
            port: bed.door()?,
            federation: bed.federation,
            processes: vec![("A", bed.tax), ("B", bed.civil)],
        })
    }
}
