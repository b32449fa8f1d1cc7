//! Digests of what was asked and answered, equal at both gateways.
//!
//! What makes them equal, whatever their copies of an agreement say:
//! - The *request digest* is over the question in the words in which the consumer's gateway sends it: there it is taken after
//!   the permit has narrowed it, at the provider before. The order of the fields says nothing and is sorted away.
//! - The *response digest* is over what the provider's gateway sends, in the order in which it is sent: the records of a
//!   `get` or a `query`, each as its bytes; the verdicts of a `verify`, each as its message; the answer of a `count` as its
//!   message without `info`. The consumer takes it of what it receives, before its own agreement withholds any of it.
//! - A `get` of a record that there is not is answered: its response digest is that of no record. Every other refusal and
//!   the opening of a stream have none: 32 zero bytes.
//! - The *outcome* is the provider's, as its leaf has it. The consumer's own leaf may have another, where it withheld an
//!   answer; and where no proven answer came, the consumer's `no-answer` is all that there is.
//!
//! Of a stream the openings always agree. The ends agree when the provider's reached the consumer; a stream that the
//! consumer cuts short, or that is lost on the way, ends at each gateway with what it had sent or received by then.

use std::fmt;

use aws_lc_rs::digest;

use super::leaf::Outcome;
use super::merkle;
use super::merkle::Hash;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::registry::Digest;

/// SHA-256 over a tag and length-prefixed parts: no two lists of parts give the same input.
#[derive(Clone)]
pub struct Lp(digest::Context);

impl Lp {
    /// Begins a digest of its own kind, e.g. `landbridge.request.v1`; a zero byte ends the tag.
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
        merkle::to_hash(&self.0.finish())
    }
}

/// LP(part): its length as a big-endian u16, then its bytes. 65,535 bytes and more are stood in for by 0xffff and their
/// SHA-256.
pub(super) fn length_prefixed(part: &[u8], mut update: impl FnMut(&[u8])) {
    match u16::try_from(part.len()) {
        Ok(length) if length < u16::MAX => {
            update(&length.to_be_bytes());
            update(part);
        }
        _ => {
            update(&u16::MAX.to_be_bytes());
            update(&merkle::sha256(&[part]));
        }
    }
}

impl fmt::Debug for Lp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lp(..)")
    }
}

/// What both gateways say of an exchange. The nonce keeps the digest from being guessed by who sees leaves only.
#[derive(Clone, Copy)]
pub struct ExchangeStatement<'a> {
    pub exchange: &'a ExchangeId,
    /// Chosen by the consumer's gateway.
    pub nonce: &'a [u8; 32],
    pub consumer: &'a DepartmentId,
    pub provider: &'a DepartmentId,
    pub record_type: &'a RecordType,
    pub purpose: &'a Purpose,
    /// The provider's, so that both sides can agree on it.
    pub outcome: Outcome,
    pub request: &'a Digest,
    /// Zero when there was no answer.
    pub response: &'a Digest,
}

impl ExchangeStatement<'_> {
    /// `SHA-256("landbridge.exchange.v1\0" || id || nonce || LP(consumer) || LP(provider) || LP(record type) ||
    /// LP(purpose) || u8 outcome || request digest || response digest)`.
    pub fn digest(&self) -> Digest {
        Lp::new("landbridge.exchange.v1")
            .fixed(self.exchange.bytes())
            .fixed(self.nonce)
            .part(self.consumer.as_str())
            .part(self.provider.as_str())
            .part(self.record_type.as_str())
            .part(self.purpose.as_str())
            .fixed(&[self.outcome.code()])
            .fixed(self.request)
            .fixed(self.response)
            .finish()
    }
}

impl fmt::Debug for ExchangeStatement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExchangeStatement({})", self.exchange)
    }
}

/// Binds a record to its leaf; the salt keeps a short record from being guessed, also after its erasure.
pub(super) fn record_commitment(salt: &[u8; 32], record: &[u8]) -> Hash {
    merkle::sha256_of(&[b"landbridge.record.v1\0".as_slice(), salt, record].concat())
}

#[cfg(test)]
mod tests;
