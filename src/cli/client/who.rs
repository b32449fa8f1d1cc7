//! Whose certificate a file holds: it says of which federation and department the asker is.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use webpki::EndEntityCert;

use crate::cli::exit::Failure;
use crate::fault::Fault;
use crate::identity::spiffe::SpiffeId;

/// Reads the one SPIFFE id of a certificate. Nothing is verified: [`Material`](crate::identity::material::Material)
/// does that, against the domain that stands here.
pub(super) fn holder(path: &Path) -> Result<SpiffeId, Failure> {
    read(path).map_err(|message| {
        let file = path.display().to_string();
        Failure::Faults(vec![Fault {
            file,
            line: 0,
            column: 0,
            key: String::new(),
            message,
        }])
    })
}

fn read(path: &Path) -> Result<SpiffeId, String> {
    let certificate = CertificateDer::from_pem_file(path)
        .map_err(|error| format!("no certificate can be read from this PEM file: {error}"))?;
    let certificate = EndEntityCert::try_from(&certificate)
        .map_err(|error| format!("the certificate cannot be read: {error}"))?;
    let mut names = certificate.valid_uri_names();
    match (names.next(), names.next()) {
        (Some(name), None) => name.parse().map_err(|error| format!("the certificate's URI name: {error}")),
        (None, _) => Err("the certificate has no URI name: a system's says `spiffe://<trust domain>/department/<id>/system/<name>`".to_owned()),
        (Some(_), Some(_)) => Err("the certificate has several URI names, and must have one".to_owned()),
    }
}
