//! The options of a file before they are linked: where each stands, and what the compiler does not see in them.

use std::collections::HashMap;

use prost_reflect::DescriptorPool;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;
use prost_types::DescriptorProto;
use prost_types::EnumDescriptorProto;
use prost_types::FieldDescriptorProto;
use prost_types::FileDescriptorProto;
use prost_types::ServiceDescriptorProto;
use prost_types::UninterpretedOption;
use prost_types::uninterpreted_option::NamePart;

/// Field numbers of `google.protobuf.FileDescriptorProto`.
const MESSAGE: i32 = 4;
const ENUM: i32 = 5;
const SERVICE: i32 = 6;
const EXTENSION: i32 = 7;
/// Field numbers of `google.protobuf.DescriptorProto`.
const FIELD: i32 = 2;
const NESTED: i32 = 3;
const NESTED_ENUM: i32 = 4;
const NESTED_EXTENSION: i32 = 6;
const ONEOF: i32 = 8;
/// Of `EnumDescriptorProto.value` and `ServiceDescriptorProto.method`.
const MEMBER: i32 = 2;

/// Takes a declaration's full name, its path and its options.
type Visit<'a> = dyn FnMut(&str, &[i32], &mut [UninterpretedOption]) + 'a;

/// Calls with the options of each declaration of a file: the declaration's full name and its path
/// (`google.protobuf.SourceCodeInfo.Location.path`).
pub(super) fn each(file: &mut FileDescriptorProto, visit: &mut Visit<'_>) {
    let package = file.package().to_owned();
    if let Some(options) = &mut file.options {
        let name = join(&package, "file");
        visit(&name, &[], &mut options.uninterpreted_option);
    }
    let mut visitor = Visitor { visit };
    for (path, message) in numbered(&[], MESSAGE, &mut file.message_type) {
        visitor.message(message, &path, &package);
    }
    for (path, declared) in numbered(&[], ENUM, &mut file.enum_type) {
        visitor.enumeration(declared, &path, &package);
    }
    for (path, extension) in numbered(&[], EXTENSION, &mut file.extension) {
        visitor.field(extension, &path, &package);
    }
    for (path, service) in numbered(&[], SERVICE, &mut file.service) {
        visitor.service(service, &path, &package);
    }
}

struct Visitor<'a> {
    visit: &'a mut Visit<'a>,
}

impl Visitor<'_> {
    fn message(&mut self, message: &mut DescriptorProto, path: &[i32], scope: &str) {
        let name = join(scope, message.name());
        if let Some(options) = &mut message.options {
            (self.visit)(&name, path, &mut options.uninterpreted_option);
        }
        for (path, field) in numbered(path, FIELD, &mut message.field) {
            self.field(field, &path, &name);
        }
        for (path, extension) in numbered(path, NESTED_EXTENSION, &mut message.extension) {
            self.field(extension, &path, &name);
        }
        for (path, oneof) in numbered(path, ONEOF, &mut message.oneof_decl) {
            let oneof_name = join(&name, oneof.name());
            if let Some(options) = &mut oneof.options {
                (self.visit)(&oneof_name, &path, &mut options.uninterpreted_option);
            }
        }
        for (path, inner) in numbered(path, NESTED, &mut message.nested_type) {
            self.message(inner, &path, &name);
        }
        for (path, inner) in numbered(path, NESTED_ENUM, &mut message.enum_type) {
            self.enumeration(inner, &path, &name);
        }
    }

    fn field(&mut self, field: &mut FieldDescriptorProto, path: &[i32], scope: &str) {
        let name = join(scope, field.name());
        if let Some(options) = &mut field.options {
            (self.visit)(&name, path, &mut options.uninterpreted_option);
        }
    }

    fn enumeration(&mut self, declared: &mut EnumDescriptorProto, path: &[i32], scope: &str) {
        let name = join(scope, declared.name());
        if let Some(options) = &mut declared.options {
            (self.visit)(&name, path, &mut options.uninterpreted_option);
        }
        for (path, value) in numbered(path, MEMBER, &mut declared.value) {
            let value_name = join(&name, value.name());
            if let Some(options) = &mut value.options {
                (self.visit)(&value_name, &path, &mut options.uninterpreted_option);
            }
        }
    }

    fn service(&mut self, service: &mut ServiceDescriptorProto, path: &[i32], scope: &str) {
        let name = join(scope, service.name());
        if let Some(options) = &mut service.options {
            (self.visit)(&name, path, &mut options.uninterpreted_option);
        }
        for (path, method) in numbered(path, MEMBER, &mut service.method) {
            let method_name = join(&name, method.name());
            if let Some(options) = &mut method.options {
                (self.visit)(&method_name, &path, &mut options.uninterpreted_option);
            }
        }
    }
}

/// Each member with its path.
fn numbered<'a, T>(
    path: &'a [i32],
    number: i32,
    members: &'a mut [T],
) -> impl Iterator<Item = (Vec<i32>, &'a mut T)> {
    (0..)
        .zip(members)
        .map(move |(index, member)| ([path, &[number, index]].concat(), member))
}

pub(super) fn join(scope: &str, name: &str) -> String {
    match scope {
        "" => name.to_owned(),
        _ => format!("{scope}.{name}"),
    }
}

/// Writes the colon that protoc lets one leave out before a list of messages in an option's value.
pub(super) fn write_colons(file: &mut FileDescriptorProto) {
    each(file, &mut |_, _, options| {
        for option in options {
            if let Some(value) = &mut option.aggregate_value
                && let Some(written) = with_colons(value)
            {
                *value = written;
            }
        }
    });
}

/// The parser gives the value's tokens with a blank between them, and texts with `"` around them.
fn with_colons(value: &str) -> Option<String> {
    let (mut before, mut last) = ("", "");
    let mut written = String::new();
    let mut is_changed = false;
    let mut tokens = tokens(value).peekable();
    while let Some(token) = tokens.next() {
        let begins_messages = token == "[" && matches!(tokens.peek(), Some(&("{" | "<" | "]")));
        // A word after a colon is a value, not a field.
        if begins_messages && is_word(last) && !matches!(before, ":" | "-") {
            written.push_str(": ");
            is_changed = true;
        }
        written.push_str(token);
        written.push(' ');
        (before, last) = (last, token);
    }
    is_changed.then_some(written)
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn tokens(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(' ');
        let end = match rest.strip_prefix('"') {
            Some(text) => end_of_text(text) + 1,
            None => rest.find(' ').unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at_checked(end)?;
        rest = after;
        (!token.is_empty()).then_some(token)
    })
}

/// Behind the quote that ends a text.
fn end_of_text(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate();
    while let Some((offset, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return offset + 1,
            _ => {}
        }
    }
    text.len()
}

/// An option that sets what is not its own to set: its declaration's path and full name, and the fault.
pub(super) type Misuse = (Vec<i32>, String, String);

/// The names of the options of each declaration.
pub(super) struct Names(Vec<(Vec<i32>, String, Vec<Vec<NamePart>>)>);

impl Names {
    pub(super) fn of(file: &mut FileDescriptorProto) -> Self {
        let mut names = Vec::new();
        each(file, &mut |name, path, options| {
            let parts = options.iter().map(|option| option.name.clone()).collect();
            names.push((path.to_vec(), name.to_owned(), parts));
        });
        Self(names)
    }

    /// The first that protoc refuses and the linker does not.
    pub(super) fn misuse(&self, pool: &DescriptorPool) -> Option<Misuse> {
        self.0.iter().find_map(|(path, name, options)| {
            let message = sets_own(options).or_else(|| oneof_set_twice(pool, options))?;
            Some((path.clone(), name.clone(), message))
        })
    }
}

fn sets_own(options: &[Vec<NamePart>]) -> Option<String> {
    let mut firsts = options.iter().filter_map(|parts| parts.first());
    let is_own = |part: &NamePart| !part.is_extension && part.name_part == "uninterpreted_option";
    let message = "the option `uninterpreted_option` is the compiler's own; leave it out";
    firsts.any(is_own).then(|| message.to_owned())
}

fn oneof_set_twice(pool: &DescriptorPool, options: &[Vec<NamePart>]) -> Option<String> {
    let mut set = HashMap::new();
    for parts in options {
        let mut within = Vec::new();
        let mut message = None;
        for part in parts {
            let field = step(pool, message.as_ref(), part);
            if let Some(Step::Field(field)) = &field
                && let Some(oneof) = field.containing_oneof()
            {
                let key = (within.clone(), oneof.full_name().to_owned());
                let first = set.entry(key).or_insert_with(|| field.name().to_owned());
                if first != field.name() {
                    return Some(format!(
                        "the option sets `{first}` and `{}` of the oneof `{}`; leave one out",
                        field.name(),
                        oneof.full_name()
                    ));
                }
            }
            within.push((part.name_part.clone(), part.is_extension));
            let Some(Kind::Message(inner)) = field.map(|field| field.kind()) else {
                break;
            };
            message = Some(inner);
        }
    }
    None
}

enum Step {
    Field(FieldDescriptor),
    Extension(Kind),
}

impl Step {
    fn kind(&self) -> Kind {
        match self {
            Self::Field(field) => field.kind(),
            Self::Extension(kind) => kind.clone(),
        }
    }
}

/// What a part of an option's name means in a message; the first part of one that is not an extension has no oneofs.
fn step(
    pool: &DescriptorPool,
    message: Option<&MessageDescriptor>,
    part: &NamePart,
) -> Option<Step> {
    if part.is_extension {
        let name = part.name_part.trim_start_matches('.');
        let extension = pool.get_extension_by_name(name)?;
        return Some(Step::Extension(extension.kind()));
    }
    let field = message?.get_field_by_name(&part.name_part)?;
    Some(Step::Field(field))
}

#[cfg(test)]
mod tests;
