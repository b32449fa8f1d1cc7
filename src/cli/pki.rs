//! `pki`: a certificate authority for development and for trying things out.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Subcommand;
use serde::Serialize;
use time::UtcOffset;

use super::exit::Exit;
use super::exit::Failure;
use super::exit::Run;
use super::output;
use super::output::OutputOptions;
use crate::clock::Clock;
use crate::clock::Moment;
use crate::identity::pki::Authority;
use crate::identity::pki::IssuedCertificate;
use crate::identity::pki::PkiError;
use crate::identity::pki::Term;
use crate::identity::spiffe::SpiffeId;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge pki init --dir pki/federation --name \"Federation CA\"
  landbridge pki issue --ca pki/federation --id spiffe://gov.example/department/health \\
      --out certs/health/peers
  landbridge pki issue --ca certs/tax --id spiffe://gov.example/department/tax/system/assessment \\
      --out certs/tax/systems/assessment
  landbridge pki revoke --ca pki/federation spiffe://gov.example/department/health

A real federation brings its own CA: this one keeps its key in a file.")]
pub(super) struct PkiArgs {
    #[command(subcommand)]
    what: PkiCommand,
}

#[derive(Subcommand)]
enum PkiCommand {
    /// Makes a CA: `ca.pem`, `ca.key`, an empty `crl.pem`, and the list of what it issues
    Init {
        /// The folder; must not hold a CA yet
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The CA's common name
        #[arg(long, default_value = "Landbridge development CA")]
        name: String,
    },
    /// Issues a certificate: `<out>.pem` and `<out>.key`
    Issue {
        /// The CA's folder
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
        /// Whose it is: `spiffe://<trust domain>/department/<id>`, with `/system/<name>` for a system
        #[arg(long, value_name = "SPIFFE ID")]
        id: SpiffeId,
        /// Where it goes, without `.pem` and `.key`
        #[arg(long, value_name = "PATH")]
        out: PathBuf,
        /// A DNS name at which it is dialled, besides `localhost`; may be given several times
        #[arg(long, value_name = "NAME")]
        dns: Vec<String>,
        /// An address at which it is dialled, besides 127.0.0.1; may be given several times
        #[arg(long, value_name = "ADDRESS")]
        ip: Vec<std::net::IpAddr>,
        /// How long it is good
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
    },
    /// Revokes a certificate, or all of an id, and signs a new revocation list
    Revoke {
        /// The CA's folder
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
        /// A SPIFFE id, or a serial number as `pki show` prints it
        #[arg(value_name = "ID OR SERIAL")]
        which: String,
    },
    /// Signs the revocation list anew: it ends, and then gateways refuse everybody
    Crl {
        /// The CA's folder
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
    },
    /// Lists what a CA has issued
    Show {
        /// The CA's folder
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
    },
}

#[derive(Serialize)]
struct Row {
    serial: String,
    id: String,
    expires: String,
    revoked: Option<String>,
}

const HEADER: [&str; 4] = ["serial", "id", "expires", "revoked"];

impl PkiArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let now = Clock::System.now();
        let rows = match self.what {
            PkiCommand::Init { dir, name } => {
                Authority::create(&dir, &name, now).map_err(failed)?;
                print_note(&format!("made a CA in {}", dir.display()));
                return Ok(Exit::Done);
            }
            PkiCommand::Issue {
                ca,
                id,
                out,
                dns,
                ip,
                days,
            } => {
                let hosts: Vec<_> = dns
                    .into_iter()
                    .chain(ip.iter().map(ToString::to_string))
                    .collect();
                issue(
                    &ca,
                    &id,
                    &out,
                    &hosts,
                    Term::lasting(Duration::from_secs(u64::from(days) * 86_400), now),
                )?
            }
            PkiCommand::Revoke { ca, which } => {
                let revoked = open(&ca)?.revoke(&which, now).map_err(failed)?;
                print_note(&format!(
                    "{} is new: bring it to the gateways",
                    ca.join("crl.pem").display()
                ));
                revoked.iter().map(Row::from).collect()
            }
            PkiCommand::Crl { ca } => {
                open(&ca)?.renew_crl(now).map_err(failed)?;
                print_note(&format!(
                    "{} is new: bring it to the gateways",
                    ca.join("crl.pem").display()
                ));
                return Ok(Exit::Done);
            }
            PkiCommand::Show { ca } => open(&ca)?.issued().iter().map(Row::from).collect(),
        };
        output::list(output.for_lists(), &rows, &HEADER, Row::cells)?;
        Ok(Exit::Done)
    }
}

fn issue(
    ca: &Path,
    id: &SpiffeId,
    out: &Path,
    hosts: &[String],
    term: Term,
) -> Result<Vec<Row>, Failure> {
    let stem = out.file_name().and_then(|name| name.to_str());
    let stem =
        stem.ok_or_else(|| Failure::usage("`--out` must end in a file's name, without `.pem`"))?;
    let folder = match out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut authority = open(ca)?;
    let issue = authority.issue(id, hosts, term).map_err(failed)?;
    issue.save(folder, stem).map_err(failed)?;
    print_note(&format!("wrote {0}.pem and {0}.key", out.display()));
    let issued = authority
        .issued()
        .iter()
        .filter(|issued| issued.serial == issue.serial);
    Ok(issued.map(Row::from).collect())
}

fn open(folder: &Path) -> Result<Authority, Failure> {
    Authority::open(folder).map_err(|error| {
        let missing = matches!(&error, PkiError::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound);
        let failure = failed(error);
        if missing {
            return failure.hint(format!("make a CA there with `landbridge pki init --dir {}`", folder.display()));
        }
        failure
    })
}

fn failed(error: PkiError) -> Failure {
    let hint = match &error {
        PkiError::Exists(_) => Some(
            "give another `--dir`, or remove the CA that is there: its certificates end with it",
        ),
        PkiError::NotIssued(_) => Some("`landbridge pki show --ca …` lists ids and serial numbers"),
        PkiError::File { .. }
        | PkiError::Ledger { .. }
        | PkiError::Name
        | PkiError::Certificate(_)
        | PkiError::Random => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// On standard error: standard output is for what programs read.
fn print_note(message: &str) {
    eprintln!("{message}");
}

impl From<&IssuedCertificate> for Row {
    fn from(issued: &IssuedCertificate) -> Self {
        Self {
            serial: issued.serial.clone(),
            id: issued.id.clone(),
            expires: day(issued.expires),
            revoked: issued.revoked.map(day),
        }
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let Self {
            serial,
            id,
            expires,
            revoked,
        } = self;
        vec![
            serial.clone(),
            id.clone(),
            expires.clone(),
            revoked.clone().unwrap_or_default(),
        ]
    }
}

/// The UTC day, as `openssl x509 -dates` has it.
fn day(seconds: i64) -> String {
    Moment::from_micros(seconds.saturating_mul(1_000_000))
        .date(UtcOffset::UTC)
        .to_string()
}
