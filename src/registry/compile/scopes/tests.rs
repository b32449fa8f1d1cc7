use crate::registry::tests::compile;
use crate::registry::tests::faults;

const TAX: &str = "syntax = \"proto3\"; package tax.v1; message T { string x = 1; }";
const INNER: &str = "syntax = \"proto3\"; package civil.tax.v1; message T { int64 y = 1; }";

fn civil(imports: &str, field: &str) -> String {
    format!("syntax = \"proto3\"; package civil.v1; {imports} message A {{ {field} }}")
}

#[test]
fn a_file_that_is_not_imported_changes_no_name() {
    let a = civil("import \"tax/v1/t.proto\";", "tax.v1.T t = 1;");
    let registry = compile(&[
        ("civil/v1/a.proto", &a),
        ("civil/tax/v1/u.proto", INNER),
        ("tax/v1/t.proto", TAX),
    ])
    .unwrap();
    let message = registry.pool().get_message_by_name("civil.v1.A").unwrap();
    let field = message.get_field_by_name("t").unwrap();
    assert_eq!(field.kind().as_message().unwrap().full_name(), "tax.v1.T");
}

#[test]
fn an_imported_package_hides_one_further_out_as_for_protoc() {
    let imports = "import \"tax/v1/t.proto\"; import \"civil/tax/v1/u.proto\";";
    let a = civil(imports, "tax.v1.T t = 1; tax.v1.X x = 2;");
    let told = faults(&[
        ("civil/v1/a.proto", &a),
        ("civil/tax/v1/u.proto", INNER),
        ("tax/v1/t.proto", TAX),
    ]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("`civil.tax.v1.X`"), "{told:?}");
}

#[test]
fn what_an_import_imports_is_seen_only_if_it_is_public() {
    for (kind, is_seen) in [("public ", true), ("", false)] {
        let between =
            format!("syntax = \"proto3\"; package b.v1; import {kind}\"tax/v1/t.proto\";");
        let a = civil("import \"b.proto\";", "tax.v1.T t = 1;");
        let compiled = compile(&[
            ("civil/v1/a.proto", &a),
            ("b.proto", &between),
            ("tax/v1/t.proto", TAX),
        ]);
        assert_eq!(compiled.is_ok(), is_seen, "{compiled:?}");
    }
}

#[test]
fn a_method_hides_a_message_of_its_name_as_for_protoc() {
    let text = "syntax = \"proto3\"; package x.v1; message foo {} service S { rpc foo(foo) returns (.x.v1.foo); }";
    let told = faults(&[("x/v1/x.proto", text)]);
    assert_eq!(told.len(), 1, "{told:?}");
}
