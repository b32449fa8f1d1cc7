//! Reads the options of messages and fields, and makes record types of them.

use crate::registry::digests;
use crate::registry::options::option;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use prost_reflect::DescriptorPool;
use prost_reflect::ExtensionDescriptor;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;
use time::Date;
use time::macros::format_description;

use super::super::did_you_mean;
use super::super::field::Field;
use super::super::field::FieldDeclaration;
use super::super::mask::Mask;
use super::super::mask::UnknownMask;
use super::super::rules::CompiledRules;
use super::super::schema::Declarations;
use super::super::schema::Deprecation;
use super::super::schema::FieldTree;
use super::super::schema::RecordSchema;
use super::package;
use super::sites::Sites;
use super::strict;
use super::tree::Source;
use crate::fault::Fault;
use crate::fault::shown;
use crate::name::DepartmentId;
use crate::name::NameError;
use crate::name::RecordType;
use crate::pb;
use crate::pb::Sensitivity;
use crate::pb::SharingClass;
use crate::pb::TextFormat;

pub(super) type Records = BTreeMap<RecordType, Arc<RecordSchema>>;

/// The record types of all files, or every fault of an option.
pub(super) fn read(pool: &DescriptorPool, sources: &[Source]) -> Result<Records, Vec<Fault>> {
    let by_name: HashMap<_, _> = sources.iter().map(|s| (s.name.as_str(), s)).collect();
    let sites: HashMap<_, _> = pool
        .files()
        .filter_map(|file| {
            let sites = Sites::of(&file, by_name.get(file.name())?);
            Some((file.name().to_owned(), sites))
        })
        .collect();
    let messages: Vec<_> = pool
        .all_messages()
        .filter_map(|message| {
            let sites = sites.get(message.parent_file().name())?;
            Some((message, sites))
        })
        .collect();

    let mut reader = Reader::new(pool);
    for file in pool.files() {
        let sites = sites.get(file.name());
        reader
            .faults
            .extend(sites.and_then(|sites| package::check(&file, sites)));
        reader.faults.extend(
            sites
                .into_iter()
                .flat_map(|sites| strict::check(&file, sites)),
        );
    }
    let mut declared = Declarations::new();
    for (message, sites) in &messages {
        for field in message.fields() {
            let value = reader.declared(&field, sites);
            declared.insert(field.full_name().to_owned(), Arc::new(value));
        }
    }
    let declared = Arc::new(declared);
    let rules = CompiledRules::of(pool).unwrap_or_else(|misplaced| {
        let found = misplaced.into_iter().filter_map(|misplaced| {
            let sites = sites.get(misplaced.message.parent_file().name())?;
            Some(sites.fault(&misplaced.path, &misplaced.element, misplaced.why))
        });
        reader.faults.extend(found);
        CompiledRules::default()
    });
    let mut records = Records::new();
    for (message, sites) in &messages {
        if let Some(schema) = reader.record(message, sites, &declared, &rules) {
            records.insert(schema.name.clone(), Arc::new(schema));
        }
    }
    reader
        .faults
        .extend(package::check_owners(&records, &sites));
    if reader.faults.is_empty() {
        Ok(records)
    } else {
        reader.faults.sort();
        Err(reader.faults)
    }
}

struct Reader {
    record: Option<ExtensionDescriptor>,
    field: Option<ExtensionDescriptor>,
    faults: Vec<Fault>,
}

impl Reader {
    fn new(pool: &DescriptorPool) -> Self {
        Self {
            record: pool.get_extension_by_name("landbridge.v1.record"),
            field: pool.get_extension_by_name("landbridge.v1.field"),
            faults: Vec::new(),
        }
    }

    fn field_options(&self, field: &FieldDescriptor) -> pb::FieldOptions {
        option(&field.options(), self.field.as_ref()).unwrap_or_default()
    }

    fn declared(&mut self, field: &FieldDescriptor, sites: &Sites<'_>) -> FieldDeclaration {
        let options = self.field_options(field);
        let identifier = options.identifier();
        let mask = match mask(&options.mask, field) {
            Ok(mask) => mask,
            Err(message) => {
                self.faults
                    .push(sites.fault(field.path(), field.full_name(), message));
                None
            }
        };
        let is_decimal = options.format() == TextFormat::Decimal;
        if is_decimal
            && (!matches!(field.kind(), Kind::String) || field.is_list() || field.is_map())
        {
            let message = "format: only a single string is a decimal number".to_owned();
            self.faults
                .push(sites.fault(field.path(), field.full_name(), message));
        }
        FieldDeclaration {
            is_decimal,
            sensitivity: match options.sensitivity() {
                Sensitivity::Unspecified => Sensitivity::Internal,
                stated => stated,
            },
            mask,
            title: options.title,
            title_zh: options.title_zh,
            description: sites.comment(field.path()),
            is_exact: identifier == pb::IdentifierForm::Exact,
        }
    }

    /// The message's record type; `None` when it is not marked as one, or has a fault.
    fn record(
        &mut self,
        message: &MessageDescriptor,
        sites: &Sites<'_>,
        declared: &Arc<Declarations>,
        rules: &CompiledRules,
    ) -> Option<RecordSchema> {
        let options: pb::RecordOptions = option(&message.options(), self.record.as_ref())?;
        let mut draft = Draft {
            message,
            sites,
            options: &options,
            faults: &mut self.faults,
        };
        let name = draft.name();
        let owner = draft.owner();
        draft.statements();
        let fields = draft.fields(&name?, declared)?;
        let key = draft.key(&fields);
        let subject = draft.subject(&fields);
        let deprecated = draft.deprecated();
        Some(RecordSchema {
            name: fields.record().clone(),
            descriptor: message.clone(),
            owner: owner?,
            key: key?,
            subject,
            description: sites.comment(message.path()),
            sharing: options.sharing(),
            update_frequency: options.update_frequency(),
            digest: digests::of_record(message, &options, &|field| self.field_options(field)),
            title: options.title,
            title_zh: options.title_zh,
            office: options.office,
            office_zh: options.office_zh,
            access: options.access,
            deprecated,
            rules: rules.rules(message),
            fields,
        })
    }
}

fn mask(text: &str, field: &FieldDescriptor) -> Result<Option<Mask>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let mask: Mask = text.parse().map_err(|e: UnknownMask| e.to_string())?;
    mask.fits(field).map_err(|e| e.to_string())?;
    Ok(Some(mask))
}

/// A message marked as a record type, while its options are checked.
struct Draft<'a> {
    message: &'a MessageDescriptor,
    sites: &'a Sites<'a>,
    options: &'a pb::RecordOptions,
    faults: &'a mut Vec<Fault>,
}

impl Draft<'_> {
    fn name(&mut self) -> Option<RecordType> {
        if self.message.parent_message().is_some() {
            self.fault("a record type stands by itself: move it out of the message around it");
        }
        let name = self.message.full_name().parse();
        name.map_err(|e: NameError| self.fault(e.to_string())).ok()
    }

    fn owner(&mut self) -> Option<DepartmentId> {
        if self.options.owner.is_empty() {
            self.fault("the record names no `owner`; write such as `owner: \"civil\"`");
            return None;
        }
        let owner = self.options.owner.parse();
        owner
            .map_err(|e: NameError| self.fault(format!("owner: {e}")))
            .ok()
    }

    fn statements(&mut self) {
        if self.options.title.trim().is_empty() {
            self.fault("the record has no `title`");
        }
        if self.options.sharing() == SharingClass::Unspecified {
            self.fault(
                "the record states no `sharing`: SHARING_CLASS_UNCONDITIONAL, SHARING_CLASS_CONDITIONAL or SHARING_CLASS_PROHIBITED",
            );
        }
    }

    fn fields(&mut self, name: &RecordType, declared: &Arc<Declarations>) -> Option<FieldTree> {
        FieldTree::of(name, self.message, declared)
            .map_err(|e| self.fault(e.to_string()))
            .ok()
    }

    fn key(&mut self, fields: &FieldTree) -> Option<Field> {
        let key = &self.options.key;
        if key.is_empty() {
            self.fault("the record names no `key`; write such as `key: \"id\"`");
            return None;
        }
        let field = self.resolve("key", key, fields)?;
        if field.steps().len() > 1 {
            self.fault(format!(
                "the key `{key}` must be a field of the record itself"
            ));
            return None;
        }
        self.identifier("key", field)
    }

    fn subject(&mut self, fields: &FieldTree) -> Option<Field> {
        let subject = &self.options.subject;
        if subject.is_empty() {
            return None;
        }
        let field = self.resolve("subject", subject, fields)?;
        self.identifier("subject", field)
    }

    fn deprecated(&mut self) -> Option<Deprecation> {
        let stated = self.options.deprecated.as_ref()?;
        let until = Date::parse(&stated.until, format_description!("[year]-[month]-[day]"));
        let Ok(until) = until else {
            self.fault("deprecated: `until` must be a day such as \"2027-12-31\"");
            return None;
        };
        let replaced_by = match stated.replaced_by.as_str() {
            "" => None,
            name => Some(self.replacement(name)?),
        };
        Some(Deprecation { until, replaced_by })
    }

    fn replacement(&mut self, name: &str) -> Option<RecordType> {
        let pool = self.message.parent_pool();
        if pool.get_message_by_name(name).is_none() || name == self.message.full_name() {
            let name = shown(name);
            self.fault(format!(
                "deprecated: `{name}` in `replaced_by` is no other record type of the registry"
            ));
            return None;
        }
        name.parse().ok()
    }

    fn resolve(&mut self, role: &str, path: &str, fields: &FieldTree) -> Option<Field> {
        let field = fields.resolve(path);
        if field.is_none() {
            let hint = did_you_mean(&fields.nearest(path));
            self.fault(format!("the {role} names the unknown field `{path}`{hint}"));
        }
        field
    }

    fn identifier(&mut self, role: &str, field: Field) -> Option<Field> {
        if field.is_decimal() {
            self.fault(format!(
                "the {role} `{}` identifies by its text: it has no `format`",
                field.path()
            ));
        }
        let fits = is_identifier(&field.descriptor().kind()) && !field.is_repeated();
        if !fits {
            self.fault(format!(
                "the {role} `{}` must be a single string or integer, not {}",
                field.path(),
                field.type_name()
            ));
        }
        fits.then_some(field)
    }

    fn fault(&mut self, message: impl Into<String>) {
        let fault = self.sites.fault(
            self.message.path(),
            self.message.full_name(),
            message.into(),
        );
        self.faults.push(fault);
    }
}

fn is_identifier(kind: &Kind) -> bool {
    match kind {
        Kind::String
        | Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Fixed32
        | Kind::Fixed64
        | Kind::Sfixed32
        | Kind::Sfixed64 => true,
        Kind::Double
        | Kind::Float
        | Kind::Bool
        | Kind::Bytes
        | Kind::Message(_)
        | Kind::Enum(_) => false,
    }
}
