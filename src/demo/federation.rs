//! Lays out a federation of three departments in one folder, as an administrator would find it on three machines.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::sample;
use crate::audit::JournalKey;
use crate::audit::key::KeyError;
use crate::audit::note::NoteError;
use crate::clock::Moment;
use crate::identity::pki::Authority;
use crate::identity::pki::PkiError;
use crate::identity::pki::Term;
use crate::identity::spiffe::SpiffeId;
use crate::name::DepartmentId;
use crate::name::NameError;
use crate::name::Origin;
use crate::name::SystemName;
use crate::name::TrustDomain;

/// How long the demonstration's certificates are good for.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// Begins the file that says that a folder is a laid out federation.
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
    Ports {
        systems: 7443,
        peers: 8443,
        operators: 9443,
    },
    Ports {
        systems: 7543,
        peers: 8543,
        operators: 9543,
    },
    Ports {
        systems: 7643,
        peers: 8643,
        operators: 9643,
    },
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
    #[error("`{}` holds something else, or a federation that was not finished; remove it, or give `--dir` a new folder", .0.display())]
    Foreign(PathBuf),
    #[error("the federation in `{}` listens on other ports; give the `--port-offset` that it was made with, or another `--dir`", .0.display())]
    OtherPorts(PathBuf),
    #[error("`{}` cannot be written", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a certificate could not be made")]
    Pki(#[from] PkiError),
    #[error(transparent)]
    JournalKey(#[from] KeyError),
    #[error(transparent)]
    Verifier(#[from] NoteError),
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Federation {
    /// Writes settings, registry, agreements, guardrails, certificates and the journals' keys. A folder that an earlier run has filled is left
    /// as it is: what was changed in it since is somebody's work.
    pub fn lay_out(folder: &Path, ports: [Ports; 3], now: Moment) -> Result<Self, LayOutError> {
        let federation = Self {
            folder: folder.to_owned(),
            ports,
        };
        let (path, stamp) = (folder.join(".stamp"), stamp(&ports));
        match fs::read_to_string(&path) {
            Ok(found) if found == stamp => return Ok(federation),
            Ok(found) if found.starts_with(STAMP) => {
                return Err(LayOutError::OtherPorts(folder.to_owned()));
            }
            _ => {}
        }
        if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(LayOutError::Foreign(folder.to_owned()));
        }
        for (name, text) in sample::FILES {
            write(&folder.join(name), &federation.ported(text))?;
        }
        federation.certificates(now)?;
        federation.journal_keys()?;
        // Last: a folder without it is not taken for a whole one.
        write(&path, &stamp)?;
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
            [
                (sample.systems, ours.systems),
                (sample.peers, ours.peers),
                (sample.operators, ours.operators),
            ]
        });
        pairs.fold(text.to_owned(), |text, (sample, ours)| {
            text.replace(&format!(":{sample}\""), &format!(":{ours}\""))
        })
    }

    fn certificates(&self, now: Moment) -> Result<(), LayOutError> {
        let domain: TrustDomain = sample::TRUST_DOMAIN.parse()?;
        let term = Term::lasting(LIFETIME, now);
        let mut federation =
            Authority::create(&self.certificate("federation"), "Sample Federation CA", now)?;
        for (department, systems) in DEPARTMENTS {
            let folder = self.certificate(department);
            let id: DepartmentId = department.parse()?;
            let gateway = SpiffeId::department_of(domain.clone(), id.clone());
            let mut own = Authority::create(&folder, &format!("Sample CA of {department}"), now)?;
            federation
                .issue(&gateway, &[], term)?
                .save(&folder, "peers")?;
            own.issue(&gateway, &[], term)?.save(&folder, "systems")?;
            for system in systems {
                let name: SystemName = system.parse()?;
                let id = SpiffeId::system_of(domain.clone(), id.clone(), name);
                own.issue(&id, &[], term)?
                    .save(&folder.join("systems"), system)?;
            }
        }
        Ok(())
    }

    /// Makes the keys that sign the journals and tells them in the directory: nobody asks a department whose journal's key
    /// is not there.
    fn journal_keys(&self) -> Result<(), LayOutError> {
        let domain: TrustDomain = sample::TRUST_DOMAIN.parse()?;
        let directory = self.folder.join("config/directory.toml");
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| LayOutError::File { path, source }
        };
        let mut text = fs::read_to_string(&directory).map_err(failed(&directory))?;
        for (department, _) in DEPARTMENTS {
            let var = self.folder.join("var").join(department);
            fs::create_dir_all(&var).map_err(failed(&var))?;
            let origin = Origin::new(domain.clone(), department.parse()?, 1).to_string();
            let key = JournalKey::create(&var.join("journal.key"))?.verifier(&origin)?;
            text = with_key(&text, department, &key.to_string());
        }
        write(&directory, &text)
    }
}

/// The directory with a key for a department that had none.
fn with_key(directory: &str, department: &str, key: &str) -> String {
    let id = format!("id = \"{department}\"");
    let Some((before, after)) = directory.split_once(&id) else {
        return directory.to_owned();
    };
    let after = after.replacen("journal = []", &format!("journal = [\"{key}\"]"), 1);
    format!("{before}{id}{after}")
}

fn stamp(ports: &[Ports; 3]) -> String {
    let ports = ports
        .iter()
        .flat_map(|ports| [ports.systems, ports.peers, ports.operators]);
    ports.fold(STAMP.to_owned(), |stamp, port| format!("{stamp}{port}\n"))
}

fn write(path: &Path, text: &str) -> Result<(), LayOutError> {
    let failed = |source| LayOutError::File {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}
