//! Whom a gateway believes: the CAs, what they revoked, and the trust domain.

#[cfg(test)]
mod tests;

mod files;

use std::path::Path;
use std::path::PathBuf;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::TrustAnchor;
use webpki::CertRevocationList;
use webpki::EndEntityCert;

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
    /// Newest first: webpki asks the first list of an issuer only.
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
}

/// Which end of a connection the holder of a certificate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Server,
}

impl End {
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
        let lists = files::revocation_lists(lists, now, &mut faults);
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
        Ok((trust, warnings))
    }

    pub(super) fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.algorithms
    }

    /// When each root and revocation list ends, with its file.
    pub(super) fn ends(&self) -> impl Iterator<Item = (&'static str, &Path, Moment)> {
        let roots = self
            .roots
            .iter()
            .map(|root| ("CA certificate", &*root.file, root.validity.until));
        let lists = self
            .lists
            .iter()
            .map(|list| ("revocation list", &*list.file, list.validity.until));
        roots.chain(lists)
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
        let presented = Presented {
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
    fn refusal(&self, ground: Ground, presented: &Presented<'_>, now: Moment) -> TrustRefusal {
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
        presented: &Presented<'_>,
        end: End,
        at: Moment,
        now: Moment,
        revocation: Revocation,
    ) -> Result<(), Ground> {
        let lists: Vec<_> = self.lists.iter().map(|list| &list.list).collect();
        let revocation = match revocation {
            Revocation::Ignored => None,
            Revocation::Checked => webpki::RevocationOptionsBuilder::new(&lists).ok(),
        };
        let revocation = revocation.map(|options| {
            options
                .with_depth(webpki::RevocationCheckDepth::Chain)
                .with_status_policy(webpki::UnknownStatusPolicy::Deny)
                .with_expiration_policy(webpki::ExpirationPolicy::Enforce)
                .build()
        });
        let usage = match end {
            End::Client => webpki::KeyUsage::client_auth(),
            End::Server => webpki::KeyUsage::server_auth(),
        };
        let path = presented
            .certificate
            .verify_for_usage(
                self.algorithms.all,
                &self.anchors,
                presented.intermediates,
                refusal::unix(at),
                usage,
                revocation,
                None,
            )
            .map_err(Ground::of_chain)?;
        self.in_force(path.anchor(), now)
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
            let subject: &[u8] = &root.anchor.subject;
            self.lists.iter().any(|list| list.list.issuer() == subject)
        };
        self.roots
            .iter()
            .enumerate()
            .filter(|(_, root)| !has_list(root))
            .map(|(index, _)| fault(ca, format!(
                "CA certificate {} has no revocation list: every certificate that it issued is refused until there is one, be it empty",
                index + 1
            )))
            .collect()
    }
}

struct Presented<'a> {
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
