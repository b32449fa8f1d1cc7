//! Whom a gateway believes: the CAs, what they revoked, and the trust domain.

#[cfg(test)]
mod tests;

mod files;

use std::cell::RefCell;
use std::path::Path;
use std::path::PathBuf;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::TrustAnchor;
use webpki::CertRevocationList;
use webpki::EndEntityCert;
use webpki::VerifiedPath;

use crate::clock::Moment;
use crate::fault::Fault;
use crate::identity::der::Validity;
use crate::identity::pem::fault;
use crate::identity::refusal;
use crate::identity::refusal::Ground;
use crate::identity::refusal::TrustRefusal;
use crate::identity::spiffe::SpiffeId;
use crate::name::TrustDomain;

/// Immutable: a reload makes another one.
#[derive(Debug)]
pub(super) struct Trust {
    domain: TrustDomain,
    roots: Vec<Root>,
    anchors: Vec<TrustAnchor<'static>>,
    /// Newest first: webpki asks the first one that has the issuer's name.
    lists: Vec<List>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// A CA that is trusted.
#[derive(Debug)]
struct Root {
    file: PathBuf,
    anchor: TrustAnchor<'static>,
    /// webpki does not look at a root's dates, and trust must end.
    validity: Validity,
}

#[derive(Debug)]
struct List {
    file: PathBuf,
    list: CertRevocationList<'static>,
    validity: Validity,
    /// Its number, big-endian; empty if it has none.
    number: Vec<u8>,
    /// The public keys of those roots that have signed it; none if an intermediate CA has.
    signers: Vec<Vec<u8>>,
}

/// Which end of a connection the holder of a certificate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Client,
    Server,
}

impl End {
    fn usage(self) -> webpki::KeyUsage {
        match self {
            Self::Client => webpki::KeyUsage::client_auth(),
            Self::Server => webpki::KeyUsage::server_auth(),
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl Trust {
    /// Reads the CA bundle and the revocation lists. Without any list nothing is ever found revoked; with one, a
    /// certificate whose CA has none is refused.
    pub(super) fn load(
        ca: &Path,
        lists: &[PathBuf],
        domain: &TrustDomain,
        now: Moment,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        let mut faults = Vec::new();
        let mut warnings = Vec::new();
        let roots = files::roots(ca, now, &mut faults, &mut warnings);
        let lists = files::revocation_lists(lists, &roots, algorithms, now, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let trust = Self {
            domain: domain.clone(),
            anchors: roots.iter().map(|root| root.anchor.clone()).collect(),
            roots,
            lists,
            algorithms,
        };
        warnings.extend(trust.unrevocable(ca));
        warnings.extend(trust.unsigned());
        Ok((trust, warnings))
    }

    pub(super) fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.algorithms
    }

    /// When each root and each revocation list that counts is good, with its file.
    pub(super) fn validities(&self) -> impl Iterator<Item = (&'static str, &Path, Validity)> {
        let roots = self
            .roots
            .iter()
            .map(|root| ("CA certificate", &*root.file, root.validity));
        let lists = self.lists.iter().enumerate();
        let lists = lists.filter(|(index, list)| {
            let mut newer = self.lists.iter().take(*index);
            !newer.any(|newer| newer.supersedes(list))
        });
        roots.chain(lists.map(|(_, list)| ("revocation list", &*list.file, list.validity)))
    }

    /// Whose certificate it is, if a CA vouches for it now. The chain has the holder's certificate first.
    pub(super) fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        end: End,
        now: Moment,
    ) -> Result<SpiffeId, TrustRefusal> {
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Err(TrustRefusal::of_nobody(Ground::NoCertificate));
        };
        let presented = PresentedChain {
            certificate: EndEntityCert::try_from(leaf)
                .map_err(|error| TrustRefusal::of_nobody(Ground::Malformed(error)))?,
            intermediates,
            end,
        };
        match self.verify(&presented, end, now, now, Revocation::Checked) {
            Ok(()) => self.id(&presented.certificate),
            Err(ground) => Err(self.refusal(ground, &presented, now)),
        }
    }

    /// Names the holder where nothing but the time, a revocation or the purpose is against it.
    fn refusal(&self, ground: Ground, presented: &PresentedChain<'_>, now: Moment) -> TrustRefusal {
        let (end, when_good) = match ground {
            Ground::Expired(at) | Ground::NotYetValid(at) => (presented.end, at),
            Ground::Revoked | Ground::RevocationListExpired(_) | Ground::RevocationUnknown => {
                (presented.end, now)
            }
            Ground::WrongPurpose => (presented.end.other(), now),
            _ => return TrustRefusal::of_nobody(ground),
        };
        match self.verify(presented, end, when_good, now, Revocation::Ignored) {
            Ok(()) => {
                let id = self.id(&presented.certificate);
                let id = id.map_or_else(|refusal| refusal.identified().cloned(), Some);
                TrustRefusal::of(ground, id)
            }
            // webpki looks at dates and purpose first, and an unknown CA's mean nothing.
            Err(Ground::UnknownIssuer) => TrustRefusal::of_nobody(Ground::UnknownIssuer),
            Err(_) => TrustRefusal::of_nobody(ground),
        }
    }

    /// Whether the chain was good at a time, to a root that is in force now.
    fn verify(
        &self,
        presented: &PresentedChain<'_>,
        end: End,
        at: Moment,
        now: Moment,
        revocation: Revocation,
    ) -> Result<(), Ground> {
        let ended = RefCell::new(None);
        // Of several ways to a root, as there are where a CA is renewed or signed across, one must be good in all respects.
        let judge = |path: &VerifiedPath<'_>| {
            if let Err(ground) = self.in_force(path.anchor(), now) {
                ended.replace(Some(ground));
                return Err(webpki::Error::UnknownIssuer);
            }
            match revocation {
                Revocation::Ignored => Ok(()),
                Revocation::Checked => self.check_revocation(path, end, at),
            }
        };
        let verified = presented.certificate.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            presented.intermediates,
            refusal::unix(at),
            end.usage(),
            None,
            Some(&judge),
        );
        match (verified, ended.take()) {
            (Ok(_), _) => Ok(()),
            (Err(webpki::Error::UnknownIssuer), Some(ground)) => Err(ground),
            (Err(error), _) => Err(Ground::of_chain(error)),
        }
    }

    /// Holds the path against the lists that its CAs have signed.
    fn check_revocation(
        &self,
        path: &VerifiedPath<'_>,
        end: End,
        at: Moment,
    ) -> Result<(), webpki::Error> {
        if self.lists.is_empty() {
            return Ok(());
        }
        let lists = self.lists.iter().map(|list| &list.list);
        let lists: Vec<_> = lists
            .filter(|list| self.is_of(list, path, end, at))
            .collect();
        // webpki would take no list at all to mean that nothing needs to be checked.
        if lists.is_empty() {
            return Err(webpki::Error::UnknownRevocationStatus);
        }
        let options = webpki::RevocationOptionsBuilder::new(&lists).ok();
        let options = options.map(|options| {
            options
                .with_depth(webpki::RevocationCheckDepth::Chain)
                .with_status_policy(webpki::UnknownStatusPolicy::Deny)
                .with_expiration_policy(webpki::ExpirationPolicy::Enforce)
                .build()
        });
        let judged = self.verify_path(path, end, at, options);
        judged.map_err(|error| match is_of_another_key(&error) {
            true => webpki::Error::UnknownRevocationStatus,
            false => error,
        })
    }

    /// Whether a list may say anything of the path. webpki goes by the CA's name, which is the same after a change of its
    /// key, and gives up when the list turns out to be signed by the other key: such a list is left out.
    fn is_of(
        &self,
        list: &CertRevocationList<'static>,
        path: &VerifiedPath<'_>,
        end: End,
        at: Moment,
    ) -> bool {
        let namesakes = self
            .lists
            .iter()
            .filter(|other| other.list.issuer() == list.issuer());
        if namesakes.count() == 1 {
            return true;
        }
        let alone = [list];
        let options = webpki::RevocationOptionsBuilder::new(&alone).ok();
        let options = options.map(|options| {
            options
                .with_depth(webpki::RevocationCheckDepth::Chain)
                .with_status_policy(webpki::UnknownStatusPolicy::Allow)
                .with_expiration_policy(webpki::ExpirationPolicy::Ignore)
                .build()
        });
        let judged = self.verify_path(path, end, at, options);
        !judged.is_err_and(|error| is_of_another_key(&error))
    }

    fn verify_path(
        &self,
        path: &VerifiedPath<'_>,
        end: End,
        at: Moment,
        revocation: Option<webpki::RevocationOptions<'_>>,
    ) -> Result<(), webpki::Error> {
        let intermediates: Vec<_> = path
            .intermediate_certificates()
            .map(|certificate| certificate.der())
            .collect();
        let anchor = [path.anchor().clone()];
        path.end_entity()
            .verify_for_usage(
                self.algorithms.all,
                &anchor,
                &intermediates,
                refusal::unix(at),
                end.usage(),
                revocation,
                None,
            )
            .map(|_| ())
    }

    fn in_force(&self, anchor: &TrustAnchor<'_>, now: Moment) -> Result<(), Ground> {
        let mut ground = Ground::UnknownIssuer;
        // A renewed root has the same name and key, and other dates.
        for root in self.roots.iter().filter(|root| root.anchor == *anchor) {
            match root.validity.at(now) {
                Ok(()) => return Ok(()),
                Err(wrong) => ground = wrong,
            }
        }
        Err(ground)
    }

    fn id(&self, certificate: &EndEntityCert<'_>) -> Result<SpiffeId, TrustRefusal> {
        let mut names = certificate.valid_uri_names();
        let (Some(name), None) = (names.next(), names.next()) else {
            let count = certificate.valid_uri_names().count();
            return Err(TrustRefusal::of_nobody(Ground::NotOneId(count)));
        };
        let id: SpiffeId = name
            .parse()
            .map_err(|error| TrustRefusal::of_nobody(Ground::BadId(error)))?;
        if *id.domain() != self.domain {
            let ground = Ground::OtherDomain(id.domain().clone());
            return Err(TrustRefusal::of(ground, Some(id)));
        }
        Ok(id)
    }

    /// What cannot be revoked, as far as it can be known now.
    fn unrevocable(&self, ca: &Path) -> Vec<Fault> {
        if self.lists.is_empty() {
            let message = "no revocation list is configured: a stolen certificate is trusted until it expires";
            return vec![fault(ca, message)];
        }
        let has_list = |root: &Root| {
            let key: &[u8] = &root.anchor.subject_public_key_info;
            let mut signers = self.lists.iter().flat_map(|list| &list.signers);
            signers.any(|signer| signer == key)
        };
        self.roots
            .iter()
            .enumerate()
            .filter(|(_, root)| !has_list(root))
            .map(|(index, _)| fault(ca, format!(
                "CA certificate {} has no revocation list: every certificate that it issued is refused until there is one, be it empty; after a change of a CA's key there is one for each key",
                index + 1
            )))
            .collect()
    }

    /// Lists in the name of a root that none of the roots of that name has signed.
    fn unsigned(&self) -> impl Iterator<Item = Fault> {
        let is_unsigned = |list: &&List| {
            let mut subjects = self.roots.iter().map(|root| &*root.anchor.subject);
            list.signers.is_empty() && subjects.any(|subject| subject == list.list.issuer())
        };
        self.lists.iter().filter(is_unsigned).map(|list| fault(
            &list.file,
            "no CA of this list's name in `ca` has signed it, so that it revokes nothing: add the CA's certificate with that key to `ca`, or take the list away",
        ))
    }
}

/// Of a path whose signatures are good: what fails is a list's signature, or another way from the certificate to a CA of the
/// same name, which webpki tries too.
fn is_of_another_key(error: &webpki::Error) -> bool {
    use webpki::Error as E;
    matches!(
        error,
        E::InvalidCrlSignatureForPublicKey
            | E::InvalidSignatureForPublicKey
            | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
    )
}

struct PresentedChain<'a> {
    certificate: EndEntityCert<'a>,
    intermediates: &'a [CertificateDer<'a>],
    end: End,
}

#[derive(Clone, Copy)]
enum Revocation {
    Checked,
    Ignored,
}

impl Validity {
    pub(super) fn at(self, now: Moment) -> Result<(), Ground> {
        if now < self.from {
            return Err(Ground::NotYetValid(self.from));
        }
        if now > self.until {
            return Err(Ground::Expired(self.until));
        }
        Ok(())
    }
}
