//! The command line: one verb a file, and the exit codes that scripts rely on.

mod account;
mod ask;
mod audit;
mod catalog;
mod check;
mod claim;
mod client;
mod complete;
mod correction;
mod count;
mod demo;
mod exit;
mod explain;
mod get;
mod import;
mod output;
mod pki;
mod query;
mod record;
mod gateway_refusal;
mod registry;
mod rows;
#[cfg(test)]
mod sample;
mod schema;
mod serve;
mod source;
mod table;
mod verify;
mod time_arg;

use std::io;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::Parser;
use clap::Subcommand;
use tokio::runtime;

use account::AccountArgs;
use audit::AuditArgs;
use catalog::CatalogArgs;
use check::CheckArgs;
use complete::CompletionsArgs;
use complete::ManArgs;
use correction::CorrectionArgs;
use count::CountArgs;
use demo::DemoArgs;
use exit::Exit;
use exit::Run;
use explain::ExplainArgs;
use get::GetArgs;
use import::ImportArgs;
use output::OutputOptions;
use pki::PkiArgs;
use query::Progress;
use query::QueryArgs;
use registry::RegistryArgs;
use serve::ServeArgs;
use source::SourceArgs;
use verify::VerifyArgs;

/// Departments share records directly: released by agreement, provable afterwards
#[derive(Parser)]
#[command(
    name = "landbridge",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 denied, 3 verification failed, 64 bad usage or settings."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Subcommand)]
enum Verb {
    /// Runs a department's gateway
    Serve(ServeArgs),
    /// Tells what a start or a reload would refuse
    Check(CheckArgs),
    /// Shows three departments at work on this machine
    Demo(DemoArgs),
    /// Asks for one record, by its key
    Get(GetArgs),
    /// Asks for the records that a filter selects
    Query(QueryArgs),
    /// Asks whether given values are true of a record; none is disclosed
    Verify(VerifyArgs),
    /// Asks how many records a filter selects
    Count(CountArgs),
    /// Tells owners what is wrong with a record, and answers those who do
    Correction(CorrectionArgs),
    /// Lists departments, record types, and what may be asked
    Catalog(CatalogArgs),
    /// Checks and lays out the shared schemas
    Registry(RegistryArgs),
    /// Tells whether a question would be allowed, and why
    Explain(ExplainArgs),
    /// Fills a SQLite source from a CSV file
    Import(ImportArgs),
    /// Tells which of the department's own records would not be released
    Source(SourceArgs),
    /// Reads a gateway's journal, and proves it
    Audit(AuditArgs),
    /// Gives somebody an account at the console
    Account(AccountArgs),
    /// Makes certificates for development
    Pki(PkiArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run().into(),
        Err(error) => {
            // Help and version are what was asked for; the rest is bad usage. Neither can be told elsewhere.
            let _ = error.print();
            exit_of(&error).into()
        }
    }
}

/// clap itself would end with 2, which is a denial here.
fn exit_of(error: &clap::Error) -> Exit {
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Done
    }
}

/// The command line's description, as `--help`, completions and manual pages render it.
pub fn command() -> clap::Command {
    Cli::command()
}

impl Cli {
    fn run(self) -> Exit {
        let json = self.output.is_json();
        match self.verb.run(self.output) {
            Ok(exit) => exit,
            Err(failure) => failure.report(json, &mut io::stderr().lock()),
        }
    }
}

impl Verb {
    fn run(self, output: OutputOptions) -> Run {
        match self {
            Self::Serve(args) => args.run(),
            Self::Check(args) => interruptible(args.run(output)),
            Self::Demo(args) => waiting(args.run()),
            Self::Get(args) => interruptible(args.run(output)),
            Self::Query(args) => {
                let progress = Progress::default();
                let at_interrupt = progress.clone();
                interruptible_telling(args.run(output, progress), move || at_interrupt.print())
            }
            Self::Verify(args) => interruptible(args.run(output)),
            Self::Count(args) => interruptible(args.run(output)),
            Self::Correction(args) => interruptible(args.run(output)),
            Self::Catalog(args) => interruptible(args.run(output)),
            Self::Registry(args) => interruptible(async move { args.run(&output) }),
            Self::Explain(args) => args.run(&output),
            Self::Import(args) => interruptible(args.run(output)),
            Self::Source(args) => waiting(args.run(output)),
            Self::Audit(args) => args.run(&output),
            Self::Account(args) => args.run(&output),
            Self::Pki(args) => args.run(&output),
            Self::Completions(args) => args.run(),
            Self::Man(args) => args.run(),
        }
    }
}

/// Runs a verb that sees to Ctrl-C itself.
fn waiting(verb: impl Future<Output = Run>) -> Run {
    runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(verb)
}

/// Runs a verb that waits for others, until it ends or Ctrl-C does it.
///
/// The verb is on a thread of its own, so that Ctrl-C is heard also while it writes to a reader that has stopped.
fn interruptible(verb: impl Future<Output = Run> + Send + 'static) -> Run {
    interruptible_telling(verb, || {})
}

/// The same; when Ctrl-C ends it, something is told of it.
fn interruptible_telling(
    verb: impl Future<Output = Run> + Send + 'static,
    tell: impl FnOnce(),
) -> Run {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let verb = runtime.spawn(verb);
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = verb => ended?,
            _ = tokio::signal::ctrl_c() => {
                tell();
                Ok(Exit::Interrupted)
            }
        }
    });
    runtime.shutdown_background();
    ended
}

#[cfg(test)]
mod tests;
