//! The rules of fields (`buf.validate`): that they mean what protovalidate means, and that nothing leaves against them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landbridge::registry::Registry;
use landbridge::registry::rules::FieldSet;
use prost::Message;
use prost_reflect::DynamicMessage;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;
use prost_reflect::Value;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::random::Random;
use crate::harness::records::Resident;
use crate::harness::records::run;

/// A record type with every rule that is enforced, on fields with and without presence.
const SCHEMA: &str = include_str!("rules/everything.proto");

const RECORDS: u32 = 3_000;

/// Draws records.
struct Draw(Random);

impl Draw {
    fn text(&mut self) -> String {
        let parts = [
            "",
            "a",
            "b",
            "abc",
            "号",
            "１２",
            "12",
            "7",
            "-",
            "_",
            " ",
            "\t",
            "é",
            "e\u{301}",
            "\u{1f600}",
            "x",
            "110101199001011",
            "X",
            "\u{a0}",
            "\u{2003}",
            "\n",
        ];
        (0..self.0.roll(4)).map(|_| self.0.one_of(&parts)).collect()
    }

    fn integer(&mut self) -> i64 {
        self.0.one_of(&[
            0,
            0,
            1,
            -1,
            2,
            3,
            4,
            5,
            6,
            7,
            9,
            10,
            11,
            20,
            -20,
            2_000_000_000,
        ])
    }

    fn number(&mut self) -> f64 {
        self.0.one_of(&[
            0.0,
            -0.0,
            1.0,
            1.5,
            4.0,
            5.0,
            6.0,
            10.0,
            -3.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ])
    }

    fn value(&mut self, kind: &Kind, depth: u32) -> Value {
        match kind {
            Kind::Float => Value::F32(self.number() as f32),
            Kind::Double => Value::F64(self.number()),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(self.integer() as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(self.integer()),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(self.integer().unsigned_abs() as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.integer().unsigned_abs()),
            Kind::Bool => Value::Bool(self.0.roll(2) == 0),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Enum(_) => Value::EnumNumber(self.0.roll(5) as i32),
            Kind::Message(message) => Value::Message(self.message(message, depth + 1)),
        }
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            let kind = field.kind();
            let is_too_deep = depth > 2 && kind.as_message().is_some();
            if is_too_deep || self.0.roll(5) == 0 {
                continue;
            }
            let value = if field.is_map() {
                let entry = kind.as_message().unwrap();
                let of = entry.map_entry_value_field().kind();
                let pairs = (0..self.0.roll(4)).map(|n| {
                    let key = prost_reflect::MapKey::String(n.to_string());
                    (key, self.value(&of, depth))
                });
                Value::Map(pairs.collect::<Vec<_>>().into_iter().collect())
            } else if field.is_list() {
                let count = self.0.roll(4);
                Value::List((0..count).map(|_| self.value(&kind, depth)).collect())
            } else {
                self.value(&kind, depth)
            };
            message.set_field(&field, value);
        }
        message
    }
}

#[test]
fn the_rules_mean_what_protovalidate_means() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("everything.proto"), SCHEMA).unwrap();
    let registry = Registry::compile(folder.path()).unwrap();
    let schema = registry.record("test.v1.Everything").unwrap();
    let rules = schema.rules().unwrap();
    let descriptors = folder.path().join("everything.binpb");
    fs::write(&descriptors, registry.pool().encode_to_vec()).unwrap();

    let mut draw = Draw(Random::new(20_261_129));
    let records: Vec<Vec<u8>> = (0..RECORDS)
        .map(|_| draw.message(schema.descriptor(), 0).encode_to_vec())
        .collect();
    let theirs = protovalidate(&descriptors, "test.v1.Everything", &records);
    assert_eq!(theirs.len(), records.len());
    let (mut broken, mut differences) = (BTreeSet::new(), BTreeMap::new());
    for (number, (record, theirs)) in records.iter().zip(theirs).enumerate() {
        let mut ours = Vec::new();
        rules
            .each_violation(record, &FieldSet::All, &mut |violation| {
                ours.push(format!("{} {}", violation.path, violation.requirement.rule));
            })
            .unwrap();
        ours.sort();
        differing(number, &ours, &theirs, &mut differences);
        broken.extend(
            ours.into_iter()
                .map(|told| told.split(' ').nth(1).unwrap().to_owned()),
        );
    }
    assert!(differences.is_empty(), "{differences:?}");
    // Each rule was broken, and so each was compared.
    let named = SCHEMA
        .lines()
        .filter_map(|line| line.split("// Breaks ").nth(1));
    let named: Vec<_> = named.flat_map(|line| line.split(", ")).collect();
    for rule in &named {
        assert!(broken.contains(*rule), "{rule} was never broken");
    }
    assert_eq!(broken.len(), named.len(), "{broken:?}");
}

/// Notes what only one side finds, with the first record that shows it.
fn differing(
    number: usize,
    ours: &[String],
    theirs: &[String],
    differences: &mut BTreeMap<(String, &str), usize>,
) {
    for (side, one, other) in [("ours", ours, theirs), ("theirs", theirs, ours)] {
        for told in one {
            let count = |of: &[String]| of.iter().filter(|other| *other == told).count();
            if count(one) > count(other) {
                differences.entry((told.clone(), side)).or_insert(number);
            }
        }
    }
}

/// What protovalidate says of each record: the broken rules, sorted.
fn protovalidate(descriptors: &Path, message: &str, records: &[Vec<u8>]) -> Vec<Vec<String>> {
    let mut node = Command::new("node")
        .arg("tests/clients/node/protovalidate.mjs")
        .arg(descriptors)
        .arg(message)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = node.stdin.take().unwrap();
    let lines: String = records
        .iter()
        .map(|record| STANDARD.encode(record) + "\n")
        .collect();
    let asked = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = node.wait_with_output().unwrap();
    asked.join().unwrap().unwrap();
    assert!(output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// `landbridge source check` of civil: how it ends, and what it prints.
fn source_check(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .args(["source", "check", "--config"])
        .arg(world.federation.settings("civil"))
        .args(arguments)
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

#[tokio::test]
async fn a_record_that_breaks_a_rule_is_not_released_and_is_counted_by_who_keeps_it() {
    let world = World::with_residents(100).await;
    let (exit, told) = source_check(&world, &["--record", "civil.v1.Resident"]);
    assert_eq!(exit, Some(0), "{told}");
    assert!(told.contains("100 rows of"), "{told}");

    let database = world.path("var/civil/civil.sqlite");
    run(
        &database,
        "UPDATE residents SET national_id = 'not an id' WHERE resident_id IN ('R0000000007', 'R0000000010')",
    )
    .await;
    run(
        &database,
        "UPDATE residents SET height_cm = 1700 WHERE resident_id = 'R0000000007'",
    )
    .await;
    let (exit, told) = source_check(&world, &["--record", "civil.v1.Resident"]);
    assert_eq!(exit, Some(1), "{told}");
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(
        lines,
        [
            "civil.v1.Resident: 1 of 100 rows fail `height_cm` uint32.gte_lte: at least 20 and at most 280",
            "    R0000000007",
            "civil.v1.Resident: 2 of 100 rows fail `national_id` string.pattern: a text that `^[0-9]{17}[0-9X]$` matches",
            "    R0000000007, R0000000010",
            "civil.v1.Resident: 100 rows of `population`; 2 are not as the registry demands",
        ]
    );
    let (_, told) = source_check(&world, &["--record", "civil.v1.Resident", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(report["failing"], 2);
    assert_eq!(report["rules"][1]["rows"], 2);
    assert_eq!(
        report["rules"][1]["keys"],
        serde_json::json!(["R0000000007", "R0000000010"])
    );

    let (civil, _tax) = world.pair().await;
    let assessment = world.system("tax", "assessment");
    let asked = Asked::get(&Resident(7).key());
    let refused = assessment.ask(&asked.clone().case("BROKEN")).await.err();
    let refused = refused.unwrap();
    assert!(refused.is(Code::Internal, "SOURCE_MISFIT"), "{refused:?}");
    let entry = &world.journal("civil").of_case("BROKEN")[0];
    assert_eq!(
        entry.exchange().unwrap().detail,
        "a record of the source does not fit its schema: `national_id` is not a text that `^[0-9]{17}[0-9X]$` matches (string.pattern)"
    );
    assert!(!civil.log_text().contains("not an id"));
    // What is not released is not judged: the height is not in the grant, and the name alone is fit.
    let only = asked.case("FIT").fields(&["full_name"]);
    let answer = assessment.ask(&only).await.unwrap();
    assert_eq!(answer.records.len(), 1);
}

#[test]
fn a_row_that_breaks_a_rule_is_not_imported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    fs::write(
        &file,
        "resident_id,national_id,height_cm\nR1,110101199001011237,180\nR2,12345,1\n",
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .arg("import")
        .arg(&file)
        .args([
            "--record",
            "civil.v1.Resident",
            "--registry",
            "proto/registry",
            "--json",
        ])
        .arg("--database")
        .arg(folder.path().join("people.sqlite"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<serde_json::Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        rows,
        [
            serde_json::json!({"line": 3, "column": "national_id", "expected": "a text that `^[0-9]{17}[0-9X]$` matches (string.pattern)"}),
            serde_json::json!({"line": 3, "column": "height_cm", "expected": "at least 20 and at most 280 (uint32.gte_lte)"}),
        ]
    );
}
