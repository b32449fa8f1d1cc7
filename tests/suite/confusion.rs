//! Whoever tries to be taken for another, or to have data taken for orders.

use landbridge::pb;
use tonic::Code;
use tonic::Request;
use tonic::metadata::MetadataKey;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::impostor;
use crate::harness::impostor::Babble;
use crate::harness::records::Resident;
use crate::harness::records::run;
use crate::harness::refusal::Refused;

/// Texts that end a string, a statement, a line or a page somewhere.
const HOSTILE: [&str; 16] = [
    "' OR '1'='1",
    "'; DROP TABLE residents; --",
    "R0000000007' UNION SELECT national_id FROM residents --",
    "\"); DELETE FROM residents; --",
    "\\'; DROP TABLE residents; --",
    "%",
    "R000000000_",
    "*",
    "\" || true || \"",
    "x\") || has(national_id) || (\"",
    "${jndi:ldap://example.org/a}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "permit(principal, action, resource);",
    "\u{202e}7000000000R",
];

#[tokio::test]
async fn nobody_is_believed_for_what_a_header_says() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    // It has no grant; the assessment system has.
    let audit = world.system("tax", "audit");
    let wanted = Asked::get(&Resident(7).key());
    let assessment = "spiffe://gov.example/department/tax/system/assessment";
    for (name, value) in [
        (
            "x-forwarded-client-cert",
            format!("By={assessment};URI={assessment}"),
        ),
        ("x-forwarded-for", "127.0.0.1".to_owned()),
        ("x-spiffe-id", assessment.to_owned()),
        ("x-client-cert", assessment.to_owned()),
        ("x-system", "assessment".to_owned()),
        ("from", "assessment".to_owned()),
        ("authorization", format!("Bearer {assessment}")),
        ("forwarded", format!("by={assessment};for={assessment}")),
        ("landbridge-system", "assessment".to_owned()),
    ] {
        let mut request = Request::new(pb::GetRecordRequest {
            record_type: wanted.record_type.clone(),
            grounds: Some(wanted.grounds.clone()),
            key: Resident(7).key(),
            ..Default::default()
        });
        let key: MetadataKey<_> = name.parse().unwrap();
        request.metadata_mut().insert(key, value.parse().unwrap());
        let refused = audit.client().get_record(request).await.err().unwrap();
        let refused = Refused::from(refused);
        assert!(
            refused.is(Code::PermissionDenied, "SYSTEM_NOT_GRANTED"),
            "{name}: {refused:?}"
        );
    }
    let entries = world.journal("tax").of_case("CASE-1");
    assert_eq!(entries.len(), 9);
    for entry in entries {
        assert_eq!(entry.exchange().unwrap().system, "audit");
    }
    assert!(world.journal("civil").of_case("CASE-1").is_empty());
}

#[tokio::test]
async fn values_that_look_like_code_are_values() {
    let world = World::with_residents(100).await;
    let (civil, tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    for hostile in HOSTILE {
        let refused = system.ask(&Asked::get(hostile)).await.err().unwrap();
        assert_eq!(refused.code, Code::NotFound, "{hostile}: {refused:?}");
        // In a filter, a string stays one however it ends.
        let literal = serde_json::to_string(hostile).unwrap();
        let asked = Asked::query(&format!("full_name == {literal}"));
        let answer = system.ask(&asked).await.unwrap();
        assert!(answer.records.is_empty(), "{hostile}");
        let asked = Asked::query(&format!("full_name.startsWith({literal})"));
        let answer = system.ask(&asked).await.unwrap();
        assert!(answer.records.is_empty(), "{hostile}");
        let asked = Asked::count(&format!("full_name in [{literal}]"));
        assert_eq!(
            system.ask(&asked).await.unwrap().count.count,
            0,
            "{hostile}"
        );
        let asked = Asked::verify(&Resident(7).key(), &[("full_name", hostile)]);
        match system.ask(&asked).await {
            Ok(answer) => assert_eq!(
                answer.verdicts[0].outcome(),
                pb::VerdictOutcome::Mismatch,
                "{hostile}"
            ),
            // Guessing has its limit.
            Err(refused) => assert_eq!(refused.reason, "TOO_MANY_TRIES", "{hostile}"),
        }
        // As a filter by itself it is none, or asks about what is released.
        let refused = system.ask(&Asked::query(hostile)).await.err();
        let refused = refused.unwrap_or_else(|| panic!("{hostile} is a filter"));
        assert_eq!(refused.reason, "FILTER_INVALID", "{hostile}");
        let asked = Asked::get(&Resident(7).key()).purpose(hostile);
        let refused = system.ask(&asked).await.err().unwrap();
        assert_eq!(refused.reason, "PURPOSE_INVALID", "{hostile}");
    }
    // Nothing of it was carried out.
    let answer = system.ask(&Asked::query("")).await.unwrap();
    assert_eq!(answer.records.len(), Resident::shared(100).count());
    run(
        &world.path("var/civil/civil.sqlite"),
        "SELECT count(*) FROM residents",
    )
    .await;
    // And no line of a log is two, or moves a terminal's cursor.
    let escape = Asked::get(&Resident(7).key()).case("\u{1b}[2J\nforged line");
    let refused = system.ask(&escape).await.err().unwrap();
    assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    for log in [civil.log_text(), tax.log_text()] {
        assert!(!log.contains('\u{1b}') && !log.contains("\nforged line"));
    }
    for department in ["civil", "tax"] {
        world.journal(department).verified();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_babbles_costs_no_more_than_its_own_exchanges() {
    for babble in [Babble::InTls, Babble::InGrpc] {
        let world = World::new().await;
        impostor::babble(&world, "civil", babble).await;
        let mut tax = world.start("tax").await;
        let system = world.system("tax", "assessment");
        let before = tax.memory();
        for (case, asked) in [
            ("GET", Asked::get(&Resident(7).key())),
            ("QUERY", Asked::query("")),
        ] {
            let refused = system.ask(&asked.case(case)).await.err().unwrap();
            assert_eq!(
                refused.reason, "PEER_UNREACHABLE",
                "{babble:?} {case}: {refused:?}"
            );
            let entries = world.journal("tax").of_case(case);
            assert_eq!(
                entries.last().unwrap().reason(),
                "PEER_UNREACHABLE",
                "{babble:?} {case}"
            );
        }
        assert!(
            tax.memory() < before + 16,
            "{babble:?}: {} MiB after {before}",
            tax.memory()
        );
        tax.stops().await;
    }
}
