mod openssl;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rustls::pki_types::pem::PemObject;

use super::*;
use crate::identity::harness::Ca;
use crate::identity::harness::DAY;
use crate::identity::harness::NOW;
use crate::identity::harness::World;
use crate::identity::harness::domain;
use crate::identity::harness::params;
use crate::identity::harness::read;
use crate::identity::harness::spiffe;
use crate::identity::harness::term;
use crate::identity::material::Material;
use crate::identity::material::MaterialPaths;
use crate::identity::pki::Authority;

/// The faults without the folder, as an administrator reads them.
fn faults(world: &World, paths: &MaterialPaths) -> Vec<String> {
    let folder = world.path("").display().to_string();
    let faults = Material::load(paths, &domain(), world.clock.now()).unwrap_err();
    faults
        .iter()
        .map(|fault| fault.to_string().replace(&folder, ""))
        .collect()
}

#[test]
fn good_files_are_loaded_with_all_their_dates() {
    let mut world = World::new();
    let material = world.material(Ca::Federation, "tax");
    assert_eq!(*material.id(), spiffe("tax"));
    assert_eq!(material.warnings(), []);
    let whats: Vec<_> = material
        .expiries()
        .iter()
        .map(|expiry| expiry.what)
        .collect();
    assert_eq!(whats, ["certificate", "CA certificate", "revocation list"]);
    assert_eq!(material.expiries()[0].at, term(0, 365).until);
}

#[test]
fn every_missing_file_is_reported_at_once() {
    let world = World::new();
    let paths = MaterialPaths {
        certificate: world.path("a.pem"),
        key: world.path("a.key"),
        ca: world.path("tax"),
        crls: vec![world.path("b.pem")],
    };
    let missing = "cannot be read: No such file or directory (os error 2)";
    assert_eq!(
        faults(&world, &paths),
        [
            "tax: is not a file".to_owned(),
            format!("b.pem: {missing}"),
            format!("a.pem: {missing}"),
            format!("a.key: {missing}"),
        ]
    );
}

#[test]
fn files_of_the_wrong_kind_are_told_apart() {
    let mut world = World::new();
    let issue = world.issue(Ca::Tax, "tax");
    let good = world.paths(Ca::Tax, &issue);
    let begins = |paths: MaterialPaths, wanted: &[&str]| {
        let found = faults(&world, &paths);
        assert_eq!(found.len(), wanted.len(), "{found:#?}");
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(found.contains(wanted), "{found:?} does not say {wanted:?}");
        }
    };
    let with = |change: &dyn Fn(&mut MaterialPaths)| {
        let mut paths = good.clone();
        change(&mut paths);
        paths
    };
    begins(
        with(&|p| p.certificate = good.key.clone()),
        &["no certificate in this file"],
    );
    begins(
        with(&|p| p.key = good.ca.clone()),
        &["no private key in this file"],
    );
    begins(
        with(&|p| p.ca = good.certificate.clone()),
        &["certificate 1 is not a CA's"],
    );
    begins(
        with(&|p| p.crls = vec![good.ca.clone()]),
        &["no revocation list in this file"],
    );
    begins(
        with(&|p| p.key = world.path("tax").join("ca.key")),
        &["the private key does not belong to the certificate"],
    );

    let damaged = world.path("damaged.pem");
    fs::write(
        &damaged,
        "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    begins(
        with(&|p| p.ca = damaged.clone()),
        &["the PEM text is damaged"],
    );
    fs::write(
        &damaged,
        "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    )
    .unwrap();
    begins(
        with(&|p| p.crls = vec![damaged.clone()]),
        &["the revocation list cannot be used"],
    );
}

#[test]
fn the_own_certificate_is_judged_as_others_will_judge_it() {
    let mut world = World::new();
    let says = |world: &World, paths: &MaterialPaths, wanted: &str| {
        let found = faults(world, paths);
        assert!(
            found.len() == 1 && found[0].contains(wanted),
            "{found:?} does not say {wanted:?}"
        );
    };
    let tax = spiffe("tax");

    let expired = world.tax.issue(&tax, &[], term(-2, -1)).unwrap();
    says(
        &world,
        &world.paths(Ca::Tax, &expired),
        "expired on 2026-07-31: have it renewed",
    );
    let early = world.tax.issue(&tax, &[], term(1, 2)).unwrap();
    says(
        &world,
        &world.paths(Ca::Tax, &early),
        "is not valid before 2026-08-02",
    );
    let other = world.issue(Ca::Federation, "tax");
    says(
        &world,
        &world.paths(Ca::Tax, &other),
        "has issued this certificate",
    );
    let unnamed = world
        .tax
        .issue_with(params(&[]), String::new(), term(0, 1))
        .unwrap();
    says(
        &world,
        &world.paths(Ca::Tax, &unnamed),
        "has 0 URI names, and must have one",
    );

    let revoked = world.issue(Ca::Tax, "tax");
    world.tax.revoke(&revoked.serial, NOW).unwrap();
    says(
        &world,
        &world.paths(Ca::Tax, &revoked),
        "is revoked: have a new one issued",
    );

    let good = world.issue(Ca::Tax, "tax");
    let mut paths = world.paths(Ca::Tax, &good);
    paths.crls = vec![world.path("federation").join("crl.pem")];
    says(&world, &paths, "its CA has no revocation list here");
    paths = world.paths(Ca::Tax, &good);
    world.wait(31 * DAY);
    says(&world, &paths, "the revocation list expired on 2026-08-31");
}

#[test]
fn a_certificate_of_somebody_else_is_not_loaded() {
    let mut world = World::new();
    let issue = world.issue(Ca::Tax, "civil");
    let paths = world.paths(Ca::Tax, &issue);
    let faults = Material::load_as(&spiffe("tax"), &paths, &[End::Server], NOW).unwrap_err();
    assert!(
        faults[0]
            .message
            .starts_with("the certificate is that of `spiffe://gov.example/department/civil`")
    );
    assert!(Material::load_as(&spiffe("civil"), &paths, &[End::Server], NOW).is_ok());
}

#[test]
fn a_key_that_others_may_write_is_refused_and_one_they_may_read_is_warned_of() {
    let mut world = World::new();
    let issue = world.issue(Ca::Tax, "tax");
    let paths = world.paths(Ca::Tax, &issue);
    let set = |mode| fs::set_permissions(&paths.key, fs::Permissions::from_mode(mode)).unwrap();

    set(0o640);
    let material = Material::load(&paths, &domain(), NOW).unwrap();
    assert!(
        material.warnings()[0]
            .message
            .contains("may read this private key (mode 640)")
    );
    set(0o660);
    let found = faults(&world, &paths);
    assert!(
        found[0].contains("may write this private key (mode 660)"),
        "{found:?}"
    );
}

#[test]
fn without_a_revocation_list_there_is_a_warning_and_nothing_is_revoked() {
    let mut world = World::new();
    let issue = world.issue(Ca::Tax, "tax");
    let mut paths = world.paths(Ca::Tax, &issue);
    paths.crls.clear();
    world.tax.revoke(&issue.serial, NOW).unwrap();
    let material = Material::load(&paths, &domain(), NOW).unwrap();
    assert!(
        material.warnings()[0]
            .message
            .starts_with("no revocation list is configured")
    );
}

#[test]
fn the_newest_list_of_a_ca_counts_wherever_it_stands() {
    let mut world = World::new();
    let issue = world.issue(Ca::Tax, "tax");
    let mut paths = world.paths(Ca::Tax, &issue);
    let old = world.path("old.pem");
    fs::copy(&paths.crls[0], &old).unwrap();
    world.wait(40 * DAY);
    world.tax.revoke(&issue.serial, world.clock.now()).unwrap();
    let present = paths.crls[0].clone();
    for crls in [vec![old.clone(), present.clone()], vec![present, old]] {
        paths.crls = crls;
        let found = faults(&world, &paths);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("is revoked"), "{found:?}");
    }
}

#[test]
fn a_change_of_roots_leaves_both_in_force_until_the_old_one_ends() {
    let mut world = World::new();
    let issue = world.issue(Ca::Tax, "tax");
    let mut paths = world.paths(Ca::Tax, &issue);
    let successor = Authority::create(&world.path("next"), "next", NOW).unwrap();
    assert!(successor.issued().is_empty());
    let both = world.path("both.pem");
    let roots = [
        read(world.path("tax").join("ca.pem")),
        read(world.path("next").join("ca.pem")),
    ];
    fs::write(&both, roots.concat()).unwrap();
    paths.ca = both;

    let material = Material::load(&paths, &domain(), NOW).unwrap();
    assert!(
        material.warnings()[0]
            .message
            .starts_with("CA certificate 2 has no revocation list")
    );
    paths.crls.push(world.path("next").join("crl.pem"));
    assert_eq!(
        Material::load(&paths, &domain(), NOW).unwrap().warnings(),
        []
    );
}

#[test]
fn an_expired_root_vouches_for_nobody() {
    let mut world = World::new();
    let long = world.tax.issue(&spiffe("tax"), &[], term(0, 5000)).unwrap();
    let mut paths = world.paths(Ca::Tax, &long);
    paths.crls.clear();
    let material = Material::load(&paths, &domain(), NOW).unwrap();
    let chain = [CertificateDer::from_pem_slice(long.certificate.as_bytes()).unwrap()];
    let judge = || {
        material
            .trust()
            .judge(&chain, End::Client, world.clock.now())
    };
    assert_eq!(judge(), Ok(spiffe("tax")));
    world.wait(3651 * DAY);
    let refusal = judge().unwrap_err();
    assert_eq!(
        (refusal.reason(), refusal.identified()),
        ("CERT_EXPIRED", None)
    );
    assert!(faults(&world, &paths)[0].contains("CA certificate 1 is not in force"));
}

#[test]
fn intermediate_cas_are_followed_and_need_their_own_revocation_list() {
    let world = World::new();
    let root_key = KeyPair::generate().unwrap();
    let root = ca("Root");
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let root = Issuer::new(root, root_key);
    let middle_key = KeyPair::generate().unwrap();
    let middle = ca("Middle");
    let middle_pem = middle.signed_by(&middle_key, &root).unwrap().pem();
    let middle = Issuer::new(middle, middle_key);
    let mut leaf = params(&["spiffe://gov.example/department/tax"]);
    leaf.not_before = time::OffsetDateTime::UNIX_EPOCH;
    let key = KeyPair::generate().unwrap();
    let leaf_pem = leaf.signed_by(&key, &middle).unwrap().pem();

    let write = |name: &str, text: String| {
        let path = world.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let mut paths = MaterialPaths {
        certificate: write("leaf.pem", format!("{leaf_pem}{middle_pem}")),
        key: write("leaf.key", key.serialize_pem()),
        ca: write("root.pem", root_pem),
        crls: Vec::new(),
    };
    assert_eq!(
        *Material::load(&paths, &domain(), NOW).unwrap().id(),
        spiffe("tax")
    );

    let root_list = write("root.crl", list(&root));
    let middle_list = write("middle.crl", list(&middle));
    paths.crls = vec![root_list.clone()];
    assert!(faults(&world, &paths)[0].contains("its CA has no revocation list here"));
    paths.crls = vec![root_list, middle_list];
    assert_eq!(
        Material::load(&paths, &domain(), NOW).unwrap().warnings(),
        []
    );

    paths.certificate = write("alone.pem", leaf_pem);
    assert!(faults(&world, &paths)[0].contains("or the intermediate certificates after it here"));
}

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn list(issuer: &Issuer<'_, KeyPair>) -> String {
    rcgen::CertificateRevocationListParams {
        this_update: time::OffsetDateTime::UNIX_EPOCH,
        next_update: time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(40_000),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    }
    .signed_by(issuer)
    .unwrap()
    .pem()
    .unwrap()
}
