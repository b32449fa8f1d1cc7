//! `completions` and `man`: what shells and manuals read of this command line.

use std::io;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use super::exit::Exit;
use super::exit::Run;

const NAME: &str = "landbridge";

/// Prints the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge completions bash > /etc/bash_completion.d/landbridge
  landbridge completions zsh > ~/.zfunc/_landbridge
  landbridge completions fish > ~/.config/fish/completions/landbridge.fish")]
pub(super) struct CompletionsArgs {
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the manual page, or writes those of all verbs
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge man | man -l -
  landbridge man --dir /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Writes one page for each verb into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl CompletionsArgs {
    pub(super) fn run(self) -> Run {
        // The generator panics where it cannot write: it gets a buffer, and a closed pipe stays an error.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), NAME, &mut script);
        let mut out = io::stdout().lock();
        out.write_all(&script)?;
        out.flush()?;
        Ok(Exit::Done)
    }
}

impl ManArgs {
    pub(super) fn run(self) -> Run {
        let Some(dir) = self.dir else {
            let mut out = io::stdout().lock();
            clap_mangen::Man::new(Cli::command()).render(&mut out)?;
            out.flush()?;
            return Ok(Exit::Done);
        };
        std::fs::create_dir_all(&dir)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &dir))
            .with_context(|| format!("the pages cannot be written to `{}`", dir.display()))?;
        Ok(Exit::Done)
    }
}
