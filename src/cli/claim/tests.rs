use super::*;
use crate::cli::sample;

fn typed(claim: &str) -> Result<Value, String> {
    let claim = parse(claim).unwrap().typed(Some(&sample::person()));
    claim
        .map(|claim| claim.value.unwrap().kind.unwrap())
        .map_err(|error| error.to_string())
}

#[test]
fn a_value_gets_the_type_of_its_field() {
    let rows = [
        ("full_name=王 芳", Value::Text("王 芳".to_owned())),
        ("full_name=a=b", Value::Text("a=b".to_owned())),
        ("full_name=", Value::Text(String::new())),
        ("address.district=南明", Value::Text("南明".to_owned())),
        (
            "status=STATUS_ACTIVE",
            Value::Text("STATUS_ACTIVE".to_owned()),
        ),
        ("balance=-5", Value::Integer(-5)),
        ("children=2", Value::Integer(2)),
        (
            "serial=18446744073709551615",
            Value::Text("18446744073709551615".to_owned()),
        ),
        ("alive=true", Value::Boolean(true)),
        ("height=1.8", Value::Number(1.8)),
        ("photo=AAE=", Value::Data(vec![0, 1].into())),
        ("no.such.field=x", Value::Text("x".to_owned())),
    ];
    for (claim, value) in rows {
        assert!(typed(claim) == Ok(value), "{claim}");
    }
    let at = prost_types::Timestamp {
        seconds: 1_777_629_600,
        nanos: 0,
    };
    assert!(typed("seen_at=2026-05-01T10:00:00Z") == Ok(Value::Time(at)));
}

#[test]
fn an_unfit_value_is_told_without_the_value() {
    let rows = [
        (
            "balance=secret",
            "the value for `balance` is not a whole number",
        ),
        (
            "alive=secret",
            "the value for `alive` is not `true` or `false`",
        ),
        ("height=secret", "the value for `height` is not a number"),
        ("photo=secret!", "the value for `photo` is not base64"),
        (
            "seen_at=secret",
            "the value for `seen_at` is not a time such as `2026-05-01T10:00:00Z`",
        ),
        (
            "serial=-1",
            "the value for `serial` is not a whole number, 0 or greater",
        ),
    ];
    for (claim, message) in rows {
        assert!(typed(claim).err().as_deref() == Some(message), "{claim}");
    }
}

#[test]
fn a_claim_without_field_or_value_is_bad_usage() {
    assert!(parse("full_name").is_err());
    assert!(parse("=x").is_err());
}

#[test]
fn a_claims_debug_shows_no_value() {
    let shown = format!("{:?}", parse("full_name=王芳").unwrap());
    assert_eq!(shown, r#"Claim { field: "full_name", .. }"#);
}
