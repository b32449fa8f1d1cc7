//! Fields and extensions that both revisions have: their names, types and labels.

use prost_reflect::EnumDescriptor;
use prost_reflect::ExtensionDescriptor;
use prost_reflect::FieldDescriptor;
use prost_reflect::FileDescriptor;
use prost_reflect::Kind;
use prost_types::FieldDescriptorProto;

use super::Report;
use super::Site;
use super::pairs;
use super::rule::Rule;

/// A field, or an extension.
struct Member {
    file: FileDescriptor,
    path: Vec<i32>,
    full_name: String,
    name: String,
    /// None of an extension: its own has the extended message's name in it.
    json_name: Option<String>,
    /// None of an extension, and of a field that stands alone.
    oneof: Option<String>,
    kind: Kind,
    label: Label,
    proto: FieldDescriptorProto,
    in_map_entry: bool,
}

/// How often a value is there, and whether its absence can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Implicit,
    Optional,
    Repeated,
    Map,
}

impl Label {
    fn as_str(self) -> &'static str {
        match self {
            Self::Implicit => "single",
            Self::Optional => "optional",
            Self::Repeated => "repeated",
            Self::Map => "a map",
        }
    }

    /// Whether JSON of the one is read as the other.
    fn same_in_json(self, other: Self) -> bool {
        self == other || !(self.is_many() || other.is_many())
    }

    fn same_on_the_wire(self, other: Self) -> bool {
        self.is_many() == other.is_many()
    }

    fn is_many(self) -> bool {
        matches!(self, Self::Repeated | Self::Map)
    }
}

impl Report<'_> {
    pub(super) fn fields(&mut self) {
        let messages = pairs(&self.before.messages, &self.after.messages);
        let mut members: Vec<_> = messages
            .flat_map(|(old, new)| {
                let both = old.fields().map(|field| {
                    let kept = new.get_field(field.number())?;
                    Some((Member::of(&field), Member::of(&kept)))
                });
                both.flatten().collect::<Vec<_>>()
            })
            .collect();
        let extensions = pairs(&self.before.extensions, &self.after.extensions);
        members
            .extend(extensions.map(|(old, new)| (Member::extension(old), Member::extension(new))));
        for (old, new) in &members {
            self.names(old, new);
            self.labels(old, new);
            self.types(old, new);
            self.field_options(old, new);
        }
    }

    fn names(&mut self, old: &Member, new: &Member) {
        if old.name != new.name {
            let message = format!("the field was named `{}`", old.name);
            self.member(Rule::FieldSameName, new, message);
        }
        if old.json_name != new.json_name {
            let was = old.json_name.as_deref().unwrap_or_default();
            let message = format!("the field's name in JSON was `{was}`");
            self.member(Rule::FieldSameJsonName, new, message);
        }
        if old.oneof != new.oneof {
            let of = |oneof: &Option<String>| match oneof {
                Some(name) => format!("in the oneof `{name}`"),
                None => "in no oneof".to_owned(),
            };
            let message = format!(
                "the field is {}, and was {}",
                of(&new.oneof),
                of(&old.oneof)
            );
            self.member(Rule::FieldSameOneof, new, message);
        }
    }

    fn labels(&mut self, old: &Member, new: &Member) {
        if new.in_map_entry || old.label == new.label {
            return;
        }
        let (was, is) = (old.label.as_str(), new.label.as_str());
        let message = format!("the field is {is}, and was {was}");
        self.member(Rule::FieldSameCardinality, new, message.clone());
        if !old.label.same_on_the_wire(new.label) {
            self.member(Rule::FieldWireCompatibleCardinality, new, message.clone());
        }
        if !old.label.same_in_json(new.label) {
            self.member(Rule::FieldWireJsonCompatibleCardinality, new, message);
        }
    }

    fn types(&mut self, old: &Member, new: &Member) {
        // The `Debug` form of a kind is its name in the protobuf language.
        let message = format!("the type changed from {:?} to {:?}", old.kind, new.kind);
        if !is_same(&old.kind, &new.kind) {
            self.member(Rule::FieldSameType, new, message.clone());
        }
        if !is_wire_compatible(&old.kind, &new.kind) {
            self.member(Rule::FieldWireCompatibleType, new, message.clone());
        }
        if !is_json_compatible(&old.kind, &new.kind) {
            self.member(Rule::FieldWireJsonCompatibleType, new, message);
        }
    }

    fn field_options(&mut self, old: &Member, new: &Member) {
        let jstype = |member: &Member| {
            let options = member.proto.options.as_ref();
            options.map_or_else(Default::default, |options| options.jstype())
        };
        if is_64_bits(&old.kind) && is_64_bits(&new.kind) && jstype(old) != jstype(new) {
            let message = "the option `jstype` changed".to_owned();
            self.member(Rule::FieldSameJstype, new, message);
        }
        let ctype = |member: &Member| {
            let options = member.proto.options.as_ref();
            options.map_or_else(Default::default, |options| options.ctype())
        };
        if is_text(&old.kind) && is_text(&new.kind) && ctype(old) != ctype(new) {
            let message = "the option `ctype` changed".to_owned();
            self.member(Rule::FieldSameCppStringType, new, message);
        }
    }

    fn member(&mut self, rule: Rule, new: &Member, message: String) {
        let site = Site {
            file: &new.file,
            path: &new.path,
        };
        self.add(rule, &site, &new.full_name, message);
    }
}

impl Member {
    fn of(field: &FieldDescriptor) -> Self {
        let oneof = field
            .containing_oneof()
            .filter(|oneof| !oneof.is_synthetic());
        Self {
            file: field.parent_message().parent_file(),
            path: field.path().to_vec(),
            full_name: field.full_name().to_owned(),
            name: field.name().to_owned(),
            json_name: Some(field.json_name().to_owned()),
            oneof: oneof.map(|oneof| oneof.name().to_owned()),
            kind: field.kind(),
            label: match () {
                () if field.is_map() => Label::Map,
                () if field.is_list() => Label::Repeated,
                () if field.supports_presence() => Label::Optional,
                () => Label::Implicit,
            },
            proto: field.field_descriptor_proto().clone(),
            in_map_entry: field.parent_message().is_map_entry(),
        }
    }

    fn extension(extension: &ExtensionDescriptor) -> Self {
        Self {
            file: extension.parent_file(),
            path: extension.path().to_vec(),
            full_name: extension.full_name().to_owned(),
            name: extension.full_name().to_owned(),
            json_name: None,
            oneof: None,
            kind: extension.kind(),
            label: match () {
                () if extension.is_list() => Label::Repeated,
                () => Label::Optional,
            },
            proto: extension.field_descriptor_proto().clone(),
            in_map_entry: false,
        }
    }
}

/// The name of the message or enum that a kind refers to.
fn referred(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Message(message) => Some(message.full_name().to_owned()),
        Kind::Enum(enumeration) => Some(enumeration.full_name().to_owned()),
        _ => None,
    }
}

fn is_same(old: &Kind, new: &Kind) -> bool {
    std::mem::discriminant(old) == std::mem::discriminant(new) && referred(old) == referred(new)
}

fn is_wire_compatible(old: &Kind, new: &Kind) -> bool {
    match (old, new) {
        (Kind::String, Kind::Bytes) => true,
        _ => is_compatible(old, new, wire_group),
    }
}

fn is_json_compatible(old: &Kind, new: &Kind) -> bool {
    is_compatible(old, new, json_group)
}

fn is_compatible(old: &Kind, new: &Kind, group: fn(&Kind) -> u8) -> bool {
    match (old, new) {
        (Kind::Message(old), Kind::Message(new)) => old.full_name() == new.full_name(),
        (Kind::Enum(old), Kind::Enum(new)) => is_subset(old, new),
        _ => group(old) == group(new),
    }
}

/// The same enum, or one of that short name elsewhere that has all of its values.
fn is_subset(old: &EnumDescriptor, new: &EnumDescriptor) -> bool {
    let has = |value: &prost_reflect::EnumValueDescriptor| {
        let mut all = new.values();
        all.any(|kept| kept.name() == value.name() && kept.number() == value.number())
    };
    old.full_name() == new.full_name()
        || old.name() == new.name() && old.values().all(|value| has(&value))
}

/// Kinds whose encoded values are read as one another.
fn wire_group(kind: &Kind) -> u8 {
    match kind {
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Bool => 0,
        Kind::Sint32 | Kind::Sint64 => 1,
        Kind::Fixed32 | Kind::Sfixed32 => 2,
        Kind::Fixed64 | Kind::Sfixed64 => 3,
        Kind::Double => 4,
        Kind::Float => 5,
        Kind::String => 6,
        Kind::Bytes => 7,
        Kind::Message(_) => 8,
        Kind::Enum(_) => 9,
    }
}

/// Kinds whose values in JSON, too, are read as one another.
fn json_group(kind: &Kind) -> u8 {
    match kind {
        Kind::Int32 | Kind::Uint32 => 0,
        Kind::Int64 | Kind::Uint64 => 1,
        Kind::Fixed32 | Kind::Sfixed32 => 2,
        Kind::Fixed64 | Kind::Sfixed64 => 3,
        Kind::Bool => 4,
        Kind::Sint32 => 5,
        Kind::Sint64 => 6,
        Kind::String => 7,
        Kind::Bytes => 8,
        Kind::Double => 9,
        Kind::Float => 10,
        Kind::Message(_) => 11,
        Kind::Enum(_) => 12,
    }
}

fn is_64_bits(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64
    )
}

fn is_text(kind: &Kind) -> bool {
    matches!(kind, Kind::String | Kind::Bytes)
}
