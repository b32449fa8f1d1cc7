//! `audit token`: makes a reader's token for the operators' door.

use std::io;
use std::io::Write;

use clap::Args;
use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::name::ReaderName;
use crate::reading::reader::Right;
use crate::reading::reader::Token;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge audit token lin.auditor --rights tiles,search,subjects
  landbridge audit token eesti-portal --rights subjects --json

The token is shown this once. The gateway keeps its SHA-256 only: what is printed beside the token goes into its settings,
which it reads when it starts. Who has the token is that reader, and the journal says so of all that is read with it.

Rights: tiles (checkpoint, tiles, leaves), search (records and their proofs), subjects (by a person's identifier),
export (parts of the journal in bulk).")]
pub(super) struct TokenArgs {
    /// The reader, as the journal will name them, such as `lin.auditor`
    name: ReaderName,
    /// What the reader may do: some of tiles, search, subjects, export
    #[arg(long, value_name = "RIGHTS", required = true, value_delimiter = ',', num_args = 1..)]
    rights: Vec<Right>,
}

impl TokenArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let token = Token::fresh()?;
        let text = if output.is_json() {
            self.json(&token)
        } else {
            self.text(&token)
        };
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(Exit::Done)
    }

    fn words(&self) -> Vec<&'static str> {
        Right::ALL
            .into_iter()
            .filter(|right| self.rights.contains(right))
            .map(Right::as_str)
            .collect()
    }

    pub(super) fn text(&self, token: &Token) -> String {
        let (name, digest) = (&self.name, token.digest());
        let rights = json!(self.words()).to_string().replace(',', ", ");
        let token = token.reveal();
        format!(
            "\
The token of {name}, shown this once. Hand it over as you would a password:

{token}

Put this into the gateway's settings, and start the gateway again:

[[operators.reader]]
name = \"{name}\"
token_sha256 = \"{digest}\"
rights = {rights}
"
        )
    }

    fn json(&self, token: &Token) -> String {
        let report = json!({
            "name": self.name, "token": token.reveal(), "token_sha256": token.digest().to_string(),
            "rights": self.words(),
        });
        format!("{report}\n")
    }
}
