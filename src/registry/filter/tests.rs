use std::cmp::Ordering;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use prost_reflect::DynamicMessage;
use prost_reflect::Value as Dynamic;
use serde_json::json;

use super::*;
use crate::registry::extract::value_of;
use crate::registry::specimen::WORDS;
use crate::registry::specimen::field;
use crate::registry::specimen::record;
use crate::registry::specimen::records;
use crate::registry::specimen::schema;

fn parse(text: &str) -> Filter {
    Filter::parse(text, schema()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the call reads better with `json!` in it"
)]
fn selects(text: &str, json: serde_json::Value) -> bool {
    parse(text).matches(&record(&json)).unwrap()
}

#[test]
fn a_filter_selects_by_what_the_record_states() {
    let it = json!({
        "id": "R1", "nickname": "", "status": "STATUS_ACTIVE", "small": -5, "ubig": "18446744073709551615",
        "ratio": 0.1, "weight": 2.5, "flag": true, "photo": "AP8=", "created": "2026-01-02T03:04:05.5Z",
        "address": {"district": "Nanming", "previous": {"floor": 3}}, "tags": ["x"],
    });
    for (text, expected) in [
        ("id == 'R1'", true),
        ("'R1' == id", true),
        ("id == \"\\x521\"", true),
        ("id == r'R\\x31'", false),
        ("id in ['a', 'R1', 'z']", true),
        ("id in ['a', 'z']", false),
        ("id.startsWith('R')", true),
        ("id < 'R2' && id >= 'R1'", true),
        ("'R2' > id", true),
        ("status == STATUS_ACTIVE", true),
        ("STATUS_ACTIVE == status", true),
        ("status != 'STATUS_CLOSED'", true),
        ("status in [STATUS_CLOSED, STATUS_ACTIVE]", true),
        ("small == -5 && small < 0", true),
        ("-6 < small", true),
        ("ubig == 18446744073709551615u", true),
        ("usmall == 0", true),
        ("ratio == 0.1", true),
        ("weight > 2", true),
        ("flag", true),
        ("!flag || false", false),
        ("flag == true && agreed == false", false),
        ("photo == b'\\x00\\xff'", true),
        ("created > timestamp('2026-01-02T03:04:05Z')", true),
        ("created < timestamp('2026-01-02T11:04:05.6+08:00')", true),
        (
            "address.district == 'Nanming' && address.previous.floor == 3",
            true,
        ),
        ("address.previous.previous.district == ''", true),
        (
            "has(address) && has(tags) && has(address.previous.floor)",
            true,
        ),
        (
            "has(scores) || has(homes) || has(address.floor) || has(office)",
            false,
        ),
        ("has(nickname) && !has(birth)", true),
        ("true && !(1u == usmall) // the rest is a comment", true),
    ] {
        assert_eq!(selects(text, it.clone()), expected, "{text}");
    }
}

#[test]
fn text_is_ordered_by_code_point() {
    let it = json!({"id": "\u{ffff}"});
    assert!(selects("id < '\u{10000}'", it.clone()));
    assert!(selects("id > 'zzz'", it));
}

#[test]
fn a_field_that_is_not_there_has_its_default_unless_it_is_optional() {
    let empty = json!({});
    for text in [
        "id == ''",
        "small == 0",
        "!flag",
        "status == STATUS_UNSPECIFIED",
        "address.district == ''",
        "address.district != 'x'",
    ] {
        assert!(selects(text, empty.clone()), "{text}");
    }
    for text in [
        "nickname == ''",
        "nickname != 'x'",
        "rank != 1",
        "agreed == false",
        "grade == STATUS_UNSPECIFIED",
        "address.floor != 3",
        "phone != 'x'",
        "created != timestamp('2026-01-01T00:00:00Z')",
        "created < timestamp('2026-01-01T00:00:00Z')",
        "nickname.startsWith('')",
    ] {
        assert!(!selects(text, empty.clone()), "{text}");
    }
}

#[test]
fn the_last_value_wins_and_messages_merge() {
    let bytes = [
        record(&json!({"id": "a", "address": {"district": "x"}})),
        record(&json!({"id": "b", "address": {"street": "y"}})),
    ]
    .concat();
    assert!(
        parse("id == 'b' && address.district == 'x' && address.street == 'y'")
            .matches(&bytes)
            .unwrap()
    );
}

#[test]
fn a_member_of_a_oneof_replaces_the_others() {
    let bytes = [
        record(&json!({"office": {"district": "x"}})),
        record(&json!({"phone": "1"})),
    ]
    .concat();
    assert!(
        parse("phone == '1' && !has(office) && office.district == ''")
            .matches(&bytes)
            .unwrap()
    );
    let bytes = [bytes, record(&json!({"email": "e"}))].concat();
    assert!(!parse("has(phone)").matches(&bytes).unwrap());
}

#[test]
fn a_record_that_does_not_fit_a_used_field_is_malformed() {
    let mut wrong = Vec::new();
    crate::registry::wire::put_len(&mut wrong, 4, b"x");
    assert_eq!(
        parse("small == 1").matches(&wrong),
        Err(Malformed::Mismatch(4))
    );
    assert_eq!(parse("big == 1").matches(&wrong), Ok(false));
    let mut not_text = Vec::new();
    crate::registry::wire::put_len(&mut not_text, 1, b"\xff");
    assert_eq!(
        parse("id == 'x'").matches(&not_text),
        Err(Malformed::Utf8(1))
    );
    assert_eq!(
        parse("id == 'x'").matches(&[0x0a, 9]),
        Err(Malformed::Truncated)
    );
}

/// Each text has `^` where the fault is; the mark itself is not part of the filter.
const REFUSED: &[(&str, &str)] = &[
    ("^", "the filter is empty"),
    (
        "^statuss == STATUS_ACTIVE",
        "unknown field `statuss` in test.v1.Specimen; did you mean `status`?",
    ),
    (
        "id == '南明' && ^address.distric == 'x'",
        "unknown field `address.distric` in test.v1.Specimen; did you mean `address.district`?",
    ),
    (
        "status == ^STATUS_NOPE",
        "`STATUS_NOPE` is not a value of test.v1.Status; `status` takes one of `STATUS_UNSPECIFIED`, `STATUS_ACTIVE`, `STATUS_CLOSED`",
    ),
    (
        "^STATUS_NOPE == status",
        "`STATUS_NOPE` is not a value of test.v1.Status; `status` takes one of `STATUS_UNSPECIFIED`, `STATUS_ACTIVE`, `STATUS_CLOSED`",
    ),
    (
        "status == ^'secret'",
        "`status` takes one of `STATUS_UNSPECIFIED`, `STATUS_ACTIVE`, `STATUS_CLOSED`",
    ),
    (
        "status == ^1",
        "`status` takes one of `STATUS_UNSPECIFIED`, `STATUS_ACTIVE`, `STATUS_CLOSED`",
    ),
    (
        "status < ^STATUS_ACTIVE",
        "`status` has no order: use `==`, `!=` or `in`",
    ),
    (
        "flag >= ^true",
        "`flag` has no order: use `==`, `!=` or `in`",
    ),
    (
        "photo > ^b'a'",
        "`photo` has no order: use `==`, `!=` or `in`",
    ),
    (
        "^address == 'x'",
        "`address` is a message: compare one of its fields, such as `address.district`",
    ),
    (
        "^married == 'x'",
        "`married` is a google.type.Date: only `has(married)` can be asked",
    ),
    (
        "^tags == 'x'",
        "`tags` has many values: only `has(tags)` can be asked",
    ),
    (
        "^homes == 'x'",
        "`homes` has many values: only `has(homes)` can be asked",
    ),
    (
        "^visits.district == 'x'",
        "`visits.district` lies within a list",
    ),
    (
        "has(^visits.district)",
        "`visits.district` lies within a list",
    ),
    (
        "^homes.value == 'x'",
        "unknown field `homes.value` in test.v1.Specimen; did you mean `homes`?",
    ),
    (
        "^created.seconds == 1",
        "unknown field `created.seconds` in test.v1.Specimen; did you mean `created`?",
    ),
    (
        "'x' in ^tags",
        "after `in` stands a list such as `[\"a\", \"b\"]`",
    ),
    ("^'x' in ['x']", "before `in` stands a field"),
    ("id in ^[]", "the list is empty"),
    ("id in [^['x']]", "a list stands only after `in`"),
    ("id in [^has(id)]", "a list holds values only"),
    (
        "^id == nickname",
        "two fields cannot be compared; compare a field with a value",
    ),
    ("^1 == 1", "a comparison needs a field on one side"),
    (
        "^!flag == true",
        "only a field and a value can be compared; put `!` before parentheses",
    ),
    (
        "id == 'a' ^== 'b'",
        "comparisons cannot be chained; join them with `&&`",
    ),
    ("id == ^x", "this is not a value; a text stands in quotes"),
    ("^id", "`id` is not a condition: compare it with a value"),
    ("^'secret'", "a value alone is not a condition"),
    (
        "small == ^'5'",
        "`small` takes a whole number from -2147483648 to 2147483647",
    ),
    (
        "small == ^2147483648",
        "`small` takes a whole number from -2147483648 to 2147483647",
    ),
    (
        "small == ^1.0",
        "`small` takes a whole number from -2147483648 to 2147483647",
    ),
    (
        "usmall == ^-1",
        "`usmall` takes a whole number from 0 to 4294967295",
    ),
    ("ratio < ^1e300", "`ratio` takes a finite number"),
    (
        "big == ^9223372036854775808",
        "the whole number is out of range; without a sign, up to 64 bits, it is written with a `u` after it",
    ),
    (
        "big == ^-9223372036854775809",
        "the whole number is out of range",
    ),
    (
        "big == ^99999999999999999999999",
        "the number is out of range",
    ),
    ("weight == ^1e999", "the number is out of range"),
    (
        "created < ^'2026-01-01T00:00:00Z'",
        "`created` takes a time, such as `2026-01-31T08:00:00+08:00` where it is written as text",
    ),
    (
        "created < timestamp^('secret')",
        "a time is written as in \"2026-01-31T08:00:00Z\"",
    ),
    ("created < timestamp(^id)", "a quoted text belongs here"),
    (
        "small ^+ 1 == 2",
        "a filter does not calculate; compare a field with a value",
    ),
    (
        "small == 1 ^- 2",
        "a filter does not calculate; compare a field with a value",
    ),
    (
        "small ^* 2 == 2",
        "a filter does not calculate; compare a field with a value",
    ),
    (
        "small ^/ 2 == 2",
        "a filter does not calculate; compare a field with a value",
    ),
    (
        "small ^% 2 == 1",
        "a filter does not calculate; compare a field with a value",
    ),
    ("small == ^-big", "`-` stands only before a number"),
    (
        "flag ^? true : false",
        "a filter has no `? :`; use `&&` and `||`",
    ),
    (
        "tags^[0] == 'x'",
        "a filter does not look into lists and maps",
    ),
    (
        "homes^['x'].district == 'x'",
        "a filter does not look into lists and maps",
    ),
    ("id == ^{'a': 1}", "a filter builds no messages and maps"),
    (
        "id == Address^{district: 'x'}",
        "a filter builds no messages and maps",
    ),
    (
        "nickname == ^null",
        "a filter has no `null`; use `has(field)`",
    ),
    (
        "'x'^.startsWith('x')",
        "only the names of a path are joined by dots",
    ),
    ("^small.startsWith('x')", "`small` is not a text"),
    ("id.startsWith(^nickname)", "a quoted text belongs here"),
    (
        "id.^matches('.*')",
        "a filter has no function `matches`, only `has`, `startsWith` and `timestamp`",
    ),
    (
        "id.^contains('x')",
        "a filter has no function `contains`, only `has`, `startsWith` and `timestamp`",
    ),
    (
        "tags.^all(t, t == 'x')",
        "a filter has no function `all`, only `has`, `startsWith` and `timestamp`",
    ),
    (
        "tags.^exists(t, t == 'x')",
        "a filter has no function `exists`, only `has`, `startsWith` and `timestamp`",
    ),
    (
        "tags.^map(t, t)",
        "a filter has no function `map`, only `has`, `startsWith` and `timestamp`",
    ),
    (
        "tags.^filter(t, true)",
        "a filter has no function `filter`, only `has`, `startsWith` and `timestamp`",
    ),
    (
        "^size(tags) == 1",
        "a filter has no function `size`, only `has`, `startsWith` and `timestamp`",
    ),
    (
        "^now() == 1",
        "a filter has no function `now`, only `has`, `startsWith` and `timestamp`",
    ),
    ("has(^'x')", "this does not belong here"),
    ("has(^id.startsWith('x'))", "`has` asks about a field"),
    ("id ^= 'x'", "equality is written `==`"),
    ("flag ^& flag", "`and` is written `&&`"),
    ("flag ^| flag", "`or` is written `||`"),
    ("flag ^and flag", "`and` does not belong here"),
    ("flag &&^", "the filter ends too early"),
    ("(flag^", "`)` is missing"),
    ("flag^)", "`)` does not belong here"),
    (
        "id == ^张三",
        "a character that no filter has outside of quotes",
    ),
    ("id == ^'张三", "the quote is not closed"),
    ("id == ^'张\n三'", "the quote is not closed on its line"),
    (
        "id == '张^\\q'",
        "an unknown escape; a backslash itself is written `\\\\`",
    ),
    (
        "id == '^\\ud800'",
        "an unknown escape; a backslash itself is written `\\\\`",
    ),
];

#[test]
fn what_is_not_a_filter_is_refused_with_its_place_and_hint() {
    for (marked, message) in REFUSED {
        let (before, after) = marked.split_once('^').unwrap();
        let text = format!("{before}{after}");
        let error = Filter::parse(&text, schema()).unwrap_err();
        assert_eq!(error.message, *message, "{text}");
        assert_eq!(error.position, before.chars().count() + 1, "{text}");
    }
}

#[test]
fn bounds_are_exact() {
    let nested = |n| format!("{}flag{}", "(".repeat(n), ")".repeat(n));
    assert!(Filter::parse(&nested(32), schema()).is_ok());
    assert_eq!(
        Filter::parse(&nested(33), schema()).unwrap_err(),
        FilterError {
            message: "the filter is nested deeper than 32 levels".into(),
            position: 33,
        }
    );
    let list = |n| format!("small in [{}]", vec!["1"; n].join(","));
    assert!(Filter::parse(&list(1000), schema()).is_ok());
    assert_eq!(
        Filter::parse(&list(1001), schema()).unwrap_err().message,
        "the filter's lists have more than 1000 elements"
    );
    let long = |n| vec!["flag"; n].join(" && ");
    assert!(Filter::parse(&long(199), schema()).is_ok());
    assert_eq!(
        Filter::parse(&long(200), schema()).unwrap_err().message,
        "the filter has more than 200 parts"
    );
    let text = format!("flag{}", " ".repeat(Filter::MAX_TEXT - 3));
    assert_eq!(
        Filter::parse(&text, schema()).unwrap_err().message,
        "the filter has more than 16384 bytes"
    );
}

/// Each of these overflows the stack of a parser that bounds the wrong thing.
#[test]
fn a_hostile_text_is_refused_within_a_small_stack() {
    let texts: Vec<String> = [
        "(",
        "[",
        "{",
        "!",
        "-",
        "a.",
        "a==",
        "a+",
        "a&&",
        "a?a:",
        "f(",
        "a[",
        "has(",
        "timestamp(",
        "a.b(",
        "in ",
        "'",
        "\\",
        "a in [",
    ]
    .iter()
    .map(|part| part.repeat(Filter::MAX_TEXT / part.len()))
    .collect();
    // Compiled here: the compiler needs more.
    let schema = schema();
    let small = std::thread::Builder::new().stack_size(256 * 1024);
    let run = small.spawn(move || {
        texts
            .iter()
            .all(|text| Filter::parse(text, schema).is_err())
    });
    assert!(run.unwrap().join().unwrap());
}

#[test]
fn a_use_demands_one_value_only_at_the_top_and_by_equality() {
    let uses = |text: &str| -> Vec<(String, bool)> {
        let uses = parse(text).uses();
        uses.iter()
            .map(|u| (u.field.path().to_string(), u.is_one_value))
            .collect()
    };
    for (text, is_one_value) in [
        ("id == 'x'", true),
        ("'x' == id", true),
        ("(flag && (id == 'x' && agreed))", true),
        ("id in ['x']", false),
        ("id in ['x', 'y']", false),
        ("(flag && (id == 'x' || flag))", false),
        ("id == 'x' || flag", false),
        ("flag || agreed && id == 'x'", false),
        ("id != 'x'", false),
        ("id < 'x'", false),
        ("id.startsWith('x')", false),
        ("has(id)", false),
        ("!(id == 'x')", false),
        ("!(id in ['x'])", false),
        ("!!(id == 'x')", false),
        ("!(flag || !(id == 'x'))", false),
    ] {
        let found = uses(text).into_iter().find(|(path, _)| path == "id");
        assert_eq!(found, Some(("id".into(), is_one_value)), "{text}");
    }
    assert_eq!(
        uses("flag && !agreed || id == 'x' && id > 'a'"),
        [
            ("flag".into(), false),
            ("agreed".into(), false),
            ("id".into(), false),
            ("id".into(), false)
        ]
    );
}

#[test]
fn two_filters_join_into_one_that_needs_both() {
    let both = parse("id == 'a' || id == 'b'").and(parse("flag"));
    assert_eq!(both.text(), "(id == 'a' || id == 'b'\n) && (flag\n)");
    assert!(
        both.matches(&record(&json!({"id": "b", "flag": true})))
            .unwrap()
    );
    assert!(!both.matches(&record(&json!({"id": "b"}))).unwrap());
    assert_eq!(both.uses().len(), 3);
    assert!(Filter::truth(true).matches(b"").unwrap());
    assert!(
        !parse("flag")
            .and(Filter::truth(false))
            .matches(&record(&json!({"flag": true})))
            .unwrap()
    );
}

#[test]
fn debug_shows_no_value() {
    let filter = parse("id == 'secret'");
    let shown = format!("{filter:?} {:?} {:?}", filter.expr(), filter.uses());
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn a_single_value_can_be_taken_from_a_record() {
    let it = record(&json!({
        "id": "R1", "small": -5, "grade": "STATUS_UNSPECIFIED", "status": 7, "tags": ["x"],
        "address": {"district": "南明"}, "created": "1970-01-01T00:00:01Z", "visits": [{"district": "d"}],
    }));
    let value = |path| value_of(&it, &field(path)).unwrap();
    assert!(value("id") == Some(Literal::Text("R1".into())));
    assert!(value("small") == Some(Literal::Integer(-5)));
    assert!(value("address.district") == Some(Literal::Text("南明".into())));
    assert!(
        value("created")
            == Some(Literal::Time {
                seconds: 1,
                nanos: 0
            })
    );
    let named = |name: &str, number| Literal::Enum {
        name: name.into(),
        number,
    };
    assert!(value("grade") == Some(named("STATUS_UNSPECIFIED", 0)));
    assert!(value("status") == Some(named("7", 7)));
    for path in [
        "nickname",
        "big",
        "address.street",
        "office.district",
        "tags",
        "address",
        "visits.district",
    ] {
        assert!(value(path).is_none(), "{path}");
    }
}

/// A filter's meaning, by way of a message tree.
fn meaning(expr: &Expr, record: &DynamicMessage) -> bool {
    match expr {
        Expr::All(parts) => parts.iter().all(|e| meaning(e, record)),
        Expr::Any(parts) => parts.iter().any(|e| meaning(e, record)),
        Expr::Not(inner) => !meaning(inner, record),
        Expr::Constant(value) => *value,
        Expr::Has { field } => {
            let (message, last) = enclosing(field, record);
            message.has_field(last)
        }
        Expr::StartsWith { field, prefix } => {
            stated(field, record).is_some_and(|v| v.as_str().unwrap().starts_with(&**prefix))
        }
        Expr::In { field, values } => stated(field, record)
            .is_some_and(|v| values.iter().any(|l| order(&v, l) == Some(Ordering::Equal))),
        Expr::Compare { field, op, value } => stated(field, record).is_some_and(|v| {
            let order = order(&v, value);
            match op {
                Op::Eq => order.is_some_and(Ordering::is_eq),
                Op::Ne => !order.is_some_and(Ordering::is_eq),
                Op::Lt => order.is_some_and(Ordering::is_lt),
                Op::Le => order.is_some_and(Ordering::is_le),
                Op::Gt => order.is_some_and(Ordering::is_gt),
                Op::Ge => order.is_some_and(Ordering::is_ge),
            }
        }),
    }
}

fn enclosing<'f>(
    field: &'f Field,
    record: &DynamicMessage,
) -> (DynamicMessage, &'f prost_reflect::FieldDescriptor) {
    let (last, outer) = field.steps().split_last().unwrap();
    let message = outer.iter().fold(record.clone(), |message, step| {
        message.get_field(step).as_message().unwrap().clone()
    });
    (message, last)
}

fn stated(field: &Field, record: &DynamicMessage) -> Option<Dynamic> {
    let (message, last) = enclosing(field, record);
    let there = !last.supports_presence() || message.has_field(last);
    there.then(|| message.get_field(last).into_owned())
}

fn order(value: &Dynamic, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Dynamic::String(a), Literal::Text(b)) => Some(a.as_str().cmp(b)),
        (Dynamic::I32(a), Literal::Integer(b)) => Some(i64::from(*a).cmp(b)),
        (Dynamic::I64(a), Literal::Integer(b)) => Some(a.cmp(b)),
        (Dynamic::U32(a), Literal::Unsigned(b)) => Some(u64::from(*a).cmp(b)),
        (Dynamic::U64(a), Literal::Unsigned(b)) => Some(a.cmp(b)),
        (Dynamic::F32(a), Literal::Number(b)) => f64::from(*a).partial_cmp(b),
        (Dynamic::F64(a), Literal::Number(b)) => a.partial_cmp(b),
        (Dynamic::Bool(a), Literal::Boolean(b)) => Some(a.cmp(b)),
        (Dynamic::Bytes(a), Literal::Data(b)) => Some(a.cmp(b)),
        (Dynamic::EnumNumber(a), Literal::Enum { number, .. }) => Some(a.cmp(number)),
        (Dynamic::Message(time), Literal::Time { seconds, nanos }) => {
            let part = |name: &str| time.get_field_by_name(name).unwrap().into_owned();
            let at = (
                part("seconds").as_i64().unwrap(),
                part("nanos").as_i32().unwrap(),
            );
            Some(at.cmp(&(*seconds, *nanos)))
        }
        _ => panic!("a literal of another type than its field"),
    }
}

/// Random conditions over the specimen's fields.
fn conditions() -> BoxedStrategy<String> {
    let text_fields = select(vec![
        "id",
        "nickname",
        "phone",
        "email",
        "address.district",
        "office.street",
        "address.previous.district",
    ]);
    let number_fields = select(vec![
        "small",
        "big",
        "zsmall",
        "zbig",
        "sfsmall",
        "sfbig",
        "ratio",
        "weight",
        "rank",
        "address.floor",
        "office.floor",
    ]);
    let unsigned_fields = select(vec!["usmall", "ubig", "fsmall", "fbig"]);
    let any_field = select(vec![
        "id",
        "nickname",
        "status",
        "small",
        "weight",
        "photo",
        "created",
        "address",
        "tags",
        "scores",
        "homes",
        "visits",
        "phone",
        "office",
        "address.previous",
        "office.floor",
        "agreed",
        "grade",
        "flag",
    ]);
    let op = || select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let word = || select(&WORDS[..]).prop_map(|w| format!("'{w}'"));
    let whole = || (-2_i32..3).prop_map(|n| n.to_string());
    let leaf = prop_oneof![
        (text_fields.clone(), op(), word()).prop_map(|(f, op, w)| format!("{f} {op} {w}")),
        (text_fields.clone(), vec(word(), 1..4))
            .prop_map(|(f, w)| format!("{f} in [{}]", w.join(","))),
        (text_fields, word()).prop_map(|(f, w)| format!("{f}.startsWith({w})")),
        (number_fields.clone(), op(), whole()).prop_map(|(f, op, n)| format!("{n} {op} {f}")),
        (number_fields, vec(whole(), 1..4)).prop_map(|(f, n)| format!("{f} in [{}]", n.join(","))),
        (unsigned_fields, op(), 0..3).prop_map(|(f, op, n)| format!("{f} {op} {n}")),
        (op(), -2..3).prop_map(|(op, n)| {
            let sign = if n < 0 {
                "1969-12-31T23:59:58Z"
            } else {
                "1970-01-01T00:00:01Z"
            };
            format!("created {op} timestamp('{sign}')")
        }),
        any_field.prop_map(|f| format!("has({f})")),
        select(vec![
            "flag",
            "agreed",
            "agreed == false",
            "status == STATUS_ACTIVE",
            "grade != STATUS_CLOSED",
            "grade in [STATUS_UNSPECIFIED, STATUS_ACTIVE]",
            "photo == b'\\x00'",
            "photo != b''",
            "true",
            "false",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" && "))),
            vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" || "))),
            inner.prop_map(|e| format!("!({e})")),
        ]
    })
    .boxed()
}

fn decode(record: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(schema().descriptor().clone(), record).unwrap()
}

proptest! {
    #[test]
    fn the_gate_agrees_with_a_message_tree(text in conditions(), record in records()) {
        let filter = parse(&text);
        let tree = decode(&record);
        prop_assert_eq!(filter.matches(&record), Ok(meaning(filter.expr(), &tree)), "{}", text);
    }

    /// What is accepted here is CEL everywhere.
    #[test]
    fn a_filter_is_cel(text in conditions()) {
        // The parser's own macro wants a selection; a record's fields stand bare here.
        let text = text.replace("has(", "has(record.");
        prop_assert!(cel::Program::compile(&text).is_ok(), "{}", text);
    }

    #[test]
    fn any_bytes_are_judged_without_a_panic(text in conditions(), bytes in vec(any::<u8>(), 0..64)) {
        let _judged = parse(&text).matches(&bytes);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        let _read = Filter::parse(&text, schema());
    }

    #[test]
    fn any_jumble_of_tokens_is_read_without_a_panic(
        tokens in vec(select(vec![
            "id", "flag", "status", "STATUS_ACTIVE", "address", ".", "district", "==", "!=", "<", "in", "[", "]", "(",
            ")", "!", "-", "&&", "||", ",", "'a'", "b'a'", "r'''a", "1", "0x", "1u", "1.5e", ".5", "true", "has",
            "timestamp", "startsWith", "?", ":", "\\", "\"", "//", "\n", "南",
        ]), 0..24),
    ) {
        if let Err(error) = Filter::parse(&tokens.concat(), schema()) {
            prop_assert!(error.position >= 1);
        }
        let _read = Filter::parse(&tokens.join(" "), schema());
    }
}
