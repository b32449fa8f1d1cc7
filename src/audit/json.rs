//! An entry as JSON: all of its leaf, and all that stands in its record.

use std::sync::LazyLock;

use prost::DecodeError;
use prost::Message;
use prost_reflect::DescriptorError;
use prost_reflect::DescriptorPool;
use prost_reflect::DynamicMessage;
use prost_reflect::FieldDescriptor;
use prost_reflect::Value;
use serde_json::Value as Json;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use super::Leaf;
use crate::clock::Moment;
use crate::pb;
use crate::registry::hex;

static POOL: LazyLock<Result<DescriptorPool, DescriptorError>> =
    LazyLock::new(|| DescriptorPool::decode(pb::DESCRIPTORS));

/// A record that this program's own schema does not describe: one of the two is damaged.
#[derive(Debug, thiserror::Error)]
pub enum Undescribed {
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
) -> Result<Json, Undescribed> {
    Ok(serde_json::json!({
        "index": index,
        "leaf": self::leaf(leaf, offset),
        "record": record.map(self::record).transpose()?,
    }))
}

/// A leaf; what it does not have is null.
pub fn leaf(leaf: &Leaf, offset: UtcOffset) -> Json {
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

fn rfc3339(moment: Moment, offset: UtcOffset) -> String {
    // Moments are of years that the format knows.
    moment.at(offset).format(&Rfc3339).unwrap_or_default()
}

/// A record's fields that are stated, by their names in the schema; bytes in hexadecimal.
pub fn record(record: &pb::JournalRecord) -> Result<Json, Undescribed> {
    let pool = POOL.as_ref().map_err(|_| Undescribed::Schema)?;
    let message = pool
        .get_message_by_name("landbridge.v1.JournalRecord")
        .ok_or(Undescribed::Schema)?;
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
