//! CAs that change their keys, are renewed and signed across, made by `openssl`, whose verdict is the reference.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;

use super::super::*;
use crate::clock::Clock;
use crate::identity::harness::domain;
use crate::identity::harness::spiffe;
use crate::identity::material::provider;

/// A folder of keys, certificates and lists, each by a short name.
struct Pki(TempDir);

const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
const LEAF: &str = "subjectAltName=URI:spiffe://gov.example/department/tax\n\
                    extendedKeyUsage=serverAuth,clientAuth\n";
/// The extensions of lists.
const WITH_KEY: &str = "authorityKeyIdentifier=keyid";
const WITHOUT_KEY: &str = "2.999.1=ASN1:NULL";

impl Pki {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, words: &str) {
        let output = self.run(words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {told}");
    }

    fn run(&self, words: &str) -> std::process::Output {
        Command::new("openssl")
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    fn key(&self, name: &str) {
        self.openssl(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"
        ));
    }

    fn rsa_key(&self, name: &str) {
        self.openssl(&format!(
            "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out {name}.key"
        ));
    }

    /// A root certificate of that subject and key.
    fn root(&self, name: &str, subject: &str, key: &str) {
        self.openssl(&format!(
            "req -x509 -new -key {key}.key -subj /CN={subject} -days 30 -out {name}.pem \
             -addext keyUsage=critical,keyCertSign,cRLSign"
        ));
    }

    /// A certificate of that subject and key by a CA.
    fn signed(
        &self,
        name: &str,
        subject: &str,
        key: &str,
        ca: (&str, &str),
        serial: u32,
        extensions: &str,
    ) {
        let (certificate, ca_key) = ca;
        fs::write(self.path("extensions"), extensions).unwrap();
        self.openssl(&format!(
            "req -new -key {key}.key -subj /CN={subject} -out request"
        ));
        self.openssl(&format!(
            "x509 -req -in request -CA {certificate}.pem -CAkey {ca_key}.key -set_serial {serial} -days 20 \
             -extfile extensions -out {name}.pem"
        ));
    }

    fn leaf(&self, name: &str, ca: (&str, &str), serial: u32) {
        self.key(name);
        self.signed(name, name, name, ca, serial, LEAF);
    }

    /// A list by a CA, with its number and its dates as `openssl` has them, that revokes these certificates.
    fn list(
        &self,
        name: &str,
        ca: (&str, &str),
        extensions: &str,
        number: u32,
        dates: &str,
        revoked: &[&str],
    ) {
        let (certificate, key) = ca;
        fs::write(self.path("index"), "").unwrap();
        fs::write(self.path("index.attr"), "unique_subject = no\n").unwrap();
        fs::write(self.path("number"), format!("{number:02}\n")).unwrap();
        let lists = match extensions {
            "" => String::new(),
            _ => "crlnumber=number\ncrl_extensions=lists\n".to_owned(),
        };
        fs::write(
            self.path("ca.conf"),
            format!(
                "[ca]\ndefault_ca=own\n[own]\ndatabase=index\ndefault_md=sha256\npolicy=any\n{lists}[any]\n[lists]\n{extensions}\n"
            ),
        )
        .unwrap();
        let ca = format!("ca -config ca.conf -cert {certificate}.pem -keyfile {key}.key");
        for certificate in revoked {
            self.openssl(&format!("{ca} -revoke {certificate}.pem"));
        }
        self.openssl(&format!("{ca} -gencrl {dates} -out {name}.crl"));
    }

    fn bundle(&self, name: &str, parts: &[&str]) -> PathBuf {
        let texts = parts
            .iter()
            .map(|part| fs::read_to_string(self.path(part)).unwrap());
        let path = self.path(name);
        fs::write(&path, texts.collect::<String>()).unwrap();
        path
    }

    /// Whether `openssl` takes the certificate.
    fn reference(&self, case: &Case) -> bool {
        self.bundle("roots", case.roots);
        self.bundle("lists.pem", case.lists);
        self.bundle("untrusted", case.intermediates);
        let untrusted = if case.intermediates.is_empty() {
            ""
        } else {
            "-untrusted untrusted"
        };
        let output = self.run(&format!(
            "verify -crl_check_all -purpose sslclient -CAfile roots -CRLfile lists.pem {untrusted} {}",
            case.leaf
        ));
        output.status.success()
    }

    /// Why it is refused here; nothing if it is taken.
    fn refusal(&self, case: &Case) -> String {
        let now = Clock::System.now();
        let algorithms = provider().signature_verification_algorithms;
        let roots = self.bundle("roots", case.roots);
        let lists: Vec<_> = case.lists.iter().map(|list| self.path(list)).collect();
        let trust = match Trust::load(&roots, &lists, &domain(), now, algorithms) {
            Ok((trust, _)) => trust,
            Err(faults) => return faults[0].message.clone(),
        };
        let chain: Vec<_> = std::iter::once(&case.leaf)
            .chain(case.intermediates)
            .map(|name| CertificateDer::from_pem_file(self.path(name)).unwrap())
            .collect();
        match trust.judge(&chain, End::Client, now) {
            Ok(id) => {
                assert_eq!(id, spiffe("tax"));
                String::new()
            }
            Err(refusal) => refusal.reason().to_owned(),
        }
    }
}

struct Case {
    what: &'static str,
    roots: &'static [&'static str],
    lists: &'static [&'static str],
    intermediates: &'static [&'static str],
    leaf: &'static str,
    /// The reason here; `openssl` refuses where there is one.
    refused: &'static str,
}

const NOW: &str = "-crldays 10";
const OLDER: &str = "-crl_lastupdate 20260101000000Z -crldays 10000";
const ENDED: &str = "-crl_lastupdate 20251201000000Z -crl_nextupdate 20260201000000Z";

fn judge(pki: &Pki, cases: &[Case]) {
    for case in cases {
        let taken = pki.reference(case);
        assert_eq!(taken, case.refused.is_empty(), "openssl: {}", case.what);
        assert_eq!(pki.refusal(case), case.refused, "{}", case.what);
    }
}

/// The CA `Federation` with its first key `k1` and its second `k2`, each with a leaf of the same serial number.
fn rekeyed() -> Pki {
    let pki = Pki::new();
    pki.rsa_key("k1");
    pki.key("k2");
    pki.root("r1", "Federation", "k1");
    pki.root("r2", "Federation", "k2");
    pki.leaf("one", ("r1", "k1"), 17);
    pki.leaf("two", ("r2", "k2"), 17);
    pki.list("c1", ("r1", "k1"), WITH_KEY, 1, OLDER, &[]);
    pki.list("c2", ("r2", "k2"), WITH_KEY, 1, NOW, &[]);
    pki.list("c1-revoking", ("r1", "k1"), WITH_KEY, 2, NOW, &["one"]);
    pki.list("c2-revoking", ("r2", "k2"), WITH_KEY, 2, NOW, &["two"]);
    pki.list("c1-keyless", ("r1", "k1"), WITHOUT_KEY, 1, NOW, &[]);
    pki.list("c2-keyless", ("r2", "k2"), WITHOUT_KEY, 1, NOW, &[]);
    pki.list("c1-ended", ("r1", "k1"), WITH_KEY, 1, ENDED, &[]);
    pki
}

#[test]
fn a_ca_that_changed_its_key_vouches_by_both_until_one_is_taken_away() {
    let pki = rekeyed();
    let both: &[_] = &["r1.pem", "r2.pem"];
    let case = |what, lists, leaf, refused| Case {
        what,
        roots: both,
        lists,
        intermediates: &[],
        leaf,
        refused,
    };
    judge(
        &pki,
        &[
            case("the old key", &["c1.crl", "c2.crl"], "one.pem", ""),
            case("the new key", &["c1.crl", "c2.crl"], "two.pem", ""),
            case("another order", &["c2.crl", "c1.crl"], "one.pem", ""),
            case(
                "no list of the old key",
                &["c2.crl"],
                "one.pem",
                "CRL_MISSING",
            ),
            case(
                "no list of the new key",
                &["c1.crl"],
                "two.pem",
                "CRL_MISSING",
            ),
            case(
                "revoked by the old key",
                &["c1-revoking.crl", "c2.crl"],
                "one.pem",
                "CERT_REVOKED",
            ),
            case(
                "its number, revoked by the other key",
                &["c1-revoking.crl", "c2.crl"],
                "two.pem",
                "",
            ),
            case(
                "revoked by the new key",
                &["c1.crl", "c2-revoking.crl"],
                "two.pem",
                "CERT_REVOKED",
            ),
            case(
                "an older list says nothing of it",
                &["c1.crl", "c1-revoking.crl", "c2.crl"],
                "one.pem",
                "CERT_REVOKED",
            ),
            case(
                "an ended list beside a good one",
                &["c1-ended.crl", "c1.crl", "c2.crl"],
                "one.pem",
                "",
            ),
        ],
    );
}

/// `openssl` goes by the name then, and takes whichever it finds first.
#[test]
fn lists_that_name_no_key_are_told_apart_by_their_signatures() {
    let pki = rekeyed();
    for lists in [
        &["c1-keyless.crl", "c2-keyless.crl"],
        &["c2-keyless.crl", "c1-keyless.crl"],
    ] {
        for leaf in ["one.pem", "two.pem"] {
            let case = Case {
                what: "",
                roots: &["r1.pem", "r2.pem"],
                lists,
                intermediates: &[],
                leaf,
                refused: "",
            };
            assert_eq!(pki.refusal(&case), "", "{leaf}");
        }
    }
}

#[test]
fn an_ended_list_of_one_key_is_told_though_the_other_keys_list_is_good() {
    let pki = rekeyed();
    let case = Case {
        what: "",
        roots: &["r1.pem", "r2.pem"],
        lists: &["c1-ended.crl", "c2.crl"],
        intermediates: &[],
        leaf: "one.pem",
        refused: "",
    };
    assert!(!pki.reference(&case));
    let told = pki.refusal(&case);
    assert!(
        told.starts_with("the revocation list expired on 2026-02-01"),
        "{told}"
    );
}

#[test]
fn within_one_second_the_list_with_the_higher_number_counts() {
    let pki = rekeyed();
    pki.list("first", ("r1", "k1"), WITH_KEY, 8, OLDER, &[]);
    pki.list("second", ("r1", "k1"), WITH_KEY, 9, OLDER, &["one"]);
    for lists in [&["first.crl", "second.crl"], &["second.crl", "first.crl"]] {
        let case = Case {
            what: "",
            roots: &["r1.pem"],
            lists,
            intermediates: &[],
            leaf: "one.pem",
            refused: "",
        };
        assert_eq!(pki.refusal(&case), "CERT_REVOKED");
    }
}

#[test]
fn renewed_and_cross_signed_cas_are_followed_as_openssl_follows_them() {
    let pki = rekeyed();
    // Renewed: another certificate of the same key.
    pki.root("r1-renewed", "Federation", "k1");
    // Signed across: a CA of another name, and the new key by the old one.
    pki.key("k3");
    pki.root("r3", "Successor", "k3");
    pki.leaf("three", ("r3", "k3"), 3);
    pki.signed("cross", "Successor", "k3", ("r1", "k1"), 99, CA);
    pki.list("c3", ("r3", "k3"), WITH_KEY, 1, NOW, &[]);
    pki.list("c3-revoking", ("r3", "k3"), WITH_KEY, 2, NOW, &["three"]);
    pki.list("c1-cross", ("r1", "k1"), WITH_KEY, 3, NOW, &["cross"]);
    judge(
        &pki,
        &[
            Case {
                what: "renewed, with the one before",
                roots: &["r1.pem", "r1-renewed.pem"],
                lists: &["c1.crl"],
                intermediates: &[],
                leaf: "one.pem",
                refused: "",
            },
            Case {
                what: "renewed, alone",
                roots: &["r1-renewed.pem"],
                lists: &["c1-revoking.crl"],
                intermediates: &[],
                leaf: "one.pem",
                refused: "CERT_REVOKED",
            },
            Case {
                what: "signed across, by the old root",
                roots: &["r1.pem"],
                lists: &["c1.crl", "c3.crl"],
                intermediates: &["cross.pem"],
                leaf: "three.pem",
                refused: "",
            },
            Case {
                what: "signed across, by the new root",
                roots: &["r3.pem"],
                lists: &["c3.crl"],
                intermediates: &["cross.pem"],
                leaf: "three.pem",
                refused: "",
            },
            Case {
                what: "signed across, without the new CA's list",
                roots: &["r1.pem"],
                lists: &["c1.crl"],
                intermediates: &["cross.pem"],
                leaf: "three.pem",
                refused: "CRL_MISSING",
            },
            Case {
                what: "signed across, revoked by the new CA",
                roots: &["r1.pem"],
                lists: &["c1.crl", "c3-revoking.crl"],
                intermediates: &["cross.pem"],
                leaf: "three.pem",
                refused: "CERT_REVOKED",
            },
            Case {
                what: "the cross certificate is revoked, and the new root is unknown",
                roots: &["r1.pem"],
                lists: &["c1-cross.crl", "c3.crl"],
                intermediates: &["cross.pem"],
                leaf: "three.pem",
                refused: "CERT_REVOKED",
            },
        ],
    );
}

/// `openssl` follows it; webpki asks one list for both certificates, since both CAs have one name. With both roots in `ca` it is right.
#[test]
fn a_new_key_signed_by_the_old_one_under_the_same_name_needs_the_new_root() {
    let pki = rekeyed();
    pki.signed("rollover", "Federation", "k2", ("r1", "k1"), 98, CA);
    let case = |roots, refused| Case {
        what: "",
        roots,
        lists: &["c1.crl", "c2.crl"],
        intermediates: &["rollover.pem"],
        leaf: "two.pem",
        refused,
    };
    assert_eq!(pki.refusal(&case(&["r1.pem"], "")), "CRL_MISSING");
    judge(&pki, &[case(&["r1.pem", "r2.pem"], "")]);
}

#[test]
fn lists_that_cannot_be_used_are_told_with_the_way_out() {
    let pki = rekeyed();
    let ca = ("r1", "k1");
    pki.list("v1", ca, "", 1, NOW, &[]);
    pki.list(
        "delta",
        ca,
        "2.5.29.27=critical,ASN1:INTEGER:1",
        2,
        NOW,
        &[],
    );
    let indirect = "issuingDistributionPoint=critical,@point\n[point]\nfullname=URI:http://a.example/c\nindirectCRL=TRUE";
    pki.list("indirect", ca, indirect, 3, NOW, &[]);
    let reasons = "issuingDistributionPoint=critical,@point\n[point]\nfullname=URI:http://a.example/c\nonlysomereasons=keyCompromise";
    pki.list("reasons", ca, reasons, 4, NOW, &[]);
    for (list, told) in [
        ("v1.crl", "it is of version 1"),
        ("delta.crl", "name the CA's complete list"),
        ("indirect.crl", "name the list that each CA signs itself"),
        ("reasons.crl", "it has revocations for some reasons only"),
    ] {
        let lists: Vec<_> = vec![pki.path(list)];
        let algorithms = provider().signature_verification_algorithms;
        let now = Clock::System.now();
        let faults =
            Trust::load(&pki.path("r1.pem"), &lists, &domain(), now, algorithms).unwrap_err();
        assert!(faults[0].message.contains(told), "{list}: {}", faults[0]);
    }
}

#[test]
fn a_list_that_no_ca_of_its_name_has_signed_is_told() {
    let pki = rekeyed();
    let lists = [pki.path("c1.crl"), pki.path("c2.crl")];
    let algorithms = provider().signature_verification_algorithms;
    let now = Clock::System.now();
    let load = |roots: &[&str]| {
        let roots = pki.bundle("some", roots);
        let (_, warnings) = Trust::load(&roots, &lists, &domain(), now, algorithms).unwrap();
        warnings
            .iter()
            .map(|warning| warning.message.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(load(&["r1.pem", "r2.pem"]), [""; 0]);
    let told = load(&["r1.pem"]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("no CA of this list's name in `ca` has signed it"),
        "{told:?}"
    );
    pki.root("r3", "Federation", "k2");
    let told = load(&["r1.pem", "r3.pem"]);
    assert_eq!(told, [""; 0], "a renewed root has the same key");
}
