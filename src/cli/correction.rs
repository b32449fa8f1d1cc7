//! `correction`: tells a record's owner that a field is wrong, and answers those who do (校核).

mod queue;
mod row;
mod system;

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use super::client::ClientOptions;
use super::exit::Exit;
use super::exit::Failure;
use super::exit::Run;
use super::output::OutputOptions;
use crate::config::Config;
use crate::correction::store::Store;
use queue::AnswerArgs;
use system::FileArgs;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge correction file <exchange id> R0000000003 birth_date \\
      --statement \"1990-03-05, not 1990-05-03\" \\
      --evidence \"ID card, seen 2026-11-20\"
  landbridge correction list --open
  landbridge correction notices --json
  landbridge correction queue --config config/civil.toml
  landbridge correction answer <correction id> --corrected \\
      --reply \"Corrected after the household book\" \\
      --config config/civil.toml

A system of the consumer files, with the connection options; the owner's officers see the queue and answer, with the settings
of their gateway on its machine. An answer is due in ten working days, or as `[corrections]` of the owner's settings has it.
When a record is corrected, all consumers that have received it since are told, and both journals have each step.

Exit codes: 0 done, 1 failed, 64 bad usage or settings.")]
pub(super) struct CorrectionArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tells a record's owner that a field of it is wrong
    File {
        #[command(flatten)]
        file: FileArgs,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// What this system has filed, and how it was answered
    List {
        /// Only what is not answered
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Records that this system has received and that were corrected since
    Notices {
        #[command(flatten)]
        client: ClientOptions,
    },
    /// What other departments say is wrong with this department's records, the most urgent first
    Queue {
        /// Those, too, that are answered
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// One correction with all that was stated
    Show {
        /// Its id, as the queue has it
        id: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Answers a correction of the queue
    Answer {
        #[command(flatten)]
        answer: AnswerArgs,
        #[command(flatten)]
        settings: Settings,
    },
}

/// Whose queue it is.
#[derive(Args)]
struct Settings {
    /// The settings of the department's gateway
    #[arg(long, env = "LANDBRIDGE_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

impl Settings {
    fn open(&self) -> Result<(Config, Store), Failure> {
        let config = Config::load(&self.config).map_err(Failure::Faults)?;
        let store = Store::open(&config.corrections.path)?;
        Ok((config, store))
    }
}

impl CorrectionArgs {
    pub(super) async fn run(self, output: OutputOptions) -> Run {
        match self.verb {
            Verb::File { file, client } => file.run(&client, &output).await?,
            Verb::List { open, client } => system::list(open, &client, &output).await?,
            Verb::Notices { client } => system::notices(&client, &output).await?,
            Verb::Queue { all, settings } => queue::list(all, &settings, &output)?,
            Verb::Show { id, settings } => queue::show(&id, &settings, &output)?,
            Verb::Answer { answer, settings } => answer.run(&settings, &output)?,
        }
        Ok(Exit::Done)
    }
}
