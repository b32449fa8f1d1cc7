//! Lays out a federation of three departments in one folder, as an administrator would find it on three machines.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::sample;
use crate::clock::Moment;
use crate::identity::pki::Authority;
use crate::identity::pki::PkiError;
use crate::identity::pki::Term;
use crate::identity::spiffe::SpiffeId;
use crate::name::DepartmentId;
use crate::name::NameError;
use crate::name::SystemName;
use crate::name::TrustDomain;

/// How long the demonstration's certificates are good for.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// Says that a folder is the demonstration's, and which one.
const STAMP: &str = "landbridge-demo 1\n";

/// The departments with the systems that have certificates.
pub const DEPARTMENTS: [(&str, &[&str]); 3] = [
    ("civil", &["counter", "welfare"]),
    ("tax", &["assessment", "audit"]),
    ("market", &["register"]),
];

/// The ports of one department's doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub systems: u16,
    pub peers: u16,
    pub operators: u16,
}

/// The ports that the sample configuration names, for `civil`, `tax` and `market`.
pub const PORTS: [Ports; 3] = [
    Ports { systems: 7443, peers: 8443, operators: 9443 },
    Ports { systems: 7543, peers: 8543, operators: 9543 },
    Ports { systems: 7643, peers: 8643, operators: 9643 },
];

/// A federation in a folder.
#[derive(Debug, Clone)]
pub struct Federation {
    pub folder: PathBuf,
    pub ports: [Ports; 3],
}

/// Why the folder could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum LayOutError {
    #[error("`{}` holds something else; give `--dir` an empty folder or a new one", .0.display())]
    Foreign(PathBuf),
    #[error("`{}` cannot be written", path.display())]
    File { path: PathBuf, #[source] source: io::Error },
    #[error("a certificate could not be made")]
    Pki(#[from] PkiError),
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Federation {
    /// Writes settings, registry, agreements, guardrails and certificates. What a finished earlier run left is kept.
    pub fn lay_out(folder: &Path, ports: [Ports; 3], now: Moment) -> Result<Self, LayOutError> {
        let federation = Self { folder: folder.to_owned(), ports };
        let stamp = folder.join(".stamp");
        let begun = fs::read_to_string(&stamp).ok();
        let filled = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if begun.as_deref() != Some(STAMP) && filled {
            return Err(LayOutError::Foreign(folder.to_owned()));
        }
        if begun.is_none() {
            federation.certificates(now)?;
        }
        for (name, text) in sample::FILES {
            write(&folder.join(name), &federation.ported(text))?;
        }
        // Last: without it the next run begins again.
        write(&stamp, STAMP)?;
        Ok(federation)
    }

    /// The settings of one department's gateway.
    pub fn settings(&self, department: &str) -> PathBuf {
        self.folder.join(format!("config/{department}.toml"))
    }

    /// A file of the certificates' folder, e.g. `tax/systems/assessment.pem`.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join("certs").join(name)
    }

    pub fn ports_of(&self, department: &str) -> Option<Ports> {
        let place = DEPARTMENTS.iter().position(|(id, _)| *id == department)?;
        self.ports.get(place).copied()
    }

    /// The sample with this federation's ports in place of its own.
    fn ported(&self, text: &str) -> String {
        let pairs = PORTS.iter().zip(&self.ports).flat_map(|(sample, ours)| {
            [(sample.systems, ours.systems), (sample.peers, ours.peers), (sample.operators, ours.operators)]
        });
        pairs.fold(text.to_owned(), |text, (sample, ours)| {
            text.replace(&format!(":{sample}\""), &format!(":{ours}\""))
        })
    }

    fn certificates(&self, now: Moment) -> Result<(), LayOutError> {
        let domain: TrustDomain = sample::TRUST_DOMAIN.parse()?;
        let term = Term::lasting(LIFETIME, now);
        let mut federation = Authority::create(&self.certificate("federation"), "Sample Federation CA", now)?;
        for (department, systems) in DEPARTMENTS {
            let folder = self.certificate(department);
            let id: DepartmentId = department.parse()?;
            let gateway = SpiffeId::department_of(domain.clone(), id.clone());
            let mut own = Authority::create(&folder, &format!("Sample CA of {department}"), now)?;
            federation.issue(&gateway, &[], term)?.save(&folder, "peers")?;
            own.issue(&gateway, &[], term)?.save(&folder, "systems")?;
            for system in systems {
                let name: SystemName = system.parse()?;
                let id = SpiffeId::system_of(domain.clone(), id.clone(), name);
                own.issue(&id, &[], term)?.save(&folder.join("systems"), system)?;
            }
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), LayOutError> {
    let failed = |source| LayOutError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}
