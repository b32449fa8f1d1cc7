//! Signed notes (C2SP signed-note): a text and the signatures below it.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::merkle;

const ED25519: u8 = 1;
const SIGNATURE_START: &str = "\u{2014} ";
/// More lines than any quorum of witnesses needs.
const MAX_SIGNATURES: usize = 64;
const MAX_NOTE_BYTES: usize = 64 * 1024;

/// What was wrong with a note or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    #[error("not a verifier key: {0}")]
    MalformedKey(&'static str),
    #[error("the signature of `{0}` does not verify")]
    BadSignature(String),
    #[error("no trusted key has signed the note")]
    Unsigned,
}

/// The public half of a journal's key: `<name>+<key id, 8 hex digits>+<base64 of type and key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

/// A note at least one of whose signatures a trusted key has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub text: String,
    /// The names of the trusted keys that signed, in the order of the note.
    pub signers: Vec<String>,
}

impl VerifierKey {
    /// An Ed25519 key under the name of its log. The name has neither white space nor `+`.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::MalformedKey(
                "the name is empty or has white space or `+`",
            ));
        }
        let hash = merkle::sha256(&[name.as_bytes(), b"\n", &[ED25519], &key]);
        let [a, b, c, d, ..] = hash;
        Ok(Self {
            name: name.to_owned(),
            id: [a, b, c, d],
            key,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        signature::UnparsedPublicKey::new(&signature::ED25519, &self.key)
            .verify(text.as_bytes(), signature)
            .is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519];
        typed.extend(self.key);
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            u32::from_be_bytes(self.id),
            STANDARD.encode(typed)
        )
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(s: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::MalformedKey;
        let (name, rest) = s.split_once('+').ok_or(malformed("it has no `+`"))?;
        let (id, key) = rest
            .split_once('+')
            .ok_or(malformed("it has one `+` only"))?;
        let typed = STANDARD
            .decode(key)
            .map_err(|_| malformed("the key is not base64"))?;
        let Some((&ED25519, key)) = typed.split_first() else {
            return Err(malformed("only Ed25519 keys are known"));
        };
        let key = key
            .try_into()
            .map_err(|_| malformed("an Ed25519 key has 32 bytes"))?;
        let key = Self::new(name, key)?;
        if id != format!("{:08x}", u32::from_be_bytes(key.id)) {
            return Err(malformed("the key id is not that of the name and key"));
        }
        Ok(key)
    }
}

/// The note of a text that ends in a newline, signed under the name of `verifier`.
pub(super) fn sign(text: &str, pair: &Ed25519KeyPair, verifier: &VerifierKey) -> String {
    let mut signature = verifier.id.to_vec();
    signature.extend_from_slice(pair.sign(text.as_bytes()).as_ref());
    format!(
        "{text}\n{SIGNATURE_START}{} {}\n",
        verifier.name,
        STANDARD.encode(signature)
    )
}

/// The text of a note that a trusted key signed. Signatures of other keys are ignored; a bad one of a trusted key is not.
pub fn open(note: &str, trusted: &[VerifierKey]) -> Result<Note, NoteError> {
    let (text, signatures) = split(note)?;
    let mut signers = Vec::new();
    for line in signatures {
        let (name, id, signature) = parse_signature(line)?;
        let Some(key) = trusted.iter().find(|key| key.name == name && key.id == id) else {
            continue;
        };
        if !key.verifies(text, &signature) {
            return Err(NoteError::BadSignature(key.name.clone()));
        }
        signers.push(key.name.clone());
    }
    if signers.is_empty() {
        return Err(NoteError::Unsigned);
    }
    Ok(Note {
        text: text.to_owned(),
        signers,
    })
}

/// A note's text and its signature lines, none of which has been checked.
pub(super) fn split(note: &str) -> Result<(&str, Vec<&str>), NoteError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::Malformed("it is too long"));
    }
    if note.bytes().any(|b| b < 0x20 && b != b'\n') {
        return Err(NoteError::Malformed("it has control characters"));
    }
    // The text may have empty lines itself: the last one ends it.
    let (text, signatures) = note
        .rsplit_once("\n\n")
        .ok_or(NoteError::Malformed("no empty line ends the text"))?;
    let text = note.get(..=text.len()).unwrap_or_default();
    let signatures = signatures
        .strip_suffix('\n')
        .ok_or(NoteError::Malformed("the last line has no end"))?;
    let lines: Vec<&str> = signatures.split('\n').take(MAX_SIGNATURES + 1).collect();
    if lines.len() > MAX_SIGNATURES {
        return Err(NoteError::Malformed("it has too many signatures"));
    }
    Ok((text, lines))
}

fn parse_signature(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), NoteError> {
    let malformed = NoteError::Malformed("a signature line is malformed");
    let parsed = line
        .strip_prefix(SIGNATURE_START)
        .and_then(|line| line.split_once(' '))
        .filter(|(name, _)| is_key_name(name))
        .and_then(|(name, encoded)| Some((name, STANDARD.decode(encoded).ok()?)));
    let Some((name, bytes)) = parsed else {
        return Err(malformed);
    };
    let Some((id, signature)) = bytes.split_first_chunk::<4>() else {
        return Err(malformed);
    };
    if signature.is_empty() {
        return Err(malformed);
    }
    Ok((name, *id, signature.to_vec()))
}

fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

#[cfg(test)]
mod tests;
