//! Digests by which two gateways see whether they hold the same schemas.

use std::collections::BTreeMap;

use aws_lc_rs::digest::Context;
use aws_lc_rs::digest::SHA256;
use prost_reflect::EnumDescriptor;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;

use super::field::divisible;
use crate::digest::Digest;
use crate::pb;
use crate::pb::TextFormat;

/// SHA-256 over the names and texts of all files, by name.
pub(super) fn of_tree<'a>(files: impl IntoIterator<Item = (&'a String, &'a String)>) -> Digest {
    of_files("landbridge registry v1", files)
}

/// SHA-256 over the names and texts of one package's files, by name.
pub(super) fn of_package<'a>(files: impl IntoIterator<Item = (&'a String, &'a String)>) -> Digest {
    of_files("landbridge package v1", files)
}

fn of_files<'a>(kind: &str, files: impl IntoIterator<Item = (&'a String, &'a String)>) -> Digest {
    let mut hash = Hash::new(kind);
    for (name, text) in files {
        hash.text(name);
        hash.text(text);
    }
    hash.finish()
}

/// The options of a field, for its line in the digest.
pub(super) type OptionsOf<'a> = dyn Fn(&FieldDescriptor) -> pb::FieldOptions + 'a;

/// SHA-256 over a record's options, its message, and each message and enum that it refers to.
///
/// Comments, the order of declarations and the division into files have no part in it.
pub(super) fn of_record(
    message: &MessageDescriptor,
    options: &pb::RecordOptions,
    options_of: &OptionsOf<'_>,
) -> Digest {
    let (messages, enums) = reachable(message);
    let mut hash = Hash::new("landbridge record type v1");
    hash.text(message.full_name());
    hash.text(&options.owner);
    hash.text(&options.key);
    hash.text(&options.subject);
    hash.text(&options.title);
    hash.text(&options.title_zh);
    hash.number(options.sharing.into());
    hash.number(options.update_frequency.into());
    hash.count(messages.len());
    for message in messages.values() {
        add_message(&mut hash, message, options_of);
    }
    hash.count(enums.len());
    for enumeration in enums.values() {
        add_enum(&mut hash, enumeration);
    }
    hash.finish()
}

type ReachableTypes = (
    BTreeMap<String, MessageDescriptor>,
    BTreeMap<String, EnumDescriptor>,
);

/// All that the message refers to, itself included, by name; well-known types stand by their name alone.
fn reachable(message: &MessageDescriptor) -> ReachableTypes {
    let mut messages = BTreeMap::new();
    let mut enums = BTreeMap::new();
    let mut stack = vec![message.clone()];
    while let Some(message) = stack.pop() {
        if messages.contains_key(message.full_name()) {
            continue;
        }
        for field in message.fields() {
            match field.kind() {
                Kind::Enum(e) => drop(enums.insert(e.full_name().to_owned(), e)),
                Kind::Message(entry) if field.is_map() => stack.push(entry),
                _ => stack.extend(divisible(&field)),
            }
        }
        messages.insert(message.full_name().to_owned(), message);
    }
    (messages, enums)
}

fn add_message(hash: &mut Hash, message: &MessageDescriptor, options_of: &OptionsOf<'_>) {
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(FieldDescriptor::number);
    hash.text(message.full_name());
    hash.count(fields.len());
    for field in &fields {
        let options = options_of(field);
        let choice = field.containing_oneof().filter(|o| !o.is_synthetic());
        hash.number(field.number().into());
        hash.text(field.name());
        hash.text(field.json_name());
        // The kind's name, with that of the message or enum.
        hash.text(&format!("{:?}", field.kind()));
        hash.number(field.is_list().into());
        hash.number(field.is_map().into());
        hash.number(field.supports_presence().into());
        hash.text(choice.as_ref().map_or("", |o| o.name()));
        hash.number(options.sensitivity.into());
        hash.text(&options.mask);
        hash.text(&options.title);
        hash.text(&options.title_zh);
        if options.format() == TextFormat::Decimal {
            hash.text("decimal");
        }
    }
}

fn add_enum(hash: &mut Hash, enumeration: &EnumDescriptor) {
    let mut values: Vec<_> = enumeration
        .values()
        .map(|value| (value.number(), value.name().to_owned()))
        .collect();
    values.sort();
    hash.text(enumeration.full_name());
    hash.count(values.len());
    for (number, name) in &values {
        hash.number((*number).into());
        hash.text(name);
    }
}

/// Hashes parts so that no two sequences of parts give the same bytes: each text goes with its length.
struct Hash(Context);

impl Hash {
    fn new(domain: &str) -> Self {
        let mut hash = Self(Context::new(&SHA256));
        hash.text(domain);
        hash
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_be_bytes());
    }

    fn number(&mut self, number: i64) {
        self.0.update(&number.to_be_bytes());
    }

    fn finish(self) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        digest
    }
}
