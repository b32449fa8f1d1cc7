//! Public keys that verify notes, each under a name and of a kind.

use crate::digest::sha256;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature;
use aws_lc_rs::signature::UnparsedPublicKey;
use aws_lc_rs::signature::VerificationAlgorithm;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::NoteError;
use super::is_key_name;
use crate::clock::Moment;
use crate::tlog::checkpoint;

/// What a key's signature states (C2SP signed-note, signature types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Ed25519 over the text, type 0x01: how a log signs.
    Ed25519,
    /// Ed25519 over the text and a time, type 0x04: how a witness signs.
    Cosignature,
    /// ML-DSA-44 over origin, size, root and a time, type 0x06: how a witness signs, and a log for the years to come.
    MlDsa44,
}

impl KeyKind {
    const fn code(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Cosignature => 0x04,
            Self::MlDsa44 => 0x06,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Ed25519, Self::Cosignature, Self::MlDsa44]
            .into_iter()
            .find(|kind| kind.code() == code)
    }

    const fn key_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::Cosignature => 32,
            Self::MlDsa44 => 1312,
        }
    }

    fn algorithm(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 | Self::Cosignature => &signature::ED25519,
            Self::MlDsa44 => &signature::ML_DSA_44,
        }
    }
}

/// The public half of a signing key: `<name>+<key id, 8 hex digits>+<base64 of type and key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    kind: KeyKind,
    key: Vec<u8>,
}

impl VerifierKey {
    /// An Ed25519 key under the name of its log. The name has neither white space nor `+`.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, NoteError> {
        Self::of(KeyKind::Ed25519, name, &key)
    }

    /// A key of a kind under the name of its owner. The name has neither white space nor `+`.
    pub fn of(kind: KeyKind, name: &str, key: &[u8]) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::MalformedKey(
                "the name is empty or has white space or `+`",
            ));
        }
        if key.len() != kind.key_bytes() {
            return Err(NoteError::MalformedKey(match kind {
                KeyKind::Ed25519 | KeyKind::Cosignature => "an Ed25519 key has 32 bytes",
                KeyKind::MlDsa44 => "an ML-DSA-44 key has 1312 bytes",
            }));
        }
        // It is signed after a length of one byte.
        if kind == KeyKind::MlDsa44 && name.len() > 255 {
            return Err(NoteError::MalformedKey("the name is longer than 255 bytes"));
        }
        let [a, b, c, d, ..] = sha256(&[name.as_bytes(), b"\n", &[kind.code()], key]);
        Ok(Self {
            name: name.to_owned(),
            id: [a, b, c, d],
            kind,
            key: key.to_owned(),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Whether both are of one key pair, whatever their names.
    pub(crate) fn is_same_pair(&self, other: &Self) -> bool {
        self.key == other.key
    }

    pub(super) fn id(&self) -> &[u8; 4] {
        &self.id
    }

    /// Whether it is a log's key and has signed the text, of which only the bare signature is there.
    pub(crate) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        self.kind == KeyKind::Ed25519 && self.verifies(text.as_bytes(), signature)
    }

    /// Gives the time that the signature states, if it states one.
    pub(super) fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<Moment>, NoteError> {
        let time = match self.kind {
            KeyKind::Ed25519 => self
                .verifies(text.as_bytes(), signature)
                .then_some(None::<Moment>),
            KeyKind::Cosignature | KeyKind::MlDsa44 => self.verify_cosignature(text, signature),
        };
        time.ok_or_else(|| NoteError::BadSignature(self.name.clone()))
    }

    fn verify_cosignature(&self, text: &str, signature: &[u8]) -> Option<Option<Moment>> {
        let (seconds, signature) = signature.split_first_chunk()?;
        let seconds = u64::from_be_bytes(*seconds);
        let message = match self.kind {
            KeyKind::MlDsa44 => checkpoint::subtree_message(&self.name, text, seconds)?,
            KeyKind::Ed25519 | KeyKind::Cosignature => checkpoint::message(text, seconds),
        };
        if !self.verifies(&message, signature) {
            return None;
        }
        if seconds == 0 {
            return Some(None);
        }
        let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
        Some(Some(Moment::from_micros(micros)))
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.kind.algorithm(), &self.key)
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[self.kind.code()], self.key.as_slice()].concat();
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
        let (code, key) = typed.split_first().ok_or(malformed("the key is empty"))?;
        let kind = KeyKind::from_code(*code).ok_or(malformed(
            "its type is unknown: 01, 04 (Ed25519) and 06 (ML-DSA-44) are known",
        ))?;
        let key = Self::of(kind, name, key)?;
        if id != format!("{:08x}", u32::from_be_bytes(key.id)) {
            return Err(malformed("the key id is not that of the name and key"));
        }
        Ok(key)
    }
}
