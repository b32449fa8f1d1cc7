use proptest::prelude::*;

use super::*;

const GOOD: &str = r#"
[[department]]
id = "civil"
name = "Civil Affairs"
name_zh = "民政厅"
endpoints = ["gateway.civil.gov.example:8443", "10.0.0.7:8443", "[2001:db8::1]:8443"]
journal = ["gov.example/civil/a+1a2b3c4d+AeUBcMH4LVbJxEsfwWVEFxHePg7DsPYAWTmWqpNsKfJM"]

[[department]]
id = "tax"
name = "Tax"
endpoints = ["localhost:8444"]
"#;

/// The faults, as an administrator reads them.
fn faults(text: &str) -> Vec<String> {
    let faults = Directory::parse("directory.toml", text).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_directory_is_read() {
    let directory = Directory::parse("directory.toml", GOOD).unwrap();
    let ids: Vec<_> = directory.ids().map(DepartmentId::as_str).collect();
    assert_eq!(ids, ["civil", "tax"]);
    let civil = directory.department(&"civil".parse().unwrap()).unwrap();
    assert_eq!(civil.name_zh, "民政厅");
    assert_eq!(civil.journal.len(), 1);
    let endpoints: Vec<_> = civil.endpoints.iter().map(ToString::to_string).collect();
    assert_eq!(
        endpoints,
        [
            "gateway.civil.gov.example:8443",
            "10.0.0.7:8443",
            "[2001:db8::1]:8443"
        ]
    );
    assert_eq!(civil.endpoints[2].host(), "2001:db8::1");
    assert_eq!(civil.endpoints[2].port(), 8443);
    assert_eq!(directory.department(&"health".parse().unwrap()), None);
}

#[test]
fn every_fault_is_reported_at_once_with_its_place() {
    let text = r#"[[department]]
id = "Civil"
name = " "
endpoints = ["gateway.civil.gov.example", "localhost:0"]

[[department]]
id = "tax"
name = "Tax"
endpoints = []
journal = ["a key"]

[[department]]
id = "tax"
name = "Tax again"
endpoints = ["localhost:8443"]
"#;
    let found = faults(text);
    let begins = [
        "directory.toml:2:6: department[0].name: the name is empty",
        "directory.toml:4:14: department[0].endpoints[0]: `gateway.civil.gov.example` is not an endpoint",
        "directory.toml:4:43: department[0].endpoints[1]: `localhost:0` is not an endpoint",
        "directory.toml:2:6: department[0].id: `Civil` is not a department id",
        "directory.toml:9:13: department[1].endpoints: needs 1 to 64 endpoints",
        "directory.toml:10:12: department[1].journal[0]: is not a verifier key",
        "directory.toml:13:6: department[2].id: department `tax` stands here twice",
    ];
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (found, begins) in found.iter().zip(begins) {
        assert!(
            found.starts_with(begins),
            "{found:?} does not begin with {begins:?}"
        );
    }
}

#[test]
fn a_file_that_is_no_directory_is_refused_with_its_place() {
    for (text, begins) in [
        ("", "directory.toml: department: the directory is empty"),
        (
            "[[department]]\nid = 7\n",
            "directory.toml:2:6: invalid type",
        ),
        (
            "[[department]]\nport = 7\n",
            "directory.toml:2:1: unknown field `port`",
        ),
        ("[[department\n", "directory.toml:1:"),
    ] {
        let found = faults(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(begins), "{found:?}");
    }
}

#[test]
fn an_endpoint_is_a_host_and_a_port() {
    for good in [
        "a:1",
        "localhost:65535",
        "1.2.3.4:80",
        "a-b.c1:443",
        "[::1]:8443",
    ] {
        assert_eq!(good.parse::<Endpoint>().unwrap().to_string(), good);
    }
    for bad in [
        "",
        ":",
        "a",
        "a:",
        ":1",
        "a:0",
        "a:65536",
        "a:+1",
        "a:1:2",
        "::1:80",
        "[::1]",
        "[a]:1",
        "a b:1",
        "https://a:1",
        "a/b:1",
        "-a:1",
        "a-:1",
        "a..b:1",
        ".a:1",
        "[::1:1",
        "a:1 ",
        "ä:1",
    ] {
        assert!(bad.parse::<Endpoint>().is_err(), "{bad:?} was accepted");
    }
}

proptest! {
    #[test]
    fn every_endpoint_that_is_accepted_can_be_dialled(text in "\\PC{0,40}|[a-z.:\\[\\]0-9-]{0,30}") {
        if let Ok(endpoint) = text.parse::<Endpoint>() {
            prop_assert!(rustls::pki_types::ServerName::try_from(endpoint.host()).is_ok(), "{}", text);
            prop_assert_eq!(endpoint.to_string().parse::<Endpoint>(), Ok(endpoint));
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _: Result<_, _> = Directory::parse("directory.toml", &text);
    }
}
