//! Receipts: what a provider does not prove to have on record does not go on to the asker, and is on record itself.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landbridge::journal::Kind;
use landbridge::journal::LEAF_BYTES;
use landbridge::journal::Leaf;
use landbridge::journal::Outcome;
use landbridge::journal::leaf_hash;
use landbridge::name::ExchangeId;
use landbridge::pb;
use landbridge::pb::query_records_response::Part;
use landbridge::tlog::note::VerifierKey;
use prost::Message;
use tonic::Code;
use tonic::Status;
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::broken;
use crate::harness::client::header;
use crate::harness::edit;
use crate::harness::gateway::Gateway;
use crate::harness::impostor::Impostor;
use crate::harness::impostor::Told;
use crate::harness::journal::Entry;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;

/// Civil's honest gateway, an impostor in its place, and tax's gateway, which asks.
async fn deceived(world: &World) -> (Gateway, Gateway, Impostor) {
    let impostor = Impostor::of(world, "civil", "tax").await;
    let (civil, tax) = world.pair().await;
    (civil, tax, impostor)
}

/// Changes the receipt of an answer, of a stream's header or of its trailer.
fn receipt(told: &mut Told, change: impl FnOnce(&mut pb::Receipt)) {
    if let Some(Some(receipt)) = told.receipt() {
        change(receipt);
    }
}

/// What tax's journal has of a case.
fn entry_of(world: &World, case: &str) -> Entry {
    let mut entries = world.journal("tax").of_case(case);
    assert_eq!(entries.len(), 1, "{case}");
    entries.remove(0)
}

/// Asserts that an exchange was refused for its receipt, that the log says so and that the journal says what was wrong.
async fn assert_unproven(
    world: &World,
    tax: &mut Gateway,
    case: &str,
    refused: &Refused,
    why: &str,
) {
    assert!(
        refused.is(Code::Internal, "RECEIPT_REFUSED"),
        "{case}: {refused:?}"
    );
    assert!(
        !refused.message.contains(why),
        "{case}: the asker is told `{}`",
        refused.message
    );
    let entry = entry_of(world, case);
    assert_eq!(entry.leaf.outcome, Outcome::ReceiptRefused, "{case}");
    assert_eq!(entry.leaf.peer, None, "{case}: nothing was proven");
    assert_eq!(entry.reason(), "RECEIPT_REFUSED", "{case}");
    let detail = &entry.exchange().unwrap().detail;
    assert!(detail.contains(why), "{case}: {detail}");
    let line = tax.told("failed").await;
    assert_eq!(line["reason"], "RECEIPT_REFUSED", "{case}");
    assert!(
        line["error"].as_str().unwrap().contains(why),
        "{case}: {line}"
    );
}

/// A checkpoint's text, signed under the same name by a key that nobody knows.
fn signed_by_another(checkpoint: &str) -> String {
    let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let text = checkpoint
        .split_inclusive("\n\n")
        .next()
        .unwrap()
        .strip_suffix('\n')
        .unwrap();
    let origin = text.lines().next().unwrap();
    let key = VerifierKey::new(origin, pair.public_key().as_ref().try_into().unwrap());
    let vkey = key.unwrap().to_string();
    let id = u32::from_str_radix(vkey.split('+').nth(1).unwrap(), 16).unwrap();
    let signature = [&id.to_be_bytes(), pair.sign(text.as_bytes()).as_ref()].concat();
    format!("{text}\n\u{2014} {origin} {}\n", STANDARD.encode(signature))
}

#[tokio::test]
async fn an_answer_whose_receipt_is_missing_or_wrong_is_withheld() {
    let world = World::new().await;
    let (_civil, mut tax, impostor) = deceived(&world).await;
    let system = world.system("tax", "assessment");
    let asked = Asked::get(&Resident(7).key());

    // Two honest answers, whose receipts are used again.
    let kept: Arc<Mutex<Vec<pb::Receipt>>> = Arc::default();
    let keep = kept.clone();
    impostor.tells(move |told| receipt(told, |receipt| keep.lock().unwrap().push(receipt.clone())));
    for _ in 0..2 {
        system.ask(&asked).await.unwrap();
    }
    let kept = kept.lock().unwrap().clone();
    let (old, other) = (kept[0].clone(), kept[1].clone());
    let older = old.clone();

    type Lie = Box<dyn Fn(&mut Told) + Send + Sync>;
    let of_receipt =
        |change: fn(&mut pb::Receipt)| -> Lie { Box::new(move |told| receipt(told, change)) };
    let lies: Vec<(&str, Lie, &str)> = vec![
        (
            "none",
            Box::new(|told| _ = told.receipt().unwrap().take()),
            "sent no receipt",
        ),
        (
            "another exchange's",
            Box::new(move |told| *told.receipt().unwrap() = Some(other.clone())),
            "of another exchange",
        ),
        (
            "an old one",
            Box::new(move |told| *told.receipt().unwrap() = Some(old.clone())),
            "of another exchange",
        ),
        (
            "an old checkpoint",
            Box::new(move |told| {
                let checkpoint = older.checkpoint.clone();
                receipt(told, |receipt| receipt.checkpoint = checkpoint);
            }),
            "path does not lead",
        ),
        (
            "a changed leaf",
            of_receipt(|receipt| {
                let mut leaf = receipt.leaf.to_vec();
                leaf[6] = Outcome::Denied.code();
                receipt.leaf = leaf.into();
            }),
            "path does not lead",
        ),
        (
            "a foreign signature",
            of_receipt(|receipt| receipt.checkpoint = signed_by_another(&receipt.checkpoint)),
            "no trusted key has signed",
        ),
        (
            "a path that is cut",
            of_receipt(|receipt| _ = receipt.path.pop()),
            "path does not lead",
        ),
        (
            "a wrong index",
            of_receipt(|receipt| receipt.index -= 1),
            "path does not lead",
        ),
        (
            "another journal's name",
            of_receipt(|receipt| receipt.origin = "gov.example/market/1".to_owned()),
            "is of `gov.example/market/1`",
        ),
        (
            "a record changed after it",
            Box::new(|told| {
                let Told::Record(answer) = told else { return };
                let (name, other) = ("王7".as_bytes(), "王8".as_bytes());
                let mut record = answer.record.to_vec();
                let at = record
                    .windows(name.len())
                    .position(|at| at == name)
                    .unwrap();
                record[at..at + name.len()].copy_from_slice(other);
                answer.record = record.into();
            }),
            "exchange digest",
        ),
    ];
    for (what, lie, why) in lies {
        impostor.tells(lie);
        let refused = system.ask(&asked.clone().case(what)).await.err();
        let refused = refused.unwrap_or_else(|| panic!("{what}: it was answered"));
        assert_unproven(&world, &mut tax, what, &refused, why).await;
        // The provider answered, and what it has on record is what was received: only the record was changed on the way.
        let (theirs, ours) = (world.journal("civil").of_case(what), entry_of(&world, what));
        let agree = theirs[0].leaf.exchange_digest == ours.leaf.exchange_digest;
        assert_eq!(agree, what != "a record changed after it", "{what}");
    }
    impostor.tells(|_| {});
    let answer = system.ask(&asked.case("honest")).await.unwrap();
    assert_eq!(answer.records.len(), 1);
    world.journal("tax").verified();
}

#[tokio::test]
async fn verdicts_and_counts_that_are_changed_are_withheld() {
    let world = World::new().await;
    let (_civil, mut tax, impostor) = deceived(&world).await;
    let system = world.system("tax", "assessment");
    impostor.tells(|told| match told {
        Told::Verdicts(told) => told.verdicts[0].outcome = pb::VerdictOutcome::Mismatch.into(),
        Told::Count(told) => told.count += 1,
        _ => {}
    });
    let verify = Asked::verify(&Resident(7).key(), &[("full_name", "王7")]);
    for (case, asked) in [("verify", verify), ("count", Asked::count(""))] {
        let refused = system.ask(&asked.case(case)).await.err().unwrap();
        assert_unproven(&world, &mut tax, case, &refused, "exchange digest").await;
    }
}

#[tokio::test]
async fn a_stream_begins_with_a_receipt_and_is_whole_with_another() {
    let world = World::new().await;
    let (_civil, mut tax, impostor) = deceived(&world).await;
    let system = world.system("tax", "assessment");
    let is_header = |told: &Told| {
        matches!(
            told,
            Told::Part(pb::QueryRecordsResponse {
                part: Some(Part::Header(_))
            })
        )
    };

    impostor.tells(move |told| {
        if is_header(told) {
            told.receipt().unwrap().take();
        }
    });
    let refused = system.ask(&Asked::query("").case("no header's")).await;
    let refused = refused.err().unwrap();
    assert_unproven(&world, &mut tax, "no header's", &refused, "sent no receipt").await;

    let opening: Arc<Mutex<Option<pb::Receipt>>> = Arc::default();
    type Lie = Box<dyn Fn(&mut Told) + Send + Sync>;
    let lies: Vec<(&str, Lie, &str)> = vec![
        (
            "no trailer's",
            Box::new(move |told| {
                if !is_header(told)
                    && let Some(receipt) = told.receipt()
                {
                    receipt.take();
                }
            }),
            "sent no receipt",
        ),
        (
            "the header's again",
            Box::new(move |told| {
                let header = is_header(told);
                let Some(receipt) = told.receipt() else {
                    return;
                };
                let mut opening = opening.lock().unwrap();
                if header {
                    opening.clone_from(receipt);
                } else {
                    receipt.clone_from(&opening);
                }
            }),
            "is of intent as provider",
        ),
        (
            "a record left out",
            Box::new(|told| {
                if let Told::Part(pb::QueryRecordsResponse {
                    part: Some(Part::Batch(batch)),
                }) = told
                {
                    batch.records.pop();
                }
            }),
            "exchange digest",
        ),
    ];
    for (case, lie, why) in lies {
        impostor.tells(lie);
        let mut stream = system.open(&Asked::query("").case(case)).await.unwrap();
        let info = header(&mut stream).await.unwrap();
        let refused = broken(stream).await;
        assert!(
            refused.is(Code::Internal, "RECEIPT_REFUSED"),
            "{case}: {refused:?}"
        );
        let exchange: ExchangeId = info.exchange_id.parse().unwrap();
        let end = world.journal("tax").end_of(exchange).await;
        assert_eq!(end.reason, "RECEIPT_REFUSED", "{case}");
        assert!(end.detail.contains(why), "{case}: {}", end.detail);
        let entries = world.journal("tax").of_exchange(exchange);
        let outcomes: Vec<_> = entries.iter().map(|entry| entry.leaf.outcome).collect();
        assert_eq!(
            outcomes,
            [Outcome::Answered, Outcome::ReceiptRefused],
            "{case}"
        );
        assert_eq!(tax.told("failed").await["reason"], "RECEIPT_REFUSED");
    }
}

/// The receipt among a refusal's details.
fn receipt_of(status: &Status) -> Option<pb::Receipt> {
    let told = tonic_types::Status::decode(status.details()).unwrap();
    let detail = told
        .details
        .iter()
        .find(|any| any.type_url == pb::RECEIPT_TYPE)?;
    Some(pb::Receipt::decode(detail.value.as_slice()).unwrap())
}

/// The same refusal with another receipt, or none.
fn with_receipt(status: &Status, receipt: Option<&pb::Receipt>) -> Status {
    let mut told = tonic_types::Status::decode(status.details()).unwrap();
    told.details.retain(|any| any.type_url != pb::RECEIPT_TYPE);
    told.details.extend(receipt.map(|receipt| prost_types::Any {
        type_url: pb::RECEIPT_TYPE.to_owned(),
        value: receipt.encode_to_vec(),
    }));
    Status::with_details(status.code(), status.message(), told.encode_to_vec().into())
}

/// A record that there is not.
fn nobody() -> Asked {
    Asked::get("R9999999999")
}

#[tokio::test]
async fn a_refusal_is_on_record_as_what_the_provider_proves_of_it() {
    let world = World::new().await;
    let (_civil, mut tax, impostor) = deceived(&world).await;
    let system = world.system("tax", "assessment");

    let refused = system.ask(&nobody().case("proven")).await.err().unwrap();
    assert!(refused.is(Code::NotFound, "NOT_FOUND"), "{refused:?}");
    let (ours, theirs) = (
        entry_of(&world, "proven"),
        world.journal("civil").of_case("proven").remove(0),
    );
    assert_eq!(ours.leaf.outcome, Outcome::Answered);
    assert_eq!(ours.leaf.exchange_digest, theirs.leaf.exchange_digest);
    assert_eq!(ours.leaf.peer.unwrap().index, theirs.index);

    impostor.tells(|told| {
        if let Told::Refusal(status) = told {
            *status = with_receipt(status, None);
        }
    });
    let refused = system.ask(&nobody().case("unproven")).await.err().unwrap();
    assert_unproven(&world, &mut tax, "unproven", &refused, "sent no receipt").await;

    // It found the record, and says that there is none: its journal gives it away.
    impostor.tells(|told| {
        if let Told::Record(answer) = told {
            let receipt = answer.info.as_ref().and_then(|info| info.receipt.as_ref());
            let nobody = Status::with_error_details(
                Code::NotFound,
                "no such record",
                tonic_types::ErrorDetails::with_error_info(
                    "NOT_FOUND",
                    "landbridge",
                    std::collections::HashMap::<String, String>::new(),
                ),
            );
            *told = Told::Refusal(with_receipt(&nobody, receipt));
        }
    });
    let asked = Asked::get(&Resident(7).key()).case("belied");
    let refused = system.ask(&asked).await.err().unwrap();
    assert_unproven(&world, &mut tax, "belied", &refused, "exchange digest").await;
}

#[tokio::test]
async fn every_refusal_that_is_on_record_carries_the_receipt_of_its_entry() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    for (asker, journal, asked) in [
        (world.system("tax", "assessment"), "tax", nobody()),
        (
            world.peer("tax", "civil"),
            "civil",
            nobody().relayed_for("assessment"),
        ),
    ] {
        let message = pb::GetRecordRequest {
            record_type: asked.record_type.clone(),
            grounds: Some(asked.grounds.clone()),
            key: "R9999999999".to_owned(),
            relay: asked.relay.clone(),
            ..Default::default()
        };
        let status = asker.client().get_record(message).await.err().unwrap();
        let receipt = receipt_of(&status).unwrap();
        let leaf: &[u8; LEAF_BYTES] = receipt.leaf.as_ref().try_into().unwrap();
        let entry = world
            .journal(journal)
            .entries()
            .remove(receipt.index as usize);
        assert_eq!(Leaf::parse(leaf).unwrap(), entry.leaf);
        assert_eq!(receipt.origin, format!("gov.example/{journal}/1"));
        assert!(receipt.checkpoint.starts_with(&receipt.origin));
    }
}

#[tokio::test]
async fn both_journals_have_one_digest_of_every_answer_and_the_asker_s_names_the_provider_s_leaf() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let key = Resident(7).key();
    for (case, asked) in [
        ("get", Asked::get(&key)),
        (
            "fields",
            Asked::get(&key).fields(&["full_name", "resident_id"]),
        ),
        (
            "verify",
            Asked::verify(&key, &[("full_name", "王7"), ("birth_date", "1957-03-08")]),
        ),
        (
            "verify none",
            Asked::verify("R9999999999", &[("full_name", "王7")]),
        ),
        ("count", Asked::count("")),
        ("count few", Asked::count("full_name == \"王7\"")),
        ("query", Asked::query("")),
        ("query none", Asked::query("full_name == \"x\"")),
        (
            "query some",
            Asked::query("").limit(7).order("full_name desc"),
        ),
    ] {
        let answer = system.ask(&asked.case(case)).await.unwrap();
        let (tax, civil) = (
            world.journal("tax").of_exchange(answer.exchange()),
            world.journal("civil").of_exchange(answer.exchange()),
        );
        assert_eq!(tax.len(), civil.len(), "{case}");
        for (ours, theirs) in tax.iter().zip(&civil) {
            let peer = ours.leaf.peer.unwrap();
            assert_ne!(ours.leaf.exchange_digest, [0; 32], "{case}");
            assert_eq!(
                ours.leaf.exchange_digest, theirs.leaf.exchange_digest,
                "{case}: {}",
                ours.leaf.kind
            );
            assert_eq!(peer.index, theirs.index, "{case}");
            assert_eq!(peer.leaf_hash, leaf_hash(&theirs.leaf.encode()), "{case}");
            assert_eq!(ours.leaf.kind, theirs.leaf.kind);
        }
        let streamed = tax.iter().any(|entry| entry.leaf.kind == Kind::StreamEnd);
        assert_eq!(streamed, case.starts_with("query"));
    }
    let verified = (
        world.journal("tax").verified(),
        world.journal("civil").verified(),
    );
    assert!(verified.0.fault.is_none() && verified.1.fault.is_none());
}

#[tokio::test]
async fn a_schema_that_differs_at_the_provider_is_on_record() {
    let world = World::new().await;
    let (_civil, mut tax, impostor) = deceived(&world).await;
    let system = world.system("tax", "assessment");
    impostor.tells(|told| {
        if let Some(info) = told.info() {
            info.schema_digest = vec![5; 32].into();
        }
    });
    let asked = Asked::get(&Resident(7).key());
    system.ask(&asked.case("differs")).await.unwrap();
    let entry = entry_of(&world, "differs");
    assert_eq!(entry.exchange().unwrap().peer_schema_digest, vec![5; 32]);
    let line = tax
        .told("the other party's schema of the record type differs from ours")
        .await;
    assert_eq!(line["record"], "civil.v1.Resident");
}

#[tokio::test]
async fn a_provider_without_a_journal_key_is_not_asked_and_check_says_so() {
    let world = World::new().await;
    let directory = world.path("config/directory.toml");
    let text = fs::read_to_string(&directory).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("gov.example/civil/1"))
        .unwrap();
    edit(&directory, line, "journal = []");
    let (mut civil, _tax) = world.pair().await;

    let refused = world
        .system("tax", "assessment")
        .ask(&Asked::get(&Resident(7).key()).case("unknown"))
        .await
        .err()
        .unwrap();
    assert!(
        refused.is(Code::FailedPrecondition, "PROVIDER_JOURNAL_UNKNOWN"),
        "{refused:?}"
    );
    let entry = entry_of(&world, "unknown");
    assert_eq!(entry.leaf.outcome, Outcome::Denied);
    assert!(world.journal("civil").of_case("unknown").is_empty());
    let mut warned = civil.log_text();
    if !warned.contains("others cannot verify this journal") {
        civil
            .told("others cannot verify this journal: its key is not in the directory; add what `landbridge audit key` prints")
            .await;
        warned = civil.log_text();
    }
    assert!(warned.contains("gov.example/civil/1"));

    let check = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .args(["check", "--json", "--config"])
        .arg(world.federation.settings("tax"))
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    let warnings = told["warnings"].as_array().unwrap();
    let found = warnings
        .iter()
        .find(|warning| warning["key"] == "department[civil].journal")
        .unwrap();
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("`landbridge audit key"),
        "{found}"
    );
}

#[tokio::test]
async fn an_exchange_that_was_asked_for_is_not_asked_for_again_also_after_a_restart() {
    let world = World::new().await;
    let civil = world.start("civil").await;
    let key = Resident(7).key();
    let all = [
        Asked::get(&key),
        Asked::query(""),
        Asked::verify(&key, &[("full_name", "王7")]),
        Asked::count(""),
    ]
    .map(|asked| asked.relayed_for("assessment"));
    for asked in &all {
        let peer = world.peer("tax", "civil");
        peer.ask(asked).await.unwrap();
        let again = peer.ask(&asked.clone().case("again")).await.err().unwrap();
        assert!(
            again.is(Code::AlreadyExists, "EXCHANGE_REPLAYED") && again.location == "relay",
            "{again:?}"
        );
    }
    civil.kill();
    let _civil = world.start("civil").await;
    for asked in &all {
        let peer = world.peer("tax", "civil");
        let again = peer.ask(&asked.clone().case("later")).await.err().unwrap();
        assert!(
            again.is(Code::AlreadyExists, "EXCHANGE_REPLAYED"),
            "{again:?}"
        );

        let mut asked = asked.clone().case("late");
        let hours_ago = uuid::Timestamp::from_unix(uuid::NoContext, 1_700_000_000, 0);
        let old = Uuid::new_v7(hours_ago).as_bytes().to_vec();
        asked.relay.as_mut().unwrap().exchange_id = old.into();
        let late = peer.ask(&asked).await.err().unwrap();
        assert!(
            late.is(Code::InvalidArgument, "EXCHANGE_OUT_OF_TIME") && late.location == "relay",
            "{late:?}"
        );
    }
    let journal = world.journal("civil");
    for (case, reason) in [
        ("again", "EXCHANGE_REPLAYED"),
        ("later", "EXCHANGE_REPLAYED"),
        ("late", "EXCHANGE_OUT_OF_TIME"),
    ] {
        let entries = journal.of_case(case);
        let reasons: Vec<_> = entries.iter().map(Entry::reason).collect();
        assert_eq!(reasons, [reason; 4], "{case}");
    }
}
