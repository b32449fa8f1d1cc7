//! The other end of one live connection.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::CommonState;
use rustls::pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use crate::clock::Moment;
use crate::identity::Caller;
use crate::identity::der;
use crate::identity::spiffe::SpiffeId;

/// Who is there. Cheap to clone: each request carries it.
#[derive(Debug, Clone)]
pub struct Peer {
    shown: Arc<PeerData>,
    cancelled: CancellationToken,
}

#[derive(Debug)]
struct PeerData {
    id: SpiffeId,
    connection: u64,
    chain: Vec<CertificateDer<'static>>,
    fingerprint: Fingerprint,
    /// When the first certificate of the chain ends.
    until: Option<Moment>,
    key_exchange: &'static str,
}

/// SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` has it, without the colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Peer {
    pub(super) fn new(id: SpiffeId, connection: u64, tls: &CommonState) -> Self {
        let chain = tls.peer_certificates().unwrap_or_default().to_vec();
        let leaf = chain.first().map(|leaf| leaf.as_ref()).unwrap_or_default();
        let group = tls.negotiated_key_exchange_group();
        Self {
            shown: Arc::new(PeerData {
                id,
                connection,
                fingerprint: Fingerprint::of(leaf),
                key_exchange: group
                    .and_then(|group| group.name().as_str())
                    .unwrap_or("unknown"),
                until: chain
                    .iter()
                    .filter_map(|link| Some(der::certificate(link)?.until))
                    .min(),
                chain,
            }),
            cancelled: CancellationToken::new(),
        }
    }

    pub fn id(&self) -> &SpiffeId {
        &self.shown.id
    }

    /// The number of the connection: unique for its door, or for the connector, until the gateway stops.
    pub fn connection(&self) -> u64 {
        self.shown.connection
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.shown.fingerprint
    }

    /// The TLS name of the key exchange, e.g. `X25519MLKEM768`.
    pub fn key_exchange(&self) -> &'static str {
        self.shown.key_exchange
    }

    /// Cancelled when the peer is no longer trusted. What is in progress then ends with a proper status within
    /// [`GRACE`](super::link::GRACE), after which the connection is closed under it.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Whether a certificate that it showed has ended.
    pub(super) fn has_ended(&self, now: Moment) -> bool {
        self.shown.until.is_some_and(|until| until < now)
    }

    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.shown.chain
    }
}

impl From<&Peer> for Caller {
    fn from(peer: &Peer) -> Self {
        Self {
            department: peer.id().department().clone(),
            system: peer.id().system().cloned(),
            cut: peer.cancelled.clone(),
        }
    }
}

impl Fingerprint {
    fn of(certificate: &[u8]) -> Self {
        let mut bytes = [0; 32];
        let digest = digest::digest(&digest::SHA256, certificate);
        bytes
            .iter_mut()
            .zip(digest.as_ref())
            .for_each(|(to, from)| *to = *from);
        Self(bytes)
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
