//! `audit key`: the public keys of a journal, for the directory and for auditors.

use std::io;
use std::io::Write;

use super::JournalOptions;
use crate::audit::JournalKeys;
use crate::audit::note::VerifierKey;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::config::Config;

/// Makes the keys if the gateway has not started yet, so that a department can hand them to the directory first.
pub(super) fn run(options: &JournalOptions, output: &OutputOptions) -> Run {
    let json = output.for_one()?;
    let Some(config) = &options.config else {
        let failure = Failure::usage("whose keys?");
        return Err(failure.mend("give the gateway's settings with `--config FILE`"));
    };
    let config = Config::load(config).map_err(Failure::Faults)?;
    let (keys, made) =
        JournalKeys::load_or_create(&config.journal.key, &config.journal.post_quantum_key)?;
    for path in made {
        writeln!(io::stderr(), "made `{}`; back it up", path.display())?;
    }
    let keys = keys.verifiers(&config.origin().to_string())?;
    let mut out = io::stdout().lock();
    if json {
        let keys = keys.map(|key: VerifierKey| key.to_string());
        let told = serde_json::json!({ "origin": config.origin().to_string(), "vkeys": keys });
        writeln!(out, "{told}")?;
    } else {
        for key in &keys {
            writeln!(out, "{key}")?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}
