use proptest::prelude::*;

use super::*;

#[test]
fn a_department_and_its_system_are_read() {
    let department: SpiffeId = "spiffe://gov.example/department/civil".parse().unwrap();
    assert_eq!(department.department().as_str(), "civil");
    assert_eq!(department.system(), None);
    assert_eq!(department.domain().as_str(), "gov.example");

    let system: SpiffeId = "spiffe://gov.example/department/tax/system/assessment"
        .parse()
        .unwrap();
    assert_eq!(system.department().as_str(), "tax");
    assert_eq!(system.system().unwrap().as_str(), "assessment");
}

#[test]
fn every_other_spelling_is_refused() {
    for text in [
        "",
        "spiffe://",
        "spiffe://gov.example",
        "spiffe://gov.example/",
        "spiffe://gov.example/department/",
        "spiffe://gov.example/department/civil/",
        "spiffe://gov.example/department/civil/system",
        "spiffe://gov.example/department/civil/system/",
        "spiffe://gov.example/department/civil/system/a/b",
        "spiffe://gov.example/department/civil/system/a/system/b",
        "spiffe://gov.example/department/civil/department/tax",
        "spiffe://gov.example//department/civil",
        "spiffe://gov.example/Department/civil",
        "spiffe://gov.example/department/Civil",
        "spiffe://gov.example/department/ci%76il",
        "spiffe://gov.example/department/../civil",
        "spiffe://gov.example/department/civil?x=1",
        "spiffe://gov.example/department/civil#x",
        "spiffe://gov.example:443/department/civil",
        "spiffe://user@gov.example/department/civil",
        "spiffe://GOV.example/department/civil",
        "SPIFFE://gov.example/department/civil",
        "Spiffe://gov.example/department/civil",
        "https://gov.example/department/civil",
        " spiffe://gov.example/department/civil",
        "spiffe://gov.example/department/civil ",
        "spiffe://gov.example/department/civil\0",
        "spiffe:///department/civil",
    ] {
        assert!(text.parse::<SpiffeId>().is_err(), "{text:?} was accepted");
    }
}

#[test]
fn a_refused_text_is_echoed_short_and_printable() {
    let error = format!("\u{1b}[31m{}", "x".repeat(10_000))
        .parse::<SpiffeId>()
        .unwrap_err();
    assert!(error.to_string().len() < 400);
    assert!(!error.to_string().contains('\u{1b}'));
}

proptest! {
    #[test]
    fn what_is_accepted_is_spelled_the_same_again(text in ".{0,80}") {
        if let Ok(id) = text.parse::<SpiffeId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn every_id_reads_back(
        domain in "[a-z0-9._-]{1,40}",
        department in "[a-z][a-z0-9-]{0,31}",
        system in proptest::option::of("[a-z][a-z0-9-]{0,31}"),
    ) {
        let domain: TrustDomain = domain.parse().unwrap();
        let department: DepartmentId = department.parse().unwrap();
        let id = match system {
            Some(system) => SpiffeId::system_of(domain, department, system.parse().unwrap()),
            None => SpiffeId::department_of(domain, department),
        };
        prop_assert_eq!(id.to_string().parse::<SpiffeId>(), Ok(id));
    }
}
