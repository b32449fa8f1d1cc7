//! The console, as people see it in a browser, and as those may try who are not let in.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use serde_json::json;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::records::Resident;

/// A case reference that would be a script, another direction, an entity and an end of anything.
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}'\"&amp;<img src=x onerror=alert(2)>";
const ROLES: [&str; 3] = ["viewer", "auditor", "administrator"];

/// Gives tax's gateway a console with an account for each role: its name, password and secret.
fn accounts(world: &World) -> Value {
    let file = world.path("var/tax/accounts.toml");
    let file = file.to_str().unwrap();
    world.settle("tax", &format!("[console]\naccounts = \"{file}\"\n"));
    let made = ROLES.map(|role| {
        let name = format!("lin.{role}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
        let made = command
            .args([
                "account",
                &name,
                "--role",
                role,
                "--accounts",
                file,
                "--json",
            ])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        (
            role.to_owned(),
            serde_json::from_slice(&made.stdout).unwrap(),
        )
    });
    Value::Object(made.into_iter().collect())
}

/// More exchanges than a page has rows, one of them with the hostile reference.
async fn exchange(world: &World) {
    let system = world.system("tax", "assessment");
    for number in 0..110 {
        let asked = Asked::get(&Resident(number % 90).key());
        system.ask(&asked).await.unwrap_or_default();
    }
    let asked = Asked::get(&Resident(7).key()).case(HOSTILE);
    system.ask(&asked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_readable_operable_and_proven_in_a_browser() {
    let world = World::witnessed(100).await;
    let accounts = accounts(&world);
    let _gateways = world.pair().await;
    exchange(&world).await;
    let origin = format!("http://127.0.0.1:{}", world.ports("tax").operators);
    let given = json!({
        "origin": origin, "accounts": accounts, "hostile": HOSTILE,
        "pictures": Path::new(env!("CARGO_TARGET_TMPDIR")).join("console"),
    });
    let mut browser = Command::new("node");
    browser.args(["browser.mjs", &given.to_string()]);
    browser.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console"));
    let seen = browser.output().unwrap();
    let told = [seen.stdout, seen.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(seen.status.success(), "{told}");
    eprint!("{told}");
}
