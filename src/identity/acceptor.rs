//! The listening side of a door: handshakes, and what a reload does to them.

#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::clock::Clock;
use crate::identity::Door;
use crate::identity::HTTP2;
use crate::identity::connections::Connections;
use crate::identity::connections::CutConnection;
use crate::identity::connections::RejudgeScope;
use crate::identity::directory::Directory;
use crate::identity::link::Link;
use crate::identity::material;
use crate::identity::material::Expiry;
use crate::identity::material::Material;
use crate::identity::network::Network;
use crate::identity::peer::Peer;
use crate::identity::refusal::Ground;
use crate::identity::refusal::TrustRefusal;
use crate::identity::socket::Socket;
use crate::identity::strangers::Place;
use crate::identity::strangers::Strangers;
use crate::identity::tls_error;
use crate::identity::turns::Turns;
use crate::identity::verifier::Expected;
use crate::identity::verifier::Verifier;

/// How much of a door one may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptLimits {
    /// Connections at a time whose other ends are known.
    pub connections: usize,
    /// Connections at a time that have not shown who they are; and as many again from where others were let in.
    pub strangers: usize,
    /// From the connection to the end of the handshake, and from there to the first of HTTP/2.
    pub handshake: Duration,
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            strangers: 1024,
            handshake: Duration::from_secs(5),
        }
    }
}

/// Lets in whom a door is for.
#[derive(Debug)]
pub struct Acceptor {
    door: Door,
    limits: AcceptLimits,
    clock: Clock,
    /// Swapped whole at a reload; a handshake keeps the one it began with.
    shown: ArcSwap<TlsState>,
    connections: Arc<Connections>,
    strangers: Arc<Strangers>,
    turns: Arc<Turns>,
}

#[derive(Debug)]
struct TlsState {
    material: Material,
    expected: Expected,
}

/// A connection that was not let in.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeRefused {
    #[error("every connection that the door allows is in use")]
    TooManyConnections,
    #[error("the other end has its share of the door's connections")]
    OverShare,
    #[error("another connection took its place before the handshake was done")]
    Displaced,
    #[error("the handshake was not done in {} seconds", .0.as_secs_f32())]
    Late(Duration),
    #[error("the other end is not trusted")]
    Untrusted(#[source] TrustRefusal),
    /// Not TLS 1.3, not HTTP/2, or gone before the end.
    #[error("the handshake failed")]
    Failed(#[source] io::Error),
}

impl HandshakeRefused {
    /// The stable name of the ground, as journals and metrics have it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooManyConnections => "TOO_MANY_CONNECTIONS",
            Self::OverShare => "OVER_FAIR_SHARE",
            Self::Displaced => "DISPLACED",
            Self::Late(_) => "HANDSHAKE_TIMEOUT",
            Self::Untrusted(refusal) => refusal.reason(),
            Self::Failed(_) => "HANDSHAKE_FAILED",
        }
    }

    /// What a journal entry needs: there is one for each refusal of a holder who is known.
    pub fn trust(&self) -> Option<&TrustRefusal> {
        match self {
            Self::Untrusted(refusal) => Some(refusal),
            Self::TooManyConnections
            | Self::OverShare
            | Self::Displaced
            | Self::Late(_)
            | Self::Failed(_) => None,
        }
    }
}

impl Acceptor {
    /// The door of the department whose certificate the material is.
    pub fn new(
        door: Door,
        material: Material,
        directory: Arc<Directory>,
        limits: AcceptLimits,
        clock: Clock,
    ) -> Self {
        Self {
            door,
            limits,
            clock,
            shown: ArcSwap::from_pointee(TlsState::new(door, material, directory)),
            connections: Connections::new(limits.connections),
            strangers: Strangers::new(limits.strangers),
            turns: Turns::new(half_of_the_processors()),
        }
    }

    pub fn door(&self) -> Door {
        self.door
    }

    /// A place for a connection that has come, whoever it is. May cost another stranger its own.
    pub fn welcome(&self, from: IpAddr) -> Place {
        self.strangers.enter(Network::of(from))
    }

    /// Closes the connection of one stranger, so that there is a file handle for the next.
    pub fn displace(&self) {
        self.strangers.displace();
    }

    /// Takes a connection through its handshake. Dropping the [`Link`] closes it.
    pub async fn accept(&self, tcp: TcpStream, mut place: Place) -> Result<Link, HandshakeRefused> {
        // Small messages both ways: without it each waits 40 ms for the other's acknowledgement.
        tcp.set_nodelay(true).map_err(HandshakeRefused::Failed)?;
        let shown = self.shown.load_full();
        let verifier = Verifier::new(Arc::clone(shown.material.trust()), shown.expected.clone());
        let config = self.config(&shown, &verifier)?;

        let socket = Socket::in_turn(tcp, &self.turns, place.network(), place.is_known());
        let handshake = TlsAcceptor::from(Arc::new(config)).accept(socket);
        let in_time = tokio::select! {
            // First, so that nothing is computed for one whose place is gone.
            biased;
            () = place.lost() => return Err(HandshakeRefused::Displaced),
            in_time = timeout(self.limits.handshake, handshake) => in_time,
        };
        let tls = in_time
            .map_err(|_| HandshakeRefused::Late(self.limits.handshake))?
            .map_err(|error| handshake_error(&verifier, error))?;
        self.admit(tls, &verifier, place, &shown)
    }

    /// Shows another certificate and judges by another trust from now on, also the connections there are. Blocks for
    /// about a tenth of a millisecond a connection.
    pub fn reload(&self, material: Material, directory: Arc<Directory>) -> Vec<CutConnection> {
        // The order matters: see `Connections::register`.
        self.shown
            .store(Arc::new(TlsState::new(self.door, material, directory)));
        self.rejudge(RejudgeScope::All)
    }

    /// Judges connections again: certificates and revocation lists also end without a reload.
    pub fn rejudge(&self, whom: RejudgeScope) -> Vec<CutConnection> {
        let (shown, now) = (self.shown.load_full(), self.clock.now());
        self.connections
            .judge_again(whom, now, |peer| self.judge(&shown, peer))
    }

    /// When the certificate that it shows, its CAs and its revocation lists end.
    pub fn expiries(&self) -> Vec<Expiry> {
        self.shown.load().material.expiries().to_vec()
    }

    /// Who is connected now.
    pub fn peers(&self) -> Vec<Peer> {
        self.connections.peers()
    }

    fn config(
        &self,
        shown: &TlsState,
        verifier: &Arc<Verifier>,
    ) -> Result<ServerConfig, HandshakeRefused> {
        let mut config =
            ServerConfig::builder_with_details(material::provider(), Arc::new(self.clock.clone()))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .map_err(|error| HandshakeRefused::Failed(io::Error::other(error)))?
                .with_client_cert_verifier(Arc::clone(verifier) as _)
                .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown.material.key())));
        config.alpn_protocols = vec![HTTP2.to_vec()];
        // A resumed session never meets the verifier.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(config)
    }

    fn admit(
        &self,
        mut tls: TlsStream<Socket>,
        verifier: &Verifier,
        place: Place,
        shown: &Arc<TlsState>,
    ) -> Result<Link, HandshakeRefused> {
        let id = verifier.admitted().map_err(HandshakeRefused::Untrusted)?;
        tls.get_mut().0.open();
        place.leave_as_acquaintance();
        let slot = self
            .connections
            .slot()
            .ok_or(HandshakeRefused::TooManyConnections)?;
        let slot = slot.held_by(&id).ok_or(HandshakeRefused::OverShare)?;
        let peer = Peer::new(id, self.connections.next_number(), tls.get_ref().1);
        let registration = self.connections.register(peer.clone(), slot);
        let now_shown = self.shown.load_full();
        if !Arc::ptr_eq(&now_shown, shown) {
            self.judge(&now_shown, &peer)
                .map_err(HandshakeRefused::Untrusted)?;
        }
        Ok(Link::new(tls, peer, registration).beginning_within(self.limits.handshake))
    }

    fn judge(&self, shown: &TlsState, peer: &Peer) -> Result<(), TrustRefusal> {
        let trust = shown.material.trust();
        shown
            .expected
            .judge(trust, peer.chain(), self.clock.now())?;
        Ok(())
    }
}

impl TlsState {
    fn new(door: Door, material: Material, directory: Arc<Directory>) -> Self {
        let own = material.id().department().clone();
        let expected = match door {
            Door::Systems => Expected::SystemOf(own),
            Door::Peers => Expected::PeerOf(own, directory),
        };
        Self { material, expected }
    }
}

/// The rest is for those who are known.
fn half_of_the_processors() -> usize {
    thread::available_parallelism().map_or(1, |all| NonZero::get(all).div_ceil(2))
}

fn handshake_error(verifier: &Verifier, error: io::Error) -> HandshakeRefused {
    if let Some(refusal) = verifier.refusal() {
        return HandshakeRefused::Untrusted(refusal.clone());
    }
    match tls_error::tls(&error) {
        Some(rustls::Error::NoCertificatesPresented) => {
            HandshakeRefused::Untrusted(TrustRefusal::of_nobody(Ground::NoCertificate))
        }
        _ => HandshakeRefused::Failed(error),
    }
}
