//! What may change while a gateway runs: all of it takes effect, or none.

use std::fs;

use landbridge::pb;
use landbridge::pb::catalog_service_client::CatalogServiceClient;
use landbridge::pb::journal_record::Kind;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::broken;
use crate::harness::client::header;
use crate::harness::client::read;
use crate::harness::edit;
use crate::harness::records::Resident;

const PURPOSES: &str = "\"tax-assessment\", \"arrears\"";
const WITH_REFUNDS: &str = "\"tax-assessment\", \"arrears\", \"refunds\"";
const ROWS: &str = "status == STATUS_ACTIVE && ";

#[tokio::test]
async fn an_amended_agreement_takes_effect_on_a_signal() {
    let world = World::new().await;
    let (mut civil, mut tax) = world.pair().await;
    let (system, asked) = (
        world.system("tax", "assessment"),
        Asked::get(&Resident(7).key()).purpose("refunds"),
    );
    assert_eq!(
        system.ask(&asked).await.err().unwrap().reason,
        "PURPOSE_NOT_AGREED"
    );

    let before = world.journal("tax").entries().len();
    world.amend(PURPOSES, WITH_REFUNDS);
    tokio::join!(civil.reload(), tax.reload());
    system.ask(&asked).await.unwrap();
    let applied = world
        .journal("tax")
        .entries()
        .into_iter()
        .skip(before)
        .find_map(|entry| match entry.kind {
            Kind::Policy(policy) => Some(policy),
            _ => None,
        });
    assert!(applied.unwrap().applied);
}

#[tokio::test]
async fn an_amended_agreement_takes_effect_when_its_file_changes() {
    let world = World::new().await;
    let (mut civil, mut tax) = world.pair().await;
    world.amend(PURPOSES, WITH_REFUNDS);
    let (at_civil, at_tax) = tokio::join!(civil.told("reloaded"), tax.told("reloaded"));
    assert_eq!(
        [&at_civil["why"], &at_tax["why"]],
        ["files changed", "files changed"]
    );
    let asked = Asked::get(&Resident(7).key()).purpose("refunds");
    world.system("tax", "assessment").ask(&asked).await.unwrap();
}

#[tokio::test]
async fn a_broken_file_is_refused_whole_and_the_old_state_serves_on() {
    let world = World::new().await;
    let (_civil, mut tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    edit(
        &world.agreement("tax", "CIV-TAX-2026-01"),
        PURPOSES,
        WITH_REFUNDS,
    );
    fs::write(
        world.agreement("tax", "BROKEN"),
        "id = \"BROKEN\"\nprovider = ",
    )
    .unwrap();
    tax.signal("HUP");
    let line = tax.told("not reloaded: the old state stays").await;
    assert!(
        line["fault"].as_str().unwrap().contains("BROKEN.toml:2"),
        "{line}"
    );

    let key = Resident(7).key();
    system.ask(&Asked::get(&key)).await.unwrap();
    let refused = system
        .ask(&Asked::get(&key).purpose("refunds"))
        .await
        .err()
        .unwrap();
    assert_eq!(
        refused.reason, "PURPOSE_NOT_AGREED",
        "the sound half of the change is not in force"
    );
    let detail = world
        .journal("tax")
        .awaits(|entry| match &entry.kind {
            Kind::Policy(policy) if !policy.applied => Some(policy.detail.clone()),
            _ => None,
        })
        .await;
    assert!(detail.contains("BROKEN.toml:2"), "{detail}");
    let (_, metrics) = tax.page("/metrics").await;
    assert!(
        metrics.contains(r#"landbridge_reloads_total{outcome="refused"}"#),
        "{metrics}"
    );

    fs::remove_file(world.agreement("tax", "BROKEN")).unwrap();
    tax.reload().await;
    // Now tax agrees and asks; civil, whose copy nobody changed, refuses.
    let asked = Asked::get(&key).purpose("refunds").case("MENDED");
    let refused = system.ask(&asked).await.err().unwrap();
    assert!(
        refused.is(Code::PermissionDenied, "PURPOSE_NOT_AGREED"),
        "{refused:?}"
    );
    let at_civil = world.journal("civil").of_case("MENDED");
    let reasons: Vec<_> = at_civil.iter().map(|entry| entry.reason()).collect();
    assert_eq!(reasons, ["PURPOSE_NOT_AGREED"]);
}

#[tokio::test]
async fn a_certificate_that_does_not_load_leaves_the_old_one_in_use() {
    let world = World::new().await;
    let mut tax = world.start("tax").await;
    fs::write(world.federation.certificate("tax/systems.pem"), "nonsense").unwrap();
    tax.signal("HUP");
    let line = tax.told("not reloaded: the old state stays").await;
    assert!(
        line["fault"].as_str().unwrap().contains("systems.pem"),
        "{line}"
    );
    let refused = world
        .system("tax", "audit")
        .ask(&Asked::get(&Resident(7).key()))
        .await
        .err()
        .unwrap();
    assert!(
        refused.is(Code::PermissionDenied, "SYSTEM_NOT_GRANTED"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_stream_ends_when_its_grant_is_taken_away() {
    let world = World::with_bulk(3_000).await;
    let mut civil = world.start("civil").await;
    let peer = world.peer("tax", "civil");
    let mut stream = peer
        .open(&Asked::query("").relayed_for("assessment"))
        .await
        .unwrap();
    let exchange = header(&mut stream)
        .await
        .unwrap()
        .exchange_id
        .parse()
        .unwrap();

    fs::remove_file(world.agreement("civil", "CIV-TAX-2026-01")).unwrap();
    civil.reload().await;
    let refused = broken(stream).await;
    assert!(
        refused.is(Code::PermissionDenied, "NO_AGREEMENT"),
        "{refused:?}"
    );
    assert_eq!(
        world.journal("civil").end_of(exchange).await.reason,
        "NO_AGREEMENT"
    );
}

#[tokio::test]
async fn a_stream_ends_when_its_grant_comes_to_cover_other_rows() {
    let world = World::with_bulk(3_000).await;
    let mut civil = world.start("civil").await;
    let peer = world.peer("tax", "civil");
    let mut stream = peer
        .open(&Asked::query("").relayed_for("assessment"))
        .await
        .unwrap();
    let exchange = header(&mut stream)
        .await
        .unwrap()
        .exchange_id
        .parse()
        .unwrap();

    edit(&world.agreement("civil", "CIV-TAX-2026-01"), ROWS, "");
    civil.reload().await;
    let status = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream was answered whole"),
            Err(status) => break crate::harness::refusal::Refused::from(status),
        }
    };
    assert!(status.is(Code::Aborted, "AGREEMENT_AMENDED"), "{status:?}");
    assert_eq!(
        world.journal("civil").end_of(exchange).await.reason,
        "AGREEMENT_AMENDED"
    );
}

#[tokio::test]
async fn a_stream_goes_on_when_a_reload_leaves_its_grant() {
    let world = World::with_bulk(1_000).await;
    let mut civil = world.start("civil").await;
    let peer = world.peer("tax", "civil");
    let stream = peer
        .open(&Asked::query("").relayed_for("assessment"))
        .await
        .unwrap();
    edit(
        &world.agreement("civil", "CIV-TAX-2026-01"),
        PURPOSES,
        WITH_REFUNDS,
    );
    civil.reload().await;
    let answer = read(stream).await.unwrap();
    assert_eq!(
        answer.trailer.records,
        Resident::shared(1_000).count() as u64
    );
}

#[tokio::test]
async fn a_changed_registry_takes_effect_and_one_that_the_tables_do_not_fit_is_refused() {
    let world = World::new().await;
    let mut civil = world.start("civil").await;
    let mut catalog = CatalogServiceClient::new(world.system("civil", "counter").channel);
    let proto = world.path("proto/registry/civil/v1/resident.proto");
    edit(&proto, "title: \"Resident\"", "title: \"Inhabitant\"");
    civil.reload().await;
    let request = pb::GetRecordTypeRequest {
        record_type: "civil.v1.Resident".to_owned(),
    };
    let told = catalog
        .get_record_type(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(told.record_type.unwrap().title, "Inhabitant");

    edit(
        &proto,
        "string ethnic_group = 6",
        "string shoe_size = 15; string ethnic_group = 6",
    );
    civil.signal("HUP");
    let line = civil.told("not reloaded: the old state stays").await;
    assert!(
        line["fault"].as_str().unwrap().contains("shoe_size"),
        "{line}"
    );
    let told = catalog.get_record_type(request).await.unwrap().into_inner();
    assert!(told.fields.iter().all(|field| field.path != "shoe_size"));
    let asked = Asked::get(&Resident(7).key())
        .purpose("counter-service")
        .fields(&["full_name"]);
    world.system("civil", "counter").ask(&asked).await.unwrap();
}
