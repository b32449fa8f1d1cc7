//! From the options of fields to checks; a rule that does not fit its field is a fault of the registry.

use std::collections::HashMap;
use std::fmt::Display;
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
use super::check::End;
use super::check::Range;
use super::check::Test;
use super::pattern;
use crate::pb::rules;
use crate::pb::rules::field_rules::Type;
use crate::registry::compile::record::option;
use crate::registry::scalar::Scalar;
use crate::registry::value::Literal;

/// The rules of all messages of a pool.
#[derive(Default)]
pub(in crate::registry) struct Compiled {
    messages: Arc<[OfMessage]>,
    by_name: HashMap<String, usize>,
}

/// A rule that does not fit the field that states it.
pub(in crate::registry) struct Misplaced {
    /// The message, and the path of the declaration in its file.
    pub(in crate::registry) message: MessageDescriptor,
    pub(in crate::registry) path: Vec<i32>,
    pub(in crate::registry) element: String,
    pub(in crate::registry) why: String,
}

impl Compiled {
    pub(in crate::registry) fn of(pool: &DescriptorPool) -> Result<Self, Vec<Misplaced>> {
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
        faults: &mut Vec<Misplaced>,
    ) -> OfMessage {
        let mut misplaced = |path: &[i32], element: &str, why: String| {
            faults.push(Misplaced {
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
            required: requirement("required", "set in one of its fields"),
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
        required: rules.required().then(|| requirement("required", "set")),
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

fn requirement(rule: &str, demands: impl Into<String>) -> Requirement {
    Requirement {
        rule: rule.to_owned(),
        demands: demands.into(),
    }
}

fn size_of_list(list: &rules::RepeatedRules, scalar: Option<Scalar>) -> Result<Size, String> {
    if list.unique() && scalar.is_none() {
        return Err("`repeated.unique` is for lists of scalars and enums".to_owned());
    }
    let at_least = |n| requirement("repeated.min_items", format!("a list of at least {n}"));
    let at_most = |n| requirement("repeated.max_items", format!("a list of at most {n}"));
    let unique = requirement("repeated.unique", "a list without repetitions");
    Ok(Size {
        least: list.min_items.map(|n| (n, at_least(n))),
        most: list.max_items.map(|n| (n, at_most(n))),
        unique: list.unique().then_some(unique),
    })
}

fn size_of_map(map: &rules::MapRules) -> Size {
    let at_least = |n| requirement("map.min_pairs", format!("a map of at least {n}"));
    let at_most = |n| requirement("map.max_pairs", format!("a map of at most {n}"));
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

/// Rules of numbers of all types, as one.
struct Numbers {
    kind: &'static str,
    exactly: Option<Literal>,
    lt: Option<Literal>,
    lte: Option<Literal>,
    gt: Option<Literal>,
    gte: Option<Literal>,
    among: Vec<Literal>,
    not_among: Vec<Literal>,
    finite: bool,
}

macro_rules! numbers {
    ($rules:expr, $kind:literal, $literal:expr, $finite:expr) => {{
        let (rules, literal) = ($rules, $literal);
        Numbers {
            kind: $kind,
            exactly: rules.r#const.map(literal),
            lt: rules.lt.map(literal),
            lte: rules.lte.map(literal),
            gt: rules.gt.map(literal),
            gte: rules.gte.map(literal),
            among: rules.r#in.iter().copied().map(literal).collect(),
            not_among: rules.not_in.iter().copied().map(literal).collect(),
            finite: $finite,
        }
    }};
}

/// The checks of a single value of that type.
fn checks(rules: &Type, kind: &Kind) -> Result<Vec<Check>, String> {
    let small = |v: i32| Literal::Integer(i64::from(v));
    let small_unsigned = |v: u32| Literal::Unsigned(u64::from(v));
    let small_number = |v: f32| Literal::Number(f64::from(v));
    match (rules, kind) {
        (Type::Float(r), Kind::Float) => numbers!(r, "float", small_number, r.finite()).checks(),
        (Type::Double(r), Kind::Double) => {
            numbers!(r, "double", Literal::Number, r.finite()).checks()
        }
        (Type::Int32(r), Kind::Int32) => numbers!(r, "int32", small, false).checks(),
        (Type::Int64(r), Kind::Int64) => numbers!(r, "int64", Literal::Integer, false).checks(),
        (Type::Uint32(r), Kind::Uint32) => numbers!(r, "uint32", small_unsigned, false).checks(),
        (Type::Uint64(r), Kind::Uint64) => numbers!(r, "uint64", Literal::Unsigned, false).checks(),
        (Type::Sint32(r), Kind::Sint32) => numbers!(r, "sint32", small, false).checks(),
        (Type::Sint64(r), Kind::Sint64) => numbers!(r, "sint64", Literal::Integer, false).checks(),
        (Type::Fixed32(r), Kind::Fixed32) => numbers!(r, "fixed32", small_unsigned, false).checks(),
        (Type::Fixed64(r), Kind::Fixed64) => {
            numbers!(r, "fixed64", Literal::Unsigned, false).checks()
        }
        (Type::Sfixed32(r), Kind::Sfixed32) => numbers!(r, "sfixed32", small, false).checks(),
        (Type::Sfixed64(r), Kind::Sfixed64) => {
            numbers!(r, "sfixed64", Literal::Integer, false).checks()
        }
        (Type::Bool(r), Kind::Bool) => {
            let exactly = r.r#const.map(Literal::Boolean);
            Ok(exactly_one("bool", exactly).into_iter().collect())
        }
        (Type::String(r), Kind::String) => texts(r),
        (Type::Bytes(r), Kind::Bytes) => Ok(bytes(r)),
        (Type::Enum(r), Kind::Enum(kind)) => {
            let literal = |number: i32| Literal::Enum {
                number,
                name: kind
                    .get_value(number)
                    .map_or_else(|| number.to_string(), |value| value.name().to_owned())
                    .into(),
            };
            let defined = r.defined_only().then(|| Check {
                test: Test::Defined(kind.clone()),
                requirement: requirement("enum.defined_only", "a value that the enum names"),
            });
            let mut checks: Vec<_> = exactly_one("enum", r.r#const.map(literal))
                .into_iter()
                .chain(defined)
                .collect();
            checks.extend(among(
                "enum",
                r.r#in.iter().copied().map(literal),
                r.not_in.iter().copied().map(literal),
            ));
            Ok(checks)
        }
        _ => Err(format!("the rules are of another type than {kind:?}")),
    }
}

impl Numbers {
    fn checks(self) -> Result<Vec<Check>, String> {
        let kind = self.kind;
        let mut checks = Vec::from_iter(exactly_one(kind, self.exactly));
        let end = |open: Option<Literal>, closed: Option<Literal>, pair: &str| match (open, closed)
        {
            (Some(_), Some(_)) => Err(format!("`{pair}` exclude one another")),
            (Some(value), None) => Ok(Some(End {
                value,
                is_included: false,
            })),
            (None, Some(value)) => Ok(Some(End {
                value,
                is_included: true,
            })),
            (None, None) => Ok(None),
        };
        let range = Range {
            low: end(self.gt, self.gte, "gt and gte")?,
            high: end(self.lt, self.lte, "lt and lte")?,
        };
        checks.extend(range.check(kind));
        checks.extend(among(kind, self.among, self.not_among));
        if self.finite {
            checks.push(Check {
                test: Test::Finite,
                requirement: requirement(&format!("{kind}.finite"), "a finite number"),
            });
        }
        Ok(checks)
    }
}

impl Range {
    fn check(self, kind: &str) -> Option<Check> {
        let word = |end: &End, open: &'static str, closed: &'static str| {
            if end.is_included { closed } else { open }
        };
        let low = self.low.as_ref().map(|low| {
            let said = word(low, "more than", "at least");
            (
                word(low, "gt", "gte"),
                format!("{said} {}", shown(&low.value)),
            )
        });
        let high = self.high.as_ref().map(|high| {
            let said = word(high, "less than", "at most");
            (
                word(high, "lt", "lte"),
                format!("{said} {}", shown(&high.value)),
            )
        });
        let (id, demands) = match (low, high) {
            (None, None) => return None,
            (Some((id, said)), None) | (None, Some((id, said))) => (id.to_owned(), said),
            (Some((low, above)), Some((high, below))) if self.is_inverted() => (
                format!("{low}_{high}_exclusive"),
                format!("{above} or {below}"),
            ),
            (Some((low, above)), Some((high, below))) => {
                (format!("{low}_{high}"), format!("{above} and {below}"))
            }
        };
        Some(Check {
            test: Test::Range(self),
            requirement: requirement(&format!("{kind}.{id}"), demands),
        })
    }
}

fn shown(value: &Literal) -> String {
    match value {
        Literal::Text(text) => format!("`{text}`"),
        Literal::Integer(v) => v.to_string(),
        Literal::Unsigned(v) => v.to_string(),
        Literal::Number(v) => v.to_string(),
        Literal::Boolean(v) => v.to_string(),
        Literal::Data(data) => format!("these {} bytes", data.len()),
        Literal::Enum { name, .. } => name.to_string(),
        Literal::Time { seconds, .. } => seconds.to_string(),
    }
}

fn exactly_one(kind: &str, value: Option<Literal>) -> Option<Check> {
    let value = value?;
    Some(Check {
        requirement: requirement(&format!("{kind}.const"), shown(&value)),
        test: Test::In(vec![value]),
    })
}

fn among(
    kind: &str,
    values: impl IntoIterator<Item = Literal>,
    not: impl IntoIterator<Item = Literal>,
) -> Vec<Check> {
    let (values, not): (Vec<_>, Vec<_>) = (values.into_iter().collect(), not.into_iter().collect());
    let list = |values: &[Literal]| values.iter().map(shown).collect::<Vec<_>>().join(", ");
    let mut checks = Vec::new();
    if !values.is_empty() {
        checks.push(Check {
            requirement: requirement(&format!("{kind}.in"), format!("one of {}", list(&values))),
            test: Test::In(values),
        });
    }
    if !not.is_empty() {
        checks.push(Check {
            requirement: requirement(
                &format!("{kind}.not_in"),
                format!("something else than {}", list(&not)),
            ),
            test: Test::NotIn(not),
        });
    }
    checks
}

fn texts(rules: &rules::StringRules) -> Result<Vec<Check>, String> {
    let literal = |text: &String| Literal::Text(text.as_str().into());
    let mut checks = Vec::from_iter(exactly_one("string", rules.r#const.as_ref().map(literal)));
    let mut add = |test: Test, rule: &str, demands: String| {
        let requirement = requirement(&format!("string.{rule}"), demands);
        checks.push(Check { test, requirement });
    };
    for (rule, length, is_chars) in [
        ("len", rules.len, true),
        ("min_len", rules.min_len, true),
        ("max_len", rules.max_len, true),
        ("len_bytes", rules.len_bytes, false),
        ("min_bytes", rules.min_bytes, false),
        ("max_bytes", rules.max_bytes, false),
    ] {
        let Some(length) = length else { continue };
        let (least, most) = span(rule, length);
        let test = match is_chars {
            true => Test::Chars { least, most },
            false => Test::Bytes { least, most },
        };
        let unit = if is_chars { "characters" } else { "bytes" };
        add(test, rule, sized(rule, length, unit));
    }
    if let Some(pattern) = &rules.pattern {
        let compiled = pattern::compile(pattern)
            .map_err(|_| format!("the pattern `{pattern}` is no RE2 expression"))?;
        let demands = format!("a text that `{pattern}` matches");
        add(Test::Pattern(compiled), "pattern", demands);
    }
    type Part = (&'static str, &'static str, fn(String) -> Test);
    let parts: [(Part, &Option<String>); 4] = [
        (
            ("prefix", "a text that begins with", Test::Prefix),
            &rules.prefix,
        ),
        (
            ("suffix", "a text that ends with", Test::Suffix),
            &rules.suffix,
        ),
        (("contains", "a text with", Test::Contains), &rules.contains),
        (
            ("not_contains", "a text without", Test::NotContains),
            &rules.not_contains,
        ),
    ];
    for ((rule, said, test), part) in parts {
        if let Some(part) = part {
            add(test(part.clone()), rule, format!("{said} `{part}`"));
        }
    }
    checks.extend(among(
        "string",
        rules.r#in.iter().map(literal),
        rules.not_in.iter().map(literal),
    ));
    Ok(checks)
}

fn bytes(rules: &rules::BytesRules) -> Vec<Check> {
    let exactly = rules.r#const.clone().map(|data| Literal::Data(data.into()));
    let mut checks = Vec::from_iter(exactly_one("bytes", exactly));
    for (rule, length) in [
        ("len", rules.len),
        ("min_len", rules.min_len),
        ("max_len", rules.max_len),
    ] {
        let Some(length) = length else { continue };
        let (least, most) = span(rule, length);
        checks.push(Check {
            test: Test::Bytes { least, most },
            requirement: requirement(&format!("bytes.{rule}"), sized(rule, length, "bytes")),
        });
    }
    checks
}

/// The least and the most that a rule of lengths allows.
fn span(rule: &str, length: u64) -> (u64, u64) {
    match rule.split('_').next() {
        Some("min") => (length, u64::MAX),
        Some("max") => (0, length),
        _ => (length, length),
    }
}

fn sized(rule: &str, length: impl Display, unit: &str) -> String {
    match rule.split('_').next() {
        Some("min") => format!("at least {length} {unit}"),
        Some("max") => format!("at most {length} {unit}"),
        _ => format!("{length} {unit}"),
    }
}
