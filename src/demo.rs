//! Synthetic records for trying Landbridge: the same for the same seed, and of nobody who exists.

mod accounts;
mod businesses;
mod calendar;
mod city;
mod civil;
mod codes;
pub mod federation;
pub mod fill;
mod market;
mod names;
mod people;
mod population;
mod random;
mod registrar;
mod sample;
mod tax;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use prost_reflect::DynamicMessage;
use prost_reflect::MessageDescriptor;
use prost_reflect::prost::Message;

use crate::name::RecordType;
use crate::registry::Registry;
use crate::registry::UnknownRecordType;
use crate::registry::wire::WireField;
use crate::registry::wire::WireFields;
use businesses::Founders;
use civil::CivilAffairs;
use population::Population;
use random::Random;
use tax::TaxOffice;

/// Why records cannot be made: the registry is not the sample, nor compatible with it.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the registry lacks a record type of the demo")]
    RecordType(#[from] UnknownRecordType),
    #[error("the demo's records do not fit {record}")]
    Misfit {
        record: RecordType,
        source: serde_json::Error,
    },
}

/// A record in protobuf's JSON form, with the name of its type.
type Draft = (&'static str, serde_json::Value);

/// Records of all types of the sample registry about a city of exactly so many residents, up to a few million.
///
/// Whoever a record refers to has a record as well. The records of one type come in the order of their keys' making, the
/// types mixed; memory stays constant but for a few megabytes.
pub fn generate(
    registry: &Registry,
    seed: u64,
    residents: u32,
) -> impl Iterator<Item = Result<(RecordType, Bytes), DemoError>> {
    drafts(seed, residents).map(|draft| encode(registry, draft))
}

fn drafts(seed: u64, residents: u32) -> impl Iterator<Item = Draft> {
    let mut civil = CivilAffairs::new(Random::branch(seed, 3));
    let mut founders = Founders::new(Random::branch(seed, 4));
    let mut market = Random::branch(seed, 5);
    let mut tax = TaxOffice::new(Random::branch(seed, 6));
    Population::new(seed, residents).flat_map(move |household| {
        let business = founders.business_of(&household);
        let mut drafts = civil.records(&household);
        if let Some(business) = &business {
            drafts.extend(market::records(business, &mut market));
            drafts.extend(tax.business(business));
        }
        drafts.extend(tax.people(&household));
        drafts
    })
}

fn encode(registry: &Registry, draft: Draft) -> Result<(RecordType, Bytes), DemoError> {
    let (name, value) = draft;
    let schema = registry.record(name)?;
    let descriptor = schema.descriptor();
    let misfit = |source: serde_json::Error| DemoError::Misfit {
        record: schema.name().clone(),
        source,
    };
    let message = DynamicMessage::deserialize(descriptor.clone(), value).map_err(misfit)?;
    let bytes = with_sorted_maps(&message.encode_to_vec(), descriptor);
    Ok((schema.name().clone(), bytes))
}

/// The library writes a map in another order each time; equal records shall be equal bytes.
/// The demo's records have maps at the top only.
fn with_sorted_maps(message: &[u8], descriptor: &MessageDescriptor) -> Bytes {
    let mut fields: Vec<WireField<'_>> = WireFields::of(message).flatten().collect();
    let is_map = |number| {
        descriptor
            .get_field(number)
            .is_some_and(|field| field.is_map())
    };
    fields.sort_by_key(|field| (field.number, is_map(field.number).then_some(field.whole)));
    let sorted = fields.iter().flat_map(|field| field.whole);
    sorted.copied().collect()
}
