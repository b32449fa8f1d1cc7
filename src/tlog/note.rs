//! Signed notes (C2SP signed-note): a text and the signatures below it.

mod vkey;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::clock::Moment;
pub use vkey::KeyKind;
pub use vkey::VerifierKey;

const SIGNATURE_START: &str = "\u{2014} ";
/// More lines than any quorum of witnesses needs.
const MAX_SIGNATURES: usize = 64;
/// Sixteen signatures of the longest post-quantum kind fit.
const MAX_NOTE_BYTES: usize = 128 * 1024;

/// The bytes of an Ed25519 signature.
pub(crate) const SIGNATURE_BYTES: usize = 64;

/// An Ed25519 signature of a note's text, as a journal keeps it with each commit.
pub(crate) type Signature = [u8; SIGNATURE_BYTES];

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

/// A note at least one of whose signatures a trusted key has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub text: String,
    /// The trusted keys that signed, each once, in the order of the note.
    pub signers: Vec<Signer>,
}

/// A trusted key whose signature verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    pub key: VerifierKey,
    /// When a cosigner signed, as it states; None if it states no time.
    pub time: Option<Moment>,
}

/// The note of a text that ends in a newline, with its signature by the key of `verifier`.
pub(super) fn signed(text: &str, signature: &[u8], verifier: &VerifierKey) -> String {
    let line = signature_line(verifier, signature);
    format!("{text}\n{line}\n")
}

/// A signature line without its newline.
pub(super) fn signature_line(verifier: &VerifierKey, signature: &[u8]) -> String {
    let bytes = [verifier.id().as_slice(), signature].concat();
    format!(
        "{SIGNATURE_START}{} {}",
        verifier.name(),
        STANDARD.encode(bytes)
    )
}

/// The text of a note that a trusted key signed. Signatures of other keys are ignored; a bad one of a trusted key is not.
pub fn open(note: &str, trusted: &[VerifierKey]) -> Result<Note, NoteError> {
    let (text, lines) = split(note)?;
    let mut signers: Vec<Signer> = Vec::new();
    for line in lines {
        let (name, id, signature) = parse_signature(line)?;
        let known = |key: &&VerifierKey| key.name() == name && *key.id() == id;
        let Some(key) = trusted.iter().find(known) else {
            continue;
        };
        let time = key.verify(text, &signature)?;
        if signers.iter().all(|signer| signer.key != *key) {
            let key = key.clone();
            signers.push(Signer { key, time });
        }
    }
    if signers.is_empty() {
        return Err(NoteError::Unsigned);
    }
    Ok(Note {
        text: text.to_owned(),
        signers,
    })
}

/// The text of a note, none of whose signatures is looked at.
pub fn text(note: &str) -> Result<&str, NoteError> {
    split(note).map(|(text, _)| text)
}

/// The note with more signature lines below its own. What they sign is not checked.
pub(super) fn extend<'a>(
    note: &str,
    lines: impl IntoIterator<Item = &'a str>,
) -> Result<String, NoteError> {
    let mut extended = note.to_owned();
    for line in lines {
        parse_signature(line)?;
        extended.push_str(line);
        extended.push('\n');
    }
    split(&extended)?;
    Ok(extended)
}

/// The note with the signature lines of these keys only, which are not verified. Fails if there are none.
pub(crate) fn only(note: &str, keys: &[VerifierKey]) -> Result<String, NoteError> {
    let (text, lines) = split(note)?;
    let mut reduced = format!("{text}\n");
    let empty = reduced.len();
    for line in lines {
        let (name, id, _) = parse_signature(line)?;
        if keys.iter().any(|key| key.name() == name && *key.id() == id) {
            reduced.push_str(line);
            reduced.push('\n');
        }
    }
    if reduced.len() == empty {
        return Err(NoteError::Unsigned);
    }
    Ok(reduced)
}

/// A note's text and its signature lines, none of which has been checked.
pub(crate) fn split(note: &str) -> Result<(&str, Vec<&str>), NoteError> {
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
