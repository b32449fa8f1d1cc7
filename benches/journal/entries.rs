//! Entries as a provider's gateway writes them for a look-up.

use std::sync::LazyLock;

use bytes::Bytes;
use landbridge::journal::Entry;
use landbridge::journal::Kind;
use landbridge::journal::Outcome;
use landbridge::journal::Role;
use landbridge::journal::statement::Ending;
use landbridge::journal::statement::FORM;
use landbridge::journal::statement::Statement;
use landbridge::name::ExchangeId;
use landbridge::pb;
use landbridge::pb::journal_record;
use prost::Message;
use uuid::Uuid;

pub(crate) fn entry(n: u64) -> Entry {
    let (record, exchange) = (record(n, &digest(n)), exchange(n));
    let (role, outcome) = (Role::Provider, Outcome::Answered);
    let ending = Ending::of_exchange(outcome, &record);
    let statement = Statement::of(&exchange, role, &record);
    Entry {
        kind: Kind::Exchange,
        role,
        outcome,
        exchange: Some(exchange),
        exchange_digest: statement.map_or([0; 32], |statement| statement.digest(&ending)),
        peer: None,
        record: pb::JournalRecord {
            kind: Some(journal_record::Kind::Exchange(record)),
        },
    }
}

/// Of the record alone, encoded.
pub(crate) fn record_bytes() -> usize {
    entry(1_000_000).record.encoded_len()
}

fn record(n: u64, digest: &[u8; 32]) -> pb::ExchangeRecord {
    let bytes = || digest.to_vec().into();
    let settled = || SETTLED.clone();
    pb::ExchangeRecord {
        consumer: "tax".to_owned(),
        provider: "civil".to_owned(),
        system: "assessment".to_owned(),
        officer: "Officer 7".to_owned(),
        purpose: "tax-assessment".to_owned(),
        case_reference: format!("2026-{n:06}"),
        mode: "get".to_owned(),
        record_type: "civil.v1.Resident".to_owned(),
        schema_digest: settled(),
        agreement: "CIV-TAX-2026-01".to_owned(),
        agreement_digest: settled(),
        policy_revision: settled(),
        fields: ["id_number", "name", "address", "marital_status"]
            .map(str::to_owned)
            .to_vec(),
        masked: vec!["id_number".to_owned()],
        subjects: vec![pb::SubjectTag {
            epoch: 682,
            tag: digest[..16].to_vec().into(),
        }],
        key_tag: digest[..16].to_vec().into(),
        nonce: bytes(),
        question_digest: bytes(),
        response_digest: bytes(),
        records: 1,
        bytes: 300,
        reason: "answered".to_owned(),
        latency_us: 1_234,
        digest_form: FORM,
        ..Default::default()
    }
}

/// A digest that many exchanges share.
static SETTLED: LazyLock<Bytes> = LazyLock::new(|| vec![0xa5; 32].into());

/// A UUID version 7 that tells its number.
fn exchange(n: u64) -> ExchangeId {
    let moment = 0x0199_e2f0_a1b0_u128 << 80;
    ExchangeId::new(Uuid::from_u128(
        moment | 7 << 76 | 2 << 62 | u128::from(n & (u64::MAX >> 2)),
    ))
}

fn digest(n: u64) -> [u8; 32] {
    let mut digest = [0x5a; 32];
    digest[..8].copy_from_slice(&n.to_be_bytes());
    digest
}
