//! Reads the CA bundle and the revocation lists.

use std::path::Path;
use std::path::PathBuf;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::TrustAnchor;
use webpki::CertRevocationList;
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
    let mut useless = Vec::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let number = index + 1;
        match root(path, certificate) {
            None if der::is_version_1(certificate) => faults.push(fault(path, format!(
                "certificate {number} is of version 1, which does not say that it is a CA's: have the CA's certificate issued as version 3 (`openssl req -x509` does), with the same name and key"
            ))),
            None => faults.push(fault(path, format!(
                "certificate {number} is not a CA's: this file holds only the CAs that issue the certificates of others"
            ))),
            Some(root) => {
                let why = match root.validity.at(now) {
                    Err(ground) => Some(format!(
                        "is not in force ({ground}): replace it by the CA's present one"
                    )),
                    Ok(()) if constrains_uris(&root.anchor) => Some(
                        "constrains names (nameConstraints) in a way that cannot be judged here, for URIs or directory names, so that every certificate that it issued is refused: have the CA's certificate issued without them, with the same name and key".to_owned(),
                    ),
                    Ok(()) => None,
                };
                useless.extend(why.map(|why| fault(path, format!("CA certificate {number} {why}"))));
                roots.push(root);
            }
        }
    }
    // A bundle keeps the old root for a while after a change of roots.
    if useless.len() < roots.len() {
        warnings.append(&mut useless);
    } else {
        faults.append(&mut useless);
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

/// webpki refuses what it cannot judge, and every certificate here has a URI and a directory name.
fn constrains_uris(anchor: &TrustAnchor<'_>) -> bool {
    const DIRECTORY_NAME: u8 = 0xa4;
    const URI: u8 = 0x86;
    let constraints = anchor.name_constraints.as_deref().unwrap_or_default();
    let kinds = der::constrained_names(constraints);
    kinds.contains(&URI) || kinds.contains(&DIRECTORY_NAME)
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
    roots: &[Root],
    algorithms: WebPkiSupportedAlgorithms,
    now: Moment,
    faults: &mut Vec<Fault>,
) -> Vec<List> {
    let mut lists = Vec::new();
    for path in paths {
        match pem::revocation_lists(path) {
            Err(fault) => faults.push(fault),
            Ok(ders) => {
                for der in ders {
                    match list(path, &der, roots, algorithms) {
                        Ok(list) => lists.push(list),
                        Err(fault) => faults.push(fault),
                    }
                }
            }
        }
    }
    // Within one second the number says which is newer.
    lists.sort_by(|a, b| {
        let age = |list: &List| (list.validity.from, list.number.len());
        age(b).cmp(&age(a)).then_with(|| b.number.cmp(&a.number))
    });
    for (index, list) in lists.iter().enumerate() {
        let mut newer = lists.iter().take(index);
        if now >= list.validity.until && !newer.any(|newer| newer.supersedes(list)) {
            faults.push(fault(&list.file, format!(
                "the revocation list expired on {}: fetch the CA's present one (a development CA makes it with `landbridge pki crl`)",
                day(&list.validity.until)
            )));
        }
    }
    lists
}

impl List {
    /// Whether it says all that an older one does, or what has changed since: the same key speaks of the same certificates.
    pub(super) fn supersedes(&self, older: &Self) -> bool {
        let scope = |list: &Self| list.list.issuing_distribution_point().map(<[u8]>::to_vec);
        self.list.issuer() == older.list.issuer()
            && self.signers == older.signers
            && scope(self) == scope(older)
    }
}

fn list(
    file: &Path,
    der: &[u8],
    roots: &[Root],
    algorithms: WebPkiSupportedAlgorithms,
) -> Result<List, Fault> {
    let list = OwnedCertRevocationList::from_der(der).map_err(|error| {
        // webpki cannot read one that does not even say its version.
        let error = match der::is_list_of_version_1(der) {
            true => webpki::Error::UnsupportedCrlVersion,
            false => error,
        };
        fault(file, unusable(&error))
    })?;
    let list = CertRevocationList::from(list);
    let validity =
        der::revocation_list(der).ok_or_else(|| fault(file, "the revocation list has no dates"))?;
    let is_signer = |root: &&Root| {
        *root.anchor.subject == *list.issuer() && has_signed(&root.anchor, der, algorithms)
    };
    let mut signers: Vec<_> = roots
        .iter()
        .filter(is_signer)
        .map(|root| root.anchor.subject_public_key_info.to_vec())
        .collect();
    // A renewed root has the key of the one before.
    signers.dedup();
    Ok(List {
        file: file.to_owned(),
        validity,
        number: der::list_number(der).unwrap_or_default().to_vec(),
        signers,
        list,
    })
}

/// To tell of lists that are missing or useless. Whether a list is believed is webpki's to say.
fn has_signed(anchor: &TrustAnchor<'_>, der: &[u8], algorithms: WebPkiSupportedAlgorithms) -> bool {
    let (Some(signed), Some(public)) = (
        der::signed(der),
        der::public_key(&anchor.subject_public_key_info),
    ) else {
        return false;
    };
    let mut fitting = algorithms.all.iter().filter(|algorithm| {
        algorithm.signature_alg_id().as_ref() == signed.algorithm
            && algorithm.public_key_alg_id().as_ref() == public.algorithm
    });
    fitting.any(|algorithm| {
        let verified = algorithm.verify_signature(public.key, signed.message, signed.signature);
        verified.is_ok()
    })
}

/// Why a list cannot be used, and what to have the CA do.
fn unusable(error: &webpki::Error) -> String {
    use webpki::Error as E;
    let hint = match error {
        E::UnsupportedCrlVersion => {
            "it is of version 1, which has no number; have the CA write version 2 (`openssl ca -gencrl` does with `crl_extensions` in its configuration: `authorityKeyIdentifier = keyid` and a `crlnumber` file)"
        }
        E::UnsupportedDeltaCrl => {
            "it is a delta, which has only what changed since another list; name the CA's complete list"
        }
        E::UnsupportedIndirectCrl => {
            "it is an indirect list, which speaks of the certificates of other CAs; name the list that each CA signs itself"
        }
        E::UnsupportedRevocationReasonsPartitioning => {
            "it has revocations for some reasons only; name the CA's complete list"
        }
        E::UnsupportedCrlIssuingDistributionPoint => {
            "it is for some certificates only, and does not name where it is published; name the CA's complete list"
        }
        _ => "fetch it again from the CA, or convert it with `openssl crl -inform der`",
    };
    format!("the revocation list cannot be used ({error}): {hint}")
}
