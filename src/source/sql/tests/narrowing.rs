//! The database lets through at least what the gate accepts, whatever the filter and the values.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::Config;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestRng;
use proptest::test_runner::TestRunner;

use super::fixture::Fixture;
use super::fixture::Value;
use super::fixture::everything;
use super::fixture::paths;
use crate::registry::extract;
use crate::source::sql::position::Position;

const TEXTS: [&str; 14] = [
    "", "a", "A", "a ", "ab", "á", "%", "_", "\\", "'", "王", "🦀", "null", "5",
];
const DATES: [&str; 5] = [
    "1990-02-28",
    "1990-02-27",
    "2000-01-01",
    "0001-01-01",
    "9999-12-31",
];
const TIMES: [&str; 4] = [
    "2026-01-31 09:30:00.25Z",
    "2026-01-31 09:30:00Z",
    "1970-01-01 00:00:01Z",
    "2026-01-31 09:30:00.250001Z",
];

fn or_null(value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::Null), 3 => value].boxed()
}

fn text() -> BoxedStrategy<Value> {
    or_null(select(&TEXTS[..]).prop_map(|text| Value::Text(text.to_owned())))
}

fn narrow_text() -> BoxedStrategy<Value> {
    let texts = &TEXTS[..10];
    or_null(select(texts).prop_map(|text| Value::Text(text.to_owned())))
}

fn integer(of: &'static [i64]) -> BoxedStrategy<Value> {
    or_null(select(of).prop_map(Value::Integer))
}

fn number() -> BoxedStrategy<Value> {
    or_null(select(&[-1.5, -0.0, 0.0, 0.5, 2.0][..]).prop_map(Value::Number))
}

fn boolean() -> BoxedStrategy<Value> {
    or_null(any::<bool>().prop_map(Value::Boolean))
}

fn kind() -> BoxedStrategy<Value> {
    let names = &["KIND_UNSPECIFIED", "KIND_A", "KIND_B"][..];
    or_null(select(names).prop_map(|name| Value::Text(name.to_owned())))
}

fn place() -> BoxedStrategy<Value> {
    let city = select(&TEXTS[..]).prop_map(|city| serde_json::json!({ "city": city }));
    let code =
        select(&TEXTS[..]).prop_map(|code| serde_json::json!({ "postCode": code, "city": null }));
    let other =
        select(&TEXTS[..]).prop_map(|code| serde_json::json!({ "post_code": code, "floor": 2 }));
    or_null(prop_oneof![city, code, other].prop_map(|json| Value::Text(json.to_string())))
}

fn row() -> impl Strategy<Value = Vec<Value>> {
    let data = select(vec![&b""[..], b"a", b"A", b"a\0", b"\xff"]);
    let columns = vec![
        Just(Value::Null).boxed(),
        text(),
        narrow_text(),
        integer(&[-1, 0, 1, 5, 32_767]),
        integer(&[i64::MIN, -1, 0, 5, i64::MAX]),
        integer(&[0, 1, 5, 2_000_000_000]),
        integer(&[-5, 0, 5]),
        boolean(),
        boolean(),
        number(),
        number(),
        or_null(data.prop_map(|bytes| Value::Data(bytes.to_vec()))),
        kind(),
        integer(&[0, 1, 2, 7]),
        or_null(select(&DATES[..]).prop_map(|date| Value::Text(date.to_owned()))),
        or_null(
            select(&["0.0000", "1.5000", "12.2500"][..]).prop_map(|n| Value::Text(n.to_owned())),
        ),
        or_null(select(&TIMES[..]).prop_map(Value::At)),
        place(),
        Just(Value::Null).boxed(),
        Just(Value::Null).boxed(),
        or_null(select(&["a", "A", "b"][..]).prop_map(|text| Value::Text(text.to_owned()))),
        text(),
        integer(&[0, 5]),
        kind(),
    ];
    columns
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\"))
}

fn leaf() -> impl Strategy<Value = String> {
    let ops = || select(&["==", "!=", "<", "<=", ">", ">="][..]);
    let texts = || {
        select(
            &[
                "id",
                "name",
                "nickname",
                "born",
                "place.city",
                "place.post_code",
                "other.city",
                "other.post_code",
            ][..],
        )
    };
    let values = || {
        let all = TEXTS.iter().chain(&DATES).chain(&["1.5000", "19", "R7"]);
        select(all.copied().collect::<Vec<_>>()).prop_map(quoted)
    };
    let integers = || select(&["small", "big", "delta", "other.floor", "place.floor"][..]);
    prop_oneof![
        6 => (texts(), ops(), values()).prop_map(|(f, op, v)| format!("{f} {op} {v}")),
        2 => (texts(), prop::collection::vec(values(), 1..4)).prop_map(|(f, v)| format!("{f} in [{}]", v.join(", "))),
        3 => (texts(), values()).prop_map(|(f, v)| format!("{f}.startsWith({v})")),
        3 => (integers(), ops(), select(&["-1", "0", "1", "5", "40000"][..])).prop_map(|(f, op, v)| format!("{f} {op} {v}")),
        1 => integers().prop_map(|f| format!("{f} in [0, 5]")),
        1 => (ops(), select(&["0", "5", "4000000000"][..])).prop_map(|(op, v)| format!("count {op} {v}")),
        2 => (select(&["active", "checked"][..]), select(&["==", "!="][..]), any::<bool>()).prop_map(|(f, op, v)| format!("{f} {op} {v}")),
        2 => (select(&["ratio", "weight"][..]), ops(), select(&["0.0", "0.5", "-1.5", "0.1"][..])).prop_map(|(f, op, v)| format!("{f} {op} {v}")),
        2 => (select(&["kind", "kind_number", "maybe_kind"][..]), select(&["==", "!="][..]), select(&["KIND_UNSPECIFIED", "KIND_A", "KIND_B"][..])).prop_map(|(f, op, v)| format!("{f} {op} {v}")),
        1 => select(&["kind", "kind_number", "maybe_kind"][..]).prop_map(|f| format!("{f} in [KIND_A, KIND_UNSPECIFIED]")),
        2 => (ops(), select(&["1970-01-01T00:00:00Z", "2026-01-31T09:30:00Z", "2026-01-31T09:30:00.25Z", "2026-01-31T09:30:00.2500009Z"][..])).prop_map(|(op, v)| format!("at {op} timestamp(\"{v}\")")),
        1 => (select(&["==", "!="][..]), select(&["b\"\"", "b\"a\"", "b\"A\""][..])).prop_map(|(op, v)| format!("data {op} {v}")),
        2 => select(&["name", "nickname", "small", "big", "active", "checked", "kind", "maybe_kind", "at", "born", "amount", "data", "place", "place.city", "other", "other.city", "weight"][..]).prop_map(|f| format!("has({f})")),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|f| format!("!({f})")),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|fs| format!("({})", fs.join(" && "))),
            prop::collection::vec(inner, 2..4).prop_map(|fs| format!("({})", fs.join(" || "))),
        ]
    })
}

async fn never_loses_a_row(fixture: &Fixture) {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]),
    );
    let mut rows = Vec::new();
    for n in 0..150 {
        let mut values = row().new_tree(&mut runner).unwrap().current();
        values[0] = Value::Text(format!("{}{n}", if n % 2 == 0 { "R" } else { "r" }));
        if fixture.server.url.starts_with("sqlite")
            && let Value::At(at) = &mut values[16]
        {
            *at = at.replacen(' ', "T", 1).leak();
        }
        rows.push(values);
    }
    fixture.fill(&rows).await;
    let all = fixture.all().await.unwrap();
    assert_eq!(all.len(), 150);

    let (mut asked, mut narrowed_some) = (0, 0);
    while asked < 600 {
        let text = filter().new_tree(&mut runner).unwrap().current();
        let filter = match crate::registry::filter::Filter::parse(&text, &fixture.schema()) {
            Ok(filter) => filter,
            Err(e) => panic!("{text}: {e}"),
        };
        asked += 1;
        let accepted = |records: Vec<Bytes>| -> BTreeSet<Bytes> {
            records
                .into_iter()
                .filter(|r| filter.matches(r).unwrap())
                .collect()
        };
        let let_through = match fixture.narrowed(&filter).await {
            Ok(records) => records,
            Err(e) => panic!("{text}: {e:?}"),
        };
        let wanted = accepted(all.clone());
        let count = let_through.len();
        narrowed_some += usize::from(count < all.len());
        assert_eq!(accepted(let_through), wanted, "{text}");
        let binding = fixture.bindings.records.values().next().unwrap();
        let binding = binding.settled.get().unwrap().as_ref().unwrap();
        if binding.narrow(filter.expr()).exact {
            assert_eq!(count, wanted.len(), "not exact: {text}");
        }
    }
    assert!(narrowed_some > 350, "{narrowed_some} of {asked}");
}

/// Pages of seven, each resumed after the last record, give every record once and in order.
async fn pages_lose_and_repeat_nothing(fixture: &Fixture) {
    let fields = fixture.schema().leaves();
    let paths = paths(&fields);
    for path in [
        "id",
        "name",
        "nickname",
        "small",
        "big",
        "count",
        "active",
        "checked",
        "ratio",
        "weight",
        "data",
        "kind",
        "kind_number",
        "maybe_kind",
        "born",
        "at",
        "place.city",
        "place.post_code",
        "other.city",
    ] {
        for descending in [false, true] {
            let mut order = vec![fixture.by(path, descending)];
            if path != "id" {
                order.push(fixture.by("id", false));
            }
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let mut ask = everything(&paths);
                ask.order = order.clone();
                ask.limit = 6;
                ask.after = after.take();
                let page = fixture.records(&ask).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(Position::following(&fixture.schema(), &order, last).unwrap());
                seen.extend(page);
                assert!(seen.len() <= 150, "{path} repeats records");
            }
            assert_eq!(seen.len(), 150, "{path} {descending}");
            let field = fixture.schema().field(path).unwrap();
            if path == "id" {
                continue;
            }
            for pair in seen.windows(2) {
                let [left, right] = [&pair[0], &pair[1]].map(|record| {
                    extract::value_of(record, &field)
                        .unwrap()
                        .or_else(|| crate::source::sql::narrow::default_of(&field))
                        .unwrap()
                });
                let (first, second) = if descending {
                    (&right, &left)
                } else {
                    (&left, &right)
                };
                let op = crate::registry::filter::Op::Le;
                assert!(
                    crate::source::sql::narrow::holds(first, op, second),
                    "{path} {descending}"
                );
            }
        }
    }
}

#[tokio::test]
async fn postgres_never_loses_a_row_that_the_gate_accepts() {
    let fixture = Fixture::postgres().await;
    never_loses_a_row(&fixture).await;
    pages_lose_and_repeat_nothing(&fixture).await;
}

#[tokio::test]
async fn mysql_never_loses_a_row_that_the_gate_accepts() {
    let fixture = Fixture::mysql().await;
    never_loses_a_row(&fixture).await;
    pages_lose_and_repeat_nothing(&fixture).await;
}

#[tokio::test]
async fn sqlite_never_loses_a_row_that_the_gate_accepts() {
    let fixture = Fixture::sqlite().await;
    never_loses_a_row(&fixture).await;
    pages_lose_and_repeat_nothing(&fixture).await;
}
