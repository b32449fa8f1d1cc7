//! `audit key`: the public keys of a journal, for the directory and for auditors.

use std::io;
use std::io::Write;
use std::path::Path;

use clap::Args;

use super::JournalOptions;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::config::Config;
use crate::gateway::losses;
use crate::journal::JournalKeys;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::note::VerifierKey;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge audit key --config config/civil.toml
  landbridge audit key --config config/civil.toml --witness

The lines of a journal go into `journal` of the department's entry in the directory, that of its witness into `witness`, and
both into the policies of those who rely on them.

Exit codes: 0 done, 1 a key cannot be read or made, 64 bad usage or settings.")]
pub(super) struct KeyArgs {
    /// Prints the key with which the gateway cosigns the journals of others instead
    #[arg(long)]
    witness: bool,
}

impl KeyArgs {
    /// Makes the keys if the gateway has not started yet, so that a department can hand them to the directory first; never
    /// again once its journal has entries.
    pub(super) fn run(self, options: &JournalOptions, output: &OutputOptions) -> Run {
        let json = output.for_one()?;
        let Some(config) = &options.config else {
            let failure = Failure::usage("whose keys?");
            return Err(failure.hint("give the gateway's settings with `--config FILE`"));
        };
        let config = Config::load(config).map_err(Failure::Faults)?;
        let (what, (name, keys)) = match self.witness {
            true => ("witness", cosigner(&config)?),
            false => ("origin", journal(&config)?),
        };
        let mut out = io::stdout().lock();
        if json {
            let keys: Vec<String> = keys.iter().map(VerifierKey::to_string).collect();
            writeln!(out, "{}", serde_json::json!({ what: name, "vkeys": keys }))?;
        } else {
            for key in &keys {
                writeln!(out, "{key}")?;
            }
        }
        out.flush()?;
        Ok(Exit::Done)
    }
}

fn journal(config: &Config) -> Result<(String, Vec<VerifierKey>), Failure> {
    let (settings, origin) = (&config.journal, config.origin().to_string());
    losses::demand(&settings.path, &[&settings.key, &settings.post_quantum_key])?;
    let (keys, made) = JournalKeys::load_or_create(&settings.key, &settings.post_quantum_key)?;
    made.iter().try_for_each(|path| print_made(path))?;
    let keys = keys.verifiers(&origin)?.to_vec();
    Ok((origin, keys))
}

fn cosigner(config: &Config) -> Result<(String, Vec<VerifierKey>), Failure> {
    let (path, name) = (&config.witness.key, config.witness_name());
    losses::demand(&config.journal.path, &[path])?;
    let (key, made) = CosignerKey::load_or_create(path, &name)?;
    if made {
        print_made(path)?;
    }
    Ok((name, vec![key.verifier().clone()]))
}

fn print_made(path: &Path) -> io::Result<()> {
    writeln!(io::stderr(), "made `{}`; back it up", path.display())
}
