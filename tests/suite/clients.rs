//! Clients in other languages, with code of their own generators: `tests/run` installs what they need.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::World;

/// Runs a client against tax's gateway, and finds what it did in both journals.
async fn run(program: &Path, client: &str) {
    assert!(
        program.exists(),
        "{} is not there; run tests/run, which installs it",
        program.display()
    );
    let world = World::new().await;
    let _gateways = world.pair().await;
    let client = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(client);
    let mut command = Command::new(program);
    command
        .arg(client)
        .arg("--address")
        .arg(format!("localhost:{}", world.ports("tax").systems));
    world.as_assessment(&mut command);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let steps: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let entries = steps.iter().map(|step| {
        let refused = &step["metadata"]["exchange_id"];
        let exchange = step["exchange"].as_str().or(refused.as_str()).unwrap();
        let exchange = exchange.parse().unwrap();
        let at = |department| world.journal(department).of_exchange(exchange).len();
        (step["step"].as_str().unwrap(), at("tax"), at("civil"))
    });
    // A stream has an opening and an end. What tax refuses does not come to civil.
    assert_eq!(
        entries.collect::<Vec<_>>(),
        [
            ("query", 2, 2),
            ("get", 1, 1),
            ("verify", 1, 1),
            ("refused", 1, 0)
        ]
    );
    world.journal("tax").verified();
    world.journal("civil").verified();
}

#[tokio::test]
async fn a_python_client_gets_what_is_agreed() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    run(&python, "python/client.py").await;
}

#[tokio::test]
async fn a_node_client_gets_what_is_agreed() {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/node/node_modules");
    assert!(
        modules.exists(),
        "{} is not there; run tests/run, which installs it",
        modules.display()
    );
    let path = std::env::split_paths(env!("PATH"))
        .map(|folder| folder.join("node"))
        .find(|node| node.exists());
    run(
        &path.expect("node is not there; run tests/run, which installs it"),
        "node/client.js",
    )
    .await;
}
