//! `audit`: reads a journal, and proves it.

mod criteria;
mod entry;
mod expire;
mod export;
mod key;
mod plain;
mod policy;
mod prove;
mod reconcile;
mod search;
mod show;
mod subject;
mod tail;
mod token;
mod verify;
mod verify_proof;
mod entry_arg;
mod subject_arg;

use std::io;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use time::UtcOffset;

use super::exit::Failure;
use super::exit::Run;
use super::output::OutputOptions;
use super::time_arg;
use crate::config::Config;
use crate::evidence::index::Index;
use crate::fault::chain;
use crate::journal::JournalKey;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::text::visible;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::key::PostQuantumKey;
use crate::tlog::note::VerifierKey;
use expire::ExpireArgs;
use export::ExportArgs;
use key::KeyArgs;
use prove::ProveArgs;
use reconcile::ReconcileArgs;
use search::SearchArgs;
use show::ShowArgs;
use subject::SubjectArgs;
use tail::TailArgs;
use token::TokenArgs;
use verify::VerifyArgs;
use verify_proof::VerifyProofArgs;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge audit search --config config/civil.toml --peer tax --since 7d
  landbridge audit search --journal var/civil/journal --outcome denied --reason FIELD_NOT_GRANTED \\
      --json
  landbridge audit search --config config/civil.toml --subject national_id=990101199001011234
  landbridge audit subject --config config/civil.toml national_id=990101199001011234
  landbridge audit show --config config/civil.toml <exchange id>
  landbridge audit tail --config config/civil.toml -f
  landbridge audit token lin.auditor --rights tiles,search
  landbridge audit export --config config/civil.toml --format bundle --out evidence --since 7d
  landbridge audit prove --config config/civil.toml <exchange id>
  landbridge audit verify --journal var/civil/journal --vkey \"$(landbridge audit key \\
      --config config/civil.toml)\"
  landbridge audit expire --config config/civil.toml --dry-run
  landbridge audit reconcile var/civil/journal var/tax/journal --vkey \"$(landbridge audit key \\
      --config config/civil.toml)\" --vkey \"$(landbridge audit key --config config/tax.toml)\"

A journal can be read while its gateway writes it. What is read from its files leaves no trace in it: that is for the
files' permissions to allow. What is read at the operators' door, with a token, is itself an entry of the journal.

Exit codes: 0 done, 1 it cannot be read, 3 verification failed, 64 bad usage.")]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    what: AuditCommand,
    #[command(flatten)]
    journal: JournalOptions,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Finds entries, the newest first
    Search(Box<SearchArgs>),
    /// Lists who received a person's data, when, for which purpose and under which agreement
    Subject(SubjectArgs),
    /// Shows one entry, or all of one exchange, in full and with its proof
    Show(ShowArgs),
    /// Shows the newest entries, and with `-f` those that come
    Tail(TailArgs),
    /// Proves the whole journal: every record, every hash, and the signed checkpoint
    Verify(VerifyArgs),
    /// Takes entries out of the journal, proven: Parquet, CSV, JSON lines, OCSF, tlog-tiles, or a bundle of evidence
    Export(Box<ExportArgs>),
    /// Writes the proof that an entry stands in the journal, for whoever has only the public keys
    Prove(ProveArgs),
    /// Verifies such proofs offline, without a journal
    VerifyProof(VerifyProofArgs),
    /// Compares what two departments' journals say of the exchanges between them
    Reconcile(ReconcileArgs),
    /// Erases the records whose retention has ended, or shows which those are
    Expire(ExpireArgs),
    /// Prints the public keys that verify the journal, for the directory and for auditors; makes them before the first start
    Key(KeyArgs),
    /// Makes a token, with which somebody may read at the operators' door
    Token(TokenArgs),
}

/// Taken by every verb of `audit`.
#[derive(Args)]
#[command(next_help_heading = "Journal")]
struct JournalOptions {
    /// The journal's folder
    #[arg(long, global = true, env = "LANDBRIDGE_JOURNAL", value_name = "DIR")]
    journal: Option<PathBuf>,
    /// The gateway's settings, which say where its journal is
    #[arg(long, global = true, env = "LANDBRIDGE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// A public key that is trusted to have signed the journal; may be given several times, or several of them a line each
    #[arg(long, global = true, value_name = "KEY", value_delimiter = '\n')]
    vkey: Vec<VerifierKey>,
    /// Shows and reads times at this offset [default: that of the settings, or UTC]
    #[arg(long, global = true, value_name = "+HH:MM", value_parser = time_arg::offset, allow_hyphen_values = true)]
    utc_offset: Option<UtcOffset>,
}

/// A journal and what belongs to it.
struct Place {
    dir: PathBuf,
    offset: UtcOffset,
    /// From `--vkey`, or else the public halves of the gateway's own keys.
    trusted: Vec<VerifierKey>,
    /// The gateway's settings, if they were given.
    config: Option<Config>,
}

impl AuditArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let journal = self.journal;
        match self.what {
            AuditCommand::Search(args) => args.run(&journal.place()?, output),
            AuditCommand::Subject(args) => args.run(&journal.place()?, output),
            AuditCommand::Show(args) => args.run(&journal.place()?, output),
            AuditCommand::Tail(args) => args.run(&journal.place()?, output),
            AuditCommand::Verify(args) => args.run(&journal.place()?, output),
            AuditCommand::Prove(args) => args.run(&journal.place()?, output),
            AuditCommand::VerifyProof(args) => args.run(journal, output),
            AuditCommand::Reconcile(args) => args.run(&journal.vkey, output),
            AuditCommand::Expire(args) => {
                args.run(journal.config.as_deref(), journal.utc_offset, output)
            }
            AuditCommand::Export(args) => args.run(&journal.place()?, output),
            AuditCommand::Key(args) => args.run(&journal, output),
            AuditCommand::Token(args) => args.run(output),
        }
    }
}

impl JournalOptions {
    fn place(self) -> Result<Place, Failure> {
        let config = self
            .config
            .as_deref()
            .map(Config::load)
            .transpose()
            .map_err(Failure::Faults)?;
        let Some(dir) = self
            .journal
            .or_else(|| config.as_ref().map(|config| config.journal.path.clone()))
        else {
            let failure = Failure::usage("which journal?");
            return Err(failure.hint("give its folder with `--journal DIR`, or the gateway's settings with `--config FILE`"));
        };
        let mut trusted = self.vkey;
        if let (true, Some(config)) = (trusted.is_empty(), &config) {
            trusted.extend(own_keys(config)?);
        }
        Ok(Place {
            dir,
            offset: self
                .utc_offset
                .or(config.as_ref().map(|config| config.offset))
                .unwrap_or(UtcOffset::UTC),
            trusted,
            config,
        })
    }
}

/// The public halves of a gateway's own keys. None before they were made.
fn own_keys(config: &Config) -> Result<Vec<VerifierKey>, Failure> {
    let (journal, post_quantum) = (&config.journal.key, &config.journal.post_quantum_key);
    let origin = config.origin().to_string();
    let mut keys = Vec::new();
    if journal.exists() {
        keys.push(JournalKey::load(journal)?.verifier(&origin)?);
    }
    if post_quantum.exists() {
        keys.push(PostQuantumKey::load(post_quantum)?.verifier(&origin)?);
    }
    Ok(keys)
}

impl Place {
    fn reader(&self) -> Reader {
        Reader::open(&self.dir)
    }

    /// The search index, if there is one that can be used: what it does not answer is read from the journal.
    fn index(&self) -> Option<Index> {
        match Index::open(&self.dir) {
            Ok(index) => index,
            Err(error) => {
                let message = visible(&chain(&error)).into_owned();
                // The answer will be right, and late.
                let _ = writeln!(
                    io::stderr(),
                    "note: the whole journal is read, since {message}"
                );
                None
            }
        }
    }

    /// A journal that is not there has not failed to verify.
    fn demand_folder(&self) -> Result<(), Failure> {
        if self.dir.is_dir() {
            return Ok(());
        }
        let missing = anyhow::anyhow!("there is no folder `{}`", self.dir.display());
        Err(Failure::from(missing).hint(WHICH))
    }

    /// Demands a key: a journal that is checked against nothing is not checked.
    fn trusted(&self) -> Result<&[VerifierKey], Failure> {
        if self.trusted.is_empty() {
            let failure = Failure::usage("no key to verify the journal with");
            return Err(failure.hint(
                "give the department's public key with `--vkey`: the directory lists it, and `landbridge audit key` prints it",
            ));
        }
        Ok(&self.trusted)
    }
}

const WHICH: &str =
    "`--journal` takes the folder that the gateway's settings name under `[journal] path`";

/// A journal that cannot be read, or is not one.
fn unreadable(error: ReadError) -> Failure {
    let not_found =
        matches!(&error, ReadError::Disk(disk) if disk.source.kind() == io::ErrorKind::NotFound);
    let failure = Failure::from(error);
    if not_found {
        return failure.hint(WHICH);
    }
    failure
}

/// The signed statement that is published now. What it says is read, not believed.
fn claimed(note: &str) -> Option<Checkpoint> {
    let (text, _) = note.rsplit_once("\n\n")?;
    Checkpoint::parse(&format!("{text}\n")).ok()
}

#[cfg(test)]
mod tests;
