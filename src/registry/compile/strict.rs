//! What protoc refuses in proto3 and the compiler does not: whoever generates code from the registry would find it out later.

use std::collections::HashMap;
use std::collections::HashSet;

use prost_reflect::DynamicMessage;
use prost_reflect::EnumDescriptor;
use prost_reflect::ExtensionDescriptor;
use prost_reflect::FieldDescriptor;
use prost_reflect::FileDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;

use super::sites::Sites;
use crate::fault::Fault;

/// Messages may nest so deep, a map counting as one level.
const MAX_DEPTH: usize = 31;
/// `LITE_RUNTIME` of `google.protobuf.FileOptions.OptimizeMode`.
const LITE_RUNTIME: i32 = 3;
/// `JS_NORMAL` of `google.protobuf.FieldOptions.JSType`.
const JS_NORMAL: i32 = 0;
/// The field number of `dependency` in `google.protobuf.FileDescriptorProto`.
const DEPENDENCY_FIELD: i32 = 3;

/// The messages that proto3 lets extensions extend.
const OPTIONS: [&str; 9] = [
    "FileOptions",
    "MessageOptions",
    "FieldOptions",
    "OneofOptions",
    "EnumOptions",
    "EnumValueOptions",
    "ServiceOptions",
    "MethodOptions",
    "ExtensionRangeOptions",
];

/// Every fault of a file that was linked.
pub(super) fn check(file: &FileDescriptor, sites: &Sites<'_>) -> Vec<Fault> {
    let mut checker = Checker {
        sites,
        faults: Vec::new(),
    };
    checker.file(file);
    checker.faults
}

struct Checker<'a> {
    sites: &'a Sites<'a>,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    fn file(&mut self, file: &FileDescriptor) {
        self.options(&file.options(), &[], file.name());
        self.imports(file);
        for message in file.messages() {
            self.message(&message, 1);
        }
        for declared in file.enums() {
            self.enumeration(&declared);
        }
        for extension in file.extensions() {
            self.extension(&extension);
        }
        for service in file.services() {
            self.options(&service.options(), service.path(), service.full_name());
            for method in service.methods() {
                self.options(&method.options(), method.path(), method.full_name());
            }
        }
    }

    fn imports(&mut self, file: &FileDescriptor) {
        let is_lite =
            |file: &FileDescriptor| number(&file.options(), "optimize_for") == Some(LITE_RUNTIME);
        let mut imported = HashSet::new();
        let names = &file.file_descriptor_proto().dependency;
        for (index, (name, import)) in names.iter().zip(file.dependencies()).enumerate() {
            let path = [DEPENDENCY_FIELD, i32::try_from(index).unwrap_or_default()];
            if !imported.insert(name) {
                let message = format!("`{name}` is imported twice; leave one out");
                self.fault(&path, "", message);
            }
            if is_lite(&import) && !is_lite(file) {
                let message = format!(
                    "`{name}` is for the lite runtime (`optimize_for`), and this file is not; leave the option out there"
                );
                self.fault(&path, "", message);
            }
        }
    }

    fn message(&mut self, message: &MessageDescriptor, depth: usize) {
        let (path, name) = (message.path(), message.full_name());
        if depth > MAX_DEPTH {
            let text = format!("messages nest deeper than {MAX_DEPTH} levels");
            return self.fault(path, name, text);
        }
        // What a map makes stands nowhere in the file.
        if message.is_map_entry() && !self.sites.has(path) {
            return;
        }
        let options = message.options();
        self.options(&options, path, name);
        if options.has_field_by_name("map_entry") {
            let text =
                "`map_entry` is set by the compiler alone; write `map<key, value>`".to_owned();
            self.fault(path, name, text);
        }
        if flag(&options, "message_set_wire_format") {
            self.fault(
                path,
                name,
                "proto3 has no message sets; leave the option out".to_owned(),
            );
        }
        if message.extension_ranges().next().is_some() {
            let text = "a message of proto3 has no extensions; leave `extensions` out".to_owned();
            self.fault(path, name, text);
        }
        let ranges = message.reserved_ranges();
        let ranges = ranges.map(|range| (i64::from(range.start), i64::from(range.end) - 1));
        self.reserved(
            ranges.collect(),
            message.reserved_names().collect(),
            path,
            name,
        );
        let reserved: HashSet<_> = message.reserved_names().collect();
        for field in message.fields() {
            if reserved.contains(field.name()) {
                self.uses_reserved(field.name(), field.path(), field.full_name());
            }
            self.field(&field);
        }
        for oneof in message.oneofs() {
            self.options(&oneof.options(), oneof.path(), oneof.full_name());
        }
        for extension in message.child_extensions() {
            self.extension(&extension);
        }
        for declared in message.child_enums() {
            self.enumeration(&declared);
        }
        for inner in message.child_messages() {
            self.message(&inner, depth + 1);
        }
    }

    fn field(&mut self, field: &FieldDescriptor) {
        let (path, name) = (field.path(), field.full_name());
        self.typed_options(&field.options(), &field.kind(), field.is_list(), path, name);
        if let Kind::Message(entry) = field.kind()
            && entry.is_map_entry()
            && !(field.is_map() && entry.name() == camel_case(field.name(), true) + "Entry")
        {
            let text = format!(
                "`{}` is what the compiler makes of a map; write `map<key, value>`",
                entry.full_name()
            );
            self.fault(path, name, text);
        }
    }

    fn extension(&mut self, extension: &ExtensionDescriptor) {
        let (path, name) = (extension.path(), extension.full_name());
        self.typed_options(
            &extension.options(),
            &extension.kind(),
            extension.is_list(),
            path,
            name,
        );
        let extended = extension.containing_message();
        let extended = extended.full_name();
        let is_options = extended
            .strip_prefix("google.protobuf.")
            .is_some_and(|options| OPTIONS.contains(&options));
        if !is_options {
            let text = format!("proto3 extends options only, not `{extended}`");
            self.fault(path, name, text);
        }
        let proto = extension.field_descriptor_proto();
        let json_name = proto.json_name.as_deref();
        if json_name.is_some_and(|json_name| json_name != camel_case(extension.name(), false)) {
            self.fault(
                path,
                name,
                "an extension has no `json_name`; leave it out".to_owned(),
            );
        }
    }

    /// The options that only some types have.
    fn typed_options(
        &mut self,
        options: &DynamicMessage,
        kind: &Kind,
        is_list: bool,
        path: &[i32],
        name: &str,
    ) {
        self.options(options, path, name);
        let is_packable = !matches!(kind, Kind::Message(_) | Kind::String | Kind::Bytes);
        if flag(options, "packed") && !(is_list && is_packable) {
            let text =
                "`packed` is for repeated numbers, enums and truth values; leave it out".to_owned();
            self.fault(path, name, text);
        }
        for lazy in ["lazy", "unverified_lazy"] {
            if flag(options, lazy) && !matches!(kind, Kind::Message(_)) {
                self.fault(
                    path,
                    name,
                    format!("`{lazy}` is for messages; leave it out"),
                );
            }
        }
        let is_64_bit = matches!(
            kind,
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64
        );
        if number(options, "jstype").is_some_and(|jstype| jstype != JS_NORMAL) && !is_64_bit {
            let text = "`jstype` is for integers of 64 bits; leave it out".to_owned();
            self.fault(path, name, text);
        }
    }

    fn enumeration(&mut self, declared: &EnumDescriptor) {
        let (path, name) = (declared.path(), declared.full_name());
        self.options(&declared.options(), path, name);
        let ranges = declared.reserved_ranges();
        let ranges = ranges.map(|range| (i64::from(*range.start()), i64::from(*range.end())));
        self.reserved(
            ranges.collect(),
            declared.reserved_names().collect(),
            path,
            name,
        );
        let reserved: HashSet<_> = declared.reserved_names().collect();
        let mut stripped = HashMap::new();
        for value in declared.values() {
            self.options(&value.options(), value.path(), value.full_name());
            if reserved.contains(value.name()) {
                self.uses_reserved(value.name(), value.path(), value.full_name());
            }
            let short = pascal_case(without_prefix(value.name(), declared.name()));
            let (number, first) = stripped
                .entry(short)
                .or_insert_with(|| (value.number(), value.name().to_owned()));
            if *number != value.number() {
                let text = format!(
                    "`{}` and `{first}` are one name in generated code, which leaves the enum's name out; rename one",
                    value.name()
                );
                self.fault(value.path(), value.full_name(), text);
            }
        }
    }

    /// Ranges with their first and their last number.
    fn reserved(
        &mut self,
        mut ranges: Vec<(i64, i64)>,
        names: Vec<&str>,
        path: &[i32],
        name: &str,
    ) {
        let mut seen = HashSet::new();
        for reserved in names {
            if !seen.insert(reserved) {
                let text = format!("the name `{reserved}` is reserved twice; leave one out");
                self.fault(path, name, text);
            }
        }
        for (first, last) in &ranges {
            if last < first {
                let text =
                    format!("`reserved {first} to {last}` ends before it begins; turn it round");
                self.fault(path, name, text);
            }
        }
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            if let [(_, last), (next, _)] = pair
                && next <= last
            {
                let text = format!("the number {next} is reserved twice; leave one out");
                self.fault(path, name, text);
            }
        }
    }

    fn uses_reserved(&mut self, reserved: &str, path: &[i32], name: &str) {
        let text = format!(
            "the name `{reserved}` is reserved: something else was called so, and old records in JSON may have it; choose another"
        );
        self.fault(path, name, text);
    }

    fn options(&mut self, options: &DynamicMessage, path: &[i32], name: &str) {
        if options.has_field_by_name("features") {
            let text = "proto3 has no option `features`; leave it out".to_owned();
            self.fault(path, name, text);
        }
    }

    fn fault(&mut self, path: &[i32], name: &str, message: String) {
        self.faults.push(self.sites.fault(path, name, message));
    }
}

fn flag(options: &DynamicMessage, option: &str) -> bool {
    let value = options.get_field_by_name(option);
    value.is_some_and(|value| value.as_bool() == Some(true))
}

fn number(options: &DynamicMessage, option: &str) -> Option<i32> {
    options.get_field_by_name(option)?.as_enum_number()
}

/// A field's name in JSON; with a capital, as the name of a map's entries begins.
fn camel_case(field: &str, mut capital: bool) -> String {
    let mut name = String::new();
    for c in field.chars() {
        match c {
            '_' => capital = true,
            _ if capital => {
                name.push(c.to_ascii_uppercase());
                capital = false;
            }
            _ => name.push(c),
        }
    }
    name
}

/// An enum value's name without that of its enum, however the two are spelt, unless nothing would be left.
fn without_prefix<'a>(value: &'a str, declared: &str) -> &'a str {
    let mut prefix = declared.chars().filter(|c| *c != '_');
    let mut wanted = prefix.next();
    for (at, c) in value.char_indices() {
        let Some(next) = wanted else {
            let rest = value.get(at..).unwrap_or_default().trim_start_matches('_');
            return if rest.is_empty() { value } else { rest };
        };
        if c == '_' {
            continue;
        }
        if !c.eq_ignore_ascii_case(&next) {
            return value;
        }
        wanted = prefix.next();
    }
    value
}

fn pascal_case(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first
            .into_iter()
            .chain(letters.map(|c| c.to_ascii_lowercase()))
            .collect::<String>()
    };
    words.map(word).collect()
}

#[cfg(test)]
mod tests;
