//! From the options of fields to checks; a rule that does not fit its field is a fault of the registry.

use std::collections::HashMap;
use std::sync::Arc;

use prost_reflect::DescriptorPool;
use prost_reflect::ExtensionDescriptor;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;
use prost_reflect::OneofDescriptor;

use super::OfField;
use super::OfMessage;
use super::OfOneof;
use super::Requirement;
use super::Rules;
use super::Shape;
use super::Size;
use super::check::Check;
use super::checks::checks;
use crate::pb::rules;
use crate::pb::rules::field_rules::Type;
use crate::registry::options::option;
use crate::registry::scalar::Scalar;

/// The rules of all messages of a pool.
#[derive(Default)]
pub(in crate::registry) struct CompiledRules {
    messages: Arc<[OfMessage]>,
    by_name: HashMap<String, usize>,
}

/// A rule that does not fit the field that states it.
pub(in crate::registry) struct MisplacedRule {
    /// The message, and the path of the declaration in its file.
    pub(in crate::registry) message: MessageDescriptor,
    pub(in crate::registry) path: Vec<i32>,
    pub(in crate::registry) element: String,
    pub(in crate::registry) why: String,
}

impl CompiledRules {
    pub(in crate::registry) fn of(pool: &DescriptorPool) -> Result<Self, Vec<MisplacedRule>> {
        let extensions = Extensions {
            field: pool.get_extension_by_name("buf.validate.field"),
            oneof: pool.get_extension_by_name("buf.validate.oneof"),
        };
        // No file imports the rules.
        if extensions.field.is_none() {
            return Ok(Self::default());
        }
        let declared = pool.all_messages().filter(|m| !m.is_map_entry());
        let declared: Vec<_> = declared.collect();
        let by_name: HashMap<_, _> = declared
            .iter()
            .enumerate()
            .map(|(index, message)| (message.full_name().to_owned(), index))
            .collect();
        let (mut messages, mut faults) = (Vec::new(), Vec::new());
        for message in &declared {
            messages.push(extensions.of_message(message, &by_name, &mut faults));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        prune(&mut messages);
        Ok(Self {
            messages: messages.into(),
            by_name,
        })
    }

    /// The rules of a message with those of all that is in it; `None` if there are none.
    pub(in crate::registry) fn rules(&self, message: &MessageDescriptor) -> Option<Rules> {
        let root = *self.by_name.get(message.full_name())?;
        let rules = self.messages.get(root)?;
        (!rules.is_empty()).then(|| Rules {
            messages: Arc::clone(&self.messages),
            root,
        })
    }
}

impl OfMessage {
    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.oneofs.is_empty()
    }
}

impl OfField {
    fn demands_nothing(&self) -> bool {
        let size = &self.size;
        self.required.is_none()
            && self.checks.is_empty()
            && size.least.is_none()
            && size.most.is_none()
            && size.unique.is_none()
    }
}

/// Leaves out what demands nothing: fields without rules, down to messages without any. Messages may contain themselves.
fn prune(messages: &mut [OfMessage]) {
    let mut demanding: Vec<bool> = messages
        .iter()
        .map(|m| !m.oneofs.is_empty() || m.fields.iter().any(|f| !f.demands_nothing()))
        .collect();
    let is_demanding = |demanding: &[bool], field: &OfField| {
        let inner = field.inner.and_then(|inner| demanding.get(inner));
        inner.copied().unwrap_or(false)
    };
    loop {
        let mut changed = false;
        for index in 0..messages.len() {
            let through = messages
                .get(index)
                .is_some_and(|m| m.fields.iter().any(|f| is_demanding(&demanding, f)));
            if let Some(known) = demanding.get_mut(index)
                && through
                && !*known
            {
                (*known, changed) = (true, true);
            }
        }
        if !changed {
            break;
        }
    }
    for message in messages {
        for field in &mut message.fields {
            if !is_demanding(&demanding, field) {
                field.inner = None;
            }
        }
        message
            .fields
            .retain(|field| !field.demands_nothing() || field.inner.is_some());
    }
}

struct Extensions {
    field: Option<ExtensionDescriptor>,
    oneof: Option<ExtensionDescriptor>,
}

impl Extensions {
    fn of_message(
        &self,
        message: &MessageDescriptor,
        by_name: &HashMap<String, usize>,
        faults: &mut Vec<MisplacedRule>,
    ) -> OfMessage {
        let mut misplaced = |path: &[i32], element: &str, why: String| {
            faults.push(MisplacedRule {
                message: message.clone(),
                path: path.to_owned(),
                element: element.to_owned(),
                why,
            });
        };
        let mut fields = Vec::new();
        for field in message.fields() {
            let rules: rules::FieldRules =
                option(&field.options(), self.field.as_ref()).unwrap_or_default();
            match of_field(&field, &rules, by_name) {
                Ok(rules) => fields.extend(rules),
                Err(why) => misplaced(field.path(), field.full_name(), why),
            }
        }
        fields.sort_by_key(|field: &OfField| field.number);
        let oneofs = message.oneofs().filter_map(|oneof| self.of_oneof(&oneof));
        OfMessage {
            fields,
            oneofs: oneofs.collect(),
        }
    }

    fn of_oneof(&self, oneof: &OneofDescriptor) -> Option<OfOneof> {
        let rules: rules::OneofRules = option(&oneof.options(), self.oneof.as_ref())?;
        rules.required().then(|| OfOneof {
            name: oneof.name().to_owned(),
            members: oneof.fields().map(|member| member.number()).collect(),
            required: Requirement::new("required", "set in one of its fields"),
        })
    }
}

/// `None` where the field's rules do not count.
fn of_field(
    field: &FieldDescriptor,
    rules: &rules::FieldRules,
    by_name: &HashMap<String, usize>,
) -> Result<Option<OfField>, String> {
    if rules.ignore() == rules::Ignore::Always {
        return Ok(None);
    }
    let kind = field.kind();
    let shape = match (field.is_map(), field.is_list(), Scalar::of(&kind)) {
        (true, _, _) => Shape::Map,
        (_, true, scalar) => Shape::List(scalar),
        (_, _, Some(scalar)) => Shape::Scalar(scalar),
        (_, _, None) => Shape::Message,
    };
    let mut own = OfField {
        number: field.number(),
        name: field.name().to_owned(),
        has_presence: field.supports_presence(),
        required: rules
            .required()
            .then(|| Requirement::new("required", "set")),
        ignores_zero: rules.ignore() == rules::Ignore::IfZeroValue,
        checks: Vec::new(),
        size: Size::default(),
        inner: inner(field).and_then(|message| by_name.get(message.full_name()).copied()),
        shape,
    };
    match (&rules.r#type, &own.shape) {
        (None, _) => {}
        (Some(Type::Repeated(list)), Shape::List(scalar)) => {
            own.size = size_of_list(list, *scalar)?;
            own.checks = of_items(list.items.as_deref(), &kind)?;
        }
        (Some(Type::Map(map)), Shape::Map) => own.size = size_of_map(map),
        (Some(kind_rules), Shape::Scalar(_)) => own.checks = checks(kind_rules, &kind)?,
        (Some(_), _) => return Err(unfit("the rules", field)),
    }
    Ok(Some(own))
}

fn unfit(what: &str, field: &FieldDescriptor) -> String {
    let shape = match (field.is_map(), field.is_list()) {
        (true, _) => "a map",
        (_, true) => "a list, whose elements have theirs under `repeated.items`",
        _ => "a message",
    };
    format!("{what} do not fit {shape}")
}

/// The message whose own rules count for what is in the field.
fn inner(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    let kind = field.kind();
    let message = kind.as_message()?;
    if !field.is_map() {
        return Some(message.clone());
    }
    let value = message.map_entry_value_field();
    value.kind().as_message().cloned()
}

fn size_of_list(list: &rules::RepeatedRules, scalar: Option<Scalar>) -> Result<Size, String> {
    if list.unique() && scalar.is_none() {
        return Err("`repeated.unique` is for lists of scalars and enums".to_owned());
    }
    let at_least = |n| Requirement::new("repeated.min_items", format!("a list of at least {n}"));
    let at_most = |n| Requirement::new("repeated.max_items", format!("a list of at most {n}"));
    let unique = Requirement::new("repeated.unique", "a list without repetitions");
    Ok(Size {
        least: list.min_items.map(|n| (n, at_least(n))),
        most: list.max_items.map(|n| (n, at_most(n))),
        unique: list.unique().then_some(unique),
    })
}

fn size_of_map(map: &rules::MapRules) -> Size {
    let at_least = |n| Requirement::new("map.min_pairs", format!("a map of at least {n}"));
    let at_most = |n| Requirement::new("map.max_pairs", format!("a map of at most {n}"));
    Size {
        least: map.min_pairs.map(|n| (n, at_least(n))),
        most: map.max_pairs.map(|n| (n, at_most(n))),
        unique: None,
    }
}

fn of_items(items: Option<&rules::FieldRules>, kind: &Kind) -> Result<Vec<Check>, String> {
    let Some(items) = items else {
        return Ok(Vec::new());
    };
    if items.required.is_some() || items.ignore.is_some() {
        return Err("`required` and `ignore` of `repeated.items` are not enforced".to_owned());
    }
    match &items.r#type {
        None => Ok(Vec::new()),
        Some(rules) => checks(rules, kind),
    }
}
