use std::fs;
use std::path::Path;

use super::*;
use crate::cli::exit::Exit;

fn options() -> ClientOptions {
    ClientOptions {
        gateway: None,
        ca: None,
        cert: None,
        key: None,
        profile: None,
        timeout: 30,
    }
}

fn complaint(options: &ClientOptions) -> (Exit, String) {
    let failure = options.gateway(Clock::System).map(|_| ()).unwrap_err();
    let mut out = Vec::new();
    let exit = failure.report(false, &mut out);
    (exit, String::from_utf8(out).unwrap())
}

#[test]
fn a_profile_is_relative_to_itself_and_flags_override_it() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("tax.toml");
    fs::write(
        &profile,
        "gateway = \"gw:1\"\nca = \"ca.pem\"\ncert = \"a/s.pem\"\nkey = \"/k\"\n",
    )
    .unwrap();
    let settings = ClientOptions {
        profile: Some(profile),
        ca: Some("other.pem".into()),
        ..options()
    };
    let settings = settings.settings().unwrap();
    assert_eq!(settings.gateway.to_string(), "gw:1");
    assert_eq!(settings.paths.ca, Path::new("other.pem"));
    assert_eq!(settings.paths.certificate, folder.path().join("a/s.pem"));
    assert_eq!(settings.paths.key, Path::new("/k"));
}

#[test]
fn what_is_missing_is_named_with_the_hint() {
    let (exit, said) = complaint(&options());
    assert_eq!(exit, Exit::Usage);
    assert!(
        said.contains("`--ca` is missing") && said.contains("LANDBRIDGE_CA"),
        "{said}"
    );
}

#[test]
fn a_fault_in_a_profile_has_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("p.toml");
    fs::write(&profile, "ca = \"x\"\ngatway = \"gw:1\"\n").unwrap();
    let (exit, said) = complaint(&ClientOptions {
        profile: Some(profile.clone()),
        ..options()
    });
    assert_eq!(exit, Exit::Usage);
    assert!(
        said.starts_with(&format!(
            "error: {}:2:1: unknown field `gatway`",
            profile.display()
        )),
        "{said}"
    );
}

#[test]
fn a_gateway_that_is_not_there_is_named_with_the_hint() {
    let folder = tempfile::tempdir().unwrap();
    let now = Clock::System.now();
    let mut ca = crate::identity::pki::Authority::create(folder.path(), "CA", now).unwrap();
    let id = "spiffe://gov.example/department/tax/system/assessment"
        .parse()
        .unwrap();
    let term = crate::identity::pki::Term::lasting(Duration::from_secs(3600), now);
    ca.issue(&id, &[], term)
        .unwrap()
        .save(folder.path(), "s")
        .unwrap();
    let options = ClientOptions {
        // Nobody listens at the discard port.
        gateway: Some("127.0.0.1:9".to_owned()),
        ca: Some(folder.path().join("ca.pem")),
        cert: Some(folder.path().join("s.pem")),
        key: Some(folder.path().join("s.key")),
        ..options()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let failure = runtime.block_on(async {
        let gateway = options.gateway(Clock::System).unwrap();
        crate::cli::schema::find(&gateway, None, "civil.v1.Resident")
            .await
            .unwrap_err()
    });
    let mut out = Vec::new();
    assert_eq!(failure.report(false, &mut out), Exit::Failed);
    let said = String::from_utf8(out).unwrap();
    assert!(
        said.starts_with("error: no gateway can be reached at 127.0.0.1:9: "),
        "{said}"
    );
    assert!(said.contains("\nhint: is the gateway running"), "{said}");
}
