//! A federation in a folder, and raw TLS ends that show whatever a test wants.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rcgen::CertificateParams;
use rcgen::SanType;
use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::ServerConfig;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use rustls::sign::SingleCertAndKey;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::clock::Clock;
use crate::clock::Moment;
use crate::identity::Door;
use crate::identity::acceptor::AcceptLimits;
use crate::identity::acceptor::Acceptor;
use crate::identity::acceptor::HandshakeRefused;
use crate::identity::connector::Connector;
use crate::identity::directory::Directory;
use crate::identity::directory::Endpoint;
use crate::identity::link::Link;
use crate::identity::material;
use crate::identity::material::Material;
use crate::identity::material::MaterialPaths;
use crate::identity::pki::Authority;
use crate::identity::pki::Issue;
use crate::identity::pki::Term;
use crate::identity::spiffe::SpiffeId;
use crate::identity::tls_error::alert_within;
use crate::name::DepartmentId;
use crate::name::TrustDomain;

/// 1 August 2026, noon.
pub(super) const NOW: Moment = Moment::from_micros(1_785_585_600_000_000);
pub(super) const DAY: i64 = 24 * 3600;

/// The federation `gov.example` with its CA, and the CA of its department `tax`.
pub(super) struct World {
    folder: TempDir,
    pub(super) clock: Clock,
    pub(super) federation: Authority,
    pub(super) tax: Authority,
}

/// Which of the world's CAs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ca {
    Federation,
    Tax,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = |name: &str| Authority::create(&folder.path().join(name), name, NOW).unwrap();
        Self {
            federation: ca("federation"),
            tax: ca("tax"),
            clock: Clock::fixed(NOW),
            folder,
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn wait(&self, seconds: i64) {
        let Clock::Fixed(at) = &self.clock else {
            panic!("the clock of a test stands still");
        };
        at.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    pub(super) fn ca(&mut self, ca: Ca) -> &mut Authority {
        match ca {
            Ca::Federation => &mut self.federation,
            Ca::Tax => &mut self.tax,
        }
    }

    /// Good for a year.
    pub(super) fn issue(&mut self, ca: Ca, id: &str) -> Issue {
        let term = term(0, 365);
        self.ca(ca).issue(&spiffe(id), &[], term).unwrap()
    }

    pub(super) fn paths(&self, ca: Ca, issue: &Issue) -> MaterialPaths {
        let ca = match ca {
            Ca::Federation => "federation",
            Ca::Tax => "tax",
        };
        issue.save(self.folder.path(), &issue.serial).unwrap();
        MaterialPaths {
            certificate: self.path(&format!("{}.pem", issue.serial)),
            key: self.path(&format!("{}.key", issue.serial)),
            ca: self.path(ca).join("ca.pem"),
            crls: vec![self.path(ca).join("crl.pem")],
        }
    }

    pub(super) fn material(&mut self, ca: Ca, id: &str) -> Material {
        let issue = self.issue(ca, id);
        self.load(ca, &issue)
    }

    pub(super) fn load(&self, ca: Ca, issue: &Issue) -> Material {
        Material::load(&self.paths(ca, issue), &domain(), self.clock.now()).unwrap()
    }

    pub(super) fn peers_door(&mut self) -> Acceptor {
        self.peers_door_with(AcceptLimits::default())
    }

    pub(super) fn peers_door_with(&mut self, limits: AcceptLimits) -> Acceptor {
        let material = self.material(Ca::Federation, "tax");
        Acceptor::new(
            Door::Peers,
            material,
            directory(),
            limits,
            self.clock.clone(),
        )
    }

    pub(super) fn systems_door(&mut self) -> Acceptor {
        let material = self.material(Ca::Tax, "tax");
        let limits = AcceptLimits::default();
        Acceptor::new(
            Door::Systems,
            material,
            directory(),
            limits,
            self.clock.clone(),
        )
    }

    pub(super) fn civil(&mut self) -> Connector {
        let material = self.material(Ca::Federation, "civil");
        Connector::to_peers(material, directory(), self.clock.clone())
    }
}

pub(super) fn domain() -> TrustDomain {
    "gov.example".parse().unwrap()
}

pub(super) fn department(id: &str) -> DepartmentId {
    id.parse().unwrap()
}

/// `civil` or `tax/assessment`.
pub(super) fn spiffe(short: &str) -> SpiffeId {
    match short.split_once('/') {
        None => SpiffeId::department_of(domain(), department(short)),
        Some((id, system)) => {
            SpiffeId::system_of(domain(), department(id), system.parse().unwrap())
        }
    }
}

/// Days from now.
pub(super) fn term(from: i64, until: i64) -> Term {
    let day = |days: i64| Moment::from_micros(NOW.micros() + days * DAY * 1_000_000);
    Term {
        from: day(from),
        until: day(until),
    }
}

pub(super) fn directory() -> Arc<Directory> {
    directory_of(&["civil", "tax", "market"])
}

pub(super) fn directory_of(ids: &[&str]) -> Arc<Directory> {
    let entry = |id: &&str| {
        format!(
            "[[department]]\nid = \"{id}\"\nname = \"{id}\"\nendpoints = [\"localhost:8443\"]\n"
        )
    };
    let text: String = ids.iter().map(entry).collect();
    Arc::new(Directory::parse("directory.toml", &text).unwrap())
}

/// A certificate with these URI names.
pub(super) fn params(uris: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    for &uri in uris {
        params
            .subject_alt_names
            .push(SanType::URI(uri.try_into().unwrap()));
    }
    params
}

fn certified(certificate: &str, key: &str) -> Arc<SingleCertAndKey> {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = material::provider()
        .key_provider
        .load_private_key(key)
        .unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)))
}

/// A client that believes every server, and shows this certificate with this key if any.
pub(super) fn raw_client(shown: Option<(&str, &str)>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(material::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous));
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder.with_client_cert_resolver(certified(certificate, key)),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// A server that asks for no certificate.
pub(super) fn raw_server(issue: &Issue) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(material::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(certified(&issue.certificate, &issue.key));
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

pub(super) async fn listen() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap().to_string().parse().unwrap();
    (listener, endpoint)
}

pub(super) async fn raw_connect(
    client: ClientConfig,
    address: SocketAddr,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(client))
        .connect(name, tcp)
        .await
}

pub(super) async fn accept(door: &Acceptor, tcp: TcpStream) -> Result<Link, HandshakeRefused> {
    let place = door.welcome(tcp.peer_addr().unwrap().ip());
    door.accept(tcp, place).await
}

/// What a door makes of a client, and the alert that the client gets.
pub(super) async fn knock(
    door: &Acceptor,
    client: ClientConfig,
) -> (Result<Link, HandshakeRefused>, Option<&'static str>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        accept(door, tcp).await
    };
    let dial = async {
        let mut tls = match raw_connect(client, address).await {
            Ok(tls) => tls,
            Err(error) => return alert_within(&error),
        };
        // One that is let in hears nothing.
        let read = tokio::time::timeout(Duration::from_millis(100), tls.read_u8()).await;
        alert_within(&read.ok()?.err()?)
    };
    tokio::join!(serve, dial)
}

/// Both ends of a connection between gateways.
pub(super) async fn connect(door: &Acceptor, connector: &Connector) -> (Link, Link) {
    let (listener, endpoint) = listen().await;
    let to = department("tax");
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        accept(door, tcp).await.unwrap()
    };
    let (served, dialled) = tokio::join!(serve, connector.connect(&endpoint, &to));
    (served, dialled.unwrap())
}

pub(super) fn read(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        material::provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
