//! Signing in at the console by an identity provider.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use serde_json::json;

use crate::harness::World;
use crate::harness::free_port;
use crate::harness::person::Person;
use crate::harness::person::accounts;
use crate::harness::person::origin;

const SECRET: &str = "of-the-client";

fn scripts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console")
}

/// A provider on this machine; ends with the test.
struct Provider {
    child: Child,
    /// Held open: whatever it says then goes somewhere.
    _told: BufReader<ChildStdout>,
}

impl Provider {
    fn start(port: u16, issuer: &str, back: &str) -> Self {
        let mut child = Command::new("node")
            .args([
                "provider.mjs",
                &port.to_string(),
                issuer,
                "landbridge",
                SECRET,
                back,
            ])
            .current_dir(scripts())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let ready = told
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .any(|line| line == "ready");
        assert!(ready, "the provider did not start");
        Self { child, _told: told }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Names a provider in the settings of the tax department.
fn settle(world: &World, issuer: &str) {
    let secret = world.path("var/tax/openid.secret");
    fs::create_dir_all(secret.parent().unwrap()).unwrap();
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    world.settle(
        "tax",
        &format!(
            "[console.openid]\nissuer = \"{issuer}\"\nclient_id = \"landbridge\"\nclient_secret = \"{}\"\n\
             roles = {{ viewer = \"staff\", auditor = \"audit\", administrator = \"admin\" }}\n",
            secret.display()
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_by_an_identity_provider_as_what_it_says_they_are() {
    let world = World::new().await;
    let _accounts = accounts(&world, "tax");
    let port = free_port();
    let issuer = format!("http://127.0.0.1:{port}");
    let back = format!("{}/console/sign-in/openid/back", origin(&world, "tax"));
    settle(&world, &issuer);
    let _provider = Provider::start(port, &issuer, &back);
    let gateway = world.start("tax").await;
    let given = json!({
        "origin": origin(&world, "tax"),
        "pictures": Path::new(env!("CARGO_TARGET_TMPDIR")).join("console"),
    });
    let seen = Command::new("node")
        .args(["openid.mjs", &given.to_string()])
        .current_dir(scripts())
        .output()
        .unwrap();
    let told = [seen.stdout, seen.stderr].concat();
    assert!(seen.status.success(), "{}", String::from_utf8_lossy(&told));

    let readings = world.journal("tax").readings("lin.audit");
    let actions: Vec<_> = readings
        .iter()
        .map(|reading| reading.action.as_str())
        .collect();
    assert_eq!(actions, ["sign-in", "view", "search", "sign-out"]);
    for nobody in ["guest", "both", "lin.auditor"] {
        assert!(world.journal("tax").readings(nobody).is_empty(), "{nobody}");
    }
    for why in [
        "the claim `groups` gives no role here",
        "the claim `groups` makes an auditor of an administrator",
        "a local account has the name that the provider gives",
    ] {
        assert!(gateway.log_text().contains(why), "{why}");
    }
}

#[tokio::test]
async fn whoever_comes_back_without_having_gone_is_not_signed_in() {
    let world = World::new().await;
    let port = free_port();
    settle(&world, &format!("http://127.0.0.1:{port}"));
    let gateway = world.start("tax").await;
    let mut person = Person::at(&gateway, origin(&world, "tax"));
    let back = "/console/sign-in/openid/back";
    let under_way = format!("landbridge_openid_tax-1_{}", world.ports("tax").operators);
    for (state, query) in [
        (None, "?state=a&code=b"),
        (Some("a"), "?state=a&code=b"),
        (Some("a"), "?state=b&code=b"),
        (Some(""), "?state=&code="),
        (Some("a"), ""),
        (Some("a"), "?state=a&error=access_denied%0Aforged"),
    ] {
        person.cookie = state
            .map(|state| format!("{under_way}={state}"))
            .unwrap_or_default();
        let page = person.opens(&format!("{back}{query}")).await;
        assert_eq!(page.status, 403, "{query}");
        assert_eq!(page.header("set-cookie"), None, "{query}");
    }
    // Nobody is there: it is told, and the local accounts are still asked for.
    let own = format!("127.0.0.1:{}", world.ports("tax").operators);
    let begin = "/console/sign-in/openid";
    let page = gateway.fetch(begin, &[("Host", &own)]).await;
    assert_eq!(page.status, 503);
    // The provider would send people back to another host than theirs, where their cookie is not.
    let elsewhere = gateway.fetch(begin, &[("Host", "localhost:7777")]).await;
    assert_eq!(elsewhere.status, 421);
    assert!(
        elsewhere
            .text()
            .contains(&format!("http://{own}/console/sign-in"))
    );
    assert!(page.text().contains("name=\"password\""));
}
