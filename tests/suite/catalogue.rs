//! The catalogue: what is found, what is hidden, and code that is generated from what it exports.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use landbridge::pb;
use serde_json::Value;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::edit;
use crate::harness::records::Resident;

/// `landbridge catalog` as tax's assessment system runs it: how it ends, and what it prints.
fn catalog(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
    command
        .arg("catalog")
        .args(arguments)
        .arg("--gateway")
        .arg(format!("localhost:{}", world.ports("tax").systems));
    let output = world.as_assessment(&mut command).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

fn names(told: &str) -> Vec<String> {
    let rows = told.lines().map(|line| serde_json::from_str(line).unwrap());
    rows.map(|row: Value| row["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn words_find_what_may_be_known_and_nothing_else() {
    let world = World::new().await;
    let _gateway = world.start("tax").await;

    let (exit, told) = catalog(&world, &["search", "人口", "national", "--json"]);
    assert_eq!(exit, Some(0), "{told}");
    let rows: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(rows["name"], "civil.v1.Resident");
    assert_eq!(rows["grants"][0]["agreement"], "CIV-TAX-2026-01");

    assert_eq!(rows["office_zh"], "人口登记处");
    let (_, told) = catalog(&world, &["dcat"]);
    let dcat: Value = serde_json::from_str(&told).unwrap();
    let graph = dcat["@graph"].as_array().unwrap();
    let resident = graph
        .iter()
        .find(|node| node["dct:identifier"] == "civil.v1.Resident");
    let resident = resident.unwrap();
    assert_eq!(resident["dct:title"][1]["@value"], "常住人口");
    assert_eq!(
        resident["dct:publisher"]["@id"],
        "urn:landbridge:department:civil"
    );
    assert!(
        graph
            .iter()
            .any(|node| node["@id"] == "urn:landbridge:department:civil")
    );
    assert_eq!(graph[0]["dcat:dataset"].as_array().unwrap().len(), 7);

    // Nobody is ever given it: other departments than its owner do not learn of it.
    let (exit, told) = catalog(&world, &["search", "adoption", "--json"]);
    assert_eq!((exit, told.as_str()), (Some(0), ""));
    let (_, told) = catalog(&world, &["list", "--json"]);
    assert_eq!(names(&told).len(), 7, "{told}");
    for arguments in [
        ["show", "civil.v1.AdoptionRecord"],
        ["show", "civil.v1.AdoptionRecrd"],
    ] {
        let (exit, told) = catalog(&world, &arguments);
        assert_eq!(exit, Some(1));
        assert!(
            told.contains("unknown record type")
                && !told.contains("mean `civil.v1.AdoptionRecord`"),
            "{told}"
        );
    }
    let folder = world.path("exported");
    let (exit, told) = catalog(
        &world,
        &["export", "civil.v1", "--to", folder.to_str().unwrap()],
    );
    assert_eq!(exit, Some(0), "{told}");
    let family = fs::read_to_string(folder.join("civil/v1/family.proto")).unwrap();
    assert!(
        family.contains("MarriageRecord") && !family.contains("Adoption"),
        "{family}"
    );
    let (exit, told) = catalog(
        &world,
        &["export", "civil.v2", "--to", folder.to_str().unwrap()],
    );
    assert_eq!(exit, Some(1));
    assert!(told.contains("unknown package `civil.v2`"), "{told}");
}

#[tokio::test]
async fn the_catalogue_tells_what_each_owner_can_answer_now_and_how_fresh_it_is() {
    let world = World::new().await;
    let (_civil, _tax) = tokio::join!(
        world.start("civil"),
        world.start_with("tax", &[("REGISTRY__SYNC", "1s")])
    );
    let told = loop {
        let (_, told) = catalog(&world, &["show", "civil.v1.Resident", "--json"]);
        let row: Value = serde_json::from_str(&told).unwrap();
        if row["record_type"]["fresh_as_of"] != "" {
            break row["record_type"].clone();
        }
    };
    assert_eq!(told["fresh_as_of"], "2020-01-01T00:00:00Z");
    let modes = ["get", "query", "verify", "count"];
    assert_eq!(told["offered_modes"], serde_json::json!(modes));
    let (_, told) = catalog(&world, &["list", "--json"]);
    let rows = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    // Its gateway does not run.
    let of_market: Vec<_> = rows
        .filter(|row| row["owner"] == "market")
        .map(|row| row["offered_modes"].clone())
        .collect();
    assert_eq!(of_market, [serde_json::json!([]), serde_json::json!([])]);
    let (_, told) = catalog(&world, &["dcat"]);
    let dcat: Value = serde_json::from_str(&told).unwrap();
    let graph = dcat["@graph"].as_array().unwrap();
    let resident = graph
        .iter()
        .find(|node| node["dct:identifier"] == "civil.v1.Resident");
    assert_eq!(
        resident.unwrap()["dct:modified"]["@value"],
        "2020-01-01T00:00:00Z"
    );
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a program where `buf`, its generators and their languages are at hand.
fn run(command: &mut Command) -> String {
    let tools = ["target/venv/bin", "tests/clients/node/node_modules/.bin"];
    let tools = tools
        .map(|tool| repository(tool).display().to_string())
        .join(":");
    let path = env!("PATH");
    let output = command
        .env("PATH", format!("{tools}:{path}"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn code_that_is_generated_from_an_exported_package_decodes_an_answer() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let resident = Resident(7);
    let system = world.system("tax", "assessment");
    let answer = system.ask(&Asked::get(&resident.key())).await.unwrap();
    let record = world.path("record");
    fs::write(&record, &answer.records[0]).unwrap();
    let wanted = format!("{}\n", resident.released()["full_name"].as_str().unwrap());

    let folder = world.path("exported");
    let (exit, told) = catalog(
        &world,
        &["export", "civil.v1", "--to", folder.to_str().unwrap()],
    );
    assert_eq!(exit, Some(0), "{told}");
    run(Command::new("buf").arg("generate").current_dir(&folder));
    let generated = folder.join("gen");
    let client = |name: &str| repository("tests/clients/generated").join(name);

    let mut python = Command::new("python3");
    python
        .arg(client("decode.py"))
        .arg(generated.join("python"));
    assert_eq!(run(python.arg(&record)), wanted);

    fs::copy(client("decode.ts"), folder.join("decode.ts")).unwrap();
    let modules = repository("tests/clients/node/node_modules");
    std::os::unix::fs::symlink(modules, folder.join("node_modules")).unwrap();
    fs::write(folder.join("package.json"), r#"{"type":"module"}"#).unwrap();
    let mut compile = Command::new("tsc");
    compile.args([
        "--strict",
        "--module",
        "nodenext",
        "--target",
        "es2022",
        "--skipLibCheck",
    ]);
    run(compile.arg("decode.ts").current_dir(&folder));
    let mut typescript = Command::new("node");
    typescript
        .arg("decode.js")
        .arg(&record)
        .current_dir(&folder);
    assert_eq!(run(&mut typescript), wanted);

    let sources = folder.join("go/src/landbridge");
    fs::create_dir_all(&sources).unwrap();
    fs::create_dir(sources.join("gen")).unwrap();
    fs::rename(generated.join("go"), sources.join("gen")).unwrap();
    let mut go = Command::new("go");
    go.arg("run").arg(client("decode.go")).arg(&record);
    go.env("GO111MODULE", "off").env("GOFLAGS", "");
    go.env(
        "GOPATH",
        format!("{}:/usr/share/gocode", folder.join("go").display()),
    );
    go.env("GOCACHE", repository("target/go"));
    assert_eq!(run(&mut go), wanted);
}

#[tokio::test]
async fn who_asks_for_a_record_type_that_ends_is_told_so_with_the_answer() {
    let world = World::new().await;
    let resident = world.path("proto/registry/civil/v1/resident.proto");
    let end = "key: \"resident_id\" deprecated: { until: \"2035-12-31\" replaced_by: \"civil.v1.Household\" }";
    edit(&resident, "key: \"resident_id\"", end);
    let _gateways = world.pair().await;

    let system = world.system("tax", "assessment");
    let asked = Asked::query("full_name != \"\"")
        .purpose("arrears")
        .limit(1);
    let question = pb::QueryRecordsRequest {
        record_type: asked.record_type.clone(),
        grounds: Some(asked.grounds.clone()),
        limit: 1,
        ..Default::default()
    };
    let answer = system.client().query_records(question).await.unwrap();
    let notice = answer.metadata().get("landbridge-deprecated").unwrap();
    assert_eq!(notice, "until 2035-12-31; use civil.v1.Household");
    let (_, told) = catalog(&world, &["show", "civil.v1.Resident", "--json"]);
    let shown: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        shown["record_type"]["deprecated"],
        "2035-12-31; use civil.v1.Household"
    );
}
