//! What a person is told of who received their data, and what an auditor sees of it.

use landbridge::pb;
use landbridge::reading::reader::Right;
use serde_json::Value;
use serde_json::json;

use super::reading::Auditor;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::gateway::Gateway;
use crate::harness::records::Resident;

const SETTINGS: &str = r#"
[subjects]
schemes = ["national_id"]
user_code_prefix = "EE"

[[subjects.hide]]
purposes = ["arrears"]
consumers = ["tax"]
reason = "Tax Collection Administration Law, art. 8"

[[subjects.hide]]
purposes = ["inspection"]
until = "90d"
reason = "Inspection Rules, art. 3"
"#;

async fn find(civil: &Gateway, token: &str, query: &str) -> (u16, Value) {
    let authorization = format!("Bearer {token}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("X-Road-UserId", "EE38001010000"),
    ];
    let page = civil.fetch(&format!("/v2/{query}"), &headers).await;
    assert!(
        page.head.contains("content-type: application/json"),
        "{}",
        page.head
    );
    (page.status, page.json())
}

/// Tax looks Resident 7 up for each of the purposes.
async fn looked_up(world: &World, purposes: &[&str]) {
    let system = world.system("tax", "assessment");
    for purpose in purposes {
        let asked = Asked::get(&Resident(7).key()).purpose(purpose);
        system.ask(&asked).await.unwrap();
    }
}

#[tokio::test]
async fn a_person_is_told_who_received_their_data_but_for_what_a_rule_hides() {
    let world = World::new().await;
    world.settle("civil", SETTINGS);
    world.amend("\"arrears\"]", "\"arrears\", \"inspection\"]");
    let token = world.reader("civil", "eesti-portal", &[Right::Subjects]);
    let (civil, _tax) = world.pair().await;
    looked_up(
        &world,
        &["tax-assessment", "arrears", "inspection", "tax-assessment"],
    )
    .await;
    // A refusal gave nothing away.
    let refused = Asked::get(&Resident(7).key()).purpose("curiosity");
    world
        .system("tax", "assessment")
        .ask(&refused)
        .await
        .err()
        .unwrap();

    let code = format!("EE{}", Resident(7).national_id());
    let (status, told) = find(&civil, &token, &format!("findUsage?userCode={code}")).await;
    assert_eq!((status, &told["totalUsages"]), (200, &json!(2)), "{told}");
    let usages = told["usages"].as_array().unwrap();
    assert_eq!(usages.len(), 2);
    for usage in usages {
        let mut usage = usage.as_object().unwrap().clone();
        let time = usage.remove("logtime").unwrap();
        assert!(time.as_str().unwrap().ends_with("+08:00"), "{time}");
        let expected = json!({
            "action": "tax-assessment (Resident)", "receiverCode": "tax",
            "receiverName": "Tax", "receiverSystem": "assessment",
        });
        assert_eq!(Value::Object(usage), expected);
    }
    let page =
        format!("findUsage?userCode={code}&offset=1&limit=5&periodStart=2026-01-01T00:00:00");
    let (_, told) = find(&civil, &token, &page).await;
    assert_eq!(told["totalUsages"], 2);
    assert_eq!(told["usages"], json!([usages[1]]));
    let past = format!("findUsage?userCode={code}&periodEnd=2025-12-31T23:59:59%2B08:00");
    assert_eq!(
        find(&civil, &token, &past).await.1,
        json!({ "totalUsages": 0, "usages": [] })
    );

    auditors_see_all(&world, &token).await;
    let told: Vec<_> = world
        .journal("civil")
        .readings("eesti-portal")
        .into_iter()
        .map(|access| (access.action, access.entries))
        .collect();
    let subject = |entries| ("subject".to_owned(), entries);
    assert_eq!(told, [2, 1, 0, 4].map(subject));
}

async fn auditors_see_all(world: &World, token: &str) {
    let auditor = Auditor::new(world.ports("civil").operators, Some(token));
    let asked = pb::ListUsagesRequest {
        subject: Some(pb::Subject {
            scheme: "national_id".to_owned(),
            identifier: Resident(7).national_id(),
        }),
        ..Default::default()
    };
    let told = auditor.usages(asked).await.unwrap();
    assert_eq!(told.total, 4);
    let usages: Vec<_> = told
        .usages
        .iter()
        .map(|usage| {
            assert_eq!(usage.agreement, "CIV-TAX-2026-01");
            assert_eq!(usage.officer, "W. Example");
            assert!(
                usage.masked.contains(&"national_id".to_owned()),
                "{:?}",
                usage.masked
            );
            let hidden_until = usage.hidden_until.is_some();
            (usage.purpose.as_str(), usage.hidden.as_str(), hidden_until)
        })
        .collect();
    assert_eq!(
        usages,
        [
            ("tax-assessment", "", false),
            ("inspection", "Inspection Rules, art. 3", true),
            (
                "arrears",
                "Tax Collection Administration Law, art. 8",
                false
            ),
            ("tax-assessment", "", false),
        ]
    );
}

#[tokio::test]
async fn the_tracker_says_since_when_whether_it_lives_and_what_is_wrong_with_a_question() {
    let world = World::new().await;
    world.settle("civil", SETTINGS);
    let token = world.reader("civil", "portal", &[Right::Subjects]);
    let civil = world.start("civil").await;
    let (status, told) = find(&civil, &token, "usagePeriod").await;
    assert_eq!(status, 200);
    let told = told.as_object().unwrap();
    assert_eq!(told.keys().collect::<Vec<_>>(), ["periodStart"]);
    assert_eq!(
        find(&civil, &token, "heartbeat").await,
        (
            200,
            json!({ "status": "OK", "message": "usages can be asked for" })
        )
    );

    for (query, sentence) in [
        ("", "userCode: is missing: whose data it is"),
        ("userCode=EE", "userCode: an identifier has 1 to 128 bytes"),
        ("userCode=1&userCode=2", "userCode: comes twice"),
        (
            "userCode=1&limit=1001",
            "limit: expected a number from 1 to 1000",
        ),
        (
            "userCode=1&offset=-1",
            "offset: expected a number from 0 to 2147483647",
        ),
        (
            "userCode=1&periodStart=today",
            "periodStart: expected a time such as `2026-01-31T10:20:30` or `2026-01-31T10:20:30Z`",
        ),
    ] {
        let (status, told) = find(&civil, &token, &format!("findUsage?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert_eq!(
            told,
            json!({ "reason": "QUESTION_INVALID", "message": sentence })
        );
    }
    let authorization = format!("Bearer {token}");
    let page = civil
        .fetch(
            "/v2/findUsage?userCode=1",
            &[("Authorization", &authorization)],
        )
        .await;
    assert_eq!(page.status, 400);
    assert_eq!(
        page.json()["message"],
        "X-Road-UserId: the header is missing: who asks"
    );
    assert_eq!(world.journal("civil").readings("portal").len(), 0);
}
