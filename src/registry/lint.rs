//! What a registry should keep to so that people can read it, and generated code is pleasant in every language.

use prost_reflect::DescriptorPool;
use prost_reflect::EnumDescriptor;
use prost_reflect::FieldDescriptor;
use prost_reflect::FileDescriptor;
use prost_reflect::MessageDescriptor;

use super::compat::Site;
use super::compile::is_provided;
use super::compile::package::is_foreign;
use super::options::option;
use crate::pb;
use crate::pb::Sensitivity;

/// A departure from the style. The names of rules that buf has, too, are buf's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// The file's name in the registry.
    pub file: String,
    /// 1-based; 0 when unknown.
    pub line: usize,
    pub rule: &'static str,
    /// The full name of what the remark is about.
    pub element: String,
    /// What is wrong, with the hint.
    pub message: String,
}

/// The field number of `package` in `google.protobuf.FileDescriptorProto`.
const PACKAGE: i32 = 2;

/// All remarks, by file and line. The pool holds what was compiled with source information.
pub fn lint(pool: &DescriptorPool) -> Vec<Remark> {
    let mut linter = Linter {
        pool,
        remarks: Vec::new(),
    };
    let own = |file: &FileDescriptor| !is_provided(file.name()) && !is_foreign(file.package_name());
    for file in pool.files().filter(own) {
        linter.file(&file);
    }
    for message in pool.all_messages().filter(|m| own(&m.parent_file())) {
        if !message.is_map_entry() {
            linter.message(&message);
        }
    }
    for enumeration in pool.all_enums().filter(|e| own(&e.parent_file())) {
        linter.enumeration(&enumeration);
    }
    for service in pool.services().filter(|s| own(&s.parent_file())) {
        for method in service.methods() {
            let site = (service.parent_file(), method.path());
            let name = (method.name(), method.full_name());
            linter.name("RPC_PASCAL_CASE", site, name, pascal);
        }
        let site = (service.parent_file(), service.path());
        let name = (service.name(), service.full_name());
        linter.name("SERVICE_PASCAL_CASE", site, name, pascal);
    }
    linter.remarks.sort();
    linter.remarks
}

struct Linter<'a> {
    pool: &'a DescriptorPool,
    remarks: Vec<Remark>,
}

impl Linter<'_> {
    fn file(&mut self, file: &FileDescriptor) {
        let folder = file
            .name()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        let package = file.package_name();
        let wanted = package.replace('.', "/");
        if folder != wanted {
            let message = format!(
                "the file is in `{folder}/`; files of this package belong into `{wanted}/`"
            );
            self.add(
                "PACKAGE_DIRECTORY_MATCH",
                (file.clone(), &[PACKAGE]),
                package,
                message,
            );
        }
    }

    fn message(&mut self, message: &MessageDescriptor) {
        let site = || (message.parent_file(), message.path());
        let name = (message.name(), message.full_name());
        self.name("MESSAGE_PASCAL_CASE", site(), name, pascal);
        self.comment("COMMENT_MESSAGE", site(), message.full_name());
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            let site = (message.parent_file(), oneof.path());
            let name = (oneof.name(), oneof.full_name());
            self.name("ONEOF_LOWER_SNAKE_CASE", site, name, snake);
        }
        self.gaps(message);
        let is_record = self.record(message);
        for field in message.fields() {
            let site = || (message.parent_file(), field.path());
            let name = (field.name(), field.full_name());
            self.name("FIELD_LOWER_SNAKE_CASE", site(), name, snake);
            self.comment("COMMENT_FIELD", site(), field.full_name());
            if is_record {
                self.sensitivity(&field);
            }
        }
    }

    /// Whether the message is a record type; if so, it has a title in both languages.
    fn record(&mut self, message: &MessageDescriptor) -> bool {
        let extension = self.pool.get_extension_by_name("landbridge.v1.record");
        let Some(record) = option::<pb::RecordOptions>(&message.options(), extension.as_ref())
        else {
            return false;
        };
        if record.title_zh.trim().is_empty() {
            let site = (message.parent_file(), message.path());
            let text = "the record has no `title_zh`; the catalogue shows it in Chinese".to_owned();
            self.add("RECORD_TITLE_ZH", site, message.full_name(), text);
        }
        true
    }

    fn sensitivity(&mut self, field: &FieldDescriptor) {
        let extension = self.pool.get_extension_by_name("landbridge.v1.field");
        let options: Option<pb::FieldOptions> = option(&field.options(), extension.as_ref());
        let stated = options.is_some_and(|o| o.sensitivity() != Sensitivity::Unspecified);
        if !stated {
            let site = (field.parent_message().parent_file(), field.path());
            let text = "the field states no `sensitivity`; it counts as INTERNAL".to_owned();
            self.add("FIELD_SENSITIVITY", site, field.full_name(), text);
        }
    }

    /// A number that is skipped may have been a field's: old data would be read as something else.
    fn gaps(&mut self, message: &MessageDescriptor) {
        let reserved: Vec<_> = message.reserved_ranges().collect();
        let mut numbers: Vec<_> = message.fields().map(|field| field.number()).collect();
        numbers.sort_unstable();
        let mut expected = 1;
        for number in numbers {
            while let Some(range) = reserved.iter().find(|range| range.contains(&expected)) {
                expected = range.end;
            }
            if expected < number {
                let last = number - 1;
                let message_text = format!(
                    "the numbers from {expected} to {last} are neither used nor reserved; write `reserved {expected} to {last};`, or use them"
                );
                let site = (message.parent_file(), message.path());
                self.add(
                    "FIELD_NUMBERS_RESERVED",
                    site,
                    message.full_name(),
                    message_text,
                );
            }
            expected = number + 1;
        }
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptor) {
        let site = || (enumeration.parent_file(), enumeration.path());
        let name = (enumeration.name(), enumeration.full_name());
        self.name("ENUM_PASCAL_CASE", site(), name, pascal);
        self.comment("COMMENT_ENUM", site(), enumeration.full_name());
        let prefix = format!("{}_", upper(&snake(enumeration.name())));
        for value in enumeration.values() {
            let site = || (enumeration.parent_file(), value.path());
            let name = (value.name(), value.full_name());
            self.name("ENUM_VALUE_UPPER_SNAKE_CASE", site(), name, |name| {
                upper(&snake(name))
            });
            if !value.name().starts_with(&prefix) {
                let text = format!(
                    "the value's name should begin with `{prefix}`: values of all enums of a package share its names"
                );
                self.add("ENUM_VALUE_PREFIX", site(), value.full_name(), text);
            }
            if value.number() == 0 && !value.name().ends_with("_UNSPECIFIED") {
                let text =
                    "the value 0 should end with `_UNSPECIFIED`: it is also what nobody has stated"
                        .to_owned();
                self.add("ENUM_ZERO_VALUE_SUFFIX", site(), value.full_name(), text);
            }
        }
    }

    fn name(
        &mut self,
        rule: &'static str,
        site: (FileDescriptor, &[i32]),
        (name, full_name): (&str, &str),
        wanted: impl Fn(&str) -> String,
    ) {
        let wanted = wanted(name);
        if name != wanted {
            self.add(rule, site, full_name, format!("call it `{wanted}`"));
        }
    }

    fn comment(
        &mut self,
        rule: &'static str,
        (file, path): (FileDescriptor, &[i32]),
        element: &str,
    ) {
        let site = Site { file: &file, path };
        if !site.has_comment() {
            let text =
                "write a comment before it: the catalogue shows it as the description".to_owned();
            self.add(rule, (file, path), element, text);
        }
    }

    fn add(
        &mut self,
        rule: &'static str,
        (file, path): (FileDescriptor, &[i32]),
        element: &str,
        message: String,
    ) {
        self.remarks.push(Remark {
            line: Site { file: &file, path }.line(),
            file: file.name().to_owned(),
            rule,
            element: element.to_owned(),
            message,
        });
    }
}

/// `tax_id` and `taxID` as `TaxId` and `TaxID`.
fn pascal(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    words
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}

/// `cityName` as `city_name`, and `IDNumber` as `id_number`: a capital begins a word after a small letter, or before one.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut before = None::<char>;
    let mut letters = name.trim_matches('_').chars().peekable();
    while let Some(letter) = letters.next() {
        let after_small = before.is_some_and(|b| b.is_ascii_lowercase());
        let before_small = letters.peek().is_some_and(char::is_ascii_lowercase);
        let begins = letter.is_ascii_uppercase() && (after_small || before_small);
        let is_apart = snake.is_empty() || snake.ends_with('_');
        if begins && !is_apart {
            snake.push('_');
        }
        if letter != '_' || !is_apart {
            snake.push(letter.to_ascii_lowercase());
        }
        before = Some(letter);
    }
    snake
}

fn upper(name: &str) -> String {
    name.to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
