//! The dialling side: gateways to peers, and systems to their own gateway.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::clock::Clock;
use crate::identity::HTTP2;
use crate::identity::connections::Connections;
use crate::identity::connections::CutConnection;
use crate::identity::connections::RejudgeScope;
use crate::identity::connections::Slot;
use crate::identity::directory::Directory;
use crate::identity::directory::Endpoint;
use crate::identity::link::Link;
use crate::identity::material;
use crate::identity::material::Material;
use crate::identity::peer::Peer;
use crate::identity::refusal::TrustRefusal;
use crate::identity::socket::Socket;
use crate::identity::tls_error;
use crate::identity::verifier::Expected;
use crate::identity::verifier::Verifier;
use crate::name::DepartmentId;

/// For the TCP connection and the handshake together.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Dials, and makes sure that the department answers that was meant.
#[derive(Debug)]
pub struct Connector {
    clock: Clock,
    /// Swapped whole at a reload.
    shown: ArcSwap<TlsState>,
    connections: Arc<Connections>,
}

#[derive(Debug)]
struct TlsState {
    material: Material,
    /// None for a system, which knows its own gateway only.
    directory: Option<Arc<Directory>>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("no gateway can be reached at {address}")]
    Unreachable {
        address: String,
        #[source]
        cause: io::Error,
    },
    #[error("no answer from {address} in {} seconds", CONNECT_DEADLINE.as_secs())]
    Late { address: String },
    #[error("the gateway at {address} is not trusted")]
    Untrusted {
        address: String,
        #[source]
        cause: TrustRefusal,
    },
    /// Most refusals come later, with the first read: see [`alert_within`](super::tls_error::alert_within).
    #[error("the gateway at {address} refused the connection: it says {alert}")]
    RefusedByPeer {
        address: String,
        alert: &'static str,
    },
    #[error("the TLS handshake with {address} failed")]
    Failed {
        address: String,
        #[source]
        cause: io::Error,
    },
}

impl Connector {
    /// Of a gateway, to the departments of the directory.
    pub fn to_peers(material: Material, directory: Arc<Directory>, clock: Clock) -> Self {
        Self::new(material, Some(directory), clock)
    }

    /// Of a system, to the gateway of its own department.
    pub fn to_own_gateway(material: Material, clock: Clock) -> Self {
        Self::new(material, None, clock)
    }

    fn new(material: Material, directory: Option<Arc<Directory>>, clock: Clock) -> Self {
        Self {
            clock,
            shown: ArcSwap::from_pointee(TlsState {
                material,
                directory,
            }),
            connections: Connections::new(usize::MAX),
        }
    }

    /// Dials an endpoint and expects that department's gateway there. The certificate is the one in force now.
    pub async fn connect(
        &self,
        endpoint: &Endpoint,
        department: &DepartmentId,
    ) -> Result<Link, ConnectError> {
        timeout(CONNECT_DEADLINE, self.dial(endpoint, department))
            .await
            .map_err(|_| ConnectError::Late {
                address: endpoint.to_string(),
            })?
    }

    /// Shows another certificate and judges by another trust from now on, also the connections there are. A directory
    /// is for connectors that had one.
    pub fn reload(
        &self,
        material: Material,
        directory: Option<Arc<Directory>>,
    ) -> Vec<CutConnection> {
        // The order matters: see `Connections::register`.
        self.shown.store(Arc::new(TlsState {
            material,
            directory,
        }));
        self.rejudge(RejudgeScope::All)
    }

    /// Judges connections again: certificates and revocation lists also end without a reload.
    pub fn rejudge(&self, whom: RejudgeScope) -> Vec<CutConnection> {
        let (shown, now) = (self.shown.load_full(), self.clock.now());
        self.connections
            .judge_again(whom, now, |peer| self.judge(&shown, peer))
    }

    /// Who is connected now.
    pub fn peers(&self) -> Vec<Peer> {
        self.connections.peers()
    }

    async fn dial(
        &self,
        endpoint: &Endpoint,
        department: &DepartmentId,
    ) -> Result<Link, ConnectError> {
        let address = || endpoint.to_string();
        let unreachable = |cause| ConnectError::Unreachable {
            address: address(),
            cause,
        };
        let failed = |cause| ConnectError::Failed {
            address: address(),
            cause,
        };
        let slot = self
            .connections
            .slot()
            .ok_or_else(|| unreachable(io::ErrorKind::QuotaExceeded.into()))?;
        let tcp = TcpStream::connect((endpoint.host(), endpoint.port()))
            .await
            .map_err(unreachable)?;
        // Without it a first call waits 40 ms for an acknowledgement (measured).
        tcp.set_nodelay(true).map_err(unreachable)?;

        let shown = self.shown.load_full();
        let verifier = Verifier::new(
            Arc::clone(shown.material.trust()),
            shown.expected(department),
        );
        let config = self.config(&shown, &verifier).map_err(failed)?;
        let name = ServerName::try_from(endpoint.host().to_owned())
            .map_err(|error| failed(io::Error::other(error)))?;
        let tls = TlsConnector::from(Arc::new(config))
            .connect(name, Socket::new(tcp))
            .await
            .map_err(|cause| connect_error(&verifier, address(), cause))?;
        self.admit(tls, &verifier, slot, &shown)
            .map_err(|cause| ConnectError::Untrusted {
                address: address(),
                cause,
            })
    }

    fn config(&self, shown: &TlsState, verifier: &Arc<Verifier>) -> io::Result<ClientConfig> {
        let mut config =
            ClientConfig::builder_with_details(material::provider(), Arc::new(self.clock.clone()))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .map_err(io::Error::other)?
                .dangerous()
                .with_custom_certificate_verifier(Arc::clone(verifier) as _)
                .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown.material.key())));
        config.alpn_protocols = vec![HTTP2.to_vec()];
        // A resumed session never meets the verifier.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn admit(
        &self,
        tls: TlsStream<Socket>,
        verifier: &Verifier,
        slot: Slot,
        shown: &Arc<TlsState>,
    ) -> Result<Link, TrustRefusal> {
        let id = verifier.admitted()?;
        let peer = Peer::new(id, self.connections.next_number(), tls.get_ref().1);
        let registration = self.connections.register(peer.clone(), slot);
        let now_shown = self.shown.load_full();
        if !Arc::ptr_eq(&now_shown, shown) {
            self.judge(&now_shown, &peer)?;
        }
        Ok(Link::new(tls, peer, registration))
    }

    fn judge(&self, shown: &TlsState, peer: &Peer) -> Result<(), TrustRefusal> {
        // Whom it was dialled as: nobody else was admitted.
        let expected = shown.expected(peer.id().department());
        expected.judge(shown.material.trust(), peer.chain(), self.clock.now())?;
        Ok(())
    }
}

impl TlsState {
    fn expected(&self, department: &DepartmentId) -> Expected {
        match &self.directory {
            Some(directory) => Expected::Member(department.clone(), Arc::clone(directory)),
            None => Expected::GatewayOf(department.clone()),
        }
    }
}

fn connect_error(verifier: &Verifier, address: String, cause: io::Error) -> ConnectError {
    if let Some(refusal) = verifier.refusal() {
        let cause = refusal.clone();
        return ConnectError::Untrusted { address, cause };
    }
    match tls_error::alert_within(&cause) {
        Some(alert) => ConnectError::RefusedByPeer { address, alert },
        None => ConnectError::Failed { address, cause },
    }
}
