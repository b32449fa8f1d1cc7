//! One of the two revisions that are compared, by the names under which things are paired.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use prost_reflect::DescriptorPool;
use prost_reflect::EnumDescriptor;
use prost_reflect::ExtensionDescriptor;
use prost_reflect::FileDescriptor;
use prost_reflect::MessageDescriptor;
use prost_reflect::ServiceDescriptor;

use crate::registry::compile::is_provided;

/// What a registry declares, wherever it stands.
pub(super) struct Side {
    pub(super) files: BTreeMap<String, FileDescriptor>,
    pub(super) packages: BTreeSet<String>,
    /// Those of maps among them.
    pub(super) messages: BTreeMap<String, MessageDescriptor>,
    pub(super) enums: BTreeMap<String, EnumDescriptor>,
    pub(super) services: BTreeMap<String, ServiceDescriptor>,
    /// By the message that is extended, and the number.
    pub(super) extensions: BTreeMap<(String, u32), ExtensionDescriptor>,
    /// All that has a name, with the file that it stands in.
    pub(super) declared: BTreeMap<Declaration, FileDescriptor>,
    /// The same by the file's name, and by the name without the package.
    in_files: BTreeSet<(String, Declaration)>,
    pub(super) record: Option<ExtensionDescriptor>,
    pub(super) field: Option<ExtensionDescriptor>,
}

/// A declaration, by its full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Declaration {
    pub(super) kind: Kind,
    pub(super) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Message,
    Enum,
    Service,
    Extension,
}

impl Side {
    pub(super) fn of(pool: &DescriptorPool) -> Self {
        let named = |name: &str, file: FileDescriptor| is_compared(&file).then(|| name.to_owned());
        let declared = declared(pool);
        Self {
            in_files: declared
                .iter()
                .map(|(declared, file)| (file.name().to_owned(), declared.within(file)))
                .collect(),
            declared,
            files: pool
                .files()
                .filter_map(|file| Some((named(file.name(), file.clone())?, file)))
                .collect(),
            packages: pool
                .files()
                .filter(is_compared)
                .map(|file| file.package_name().to_owned())
                .collect(),
            messages: pool
                .all_messages()
                .filter_map(|m| Some((named(m.full_name(), m.parent_file())?, m)))
                .collect(),
            enums: pool
                .all_enums()
                .filter_map(|e| Some((named(e.full_name(), e.parent_file())?, e)))
                .collect(),
            services: pool
                .services()
                .filter_map(|s| Some((named(s.full_name(), s.parent_file())?, s)))
                .collect(),
            extensions: pool
                .all_extensions()
                .filter(|extension| is_compared(&extension.parent_file()))
                .map(|extension| (key_of(&extension), extension))
                .collect(),
            record: pool.get_extension_by_name("landbridge.v1.record"),
            field: pool.get_extension_by_name("landbridge.v1.field"),
        }
    }

    /// Whether the file of that name has the declaration, whatever its package is called.
    pub(super) fn has_in_file(&self, declared: &Declaration, file: &FileDescriptor) -> bool {
        let key = (file.name().to_owned(), declared.within(file));
        self.in_files.contains(&key)
    }
}

impl Declaration {
    /// Without the name of its package.
    fn within(&self, file: &FileDescriptor) -> Self {
        let name = self.name.strip_prefix(file.package_name());
        Self {
            kind: self.kind,
            name: name.unwrap_or(&self.name).to_owned(),
        }
    }
}

fn declared(pool: &DescriptorPool) -> BTreeMap<Declaration, FileDescriptor> {
    let named = |kind, name: &str| Declaration {
        kind,
        name: name.to_owned(),
    };
    let messages = pool.all_messages();
    let messages = messages.map(|m| (named(Kind::Message, m.full_name()), m.parent_file()));
    let enums = pool.all_enums();
    let enums = enums.map(|e| (named(Kind::Enum, e.full_name()), e.parent_file()));
    let services = pool.services();
    let services = services.map(|s| (named(Kind::Service, s.full_name()), s.parent_file()));
    let extensions = pool.all_extensions();
    let extensions = extensions.map(|e| (named(Kind::Extension, e.full_name()), e.parent_file()));
    let all = messages.chain(enums).chain(services).chain(extensions);
    all.filter(|(_, file)| is_compared(file)).collect()
}

fn key_of(extension: &ExtensionDescriptor) -> (String, u32) {
    let extended = extension.containing_message().full_name().to_owned();
    (extended, extension.number())
}

/// What comes with the gateway or with a compiler does not change with the registry.
fn is_compared(file: &FileDescriptor) -> bool {
    !is_provided(file.name())
}
