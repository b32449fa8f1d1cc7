//! What is exported, and what is cut out.

use std::path::Path;

use crate::registry::Registry;

fn sample() -> Registry {
    Registry::compile(&Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/registry")).unwrap()
}

#[test]
fn a_package_comes_with_all_that_it_imports() {
    let files = sample().package("tax.v1", |_| true).unwrap();
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "landbridge/v1/annotations.proto",
            "tax/v1/payment.proto",
            "tax/v1/taxpayer.proto"
        ]
    );
    assert_eq!(
        files["tax/v1/payment.proto"],
        include_str!("../../../proto/registry/tax/v1/payment.proto")
    );
    assert_eq!(sample().package("tax.v2", |_| true), None);
    assert_eq!(sample().package("google.protobuf", |_| true), None);
}

#[test]
fn what_must_not_be_shown_is_cut_out_with_its_comments() {
    let shows = |hidden: &'static str| {
        sample().package("civil.v1", move |record| record.name().as_str() != hidden)
    };
    let family = &shows("civil.v1.MarriageRecord").unwrap()["civil/v1/family.proto"];
    assert!(!family.contains("MarriageRecord"), "{family}");
    assert!(
        !family.contains("A marriage as it was registered"),
        "{family}"
    );
    let whole = include_str!("../../../proto/registry/civil/v1/family.proto");
    assert!(whole.contains("A marriage as it was registered"));
    // Each other line is still there.
    assert!(
        family
            .lines()
            .all(|line| whole.lines().any(|other| other == line))
    );
}
