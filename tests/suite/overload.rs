//! More than a gateway can carry: who is turned away, with what words, and who is not.

use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::header;

#[tokio::test]
async fn a_department_with_its_share_of_streams_is_turned_away_and_another_is_not() {
    let world = World::with_bulk(3_000).await;
    let (civil, _tax) = tokio::join!(
        world.start_with("civil", &[("LIMITS__MAX_STREAMED_ANSWERS", "5")]),
        world.start("tax")
    );
    let greedy = world.system("tax", "assessment");
    let mut unread = Vec::new();
    for _ in 0..4 {
        let mut stream = greedy.open(&Asked::query("")).await.unwrap();
        header(&mut stream).await.unwrap();
        unread.push(stream);
    }
    let one_more = Asked::query("").case("one-more");
    let refused = greedy.ask(&one_more).await.err().unwrap();
    assert!(
        refused.is(Code::ResourceExhausted, "OVER_FAIR_SHARE") && refused.retry,
        "{refused:?}"
    );
    assert_eq!(refused.metadata["refused_by"], "provider");

    // At the consumer an exchange had begun, at the provider none had.
    let at_tax = world.journal("tax").of_case("one-more");
    assert_eq!(at_tax.len(), 1);
    assert_eq!(at_tax[0].reason(), "OVER_FAIR_SHARE");
    assert!(world.journal("civil").of_case("one-more").is_empty());
    let metrics = civil.page("/metrics").await.1;
    let shed = r#"landbridge_shed_total{door="peers",reason="OVER_FAIR_SHARE",consumer="tax"} 1"#;
    assert!(metrics.contains(shed), "{metrics}");

    // The last place is for one that has none: policy refuses it, and not for want of a place.
    let modest = world.peer("market", "civil");
    let asked = Asked::query("").relayed_for("any").case("modest");
    let denied = modest.ask(&asked).await.err().unwrap();
    assert!(!denied.reason.starts_with("OVER"), "{denied:?}");
    assert_eq!(world.journal("civil").of_case("modest").len(), 1);
    // Look-ups have places of their own.
    greedy.ask(&Asked::get("R0000000007")).await.unwrap();

    drop(unread);
}

#[tokio::test]
async fn streams_that_nobody_reads_hold_up_no_other_answer_of_the_same_peer() {
    let world = World::with_bulk(3_000).await;
    let _gateways = world.pair().await;
    let idle = world.system("tax", "assessment");
    let mut unread = Vec::new();
    for _ in 0..6 {
        let mut stream = idle.open(&Asked::query("")).await.unwrap();
        header(&mut stream).await.unwrap();
        unread.push(stream);
    }
    // The streams fill what lies between the gateways meanwhile.
    let busy = world.system("tax", "assessment");
    for _ in 0..100 {
        busy.ask(&Asked::get("R0000000007")).await.unwrap();
    }
    drop(unread);
}
