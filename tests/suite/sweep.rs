//! Every RPC by every kind of refusal: the status, what it says, and one entry at each gateway that saw the request.
//!
//! The refusals are read from the source. A pair that no case covers stands in `sweep_omitted.txt` with its reason.

mod cases;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use landbridge::pb;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::Asker;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;
use cases::Case;
use cases::Doors;
use cases::GET;
use cases::QUERY;
use cases::RPCS;
use cases::VERIFY;
use cases::cases;
use cases::extend;

#[tokio::test]
async fn every_rpc_refuses_every_kind_with_its_status_and_one_entry_at_each_gateway_that_saw_it() {
    let world = World::new().await;
    extend(&world);
    let _gateways = world.pair().await;
    let (system, peer) = (
        world.system("tax", "assessment"),
        world.peer("tax", "civil"),
    );

    let mut wrong = Vec::new();
    for (number, case) in cases().enumerate() {
        if case.doors != Doors::Peers {
            run(&world, case, number, &system, Doors::Systems, &mut wrong).await;
        }
        if case.doors != Doors::Systems {
            run(&world, case, number, &peer, Doors::Peers, &mut wrong).await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.journal("tax").verified();
    world.journal("civil").verified();
}

/// Runs a case at one door for each of its RPCs.
async fn run(
    world: &World,
    case: &Case,
    number: usize,
    asker: &Asker,
    door: Doors,
    wrong: &mut Vec<String>,
) {
    let relayed = |asked: Asked| {
        if door == Doors::Peers {
            asked.relayed_for("assessment")
        } else {
            asked
        }
    };
    if let Some(before) = case.before {
        asker.ask(&relayed(before())).await.ok();
    }
    for rpc in case.rpcs {
        let (at_systems, label) = (
            door == Doors::Systems,
            format!("{rpc} {} #{number}", case.reason),
        );
        let case_reference = format!("{label} {}", if at_systems { "systems" } else { "peers" });
        let asked = (case.spoil)(relayed(base(rpc)));
        let refused = asker.ask(&asked.case(&case_reference)).await.err();
        if let Some(fault) = misfit(refused.as_ref(), case) {
            wrong.push(format!("{case_reference} ({}): {fault}", case.what));
        }
        let expected = match (at_systems, case.by_provider) {
            (true, true) => (1, 1),
            (true, false) => (1, 0),
            (false, _) => (0, 1),
        };
        let (tax, civil) = (
            world.journal("tax").of_case(&case_reference),
            world.journal("civil").of_case(&case_reference),
        );
        if (tax.len(), civil.len()) != expected {
            wrong.push(format!(
                "{case_reference}: {} and {} entries, not {expected:?}",
                tax.len(),
                civil.len()
            ));
        }
        for entry in tax
            .iter()
            .chain(&civil)
            .filter(|entry| entry.reason() != case.reason)
        {
            wrong.push(format!(
                "{case_reference}: an entry says {}",
                entry.reason()
            ));
        }
        // Of what both gateways have on record, both say the same.
        for (ours, theirs) in tax.iter().zip(&civil) {
            let agree = ours.leaf.exchange_digest == theirs.leaf.exchange_digest
                && ours.leaf.outcome == theirs.leaf.outcome
                && ours
                    .leaf
                    .peer
                    .is_some_and(|peer| peer.index == theirs.index);
            if !agree {
                wrong.push(format!(
                    "{case_reference}: {:?} {:?}",
                    ours.leaf, theirs.leaf
                ));
            }
        }
    }
}

/// What is wrong with a refusal, if anything.
fn misfit(refused: Option<&Refused>, case: &Case) -> Option<String> {
    let Some(refused) = refused else {
        return Some("it was answered".to_owned());
    };
    let fits = refused.is(case.code, case.reason)
        && refused.location == case.location
        && refused.metadata.contains_key("exchange_id")
        && refused.retry == (case.code == Code::ResourceExhausted);
    (!fits).then(|| format!("{refused:?}"))
}

/// What would be answered if nothing were wrong with it.
fn base(rpc: &str) -> Asked {
    let key = Resident(7).key();
    match rpc {
        GET => Asked::get(&key),
        QUERY => Asked::query(""),
        VERIFY => Asked::verify(&key, &[("full_name", "王7")]),
        _ => Asked::count(""),
    }
}

#[tokio::test]
async fn more_requests_a_second_than_the_rate_are_refused_until_the_second_is_over() {
    let world = World::new().await;
    extend(&world);
    let _gateways = world.pair().await;
    for (door, asker, journal) in [
        (
            "systems",
            world.system("tax", "assessment"),
            world.journal("tax"),
        ),
        ("peers", world.peer("tax", "civil"), world.journal("civil")),
    ] {
        for rpc in RPCS {
            let asked = base(rpc).purpose("slow");
            let asked = if door == "peers" {
                asked.relayed_for("assessment")
            } else {
                asked
            };
            // A busy machine may take a second for one of them.
            let (case, refused) = loop {
                let case = format!("{rpc} {door} {}", journal.entries().len());
                if let Err(refused) = asker.ask(&asked.clone().case(&case)).await {
                    break (case, refused);
                }
            };
            assert!(
                refused.is(Code::ResourceExhausted, "RATE_LIMITED") && refused.retry,
                "{rpc} {door}: {refused:?}"
            );
            let entries = journal.of_case(&case);
            assert_eq!(
                entries
                    .iter()
                    .map(|entry| entry.reason())
                    .collect::<Vec<_>>(),
                ["RATE_LIMITED"]
            );
        }
    }
}

#[test]
fn every_refusal_of_every_rpc_is_swept_or_stands_in_the_ledger() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let sources = [
        "src/exchange/refusal.rs",
        "src/policy/decision.rs",
        "src/source.rs",
    ];
    let reasons: BTreeSet<String> = sources
        .iter()
        .flat_map(|file| reasons_in(&read(file)))
        .collect();
    assert!(reasons.len() > 30, "{} reasons were found", reasons.len());
    let swept: BTreeSet<(String, String)> = cases()
        .flat_map(|case| {
            case.rpcs
                .iter()
                .map(|rpc| ((*rpc).to_owned(), case.reason.to_owned()))
        })
        .collect();

    let ledger = read("tests/suite/sweep_omitted.txt");
    let omitted: Vec<(&str, &str)> = ledger.lines().filter_map(omission).collect();
    let stands = |rpc: &str, reason: &str| {
        omitted
            .iter()
            .any(|(r, n)| (*r == "*" || *r == rpc) && (*n == "*" || *n == reason))
    };
    let mut wrong = Vec::new();
    for rpc in rpcs() {
        for reason in &reasons {
            match (
                swept.contains(&(rpc.clone(), reason.clone())),
                stands(&rpc, reason),
            ) {
                (false, false) => {
                    wrong.push(format!("{rpc} {reason} is neither swept nor in the ledger"))
                }
                (true, true) => wrong.push(format!(
                    "{rpc} {reason} is swept: take it out of the ledger"
                )),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every RPC of the gateway's API.
fn rpcs() -> Vec<String> {
    let pool = prost_reflect::DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    let services = pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>());
    services.map(|method| method.name().to_owned()).collect()
}

/// The stable reasons that a source file names: `=> "LIKE_THIS"`.
fn reasons_in(text: &str) -> Vec<String> {
    let parts = text
        .split("=> \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let is_reason =
        |word: &&str| word.len() > 3 && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    parts.filter(is_reason).map(str::to_owned).collect()
}

/// `<rpc> <reason>: why`, either of them `*` for all.
fn omission(line: &str) -> Option<(&str, &str)> {
    if line.starts_with('#') || line.trim().is_empty() {
        return None;
    }
    let (pair, why) = line
        .split_once(": ")
        .unwrap_or_else(|| panic!("`{line}` gives no reason"));
    assert!(!why.trim().is_empty(), "`{line}` gives no reason");
    Some(
        pair.split_once(' ')
            .unwrap_or_else(|| panic!("`{line}` names no pair")),
    )
}
