//! Tools that nobody here wrote read what a pair of gateways logged: `tests/run` installs them.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landbridge::journal::tiles::Tiles;
use landbridge::tlog::proof::Proof;
use serde_json::Value;
use serde_json::json;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::gateway::Gateway;
use crate::harness::records::Resident;

/// Answers of every kind and a refusal, logged at both gateways, which go on running.
struct Logged {
    world: World,
    gateways: (Gateway, Gateway),
    /// The exchange of a `get` that was answered.
    exchange: String,
}

impl Logged {
    async fn new() -> Self {
        let world = World::new().await;
        let gateways = world.pair().await;
        let system = world.system("tax", "assessment");
        let answer = system.ask(&Asked::get(&Resident(7).key())).await.unwrap();
        system.ask(&Asked::query("")).await.unwrap();
        let refused = Asked::get(&Resident(7).key()).fields(&["phone"]);
        system.ask(&refused).await.err().unwrap();
        for department in ["tax", "civil"] {
            world.journal(department).published().await;
        }
        Self {
            exchange: answer.exchange().to_string(),
            world,
            gateways,
        }
    }

    /// Exports from civil's journal by the command line.
    fn export(&self, format: &str, more: &[&str]) -> PathBuf {
        let out = self.world.path(format);
        let settings = self.world.federation.settings("civil");
        let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
        command
            .args(["audit", "export", "--json", "--format", format])
            .args(more)
            .arg("--config")
            .arg(settings)
            .arg("--out")
            .arg(&out);
        let told: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        assert_eq!(told["checkpoint"]["origin"], "gov.example/civil/1");
        out
    }

    /// The Ed25519 key, which comes first.
    fn vkey(&self) -> String {
        let settings = self.world.federation.settings("civil");
        let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
        command.args(["audit", "key", "--config"]).arg(settings);
        succeed(&mut command).lines().next().unwrap().to_owned()
    }
}

fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    command
        .output()
        .unwrap_or_else(|error| panic!("{program:?}: {error}; run tests/run, which installs it"))
}

/// What a program prints that must succeed.
fn succeed(command: &mut Command) -> String {
    let output = run(command);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    told
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn python() -> Command {
    Command::new(repository("target/venv/bin/python"))
}

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_reads_an_exported_journal() {
    let logged = Logged::new().await;
    let parquet = logged.export("parquet", &[]);
    let told = succeed(
        python()
            .arg(repository("tests/foreign/parquet.py"))
            .arg(&parquet),
    );
    let answers: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();

    let entries = logged.world.journal("civil").entries();
    let get = entries
        .iter()
        .find(|entry| {
            entry
                .leaf
                .exchange
                .is_some_and(|id| id.to_string() == logged.exchange)
        })
        .unwrap();
    let stored = landbridge::journal::reader::Reader::open(logged.world.journal("civil").dir());
    let hash = stored.entry(get.index).unwrap().unwrap().leaf_hash();
    let hash = landbridge::digest::hex(&hash).to_uppercase();
    let fields = &get.exchange().unwrap().fields;

    let last = answers[0][0][2].as_u64().unwrap();
    assert_eq!(answers[0], json!([[last + 1, 0, last]]));
    assert!(
        answers[1]
            .as_array()
            .unwrap()
            .contains(&json!(["tax", "civil", "get", "answered", 1]))
    );
    assert_eq!(answers[2], json!([[40, "tax-assessment"]]));
    assert_eq!(answers[3], json!([[logged.exchange, hash, fields, 1, 16]]));
    assert_eq!(
        answers[5],
        json!([["TIMESTAMP WITH TIME ZONE", "UBIGINT", "BLOB[]", "UUID"]])
    );
    assert_eq!(answers[6], json!([[0]]), "times never decrease");
}

fn verify(bundle: &Path) -> (bool, String) {
    verify_by(bundle, &bundle.with_file_name("trusted"), &[])
}

fn verify_by(bundle: &Path, keys: &Path, more: &[&str]) -> (bool, String) {
    let mut command = python();
    command
        .arg(bundle.join("verify.py"))
        .arg("--vkeys")
        .arg(keys);
    let output = run(command.args(more));
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}

/// Copies the bundle, spoils the copy, and tells why the verifier refuses it.
fn refusal(bundle: &Path, spoil: impl FnOnce(&Path)) -> String {
    let spoiled = bundle.with_extension("spoiled");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(bundle)
        .arg(&spoiled)
        .status();
    assert!(copied.unwrap().success());
    spoil(&spoiled);
    let (verified, told) = verify(&spoiled);
    assert!(!verified, "{told}");
    fs::remove_dir_all(&spoiled).unwrap();
    told
}

fn edit(file: PathBuf, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let bytes = fs::read(&file).unwrap();
    fs::write(file, change(bytes)).unwrap();
}

fn flip(file: PathBuf, at: usize) {
    edit(file, |mut bytes| {
        bytes[at] ^= 1;
        bytes
    });
}

fn replace(file: PathBuf, from: &str, to: &str) {
    edit(file, |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1).into_bytes()
    });
}

fn drop_line(file: PathBuf) {
    edit(file, |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.split_once('\n').unwrap().1.as_bytes().to_vec()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verifier_of_a_bundle_accepts_what_is_genuine_and_refuses_every_change() {
    let logged = Logged::new().await;
    let whole = logged.export("bundle", &[]);
    fs::write(whole.with_file_name("trusted"), logged.vkey()).unwrap();
    let (verified, told) = verify(&whole);
    assert!(verified, "{told}");
    assert!(told.starts_with("VERIFIED: all "), "{told}");
    let of_the_whole: [Spoil; 2] = [
        (without_an_entry, "entry 0 is missing"),
        (without_a_record, "is not the one to which its leaf commits"),
    ];
    for (spoil, expected) in of_the_whole.into_iter().chain(spoils()) {
        let told = refusal(&whole, spoil);
        assert!(told.starts_with("NOT VERIFIED: "), "{told}");
        assert!(told.contains(expected), "{told} is not {expected}");
    }

    trust_comes_from_the_caller(&logged, &whole);
    fs::rename(&whole, whole.with_extension("whole")).unwrap();
    let selection = logged.export("bundle", &["--exchange", &logged.exchange]);
    let (verified, told) = verify(&selection);
    assert!(verified, "{told}");
    assert!(
        told.starts_with("VERIFIED: each of the 1 entries"),
        "{told}"
    );
    let of_a_selection: [Spoil; 1] = [(without_a_record, "there is a leaf without its record")];
    for (spoil, expected) in of_a_selection.into_iter().chain(spoils()) {
        let told = refusal(&selection, spoil);
        assert!(told.starts_with("NOT VERIFIED: "), "{told}");
        assert!(told.contains(expected), "{told} is not {expected}");
    }
    let proof = fs::read_dir(selection.join("proofs"))
        .unwrap()
        .next()
        .unwrap();
    let proof = proof.unwrap().file_name();
    let told = refusal(&selection, |bundle| {
        edit(bundle.join("proofs").join(&proof), |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            let mut lines: Vec<&str> = text.split('\n').collect();
            lines.swap(2, 3);
            lines.join("\n").into_bytes()
        });
    });
    assert!(told.contains("does not lead to the root"), "{told}");
}

type Spoil = (fn(&Path), &'static str);

fn without_a_record(bundle: &Path) {
    drop_line(bundle.join("records.jsonl"));
}

/// Only a whole journal shows that.
fn without_an_entry(bundle: &Path) {
    without_a_record(bundle);
    edit(bundle.join("leaves.bin"), |leaves| leaves[144..].to_vec());
}

/// Changes to any bundle, and what the verifier says of each.
fn spoils() -> Vec<Spoil> {
    vec![
        // Within the exchange digest, which the record does not have.
        (|bundle| flip(bundle.join("leaves.bin"), 40), "root"),
        (|bundle| flip(bundle.join("leaves.bin"), 70), "commits"),
        (
            |bundle| {
                replace(
                    bundle.join("records.jsonl"),
                    "\"readable\":{\"",
                    "\"readable\":{\"x",
                )
            },
            "what is told of entry",
        ),
        (
            |bundle| {
                edit(bundle.join("records.jsonl"), |bytes| {
                    let text = String::from_utf8(bytes).unwrap();
                    let mut entry: Value =
                        serde_json::from_str(text.lines().next().unwrap()).unwrap();
                    let mut record = STANDARD.decode(entry["record"].as_str().unwrap()).unwrap();
                    *record.last_mut().unwrap() ^= 1;
                    entry["record"] = STANDARD.encode(record).into();
                    let rest = text.split_once('\n').unwrap().1;
                    format!("{entry}\n{rest}").into_bytes()
                });
            },
            "is not the one to which its leaf commits",
        ),
        (
            |bundle| {
                edit(bundle.join("checkpoint"), |bytes| {
                    let text = String::from_utf8(bytes).unwrap();
                    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
                    lines[1] = (lines[1].parse::<u64>().unwrap() - 1).to_string();
                    lines.join("\n").into_bytes()
                });
            },
            "is not genuine",
        ),
    ]
}

/// The verifier that was written from `docs/evidence.md` alone.
pub(crate) fn stranger(words: &[&str]) -> (bool, String) {
    let verifier = repository("tests/foreign/verifier.py");
    let output = run(python().arg("-B").arg(verifier).args(words));
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}

/// Changes to a journal's folder by somebody without its key, and what the verifier says.
fn tamperings() -> Vec<Spoil> {
    const SEGMENT: &str = "seg/00000000000000000000.seg";
    /// At a place in the first commit, whose entries begin at 128.
    macro_rules! flipped {
        ($file:expr, $at:expr) => {
            |journal| flip(journal.join($file), $at)
        };
    }
    vec![
        (flipped!(SEGMENT, 1), "no commit begins"),
        (flipped!(SEGMENT, 15), "should follow"),
        (flipped!(SEGMENT, 22), "another checksum"),
        (flipped!(SEGMENT, 30), "another checksum"),
        (flipped!(SEGMENT, 70), "another checksum"),
        (flipped!(SEGMENT, 128 + 40), "another checksum"),
        (flipped!(SEGMENT, 128 + 150), "another checksum"),
        (flipped!("leaves.dat", 200), "leaves.dat has other leaves"),
        (flipped!("hash/0.dat", 40), "hash/0.dat has other hashes"),
        (
            |journal| {
                edit(journal.join(SEGMENT), |mut bytes| {
                    let begins = |at: &[u8]| at.starts_with(b"\xffLB") && at[3] <= 2;
                    let last = bytes.windows(4).rposition(begins).unwrap();
                    bytes[last..].fill(0);
                    bytes
                });
            },
            "the journal has",
        ),
        (
            |journal| {
                edit(journal.join(SEGMENT), |mut bytes| {
                    *bytes.last_mut().unwrap() = 1;
                    bytes
                });
            },
            "after the last commit",
        ),
        (
            |journal| replace(journal.join("state/signed"), "/civil/1\n", "/civil/2\n"),
            "does not hold",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_was_written_from_the_documents_alone_accepts_journals_and_proofs() {
    let mut logged = Logged::new().await;
    logged.gateways.0.stops().await;
    logged.gateways.1.stops().await;
    let keys = ["tax", "civil"].map(|of| logged.world.journal(of).vkey().to_string());
    let dirs =
        ["tax", "civil"].map(|of| logged.world.journal(of).dir().to_str().unwrap().to_owned());
    for (dir, department) in dirs.iter().zip(["tax", "civil"]) {
        let (accepted, told) = stranger(&["journal", dir, &keys[0], &keys[1]]);
        assert!(accepted, "{told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        let entries = logged.world.journal(department).entries();
        let is_exchange = |entry: &&crate::harness::journal::Entry| entry.exchange().is_some();
        assert_eq!(told["entries"], entries.len());
        assert_eq!(
            told["exchanges"],
            entries.iter().filter(is_exchange).count()
        );
    }
    let (accepted, told) = stranger(&["pair", &dirs[0], &dirs[1], &keys[0], &keys[1]]);
    assert_eq!(
        (accepted, told.trim()),
        (true, "{\"agreed\": 3, \"pending\": 0}")
    );

    let proof = logged.world.path("one.tlog-proof");
    let proof = proof.to_str().unwrap();
    let settings = logged.world.federation.settings("civil");
    let mut prove = Command::new(env!("CARGO_BIN_EXE_landbridge"));
    prove.args(["audit", "prove", &logged.exchange, "--out", proof]);
    succeed(prove.arg("--config").arg(settings));
    let (accepted, told) = stranger(&["proof", proof, &keys[1]]);
    assert!(accepted, "{told}");
    assert!(told.contains(&logged.exchange.replace('-', "")), "{told}");
    replace(PathBuf::from(proof), "\nindex ", "\nindex 1");
    let (accepted, told) = stranger(&["proof", proof, &keys[1]]);
    assert!(!accepted && told.starts_with("NOT VERIFIED: "), "{told}");

    for (spoil, expected) in tamperings() {
        let spoiled = logged.world.path("spoiled");
        let mut copy = Command::new("cp");
        succeed(copy.arg("-r").arg(&dirs[1]).arg(&spoiled));
        spoil(&spoiled);
        let (accepted, told) = stranger(&["journal", spoiled.to_str().unwrap(), &keys[1]]);
        assert!(
            !accepted && told.contains(expected),
            "{told} is not {expected}"
        );
        fs::remove_dir_all(&spoiled).unwrap();
    }
}

/// Neither the bundle's keys nor its policy count, whatever they say.
fn trust_comes_from_the_caller(logged: &Logged, bundle: &Path) {
    let keyless = run(python().arg(bundle.join("verify.py")));
    assert_eq!(keyless.status.code(), Some(2), "keys must be given");
    let [others, policy] = ["others", "quorum"].map(|name| bundle.with_file_name(name));
    fs::write(&others, logged.world.journal("tax").vkey().to_string()).unwrap();
    let (verified, told) = verify_by(bundle, &others, &[]);
    assert!(!verified && told.contains("no known key"), "{told}");
    let witness = "market.example/witness+e22d4ba1+BPd/xYx+5ugY0NPYWlWGYHtYwuovdPVZ8uCKYA9ICVbG";
    fs::write(
        &policy,
        format!("witness market {witness}\nquorum market\n"),
    )
    .unwrap();
    let keys = bundle.with_file_name("trusted");
    let asked = ["--policy", policy.to_str().unwrap()];
    let (verified, told) = verify_by(bundle, &keys, &asked);
    assert!(!verified && told.contains("fewer witnesses"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_transparency_tools_read_an_exported_log() {
    let logged = Logged::new().await;
    let (folder, vkey) = (logged.export("tiles", &[]), logged.vkey());
    go_sumdb_proves_every_entry(&folder, &vkey);
    tlog_scales_makes_the_same_proof(&folder, logged.world.journal("civil").dir());
    openssl_verifies_the_signature(&folder, &vkey, &logged.world.path("openssl"));
}

/// Reads a folder of tiles; an earlier checkpoint may follow as a further word.
pub(crate) fn sumdb(folder: &Path, vkey: &str) -> Command {
    let mut command = Command::new("go");
    command
        .args(["run"])
        .arg(repository("tests/foreign/sumdb.go"))
        .arg(folder)
        .arg(vkey)
        // Debian's packages, no module proxy.
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", repository("target/go"));
    command
}

fn go_sumdb_proves_every_entry(folder: &Path, vkey: &str) {
    let told = succeed(&mut sumdb(folder, vkey));
    let checkpoint = fs::read_to_string(folder.join("checkpoint")).unwrap();
    let size = checkpoint.lines().nth(1).unwrap();
    assert_eq!(told, format!("{size} entries of gov.example/civil/1\n"));
}

fn tlog_scales_makes_the_same_proof(folder: &Path, journal: &Path) {
    let tool = repository("target/venv/bin/tlog-tiles");
    let told = succeed(Command::new(tool).arg("gen-proof").arg(folder).arg("2"));
    let theirs: Proof = told.parse().unwrap();
    let note = fs::read_to_string(folder.join("checkpoint")).unwrap();
    let size = note.lines().nth(1).unwrap().parse().unwrap();
    assert_eq!(theirs.index, 2);
    assert_eq!(
        theirs.path,
        Tiles::open(journal).inclusion(2, size).unwrap()
    );
    assert_eq!(theirs.note, note);
}

/// The note's text and its first signature, without the four bytes of the key's id.
fn openssl_verifies_the_signature(folder: &Path, vkey: &str, scratch: &Path) {
    fs::create_dir(scratch).unwrap();
    let note = fs::read_to_string(folder.join("checkpoint")).unwrap();
    let (text, signatures) = note.split_once("\n\n").unwrap();
    let signature = signatures
        .lines()
        .next()
        .unwrap()
        .split(' ')
        .nth(2)
        .unwrap();
    let key = STANDARD
        .decode(vkey.splitn(3, '+').nth(2).unwrap())
        .unwrap();
    // RFC 8410: what stands before the 32 bytes of an Ed25519 key.
    let spki = [
        b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
        &key[1..],
    ]
    .concat();
    for (name, bytes) in [
        ("text", format!("{text}\n").into_bytes()),
        ("sig", STANDARD.decode(signature).unwrap()[4..].to_vec()),
        ("log.der", spki),
    ] {
        fs::write(scratch.join(name), bytes).unwrap();
    }
    let told = succeed(Command::new("openssl").current_dir(scratch).args([
        "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "log.der", "-rawin", "-in",
        "text", "-sigfile", "sig",
    ]));
    assert_eq!(told.trim(), "Signature Verified Successfully");
}
