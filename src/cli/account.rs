//! `account`: gives somebody an account at the console.

use std::fs;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::anyhow;
use clap::Args;
use zeroize::Zeroizing;

use super::exit::Exit;
use super::exit::Run;
use super::output::OutputOptions;
use crate::console::account::Accounts;
use crate::console::account::NewAccount;
use crate::console::role::Role;
use crate::name::ReaderName;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge account lin.auditor --role auditor --accounts var/civil/accounts.toml
  landbridge account wei.admin --role administrator --accounts var/civil/accounts.toml --json

The password and the secret of the one-time codes are shown this once; the file keeps a hash of the password. The settings
name the file under [console] accounts. It is read at each sign-in: an account that is taken out of it is signed out.

Roles: viewer (how the gateway stands, who may get what), auditor (also the journal), administrator (as a viewer, for those
who keep the policy).")]
pub(super) struct AccountArgs {
    /// Who it is for, as the journal will name them
    name: ReaderName,
    /// viewer, auditor or administrator
    #[arg(long)]
    role: Role,
    /// The file of accounts; made if it is not there
    #[arg(long, value_name = "FILE")]
    accounts: PathBuf,
}

impl AccountArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let (name, file) = (&self.name, &self.accounts);
        let before = before(file)?;
        if !before.is_empty() && Accounts::load(file)?.role(name).is_some() {
            let file = file.display();
            return Err(anyhow!(
                "`{name}` has an account in `{file}`; take its [[account]] out first to give another password"
            )
            .into());
        }
        let handed = NewAccount::fresh(name, self.role, "Landbridge")?;
        let text = Zeroizing::new(format!("{}{}\n", before.as_str(), handed.stanza.as_str()));
        replace(file, text.as_bytes())
            .with_context(|| format!("cannot write `{}`", file.display()))?;
        let text = Zeroizing::new(match output.is_json() {
            true => json(name, &handed),
            false => text_of(name, &handed),
        });
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(Exit::Done)
    }
}

fn before(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Zeroizing::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", file.display())),
    }
}

/// A gateway that reads meanwhile finds the old accounts or the new ones, whole.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = file.with_extension("new");
    let mut out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    out.write_all(content)?;
    out.sync_all()?;
    fs::rename(&fresh, file)
}

fn text_of(name: &ReaderName, handed: &NewAccount) -> String {
    let (password, uri) = (handed.password.as_str(), handed.uri.as_str());
    format!(
        "\
The account of {name}, shown this once:

password   {password}
code       {uri}

Put the second line into an authenticator app, e.g. as a QR code.
"
    )
}

fn json(name: &ReaderName, handed: &NewAccount) -> String {
    let report = serde_json::json!({
        "name": name, "password": handed.password.as_str(), "otpauth": handed.uri.as_str(),
    });
    format!("{report}\n")
}
