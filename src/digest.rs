//! SHA-256: digests as people read them, the hash of a transcript of many parts, the commitment to a record.

use std::fmt;

use aws_lc_rs::digest;

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// A digest as people read it: in lower-case hexadecimal.
pub fn hex(digest: &[u8]) -> String {
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// Reads a digest in lower-case hexadecimal.
pub fn digest_of(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    (hex(&digest) == text).then_some(digest)
}

pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    to_hash(&context.finish())
}

/// As [`sha256`] of what lies together already: a third faster than feeding it in parts.
pub(crate) fn sha256_of(input: &[u8]) -> Digest {
    to_hash(&digest::digest(&digest::SHA256, input))
}

pub(crate) fn to_hash(digest: &digest::Digest) -> Digest {
    // Only SHA-256 is used, so the length always fits; a zero hash would verify nothing.
    digest.as_ref().try_into().unwrap_or([0; 32])
}

/// SHA-256 over a tag and length-prefixed parts: no two lists of parts give the same input.
#[derive(Clone)]
pub struct TranscriptHash(digest::Context);

impl TranscriptHash {
    /// Begins a digest of its own kind, e.g. `landbridge.question.v2`; a zero byte ends the tag.
    pub fn new(tag: &'static str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(tag.as_bytes());
        context.update(&[0]);
        Self(context)
    }

    /// A part of any length, as `length_prefixed` gives it.
    pub fn part(mut self, part: impl AsRef<[u8]>) -> Self {
        self.add(part);
        self
    }

    /// As [`part`](Self::part), to a digest that grows for as long as an answer does.
    pub fn add(&mut self, part: impl AsRef<[u8]>) {
        length_prefixed(part.as_ref(), |bytes| self.0.update(bytes));
    }

    /// A list: how many parts, then each.
    pub fn parts<P: AsRef<[u8]>>(self, parts: impl ExactSizeIterator<Item = P>) -> Self {
        let counted = self.number(parts.len() as u64);
        parts.fold(counted, Self::part)
    }

    /// A number, as a big-endian u64.
    pub fn number(self, number: u64) -> Self {
        self.fixed(&number.to_be_bytes())
    }

    /// Bytes whose number the kind of digest fixes.
    pub fn fixed<const N: usize>(mut self, bytes: &[u8; N]) -> Self {
        self.0.update(bytes);
        self
    }

    pub fn finish(self) -> Digest {
        to_hash(&self.0.finish())
    }
}

/// LP(part): its length as a big-endian u16, then its bytes. 65,535 bytes and more are stood in for by 0xffff and their
/// SHA-256.
pub(crate) fn length_prefixed(part: &[u8], mut update: impl FnMut(&[u8])) {
    match u16::try_from(part.len()) {
        Ok(length) if length < u16::MAX => {
            update(&length.to_be_bytes());
            update(part);
        }
        _ => {
            update(&u16::MAX.to_be_bytes());
            update(&sha256(&[part]));
        }
    }
}

impl fmt::Debug for TranscriptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TranscriptHash(..)")
    }
}

/// Binds a record to its leaf; the salt keeps a short record from being guessed, also after its erasure.
pub(crate) fn record_commitment(salt: &[u8; 32], record: &[u8]) -> Digest {
    sha256_of(&[b"landbridge.record.v1\0".as_slice(), salt, record].concat())
}

#[cfg(test)]
mod tests;
