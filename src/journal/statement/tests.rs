use super::*;
use crate::digest::TranscriptHash;
use crate::digest::hex;

fn exchange() -> ExchangeId {
    "0199e2f0-a1b0-7c3d-8e4f-5a6b7c8d9e0f".parse().unwrap()
}

/// At the consumer.
fn record() -> pb::ExchangeRecord {
    let question = TranscriptHash::new("landbridge.question.v2").part("R0000000007");
    let response = TranscriptHash::new("landbridge.response.v1").part("record");
    pb::ExchangeRecord {
        nonce: vec![0x11; 32].into(),
        consumer: "benefits".to_owned(),
        provider: "tax".to_owned(),
        system: "portal".to_owned(),
        officer: "李警官".to_owned(),
        purpose: "benefit-application".to_owned(),
        case_reference: "C-7".to_owned(),
        record_type: "tax.v1.Income".to_owned(),
        fields: vec!["year".to_owned(), "income".to_owned()],
        mode: "get".to_owned(),
        agreement_digest: vec![0x22; 32].into(),
        schema_digest: vec![0x33; 32].into(),
        question_digest: question.finish().to_vec().into(),
        response_digest: response.finish().to_vec().into(),
        records: 1,
        digest_form: FORM,
        ..pb::ExchangeRecord::default()
    }
}

fn digest(role: Role, record: &pb::ExchangeRecord) -> Digest {
    let statement = Statement::of(&exchange(), role, record).unwrap();
    statement.digest(&Ending::of_exchange(Outcome::Answered, record))
}

// Computed with Python's hashlib from the description in `docs/evidence.md`.
#[test]
fn an_exchange_has_the_digest_that_others_compute() {
    let stated = digest(Role::Consumer, &record());
    assert_eq!(
        hex(&stated),
        "434f46da9bafafc2333b9da2c348be2cb50f60d8e471824d3dd5498f2a092dc6"
    );
    let first = pb::ExchangeRecord {
        digest_form: 0,
        ..record()
    };
    assert_eq!(
        hex(&digest(Role::Consumer, &first)),
        "e53958805addb6a4d67b1ce8bc029d9fc756eb69a00979fadf3dc8f1ca47644c"
    );
    let later = pb::ExchangeRecord {
        digest_form: 3,
        ..record()
    };
    let unknown = Statement::of(&exchange(), Role::Consumer, &later).unwrap_err();
    assert_eq!(unknown, UnknownForm(3));
}

#[test]
fn the_two_sides_say_the_same_in_their_own_words() {
    let consumer = record();
    // Its copies of the agreement and the schema are others, and so is the order of its fields.
    let provider = pb::ExchangeRecord {
        fields: vec!["income".to_owned(), "year".to_owned()],
        peer_agreement_digest: consumer.agreement_digest.clone(),
        agreement_digest: vec![4; 32].into(),
        peer_schema_digest: consumer.schema_digest.clone(),
        schema_digest: vec![5; 32].into(),
        ..record()
    };
    let stated = digest(Role::Consumer, &consumer);
    assert_eq!(digest(Role::Provider, &provider), stated);

    // It withholds what it received.
    let withheld = pb::ExchangeRecord {
        records: 0,
        received: 1,
        stated_outcome: u32::from(Outcome::Answered.code()),
        ..record()
    };
    let statement = Statement::of(&exchange(), Role::Consumer, &withheld).unwrap();
    let ending = Ending::of_exchange(Outcome::Denied, &withheld);
    assert!(statement.is(&stated, &ending));
}

/// Each of them is part of the account that the other side has too.
#[test]
fn whatever_both_sides_know_changes_the_digest() {
    type Change = fn(&mut pb::ExchangeRecord);
    let changes: [(&str, Change); 16] = [
        ("nonce", |r| r.nonce = vec![0x12; 32].into()),
        ("consumer", |r| r.consumer.push('x')),
        ("provider", |r| r.provider.push('x')),
        ("system", |r| r.system.push('x')),
        ("officer", |r| r.officer.push('x')),
        ("purpose", |r| r.purpose.push('x')),
        ("case", |r| r.case_reference.push('x')),
        ("record type", |r| r.record_type.push('x')),
        ("a field fewer", |r| _ = r.fields.pop()),
        ("other fields asked", |r| {
            r.asked = Some(pb::FieldList::default());
        }),
        ("mode", |r| r.mode = "query".to_owned()),
        ("agreement", |r| r.agreement_digest = vec![1; 32].into()),
        ("schema", |r| r.schema_digest = vec![1; 32].into()),
        ("question", |r| r.question_digest = vec![1; 32].into()),
        ("records", |r| r.records += 1),
        ("response", |r| r.response_digest = vec![1; 32].into()),
    ];
    let stated = digest(Role::Consumer, &record());
    for (what, change) in changes {
        let mut changed = record();
        change(&mut changed);
        assert_ne!(digest(Role::Consumer, &changed), stated, "{what}");
    }
}
