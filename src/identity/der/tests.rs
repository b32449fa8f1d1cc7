use proptest::prelude::*;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;

use super::*;
use crate::identity::harness::Ca;
use crate::identity::harness::NOW;
use crate::identity::harness::World;
use crate::identity::harness::read;
use crate::identity::harness::spiffe;
use crate::identity::harness::term;
use crate::identity::pki::CRL_LIFETIME;
use crate::identity::pki::Term;

fn validity(term: Term) -> Option<Validity> {
    Some(Validity {
        from: term.from,
        until: term.until,
    })
}

#[test]
fn the_dates_of_a_certificate_are_those_it_was_issued_with() {
    let mut world = World::new();
    // From 2050 on the dates have another form.
    for term in [term(0, 1), term(-20_000, 3), term(8_000, 20_000)] {
        let issue = world.ca(Ca::Tax).issue(&spiffe("tax"), &[], term).unwrap();
        let der = CertificateDer::from_pem_slice(issue.certificate.as_bytes()).unwrap();
        assert_eq!(certificate(&der), validity(term));
    }
}

#[test]
fn the_dates_of_a_revocation_list_are_those_it_was_signed_with() {
    let mut world = World::new();
    let issue = world.issue(Ca::Tax, "tax/assessment");
    for revoke in [false, true] {
        if revoke {
            world.tax.revoke(&issue.serial, NOW).unwrap();
        }
        let pem = read(world.path("tax").join("crl.pem"));
        let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap();
        assert_eq!(
            revocation_list(&der),
            validity(Term::lasting(CRL_LIFETIME, NOW))
        );
        assert_eq!(list_number(&der), Some(&[1 + u8::from(revoke)][..]));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _: Option<Validity> = certificate(&bytes);
        let _: Option<Validity> = revocation_list(&bytes);
        let _: Option<SignedObject<'_>> = signed(&bytes);
        let _: Option<PublicKey<'_>> = public_key(&bytes);
        let _: Option<&[u8]> = list_number(&bytes);
        let _: Vec<u8> = constrained_names(&bytes);
        let _: bool = is_version_1(&bytes) || is_list_of_version_1(&bytes);
    }

    #[test]
    fn no_damaged_certificate_panics(position in 0usize..600, byte: u8) {
        let pem = SAMPLE.get_or_init(|| World::new().issue(Ca::Tax, "tax").certificate);
        let mut der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
        let position = position % der.len();
        der[position] = byte;
        let _: Option<Validity> = certificate(&der);
        let _: Option<Validity> = certificate(&der[..position]);
    }
}

static SAMPLE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
