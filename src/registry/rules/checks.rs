//! From the rules of a single value to its checks.

use std::fmt::Display;

use prost_reflect::Kind;

use super::Requirement;
use super::check::Check;
use super::check::End;
use super::check::Range;
use super::check::Test;
use super::pattern;
use crate::pb::rules;
use crate::pb::rules::field_rules::Type;
use crate::registry::value::Literal;

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
pub(super) fn checks(rules: &Type, kind: &Kind) -> Result<Vec<Check>, String> {
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
                requirement: Requirement::new("enum.defined_only", "a value that the enum names"),
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
                requirement: Requirement::new(&format!("{kind}.finite"), "a finite number"),
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
            requirement: Requirement::new(&format!("{kind}.{id}"), demands),
        })
    }
}

fn shown(value: &Literal) -> String {
    match value {
        Literal::Text(text) => format!("`{text}`"),
        Literal::Decimal(decimal) => decimal.as_str().to_owned(),
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
        requirement: Requirement::new(&format!("{kind}.const"), shown(&value)),
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
            requirement: Requirement::new(
                &format!("{kind}.in"),
                format!("one of {}", list(&values)),
            ),
            test: Test::In(values),
        });
    }
    if !not.is_empty() {
        checks.push(Check {
            requirement: Requirement::new(
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
        let requirement = Requirement::new(&format!("string.{rule}"), demands);
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
            requirement: Requirement::new(&format!("bytes.{rule}"), sized(rule, length, "bytes")),
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
