//! The gateway's own secret, and the keys that are derived from it.

use aws_lc_rs::aead::AES_256_GCM;
use aws_lc_rs::aead::Aad;
use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::aead::NONCE_LEN;
use aws_lc_rs::aead::Nonce;
use aws_lc_rs::aead::UnboundKey;
use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use bytes::Bytes;
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::journal::subject::SubjectKeys;
use crate::redact::PseudonymKey;

/// Pseudonyms and cursors rest on 32 random bytes, made at the first start and kept beside the journal; tags of subjects on
/// the monthly keys.
///
/// Whoever has them can link pseudonyms and tags to identifiers; whoever loses them cannot search by subject.
pub struct Secrets {
    pub subjects: SubjectKeys,
    pub pseudonyms: PseudonymKey,
    pub cursors: CursorSeal,
    /// Of the browsers that the console knows again.
    pub devices: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// The random source of the operating system failed.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

impl Secrets {
    /// The subjects' keys are not derived: each month's can be destroyed by itself.
    pub fn new(secret: &[u8; 32], subjects: SubjectKeys) -> Result<Self, NoRandomness> {
        Ok(Self {
            subjects,
            pseudonyms: PseudonymKey::from_secret(&derived(secret, "landbridge pseudonyms v1")),
            cursors: CursorSeal::new(&derived(secret, "landbridge cursors v1"))
                .ok_or(NoRandomness)?,
            devices: derived(secret, "landbridge devices v1"),
        })
    }
}

fn derived(secret: &[u8; 32], label: &str) -> Zeroizing<[u8; 32]> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, label.as_bytes());
    let mut out = Zeroizing::new([0; 32]);
    out.copy_from_slice(tag.as_ref());
    out
}

/// Random bytes for nonces.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut out = [0; N];
    rand::fill(&mut out).map_err(|_| NoRandomness)?;
    Ok(out)
}

/// Seals cursors: they hold values of records, and callers keep them.
pub struct CursorSeal(LessSafeKey);

impl std::fmt::Debug for CursorSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CursorSeal")
    }
}

impl CursorSeal {
    fn new(key: &[u8; 32]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, key)
            .ok()
            .map(|key| Self(LessSafeKey::new(key)))
    }

    /// `thread` says to which questions the position belongs.
    pub fn seal(&self, position: &[u8], thread: &Digest) -> Result<Bytes, NoRandomness> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = position.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(thread),
                &mut sealed,
            )
            .map_err(|_| NoRandomness)?;
        Ok([&nonce[..], &sealed].concat().into())
    }

    /// None for anything that this gateway did not seal, or not for such a question.
    pub fn open(&self, cursor: &[u8], thread: &Digest) -> Option<Vec<u8>> {
        let (nonce, sealed) = cursor.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let position = self
            .0
            .open_in_place(nonce, Aad::from(thread), &mut sealed)
            .ok()?;
        Some(position.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_whole_for_its_own_question_and_under_its_own_key() {
        let (seal, thread) = (CursorSeal::new(&[1; 32]).unwrap(), [3; 32]);
        let cursor = seal.seal(b"position", &thread).unwrap();
        assert_eq!(
            seal.open(&cursor, &thread).as_deref(),
            Some(&b"position"[..])
        );

        assert_eq!(seal.open(&cursor, &[4; 32]), None);
        assert_eq!(
            CursorSeal::new(&[2; 32]).unwrap().open(&cursor, &thread),
            None
        );
        assert_eq!(seal.open(&cursor[..cursor.len() - 1], &thread), None);
        assert_eq!(seal.open(b"", &thread), None);
    }
}
