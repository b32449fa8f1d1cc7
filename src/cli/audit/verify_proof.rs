//! `audit verify-proof`: verifies proofs offline, with nothing but public keys.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::Value as Json;
use time::UtcOffset;

use super::JournalOptions;
use super::plain;
use super::policy::PolicyOptions;
use super::policy::witnesses_json;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::cli::table::Table;
use crate::digest::hex;
use crate::evidence::json;
use crate::fault::chain;
use crate::journal::BadLeaf;
use crate::journal::Leaf;
use crate::text::visible;
use crate::tlog::note::VerifierKey;
use crate::tlog::proof;
use crate::tlog::proof::NotProven;
use crate::tlog::proof::Proof;
use crate::tlog::quorum::QuorumError;
use crate::tlog::quorum::WitnessPolicy;
use crate::tlog::quorum::WitnessedCheckpoint;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge audit verify-proof <exchange id>.tlog-proof --vkey \"$(landbridge audit key \\
      --config config/civil.toml)\"
  landbridge audit verify-proof *.tlog-proof --policy config/witnesses/civil.policy --json

Neither a journal nor a network is needed. The keys come from `--vkey`, from the `log` lines of the policy, or both; take them
from the directory, never from whoever hands you the proof.

Exit codes: 0 every proof holds, 1 a file cannot be read, 3 a proof does not hold, 64 bad usage.")]
pub(super) struct VerifyProofArgs {
    /// The proofs
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    policy: PolicyOptions,
}

/// What a proof proves.
struct VerifiedProof {
    index: u64,
    leaf: Leaf,
    checkpoint: SignedCheckpoint,
    /// None without a policy.
    witnessed: Option<WitnessedCheckpoint>,
}

/// Why it does not.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Malformed(#[from] proof::Malformed),
    #[error("it does not carry the leaf that it proves")]
    NoLeaf,
    #[error(transparent)]
    NotProven(#[from] NotProven),
    #[error(transparent)]
    Leaf(#[from] BadLeaf),
    #[error("it is not witnessed enough")]
    Unwitnessed(#[from] QuorumError),
}

impl VerifyProofArgs {
    pub(super) fn run(self, options: JournalOptions, output: &OutputOptions) -> Run {
        let json = output.for_one()?;
        let offset = options.utc_offset.unwrap_or(UtcOffset::UTC);
        let policy = self.policy.load()?;
        let mut trusted = options.vkey;
        let logs = policy.iter().flat_map(WitnessPolicy::logs);
        trusted.extend(logs.map(|log| log.key.clone()));
        if trusted.is_empty() {
            let failure = Failure::usage("no key to verify the proofs with");
            return Err(failure.hint(
                "give the department's public key with `--vkey`, or a policy with `log` lines with `--policy`; the directory lists them",
            ));
        }
        let mut exit = Exit::Done;
        let mut out = io::stdout().lock();
        for (number, file) in self.files.iter().enumerate() {
            let text = read(file)?;
            let proven = verify(&text, &trusted, policy.as_ref());
            if proven.is_err() {
                exit = Exit::Unverified;
            }
            if json {
                writeln!(out, "{}", to_json(file, &proven, offset))?;
            } else {
                if number > 0 {
                    writeln!(out)?;
                }
                write(file, &proven, offset, &mut out)?;
            }
        }
        out.flush()?;
        Ok(exit)
    }
}

/// A file that is too long is read in part only, and is no proof then either.
fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = || format!("cannot read `{}`", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .with_context(unreadable)?
        .take(proof::MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(unreadable)?;
    // What is not UTF-8 does not parse, and so does what takes its place.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn verify(
    text: &str,
    trusted: &[VerifierKey],
    policy: Option<&WitnessPolicy>,
) -> Result<VerifiedProof, Fault> {
    let proof: Proof = text.parse()?;
    let leaf = proof.extra.as_deref().ok_or(Fault::NoLeaf)?;
    let checkpoint = proof.prove(leaf, trusted)?;
    let witnessed = policy
        .map(|policy| policy.satisfied(&checkpoint))
        .transpose()?;
    Ok(VerifiedProof {
        index: proof.index,
        leaf: Leaf::parse(leaf)?,
        checkpoint,
        witnessed,
    })
}

fn write(
    file: &Path,
    proven: &Result<VerifiedProof, Fault>,
    offset: UtcOffset,
    to: &mut impl Write,
) -> io::Result<()> {
    if let Ok(proven) = proven {
        let mut pairs = plain::pairs(&proven.to_json(offset));
        pairs.retain(|(_, value)| value != "null");
        if proven.witnessed.is_none() {
            let unchecked = "not checked: give `--policy`".to_owned();
            pairs.push(("witnesses".to_owned(), unchecked));
        }
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        writeln!(to, "{}", Table::of_pairs(pairs))?;
    }
    let file = file.display();
    match proven {
        Ok(_) => writeln!(to, "{file}: the proof holds"),
        Err(fault) => writeln!(
            to,
            "{file}: THE PROOF DOES NOT HOLD: {}",
            visible(&chain(fault))
        ),
    }
}

fn to_json(file: &Path, proven: &Result<VerifiedProof, Fault>, offset: UtcOffset) -> Json {
    let mut told = serde_json::json!({
        "file": file.display().to_string(),
        "proven": proven.is_ok(),
        "fault": proven.as_ref().err().map(|fault| chain(fault)),
    });
    if let (Ok(proven), Some(told)) = (proven, told.as_object_mut())
        && let Json::Object(more) = proven.to_json(offset)
    {
        told.extend(more);
    }
    told
}

impl VerifiedProof {
    fn to_json(&self, offset: UtcOffset) -> Json {
        let checkpoint = &self.checkpoint;
        serde_json::json!({
            "origin": checkpoint.origin(),
            "index": self.index,
            "size": checkpoint.size(),
            "root": hex(checkpoint.root()),
            "leaf": json::leaf_json(&self.leaf, offset),
            "witnesses": self.witnessed.as_ref().map(|witnessed| witnesses_json(witnessed, offset)),
        })
    }
}

#[cfg(test)]
mod tests;
