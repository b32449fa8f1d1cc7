//! One certificate with its key, and the trust that goes with it, as the files give them.

use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::LazyLock;

use rustls::InconsistentKeys;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use webpki::EndEntityCert;

use crate::clock::Moment;
use crate::fault::Fault;
use crate::identity::der;
use crate::identity::der::Validity;
use crate::identity::pem;
use crate::identity::pem::fault;
use crate::identity::refusal::Ground;
use crate::identity::refusal::TrustRefusal;
use crate::identity::refusal::day;
use crate::identity::spiffe::Holder;
use crate::identity::spiffe::SpiffeId;
use crate::identity::trust::End;
use crate::identity::trust::Trust;
use crate::name::TrustDomain;

const DAY: i64 = 24 * 3600;
/// So long before its end something is told of, in seconds; what lasts for a short time only, in the last third of it.
const NOTICE: i64 = 30 * DAY;

/// TLS 1.3 suites and groups of aws-lc, the post-quantum hybrid first. Named everywhere: a process default could be
/// another library's.
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
}

/// Where the files are, all PEM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaterialPaths {
    /// The own certificate, then the intermediate ones up to the CA.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The CAs whose certificates are believed.
    pub ca: PathBuf,
    /// The revocation lists of those CAs, and of intermediate ones if there are any.
    #[serde(default)]
    pub crls: Vec<PathBuf>,
}

/// What one end of a connection shows, and whom it believes. Immutable: a reload makes another one.
#[derive(Debug, Clone)]
pub struct Material {
    id: SpiffeId,
    key: Arc<CertifiedKey>,
    trust: Arc<Trust>,
    warnings: Vec<Fault>,
    expiries: Vec<Expiry>,
}

/// When a file ceases to be worth anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    pub file: String,
    /// `certificate`, `CA certificate` or `revocation list`.
    pub what: &'static str,
    pub at: Moment,
}

impl Material {
    /// Reads the files and judges the own certificate as another end would, or reports every fault.
    ///
    /// Reads files and checks signatures: not for an async task.
    pub fn load(
        paths: &MaterialPaths,
        domain: &TrustDomain,
        now: Moment,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let trust = Trust::load(
            &paths.ca,
            &paths.crls,
            domain,
            now,
            PROVIDER.signature_verification_algorithms,
        );
        let trust = keep(trust, &mut faults);
        let chain = keep(
            pem::certificates(&paths.certificate).map_err(one),
            &mut faults,
        );
        let key = keep(pem::private_key(&paths.key).map_err(one), &mut faults);
        let (Some((trust, mut warnings)), Some(chain), Some((key, warning))) = (trust, chain, key)
        else {
            return Err(faults);
        };
        warnings.extend(warning);
        warnings.extend(ending(&trust, &chain, &paths.certificate, now));

        let id = keep(own_id(&trust, &chain, paths, now).map_err(one), &mut faults);
        let expiries = expiries(&trust, &chain, &paths.certificate);
        let key = keep(certified(chain, key, paths).map_err(one), &mut faults);
        match (id, key) {
            (Some(id), Some(key)) => Ok(Self {
                id,
                key: Arc::new(key),
                trust: Arc::new(trust),
                warnings,
                expiries,
            }),
            _ => Err(faults),
        }
    }

    /// As [`load`](Self::load), and refuses a certificate of anybody but `id`, or one that is not meant for all of these ends.
    pub fn load_as(
        id: &SpiffeId,
        paths: &MaterialPaths,
        ends: &[End],
        now: Moment,
    ) -> Result<Self, Vec<Fault>> {
        let material = Self::load(paths, id.domain(), now)?;
        for end in ends {
            let judged = material.trust.judge(&material.key.cert, *end, now);
            judged.map_err(|refusal| one(fault(&paths.certificate, hint(&refusal, &paths.ca))))?;
        }
        if material.id != *id {
            return Err(one(fault(
                &paths.certificate,
                format!(
                    "the certificate is that of `{}`: `{id}` is needed here",
                    material.id
                ),
            )));
        }
        Ok(material)
    }

    /// Whose certificate it is.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// What an administrator should correct though it can be used.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// When the certificate, the CAs and the revocation lists end: an expired list of a CA is an outage.
    pub fn expiries(&self) -> &[Expiry] {
        &self.expiries
    }

    /// Whether ordinary clients, which compare names, can dial the holder by a DNS name or at this address.
    pub fn is_named(&self, address: IpAddr) -> bool {
        let certificate = self.key.cert.first();
        let certificate = certificate.and_then(|leaf| EndEntityCert::try_from(leaf).ok());
        certificate.is_some_and(|certificate| {
            let at = ServerName::IpAddress(address.into());
            certificate.valid_dns_names().next().is_some()
                || certificate.verify_is_valid_for_subject_name(&at).is_ok()
        })
    }

    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }

    pub(super) fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }
}

fn keep<T>(found: Result<T, Vec<Fault>>, faults: &mut Vec<Fault>) -> Option<T> {
    found.map_err(|mut more| faults.append(&mut more)).ok()
}

fn one(fault: Fault) -> Vec<Fault> {
    vec![fault]
}

fn own_id(
    trust: &Trust,
    chain: &[CertificateDer<'static>],
    paths: &MaterialPaths,
    now: Moment,
) -> Result<SpiffeId, Fault> {
    // A gateway is dialled; whether it may also dial is seen when it does. A system only dials.
    let id = match trust.judge(chain, End::Server, now) {
        Err(refusal) if *refusal.ground() == Ground::WrongPurpose => {
            let id = trust.judge(chain, End::Client, now);
            id.and_then(|id| match id.holder() {
                Holder::System(..) => Ok(id),
                Holder::Department(_) => Err(refusal),
            })
        }
        judged => judged,
    };
    id.map_err(|refusal| fault(&paths.certificate, hint(&refusal, &paths.ca)))
}

fn hint(refusal: &TrustRefusal, ca: &Path) -> String {
    match refusal.ground() {
        Ground::UnknownIssuer => format!(
            "no CA in `{}` has issued this certificate: add its CA there, or the intermediate certificates after it here",
            ca.display()
        ),
        Ground::Expired(at) => format!("expired on {}: have it renewed", day(at)),
        Ground::NotYetValid(at) => {
            format!(
                "is not valid before {}: is this machine's clock right?",
                day(at)
            )
        }
        Ground::Revoked => "is revoked: have a new one issued, with a new key".to_owned(),
        Ground::RevocationUnknown => {
            "its CA has no revocation list here: add the CA's list to `crls`, be it empty"
                .to_owned()
        }
        Ground::WrongPurpose => {
            "is not meant for this: have it issued for server and client authentication (extendedKeyUsage `serverAuth, clientAuth`), since a gateway is dialled by the others and dials them"
                .to_owned()
        }
        Ground::Malformed(webpki::Error::UnsupportedCertVersion) => {
            "is of version 1, which has no room for a SPIFFE URI: have it issued as version 3 (`openssl x509 -req` does with `-extfile`)"
                .to_owned()
        }
        Ground::Malformed(webpki::Error::NameConstraintViolation) => {
            "its CA is constrained to names (nameConstraints) that this one has none of, or that cannot be judged here: URIs and directory names; have the CA's certificate issued without them"
                .to_owned()
        }
        Ground::Malformed(webpki::Error::CaUsedAsEndEntity) => {
            "is a CA's (basicConstraints CA:TRUE): have one issued for the gateway itself, and put it first"
                .to_owned()
        }
        Ground::Malformed(error) => format!("cannot be used: {error}"),
        Ground::BadId(error) => error.to_string(),
        ground => ground.to_string(),
    }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    paths: &MaterialPaths,
) -> Result<CertifiedKey, Fault> {
    let key = PROVIDER.key_provider.load_private_key(key).map_err(|_| {
        let message = "the private key's kind is not supported: use ECDSA (P-256, P-384 or P-521), Ed25519, or RSA of 2048 to 8192 bits";
        fault(&paths.key, message)
    })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(fault(
            &paths.key,
            format!(
                "the private key does not belong to the certificate: the first certificate in `{}` must be the own one",
                paths.certificate.display()
            ),
        )),
        _ => Ok(certified),
    }
}

fn expiries(trust: &Trust, chain: &[CertificateDer<'static>], file: &Path) -> Vec<Expiry> {
    validities(trust, chain, file)
        .map(|(what, file, validity)| Expiry {
            file: file.display().to_string(),
            what,
            at: validity.until,
        })
        .collect()
}

/// What ends soon, in days from now. What has ended is told otherwise.
fn ending(
    trust: &Trust,
    chain: &[CertificateDer<'static>],
    file: &Path,
    now: Moment,
) -> Vec<Fault> {
    let left = |validity: Validity| validity.until.seconds() - now.seconds();
    let ends_soon = |validity: Validity| {
        let lifetime = validity.until.seconds() - validity.from.seconds();
        (0..NOTICE.min(lifetime / 3)).contains(&left(validity))
    };
    validities(trust, chain, file)
        .filter(|(_, _, validity)| ends_soon(*validity))
        .map(|(what, file, validity)| {
            let days = left(validity) / DAY;
            fault(file, format!(
                "the {what} ends on {}, in {days} days: from then on connections are refused; have the next one in place before",
                day(&validity.until)
            ))
        })
        .collect()
}

fn validities<'a>(
    trust: &'a Trust,
    chain: &'a [CertificateDer<'static>],
    file: &'a Path,
) -> impl Iterator<Item = (&'static str, &'a Path, Validity)> {
    let own = chain
        .iter()
        .filter_map(|certificate| der::certificate(certificate))
        .map(move |validity| ("certificate", file, validity));
    own.chain(trust.validities())
}
