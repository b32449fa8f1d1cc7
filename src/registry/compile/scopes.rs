//! Resolves the names in a file as protoc does: by what the file and its imports declare, and by no other file of the tree.

use std::collections::HashMap;
use std::collections::HashSet;

use prost_types::DescriptorProto;
use prost_types::EnumDescriptorProto;
use prost_types::FieldDescriptorProto;
use prost_types::FileDescriptorProto;
use prost_types::ServiceDescriptorProto;
use prost_types::UninterpretedOption;

use super::option;
use super::option::join;

/// The numbers that are written as words.
const NUMBERS: [&str; 2] = ["inf", "nan"];

/// What the files that were linked so far declare.
#[derive(Default)]
pub(super) struct Scopes {
    /// By full name, with the file that declares it.
    declared: HashMap<String, (String, Kind)>,
    /// The files that are of a package, or of one within it.
    packages: HashMap<String, HashSet<String>>,
    /// What an importer of a file sees by it: the file, and what that imports publicly.
    exports: HashMap<String, HashSet<String>>,
    /// The files that have an enum with a value of that name, which may also be a number's (`NUMBERS`).
    enum_values: HashMap<String, HashSet<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Type,
    /// A package or a service: names stand in it, and it is no type.
    Space,
    EnumValue,
    Other,
}

impl Scopes {
    /// Takes in what a file declares.
    pub(super) fn declare(&mut self, file: &FileDescriptorProto) {
        let name = file.name();
        let mut package = String::new();
        for part in file.package().split('.').filter(|part| !part.is_empty()) {
            package = join(&package, part);
            let files = self.packages.entry(package.clone()).or_default();
            files.insert(name.to_owned());
        }
        let mut exports = HashSet::from([name.to_owned()]);
        for public in &file.public_dependency {
            let import = usize::try_from(*public).ok();
            let import = import.and_then(|import| file.dependency.get(import));
            let exported = import.and_then(|import| self.exports.get(import));
            exports.extend(exported.into_iter().flatten().cloned());
        }
        self.exports.insert(name.to_owned(), exports);

        let mut declare = |full_name: String, kind| {
            if let (Kind::EnumValue, Some((_, value))) = (kind, full_name.rsplit_once('.'))
                && NUMBERS.contains(&value)
            {
                let files = self.enum_values.entry(value.to_owned()).or_default();
                files.insert(name.to_owned());
            }
            let declared = self.declared.entry(full_name);
            declared.or_insert_with(|| (name.to_owned(), kind));
        };
        for message in &file.message_type {
            declare_message(message, &package, &mut declare);
        }
        for declared in &file.enum_type {
            declare_enum(declared, &package, &mut declare);
        }
        for extension in &file.extension {
            declare(join(&package, extension.name()), Kind::Other);
        }
        for service in &file.service {
            let service_name = join(&package, service.name());
            for method in &service.method {
                declare(join(&service_name, method.name()), Kind::Other);
            }
            declare(service_name, Kind::Space);
        }
    }

    /// Writes the full names of types and of extensions in options, with a leading dot, in place of those that the file has.
    /// What is not found stays as it is, for the linker to refuse.
    pub(super) fn qualify(&self, file: &mut FileDescriptorProto) {
        let own = HashSet::from([file.name().to_owned()]);
        let seen = file
            .dependency
            .iter()
            .flat_map(|import| self.exports.get(import));
        let visible = View {
            scopes: self,
            files: seen.chain([&own]).flatten().map(String::as_str).collect(),
        };
        option::each(file, &mut |name, _, options| {
            visible.options(options, name);
            visible.numbers(options);
        });
        let package = file.package().to_owned();
        for message in &mut file.message_type {
            visible.message(message, &package);
        }
        for extension in &mut file.extension {
            visible.field(extension, &package);
        }
        for service in &mut file.service {
            visible.service(service, &package);
        }
    }
}

fn declare_message(message: &DescriptorProto, scope: &str, declare: &mut impl FnMut(String, Kind)) {
    let name = join(scope, message.name());
    for field in message.field.iter().chain(&message.extension) {
        declare(join(&name, field.name()), Kind::Other);
    }
    for oneof in &message.oneof_decl {
        declare(join(&name, oneof.name()), Kind::Other);
    }
    for inner in &message.nested_type {
        declare_message(inner, &name, declare);
    }
    for inner in &message.enum_type {
        declare_enum(inner, &name, declare);
    }
    declare(name, Kind::Type);
}

/// The values stand beside their enum, as in C++.
fn declare_enum(
    declared: &EnumDescriptorProto,
    scope: &str,
    declare: &mut impl FnMut(String, Kind),
) {
    declare(join(scope, declared.name()), Kind::Type);
    for value in &declared.value {
        declare(join(scope, value.name()), Kind::EnumValue);
    }
}

/// The names that one file sees.
struct View<'a> {
    scopes: &'a Scopes,
    files: HashSet<&'a str>,
}

impl View<'_> {
    fn message(&self, message: &mut DescriptorProto, scope: &str) {
        let name = join(scope, message.name());
        for field in message.field.iter_mut().chain(&mut message.extension) {
            self.field(field, &name);
        }
        for inner in &mut message.nested_type {
            self.message(inner, &name);
        }
    }

    fn field(&self, field: &mut FieldDescriptorProto, scope: &str) {
        let name = join(scope, field.name());
        self.set(&mut field.type_name, &name, true);
        self.set(&mut field.extendee, &name, false);
    }

    fn service(&self, service: &mut ServiceDescriptorProto, scope: &str) {
        let name = join(scope, service.name());
        for method in &mut service.method {
            let method_name = join(&name, method.name());
            self.set(&mut method.input_type, &method_name, false);
            self.set(&mut method.output_type, &method_name, false);
        }
    }

    fn options(&self, options: &mut [UninterpretedOption], scope: &str) {
        let parts = options.iter_mut().flat_map(|option| &mut option.name);
        for part in parts.filter(|part| part.is_extension) {
            if let Some(full_name) = self.resolve(&part.name_part, scope, false) {
                part.name_part = full_name;
            }
        }
    }

    /// Writes words that are numbers as such: the linker takes them for values of enums.
    fn numbers(&self, options: &mut [UninterpretedOption]) {
        for option in options {
            let is_enum_value = |word| {
                let files = self.scopes.enum_values.get(word);
                files.is_some_and(|files| files.iter().any(|file| self.files.contains(&**file)))
            };
            let number = match option.identifier_value.as_deref() {
                Some(word) if is_enum_value(word) => None,
                Some("inf") => Some(f64::INFINITY),
                Some("nan") => Some(f64::NAN),
                _ => None,
            };
            if number.is_some() {
                option.identifier_value = None;
                option.double_value = number;
            }
        }
    }

    fn set(&self, name: &mut Option<String>, scope: &str, types_only: bool) {
        let found = name.as_deref();
        let found = found.and_then(|name| self.resolve(name, scope, types_only));
        if found.is_some() {
            *name = found;
        }
    }

    /// The full name with a leading dot of what a name means at a declaration, whose full name is the scope.
    fn resolve(&self, name: &str, scope: &str, types_only: bool) -> Option<String> {
        let first = name.split('.').next().filter(|first| !first.is_empty())?;
        let mut scope = scope;
        while let Some((outer, _)) = scope.rsplit_once('.') {
            scope = outer;
            let candidate = join(scope, first);
            match self.kind(&candidate) {
                // Nothing further out is looked at, though the rest of the name may not be in it.
                Some(Kind::Type | Kind::Space) if first != name => {
                    return Some(format!(".{scope}.{name}"));
                }
                Some(kind) if first == name && (kind == Kind::Type || !types_only) => {
                    return Some(format!(".{candidate}"));
                }
                _ => {}
            }
        }
        self.kind(name).map(|_| format!(".{name}"))
    }

    fn kind(&self, full_name: &str) -> Option<Kind> {
        let sees = |file: &String| self.files.contains(file.as_str());
        let declared = self.scopes.declared.get(full_name);
        if let Some((_, kind)) = declared.filter(|(file, _)| sees(file)) {
            return Some(*kind);
        }
        let packages = self.scopes.packages.get(full_name);
        packages
            .is_some_and(|files| files.iter().any(sees))
            .then_some(Kind::Space)
    }
}

#[cfg(test)]
mod tests;
