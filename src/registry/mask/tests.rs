use std::path::Path;

use proptest::prelude::any;
use proptest::proptest;

use super::Mask;
use crate::registry::Registry;

#[test]
fn each_form_is_read_and_written_alike() {
    for form in [
        "drop",
        "keep-first:6",
        "keep-last:65535",
        "pseudonym",
        "year",
        "month",
        "round:18446744073709551615",
    ] {
        assert_eq!(form.parse::<Mask>().unwrap().to_string(), form);
    }
}

#[test]
fn an_unknown_form_is_told_with_the_known_ones() {
    assert_eq!(
        "hash".parse::<Mask>().unwrap_err().to_string(),
        "unknown mask `hash`; write one of `drop`, `pseudonym`, `year`, `month`, `keep-first:N`, `keep-last:N`, `round:N`, with N from 1"
    );
    for bad in [
        "",
        "Drop",
        "drop:1",
        "keep-first",
        "keep-first:",
        "keep-first:0",
        "keep-first:+1",
        "keep-first:65536",
        "keep-last:-1",
        "round:0",
        "round:1.5",
        "year:1",
        " year",
    ] {
        assert!(bad.parse::<Mask>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_mask_fits_only_what_it_can_blur() {
    let registry = Registry::compile(Path::new("proto/registry")).unwrap();
    let fits = |record, path, mask: &str| {
        let schema = registry.record(record).unwrap();
        let mask: Mask = mask.parse().unwrap();
        mask.fits(schema.field(path).unwrap().descriptor()).is_ok()
    };
    let business = |path, mask| fits("market.v1.Business", path, mask);
    assert!(business("name", "keep-first:1"));
    assert!(business("industry_codes", "keep-last:2"));
    assert!(business("founded_on", "year"));
    assert!(business("updated_at", "month"));
    assert!(business("registered_capital", "round:100"));
    assert!(business("employees", "round:10"));
    assert!(fits("tax.v1.Taxpayer", "effective_rate", "round:1"));
    for path in [
        "name",
        "legal_representative",
        "licences",
        "shareholdings",
        "status",
    ] {
        assert!(business(path, "drop"), "{path}");
    }
    assert!(!business("employees", "keep-first:1"));
    assert!(!business("registered_capital", "pseudonym"));
    assert!(!business("employees", "year"));
    assert!(!business("name", "round:10"));
    assert!(!business("status", "round:10"));
    assert!(!business("shareholdings", "round:10"));
    assert!(!business("legal_representative", "month"));
}

proptest! {
    #[test]
    fn reading_never_panics(text in any::<String>()) {
        drop(text.parse::<Mask>());
    }
}
