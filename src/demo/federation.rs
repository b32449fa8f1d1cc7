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
use crate::journal::JournalKey;
use crate::name::DepartmentId;
use crate::name::NameError;
use crate::name::Origin;
use crate::name::SystemName;
use crate::name::TrustDomain;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::key_file::KeyError;
use crate::tlog::note::NoteError;

/// How long the demonstration's certificates are good for.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// Begins the file that says that a folder is a laid out federation.
const STAMP: &str = "landbridge-demo 1\n";

/// The line of the sample's settings in whose place a policy is named.
const NO_POLICY: &str = "# policy = \"witnesses.policy\"";

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
    Key(#[from] KeyError),
    #[error(transparent)]
    Verifier(#[from] NoteError),
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Federation {
    /// Writes settings, registry, agreements, guardrails, certificates, the keys of journals and
    /// witnesses, and who witnesses whom. A folder that an earlier run has filled is left as it is: what was changed in it
    /// since is somebody's work.
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
        federation.evidence_keys()?;
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

    /// Makes the keys that sign the journals and those that cosign the others', and tells them in the directory: nobody asks
    /// a department whose journal's key is not there. Each department has the two others as witnesses, either of which is
    /// enough, so that one gateway can be stopped without the others.
    fn evidence_keys(&self) -> Result<(), LayOutError> {
        let domain: TrustDomain = sample::TRUST_DOMAIN.parse()?;
        let mut keys = Vec::new();
        for (department, _) in DEPARTMENTS {
            let var = self.folder.join("var").join(department);
            fs::create_dir_all(&var).map_err(failed(&var))?;
            let origin = Origin::new(domain.clone(), department.parse()?, 1).to_string();
            let name = format!("{domain}/{department}/witness");
            let witness = CosignerKey::create(&var.join("witness.key"), &name)?;
            keys.push(Keys {
                department,
                journal: JournalKey::create(&var.join("journal.key"))?
                    .verifier(&origin)?
                    .to_string(),
                witness: witness.verifier().to_string(),
            });
        }
        let directory = self.folder.join("config/directory.toml");
        let text = fs::read_to_string(&directory).map_err(failed(&directory))?;
        write(&directory, &keys.iter().fold(text, with_keys))?;
        keys.iter().try_for_each(|of| self.witnesses(of, &keys))
    }

    /// Names a department's witnesses in a policy, and the policy in its settings.
    fn witnesses(&self, of: &Keys, all: &[Keys]) -> Result<(), LayOutError> {
        let department = of.department;
        let others = || all.iter().filter(|other| other.department != department);
        let (lines, names): (String, Vec<_>) = others()
            .map(|other| {
                let line = format!("witness {} {}\n", other.department, other.witness);
                (line, other.department)
            })
            .unzip();
        let policy = format!(
            "# Who witnesses the journal of `{department}`; ../witnesses.policy says more.\nlog {}\n{lines}group others any {}\nquorum others\n",
            of.journal,
            names.join(" ")
        );
        let name = format!("witnesses/{department}.policy");
        write(&self.folder.join("config").join(&name), &policy)?;
        let settings = self.settings(department);
        let text = fs::read_to_string(&settings).map_err(failed(&settings))?;
        write(
            &settings,
            &text.replace(NO_POLICY, &format!("policy = \"{name}\"")),
        )
    }
}

/// The public keys of a department's evidence.
struct Keys {
    department: &'static str,
    journal: String,
    witness: String,
}

/// The directory with the keys of a department that had none.
fn with_keys(directory: String, keys: &Keys) -> String {
    let id = format!("id = \"{}\"", keys.department);
    let Some((before, after)) = directory.split_once(&id) else {
        return directory;
    };
    let text = format!(
        "journal = [\"{}\"]\nwitness = \"{}\"",
        keys.journal, keys.witness
    );
    let after = after.replacen("journal = []", &text, 1);
    format!("{before}{id}{after}")
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> LayOutError {
    let path = path.to_owned();
    |source| LayOutError::File { path, source }
}

fn stamp(ports: &[Ports; 3]) -> String {
    let ports = ports
        .iter()
        .flat_map(|ports| [ports.systems, ports.peers, ports.operators]);
    ports.fold(STAMP.to_owned(), |stamp, port| format!("{stamp}{port}\n"))
}

fn write(path: &Path, text: &str) -> Result<(), LayOutError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed(path))?;
    }
    fs::write(path, text).map_err(failed(path))
}
