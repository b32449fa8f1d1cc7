use prost_reflect::DynamicMessage;
use prost_reflect::Value;

use crate::registry::tests::compile;
use crate::registry::tests::faults;

const HEAD: &str = r#"syntax = "proto3";
package test.v1;
import "google/protobuf/descriptor.proto";
message O {
  double d = 1;
  repeated double l = 2;
  repeated O o = 3;
  repeated string s = 4;
  E e = 5;
  oneof one { string a = 6; O b = 7; string c = 8; }
}
enum E { NONE = 0; INF = 1; }
extend google.protobuf.FieldOptions { double d = 50001; O opt = 50002; float f = 50003; repeated double many = 50004; }
"#;

/// The value of an extension of the field `M.a`, which has these options.
fn option(options: &str, extension: &str) -> Value {
    let text = format!("{HEAD}message M {{ string a = 1 [{options}]; }}");
    let registry = compile(&[("test/v1/x.proto", &text)]).unwrap();
    let pool = registry.pool();
    let message = pool.get_message_by_name("test.v1.M").unwrap();
    let options: DynamicMessage = message.get_field_by_name("a").unwrap().options();
    let extension = pool.get_extension_by_name(extension).unwrap();
    options.get_extension(&extension).into_owned()
}

fn field(value: &Value, name: &str) -> Value {
    let message = value.as_message().unwrap();
    message.get_field_by_name(name).unwrap().into_owned()
}

#[test]
fn numbers_without_end_are_read_with_either_sign() {
    let below = Value::F64(f64::NEG_INFINITY);
    assert_eq!(option("(d) = -inf", "test.v1.d"), below);
    assert_eq!(option("(d) = - /* = */ inf", "test.v1.d"), below);
    assert_eq!(
        option("(f) = -inf", "test.v1.f"),
        Value::F32(f32::NEG_INFINITY)
    );
    let nan = option("(d) = -nan", "test.v1.d");
    assert!(nan.as_f64().unwrap().is_nan());
    assert_eq!(option("(d) = inf", "test.v1.d"), Value::F64(f64::INFINITY));
    let many = option("(many) = -inf, (many) = inf", "test.v1.many");
    assert_eq!(many, Value::List(vec![below, Value::F64(f64::INFINITY)]));
    let text = option(r#"(opt).s = "= -inf", (opt).d = -inf"#, "test.v1.opt");
    assert_eq!(
        field(&text, "s"),
        Value::List(vec![Value::String("= -inf".into())])
    );
}

#[test]
fn a_value_of_an_enum_may_be_called_like_a_number() {
    let text = format!(
        "{HEAD}enum F {{ ZERO = 0; inf = 1; }} extend google.protobuf.FieldOptions {{ F e = 50010; }} message M {{ string a = 1 [(e) = inf]; }}"
    );
    let registry = compile(&[("test/v1/x.proto", &text)]).unwrap();
    let pool = registry.pool();
    let message = pool.get_message_by_name("test.v1.M").unwrap();
    let options = message.get_field_by_name("a").unwrap().options();
    let extension = pool.get_extension_by_name("test.v1.e").unwrap();
    assert_eq!(
        options.get_extension(&extension).into_owned(),
        Value::EnumNumber(1)
    );
}

#[test]
fn a_list_of_messages_needs_no_colon() {
    let value = option(
        r#"(opt) = { o [{ s: "x [y" }, { s: "y\" o [" }] d: -inf }"#,
        "test.v1.opt",
    );
    let list = field(&value, "o");
    let texts: Vec<_> = list
        .as_list()
        .unwrap()
        .iter()
        .map(|o| field(o, "s"))
        .collect();
    let text = |text: &str| Value::List(vec![Value::String(text.to_owned())]);
    assert_eq!(texts, [text("x [y"), text("y\" o [")]);
    assert_eq!(field(&value, "d"), Value::F64(f64::NEG_INFINITY));
    let text = format!("{HEAD}message M {{ string a = 1 [(opt) = {{ s [\"x\"] }}]; }}");
    let told = faults(&[("test/v1/x.proto", &text)]);
    assert_eq!(
        told,
        [
            "test/v1/x.proto:14:27: invalid value of type `test.v1.O` for option `(test.v1.opt)`: expected `:` or a message value, but found `[`"
        ]
    );
    let value = option("(opt) = { e: INF o [] l [] d: 1 o: [{}] }", "test.v1.opt");
    assert_eq!(field(&value, "o").as_list().unwrap().len(), 1);
    assert_eq!(field(&value, "e"), Value::EnumNumber(1));
}

#[test]
fn a_oneof_is_set_once_by_an_option() {
    let told = |options: &str| {
        let text = format!("{HEAD}message M {{\n  string a = 1 [{options}];\n}}");
        faults(&[("test/v1/x.proto", &text)])
    };
    let twice = "test/v1/x.proto:15:3: test.v1.M.a: the option sets `a` and `c` of the oneof `test.v1.O.one`; leave one out";
    assert_eq!(told(r#"(opt).a = "x", (opt).c = "y""#), [twice]);
    let below = "test/v1/x.proto:15:3: test.v1.M.a: the option sets `a` and `b` of the oneof `test.v1.O.one`; leave one out";
    assert_eq!(told(r#"(opt).a = "x", (opt).b.d = 1"#), [below]);
    assert_eq!(told(r#"(opt).b.a = "x", (opt).b.b.d = 1"#), [below]);
    let value = option(r#"(opt).b.a = "x", (opt).b.d = 1"#, "test.v1.opt");
    let inner = field(&value, "b");
    assert_eq!(field(&inner, "a"), Value::String("x".into()));
    assert_eq!(field(&inner, "d"), Value::F64(1.0));
}

#[test]
fn the_compilers_own_option_and_names_of_one_case_are_refused() {
    let told = |text: &str| {
        let text = format!("syntax = \"proto3\"; package test.v1;\n{text}");
        faults(&[("test/v1/x.proto", &text)])
    };
    assert_eq!(
        told("message M { option uninterpreted_option = {}; }"),
        [
            "test/v1/x.proto:2:1: test.v1.M: the option `uninterpreted_option` is the compiler's own; leave it out"
        ]
    );
    assert_eq!(
        told("message M { string fooBar = 1; string FOO_BAR = 2; }"),
        [
            "test/v1/x.proto:2:39: camel-case name of field `fooBar` conflicts with field `FOO_BAR`; protoc up to 3.21 refuses the two, too: give one another name"
        ]
    );
}
