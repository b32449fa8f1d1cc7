//! The leaf: what the Merkle tree holds of an entry, 144 bytes without personal data.

use crate::digest::sha256;
use crate::digest::sha256_of;
use uuid::Uuid;

use crate::clock::Moment;
use crate::name::ExchangeId;
use crate::tlog::merkle::Hash;

pub const LEAF_BYTES: usize = 144;
const MAGIC: [u8; 4] = *b"LBJ1";
const NO_PEER_INDEX: u64 = u64::MAX;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $word:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The byte in the leaf.
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            pub fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The word that people read and type.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

codes! {
    /// What an entry records.
    Kind {
        Exchange = 1, "exchange";
        /// A streamed exchange begins; a stream end follows, however it ends.
        Intent = 2, "intent";
        Reconciliation = 3, "reconciliation";
        /// Somebody read the journal.
        Access = 4, "access";
        Policy = 6, "policy";
        Heartbeat = 9, "heartbeat";
        StreamEnd = 10, "stream-end";
        Erasure = 11, "erasure";
        /// A connection that was turned away though its holder could be identified.
        Connection = 12, "connection";
        /// The gateway started or stopped.
        Lifecycle = 13, "lifecycle";
        /// A revision of a package was published, taken over or refused.
        Registry = 14, "registry";
        /// A step in the course of a correction.
        Correction = 15, "correction";
    }
}

codes! {
    /// Which side of the exchange the journal's gateway was on.
    Role {
        None = 0, "none";
        Consumer = 1, "consumer";
        Provider = 2, "provider";
    }
}

codes! {
    /// How an exchange ended, as far as a leaf tells; the reason is in the record.
    Outcome {
        /// The entry is not of an exchange, or the exchange has not ended yet.
        None = 0, "none";
        Answered = 1, "answered";
        Denied = 2, "denied";
        /// The provider or its source failed.
        ProviderError = 3, "provider-error";
        NoAnswer = 4, "no-answer";
        /// The answer came without evidence that the provider logged it, and was not released.
        ReceiptRefused = 5, "receipt-refused";
        /// A stream ended before its end: the caller left, or the gateway did.
        CutShort = 6, "cut-short";
    }
}

/// The peer's entry of the same exchange, in a consumer's leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerEntry {
    /// The first 8 bytes of the SHA-256 of the peer journal's origin.
    pub log: [u8; 8],
    pub index: u64,
    pub leaf_hash: Hash,
}

/// A leaf, read or to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    pub kind: Kind,
    pub role: Role,
    pub outcome: Outcome,
    /// When it was committed. Never decreases within a journal.
    pub time: Moment,
    pub exchange: Option<ExchangeId>,
    /// Equal at both gateways; zero if the kind has none.
    pub exchange_digest: Hash,
    pub record_commitment: Hash,
    pub peer: Option<PeerEntry>,
    /// In a provider's leaf: the first 8 bytes of the SHA-256 of the origin of the journal that the consumer's gateway says
    /// it keeps. It lets journals be compared by their leaves alone.
    pub asker: Option<[u8; 8]>,
}

/// Bytes that are not a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a journal leaf: {0}")]
pub struct BadLeaf(&'static str);

impl Leaf {
    /// The layout: magic 4, kind 1, role 1, outcome 1, zero 1, time in microseconds 8, exchange id 16, exchange digest 32,
    /// record commitment 32, peer log 8, peer index 8, peer leaf hash 32; numbers big-endian. Without a peer's entry the index
    /// is 2^64-1 and the hash zero; the log then is the asker's, or zero.
    pub fn encode(&self) -> [u8; LEAF_BYTES] {
        let mut leaf = [0; LEAF_BYTES];
        leaf[..4].copy_from_slice(&MAGIC);
        leaf[4] = self.kind.code();
        leaf[5] = self.role.code();
        leaf[6] = self.outcome.code();
        leaf[8..16].copy_from_slice(&u64::try_from(self.time.micros()).unwrap_or(0).to_be_bytes());
        if let Some(exchange) = &self.exchange {
            leaf[16..32].copy_from_slice(exchange.bytes());
        }
        leaf[32..64].copy_from_slice(&self.exchange_digest);
        leaf[64..96].copy_from_slice(&self.record_commitment);
        let index = self.peer.map_or(NO_PEER_INDEX, |peer| peer.index);
        leaf[104..112].copy_from_slice(&index.to_be_bytes());
        if let Some(asker) = &self.asker {
            leaf[96..104].copy_from_slice(asker);
        }
        if let Some(peer) = &self.peer {
            leaf[96..104].copy_from_slice(&peer.log);
            leaf[112..].copy_from_slice(&peer.leaf_hash);
        }
        leaf
    }

    /// Reads a leaf that has one form only: what `encode` would write.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadLeaf> {
        let mut rest: &[u8] = bytes
            .try_into()
            .map(|leaf: &[u8; LEAF_BYTES]| leaf.as_slice())
            .map_err(|_| BadLeaf("it has not 144 bytes"))?;
        if take(&mut rest) != MAGIC {
            return Err(BadLeaf("it does not begin with `LBJ1`"));
        }
        let [kind, role, outcome, zero] = take(&mut rest);
        let mut leaf = Self {
            kind: Kind::from_code(kind).ok_or(BadLeaf("its kind is unknown"))?,
            role: Role::from_code(role).ok_or(BadLeaf("its role is unknown"))?,
            outcome: Outcome::from_code(outcome).ok_or(BadLeaf("its outcome is unknown"))?,
            time: i64::try_from(u64::from_be_bytes(take(&mut rest)))
                .map(Moment::from_micros)
                .map_err(|_| BadLeaf("its time is out of range"))?,
            exchange: parse_exchange(take(&mut rest)),
            exchange_digest: take(&mut rest),
            record_commitment: take(&mut rest),
            peer: None,
            asker: None,
        };
        let (log, index, leaf_hash) = (
            take(&mut rest),
            u64::from_be_bytes(take(&mut rest)),
            take(&mut rest),
        );
        leaf.names(log, index, leaf_hash)?;
        if zero != 0 {
            return Err(BadLeaf("its unused byte is not zero"));
        }
        Ok(leaf)
    }

    /// Reads what it says of the other side's journal.
    fn names(&mut self, log: [u8; 8], index: u64, leaf_hash: Hash) -> Result<(), BadLeaf> {
        if index != NO_PEER_INDEX {
            self.peer = Some(PeerEntry {
                log,
                index,
                leaf_hash,
            });
            return Ok(());
        }
        if leaf_hash != [0; 32] || (log != [0; 8] && self.role != Role::Provider) {
            return Err(BadLeaf("it names a peer's leaf without its index"));
        }
        self.asker = (log != [0; 8]).then_some(log);
        Ok(())
    }
}

/// The hash of a leaf in the tree: over its exact bytes.
pub fn leaf_hash(leaf: &[u8; LEAF_BYTES]) -> Hash {
    let mut input = [0; 1 + LEAF_BYTES];
    input[1..].copy_from_slice(leaf);
    sha256_of(&input)
}

/// How a leaf names a peer's journal.
pub(crate) fn log_id(origin: &str) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = sha256(&[origin.as_bytes()]);
    [a, b, c, d, e, f, g, h]
}

fn parse_exchange(bytes: [u8; 16]) -> Option<ExchangeId> {
    (bytes != [0; 16]).then(|| ExchangeId::new(Uuid::from_bytes(bytes)))
}

/// The next `N` bytes; zeros beyond the end, which the fixed length of a leaf rules out.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let Some((first, rest)) = bytes.split_first_chunk::<N>() else {
        return [0; N];
    };
    *bytes = rest;
    *first
}

#[cfg(test)]
mod tests;
