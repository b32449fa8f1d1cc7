//! An entry as JSON: all of its leaf, and all that stands in its record.

use std::sync::LazyLock;

use prost::DecodeError;
use prost::Message;
use prost_reflect::DescriptorError;
use prost_reflect::DescriptorPool;
use prost_reflect::DynamicMessage;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::Value;
use serde_json::Map;
use serde_json::Value as Json;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use crate::clock::Moment;
use crate::digest::hex;
use crate::journal::Leaf;
use crate::journal::leaf;
use crate::pb;

const RECORD: &str = "landbridge.v1.JournalRecord";

static POOL: LazyLock<Result<DescriptorPool, DescriptorError>> =
    LazyLock::new(|| DescriptorPool::decode(pb::DESCRIPTORS));

/// A record that this program's own schema does not describe: one of the two is damaged.
#[derive(Debug, thiserror::Error)]
pub enum UndescribedRecord {
    #[error("the API lacks its journal")]
    Schema,
    #[error("the record does not fit the API")]
    Record(#[from] DecodeError),
}

/// An entry, its time at that offset; its record is null once it was erased.
pub fn entry(
    index: u64,
    leaf: &Leaf,
    record: Option<&pb::JournalRecord>,
    offset: UtcOffset,
) -> Result<Json, UndescribedRecord> {
    Ok(serde_json::json!({
        "index": index,
        "leaf": leaf_json(leaf, offset),
        "record": record.map(self::record).transpose()?,
    }))
}

/// A leaf; what it does not have is null.
pub fn leaf_json(leaf: &Leaf, offset: UtcOffset) -> Json {
    let digest = (leaf.exchange_digest != [0; 32]).then(|| hex(&leaf.exchange_digest));
    let peer = leaf.peer.map(|peer| {
        serde_json::json!({ "log": hex(&peer.log), "index": peer.index, "leaf_hash": hex(&peer.leaf_hash) })
    });
    serde_json::json!({
        "kind": leaf.kind.as_str(),
        "role": leaf.role.as_str(),
        "outcome": leaf.outcome.as_str(),
        "time": rfc3339(leaf.time, offset),
        "exchange": leaf.exchange.map(|exchange| exchange.to_string()),
        "exchange_digest": digest,
        "record_commitment": hex(&leaf.record_commitment),
        "asker": leaf.asker.map(|asker| hex(&asker)),
        "peer": peer,
    })
}

/// What a record is made of, for whoever reads its bytes by themselves: for each message its fields by number, each with its
/// name, the kind of its value or the message in it, and whether it is repeated; and the words for a leaf's codes.
pub fn layout() -> Result<Json, UndescribedRecord> {
    let pool = POOL.as_ref().map_err(|_| UndescribedRecord::Schema)?;
    let mut waiting = vec![
        pool.get_message_by_name(RECORD)
            .ok_or(UndescribedRecord::Schema)?,
    ];
    let mut messages = Map::new();
    while let Some(message) = waiting.pop() {
        if messages.contains_key(message.full_name()) {
            continue;
        }
        let mut fields = Map::new();
        for field in message.fields() {
            let kind = match field.kind() {
                Kind::Message(inner) => {
                    waiting.push(inner.clone());
                    inner.full_name().to_owned()
                }
                Kind::Enum(_) => "enum".to_owned(),
                // The `Debug` form of a kind is its name in the protobuf language.
                kind => format!("{kind:?}"),
            };
            let layout = serde_json::json!([field.name(), kind, field.is_list()]);
            fields.insert(field.number().to_string(), layout);
        }
        messages.insert(message.full_name().to_owned(), Json::Object(fields));
    }
    let words = |words: &mut dyn Iterator<Item = (u8, &str)>| -> Json {
        let pairs = words.map(|(code, word)| (code.to_string(), word.into()));
        Json::Object(pairs.collect())
    };
    Ok(serde_json::json!({
        "record": RECORD,
        "messages": messages,
        "kinds": words(&mut leaf::Kind::ALL.iter().map(|one| (one.code(), one.as_str()))),
        "roles": words(&mut leaf::Role::ALL.iter().map(|one| (one.code(), one.as_str()))),
        "outcomes": words(&mut leaf::Outcome::ALL.iter().map(|one| (one.code(), one.as_str()))),
    }))
}

fn rfc3339(moment: Moment, offset: UtcOffset) -> String {
    // Moments are of years that the format knows.
    moment.at(offset).format(&Rfc3339).unwrap_or_default()
}

/// A record's fields that are stated, by their names in the schema; bytes in hexadecimal.
pub fn record(record: &pb::JournalRecord) -> Result<Json, UndescribedRecord> {
    let pool = POOL.as_ref().map_err(|_| UndescribedRecord::Schema)?;
    let message = pool
        .get_message_by_name(RECORD)
        .ok_or(UndescribedRecord::Schema)?;
    let record = record.encode_to_vec();
    Ok(fields(&DynamicMessage::decode(message, record.as_slice())?))
}

fn fields(message: &DynamicMessage) -> Json {
    let stated = message
        .fields()
        .map(|(field, value): (FieldDescriptor, &Value)| (field.name().to_owned(), json(value)));
    Json::Object(stated.collect())
}

/// Journal records have neither maps nor enums.
fn json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::I32(value) | Value::EnumNumber(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::U32(value) => (*value).into(),
        Value::U64(value) => (*value).into(),
        Value::F32(value) => (*value).into(),
        Value::F64(value) => (*value).into(),
        Value::String(value) => value.as_str().into(),
        Value::Bytes(value) => hex(value).into(),
        Value::Message(message) => fields(message),
        Value::List(values) => values.iter().map(json).collect(),
        Value::Map(_) => Json::Null,
    }
}
