//! TLS to a PostgreSQL server, as the URL's `sslmode` demands it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use rustls::CertificateError;
use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use tokio_rustls::TlsConnector;

use crate::identity::material;
use crate::source::sql::address::TlsMode;
use crate::source::sql::address::TlsOptions;

/// The CAs that Debian trusts.
const SYSTEM_CAS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Reads the files that the options name.
pub(super) fn connector(
    options: &TlsOptions,
) -> Result<TlsConnector, Box<dyn Error + Send + Sync>> {
    let provider = material::provider();
    let is_checked = match options.mode {
        TlsMode::Disable | TlsMode::Prefer => false,
        // As libpq has it: who names the CAs means them to be heeded.
        TlsMode::Require => options.roots.is_some(),
        TlsMode::VerifyCa | TlsMode::VerifyFull => true,
    };
    let chain = if is_checked {
        let roots = options.roots.as_deref().unwrap_or(Path::new(SYSTEM_CAS));
        Some(WebPkiServerVerifier::builder_with_provider(
            Arc::new(read_roots(roots)?),
            Arc::clone(&provider),
        ))
    } else {
        None
    };
    let verifier = Verifier {
        chain: chain.map(|chain| chain.build()).transpose()?,
        heeds_name: options.mode == TlsMode::VerifyFull,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match (&options.certificate, &options.key) {
        (Some(certificate), Some(key)) => {
            let chain = CertificateDer::pem_file_iter(certificate)?;
            let chain = chain.collect::<Result<_, _>>()?;
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key)?)?
        }
        _ => config.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn read_roots(path: &Path) -> Result<RootCertStore, Box<dyn Error + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

/// Checks as much of a server's certificate as was asked for.
#[derive(Debug)]
struct Verifier {
    /// `None` lets every certificate pass.
    chain: Option<Arc<WebPkiServerVerifier>>,
    heeds_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is the last to be looked at.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.heeds_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
