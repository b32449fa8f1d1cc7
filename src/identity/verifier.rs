//! Judges the other end of one connection, within its handshake.

use std::sync::Arc;
use std::sync::OnceLock;

use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;

use crate::clock::Moment;
use crate::identity::directory::Directory;
use crate::identity::refusal;
use crate::identity::refusal::Ground;
use crate::identity::refusal::TrustRefusal;
use crate::identity::spiffe::Holder;
use crate::identity::spiffe::SpiffeId;
use crate::identity::trust::End;
use crate::identity::trust::Trust;
use crate::name::DepartmentId;

/// Who the other end must be.
#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// At the systems door: a system of this department.
    SystemOf(DepartmentId),
    /// At the peers door: any department of the directory but this one.
    PeerOf(DepartmentId, Arc<Directory>),
    /// Dialled: this department of the directory.
    Member(DepartmentId, Arc<Directory>),
    /// Dialled by one of its systems: this department.
    GatewayOf(DepartmentId),
}

impl Expected {
    fn end(&self) -> End {
        match self {
            Self::SystemOf(_) | Self::PeerOf(..) => End::Client,
            Self::Member(..) | Self::GatewayOf(_) => End::Server,
        }
    }

    /// Whose chain it is, if it is one that is expected here.
    pub(super) fn judge(
        &self,
        trust: &Trust,
        chain: &[CertificateDer<'_>],
        now: Moment,
    ) -> Result<SpiffeId, TrustRefusal> {
        let id = trust.judge(chain, self.end(), now)?;
        match self.check(&id) {
            Ok(()) => Ok(id),
            Err(ground) => Err(TrustRefusal::of(ground, Some(id))),
        }
    }

    fn check(&self, id: &SpiffeId) -> Result<(), Ground> {
        match (self, id.holder()) {
            (Self::SystemOf(own), Holder::System(department, _)) => same(own, department),
            (Self::SystemOf(_), Holder::Department(_)) => Err(Ground::DepartmentForSystem),
            (Self::PeerOf(own, _), Holder::Department(department)) if own == department => {
                Err(Ground::OwnDepartment)
            }
            (Self::PeerOf(_, directory), Holder::Department(department)) => {
                check_listed(directory, department)
            }
            (Self::Member(expected, directory), Holder::Department(department)) => {
                same(expected, department)?;
                check_listed(directory, department)
            }
            (Self::GatewayOf(own), Holder::Department(department)) => same(own, department),
            (_, Holder::System(..)) => Err(Ground::SystemForDepartment),
        }
    }
}

fn same(expected: &DepartmentId, found: &DepartmentId) -> Result<(), Ground> {
    if expected == found {
        return Ok(());
    }
    Err(Ground::WrongDepartment {
        expected: expected.clone(),
        found: found.clone(),
    })
}

fn check_listed(directory: &Directory, department: &DepartmentId) -> Result<(), Ground> {
    match directory.department(department) {
        Some(_) => Ok(()),
        None => Err(Ground::NotInDirectory(department.clone())),
    }
}

/// The verifier of one handshake. Made for it alone, so that its verdict is that of this connection.
///
/// TLS sends the certificate first and the proof of its key after it. A certificate that names its holder is judged
/// when it comes and refused only once the key is proved, since a certificate is public: whoever has seen one could
/// otherwise have its holder put on record. rustls asks for the proof in every full handshake, and there are no others
/// here (no tickets, no session store).
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Arc<Trust>,
    expected: Expected,
    /// Of the certificate as it came, when it names its holder.
    presented: OnceLock<Result<SpiffeId, TrustRefusal>>,
    verdict: OnceLock<Result<SpiffeId, TrustRefusal>>,
}

impl Verifier {
    pub(super) fn new(trust: Arc<Trust>, expected: Expected) -> Arc<Self> {
        Arc::new(Self {
            trust,
            expected,
            presented: OnceLock::new(),
            verdict: OnceLock::new(),
        })
    }

    /// Who the other end has proved to be, after the handshake.
    pub(super) fn admitted(&self) -> Result<SpiffeId, TrustRefusal> {
        let unproved = || Err(TrustRefusal::of_nobody(Ground::KeyNotProved));
        self.verdict.get().cloned().unwrap_or_else(unproved)
    }

    /// Why the handshake failed, if for want of trust.
    pub(super) fn refusal(&self) -> Option<&TrustRefusal> {
        self.verdict.get()?.as_ref().err()
    }

    fn certificate(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let chain: Vec<_> = std::iter::once(leaf)
            .chain(intermediates)
            .cloned()
            .collect();
        match self
            .expected
            .judge(&self.trust, &chain, refusal::moment(now))
        {
            Err(refusal) if refusal.identified().is_none() => self.refuse(refusal),
            judged => {
                self.presented.get_or_init(|| judged);
                Ok(())
            }
        }
    }

    fn proof(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = self.trust.algorithms();
        let proved =
            rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms);
        match (proved, self.presented.get()) {
            (Ok(proved), Some(Ok(id))) => {
                self.verdict.get_or_init(|| Ok(id.clone()));
                Ok(proved)
            }
            (Ok(_), Some(Err(refusal))) => self.refuse(refusal.clone()),
            (_, _) => self.refuse(TrustRefusal::of_nobody(Ground::KeyNotProved)),
        }
    }

    fn refuse<T>(&self, refusal: TrustRefusal) -> Result<T, rustls::Error> {
        let alert = refusal.alert();
        self.verdict.get_or_init(|| Err(refusal));
        Err(alert)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms().supported_schemes()
    }
}

const NO_TLS12: rustls::Error =
    rustls::Error::PeerIncompatible(rustls::PeerIncompatible::Tls12NotOffered);

impl ClientCertVerifier for Verifier {
    /// None: a client with another CA's certificate is to show it, so that it is refused for that.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.certificate(end_entity, intermediates, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(NO_TLS12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.proof(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ServerCertVerifier for Verifier {
    /// The name that was dialled is an address, not an identity: it is not compared.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.certificate(end_entity, intermediates, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(NO_TLS12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.proof(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
