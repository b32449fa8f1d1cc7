//! Reads the CA bundle and the revocation lists.

use std::path::Path;
use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;
use webpki::OwnedCertRevocationList;

use crate::clock::Moment;
use crate::fault::Fault;
use crate::identity::der;
use crate::identity::der::Validity;
use crate::identity::pem;
use crate::identity::pem::fault;
use crate::identity::refusal;
use crate::identity::refusal::day;
use crate::identity::trust::List;
use crate::identity::trust::Root;

pub(super) fn roots(
    path: &Path,
    now: Moment,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Fault>,
) -> Vec<Root> {
    let certificates = match pem::certificates(path) {
        Ok(certificates) => certificates,
        Err(fault) => {
            faults.push(fault);
            return Vec::new();
        }
    };
    let mut roots = Vec::new();
    let mut ended = Vec::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let number = index + 1;
        match root(path, certificate) {
            None => faults.push(fault(path, format!(
                "certificate {number} is not a CA's: this file holds only the CAs that issue the certificates of others"
            ))),
            Some(root) => {
                if let Err(ground) = root.validity.at(now) {
                    ended.push(fault(path, format!(
                        "CA certificate {number} is not in force ({ground}): replace it by the CA's present one"
                    )));
                }
                roots.push(root);
            }
        }
    }
    // A bundle keeps the old root for a while after a change of roots.
    if ended.len() < roots.len() {
        warnings.append(&mut ended);
    } else {
        faults.append(&mut ended);
    }
    roots
}

fn root(file: &Path, certificate: &CertificateDer<'_>) -> Option<Root> {
    let validity = der::certificate(certificate)?;
    let anchor = webpki::anchor_from_trusted_cert(certificate)
        .ok()?
        .to_owned();
    is_ca(certificate, validity).then(|| Root {
        file: file.to_owned(),
        anchor,
        validity,
    })
}

/// webpki tells a CA's certificate only by refusing it at the end of a chain, right after looking at the dates.
fn is_ca(certificate: &CertificateDer<'_>, validity: Validity) -> bool {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return false;
    };
    let usage = webpki::KeyUsage::client_auth();
    let at = refusal::unix(validity.from);
    let refused = certificate.verify_for_usage(&[], &[], &[], at, usage, None, None);
    matches!(refused.err(), Some(webpki::Error::CaUsedAsEndEntity))
}

pub(super) fn revocation_lists(
    paths: &[PathBuf],
    now: Moment,
    faults: &mut Vec<Fault>,
) -> Vec<List> {
    let mut lists = Vec::new();
    for path in paths {
        match pem::revocation_lists(path) {
            Err(fault) => faults.push(fault),
            Ok(ders) => {
                for der in ders {
                    match list(path, &der) {
                        Ok(list) => lists.push(list),
                        Err(fault) => faults.push(fault),
                    }
                }
            }
        }
    }
    lists.sort_by_key(|list| std::cmp::Reverse(list.validity.from));
    for (index, list) in lists.iter().enumerate() {
        let newer = lists.iter().take(index);
        let superseded = newer
            .clone()
            .any(|newer| newer.list.issuer() == list.list.issuer());
        if !superseded && now >= list.validity.until {
            faults.push(fault(&list.file, format!(
                "the revocation list expired on {}: fetch the CA's present one (a development CA makes it with `landbridge pki crl`)",
                day(&list.validity.until)
            )));
        }
    }
    lists
}

fn list(file: &Path, der: &[u8]) -> Result<List, Fault> {
    let list = OwnedCertRevocationList::from_der(der)
        .map_err(|error| fault(file, format!("the revocation list cannot be used: {error}")))?;
    let validity =
        der::revocation_list(der).ok_or_else(|| fault(file, "the revocation list has no dates"))?;
    Ok(List {
        file: file.to_owned(),
        list: list.into(),
        validity,
    })
}
