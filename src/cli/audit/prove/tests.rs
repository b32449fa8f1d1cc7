use std::time::Duration;

use clap::Parser;
use tempfile::TempDir;

use super::*;
use crate::cli::Cli;
use crate::clock::Clock;
use crate::clock::Moment;
use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::JournalKeys;
use crate::journal::JournalSettings;
use crate::journal::Outcome;
use crate::journal::Role;
use crate::journal::StreamEnd;
use crate::journal::statement;
use crate::journal::statement::Ending;
use crate::journal::statement::Statement;
use crate::name::ExchangeId;
use crate::pb;
use crate::pb::journal_record;
use crate::tlog::cosignature::CosignerKey;

const NOON: Moment = Moment::from_micros(1_795_392_000_000_000);
const ORIGIN: &str = "gov.example/civil/1";
const EXCHANGE: &str = "0198f3c2-7d1e-7a44-9b1f-2f0c6d1f8a11";

/// A journal of a start, a streamed exchange and a stop, of which witnesses have seen all but the stop.
struct Sample {
    dir: TempDir,
    vkey: String,
    policy: PathBuf,
}

impl Sample {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (keys, _) =
            JournalKeys::load_or_create(&at("journal.key"), &at("journal-pq.key")).unwrap();
        let [vkey, _] = keys.verifiers(ORIGIN).unwrap();
        let witness = CosignerKey::create(&at("witness.key"), "tax.example/witness").unwrap();
        let policy = at("policy");
        let text = format!("witness tax {}\nquorum tax\n", witness.verifier());
        fs::write(&policy, text).unwrap();

        let journal = open(dir.path());
        runtime().block_on(stream(&journal));
        journal.close();
        let line = witness.cosign(&journal.published(), NOON);
        let witnessed = journal.published().with_lines([line.as_str()]).unwrap();
        journal.publish_witnessed(&witnessed).unwrap();
        let journal = open(dir.path());
        let stopped = journal.append(Entry::lifecycle("stopped", "0.1.0"));
        runtime().block_on(stopped).unwrap();
        journal.close();
        Self {
            dir,
            vkey: vkey.to_string(),
            policy,
        }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn prove(&self, words: &[&str], out: &str) -> Exit {
        let (journal, out) = (self.path("journal"), self.path(out));
        let fixed = [
            "--journal",
            journal.as_str(),
            "--vkey",
            &self.vkey,
            "--out",
            &out,
        ];
        run("prove", &[words, &fixed].concat())
    }

    fn verify(&self, file: &str, words: &[&str]) -> Exit {
        let file = self.path(file);
        run("verify-proof", &[&[file.as_str()], words].concat())
    }
}

fn run(verb: &str, words: &[&str]) -> Exit {
    let line = [&["landbridge", "audit", verb], words].concat();
    Cli::try_parse_from(line).unwrap().run()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn open(dir: &Path) -> Journal {
    let at = |name| dir.join(name);
    let (keys, _) = JournalKeys::load_or_create(&at("journal.key"), &at("journal-pq.key")).unwrap();
    let settings = JournalSettings {
        dir: dir.join("journal"),
        origin: ORIGIN.to_owned(),
        linger: Duration::ZERO,
        segment_bytes: 1 << 20,
        max_unpublished_age: Duration::from_secs(60),
    };
    Journal::open(settings, keys, Clock::fixed(NOON)).unwrap().0
}

async fn stream(journal: &Journal) {
    journal
        .append(Entry::lifecycle("started", "0.1.0"))
        .await
        .unwrap();
    let exchange: ExchangeId = EXCHANGE.parse().unwrap();
    let (role, outcome) = (Role::Provider, Outcome::None);
    let record = pb::ExchangeRecord {
        digest_form: statement::FORM,
        ..pb::ExchangeRecord::default()
    };
    let said = Statement::of(&exchange, role, &record).unwrap();
    let exchange_digest = said.digest(&Ending::of_exchange(outcome, &record));
    let opening = Entry {
        kind: Kind::Intent,
        role,
        outcome,
        exchange: Some(exchange),
        exchange_digest,
        peer: None,
        record: pb::JournalRecord {
            kind: Some(journal_record::Kind::Exchange(record)),
        },
    };
    let end = StreamEnd {
        outcome: Outcome::Answered,
        exchange_digest,
        peer: None,
        record: pb::StreamEndRecord::default(),
    };
    let opened = journal.begin(opening).await.unwrap();
    opened.close(end).await.unwrap();
}

#[test]
fn a_proof_is_verified_without_the_journal() {
    let sample = Sample::new();
    assert_eq!(sample.prove(&["--index", "0"], "0.tlog-proof"), Exit::Done);
    fs::remove_dir_all(sample.dir.path().join("journal")).unwrap();
    let policy = sample.policy.display().to_string();
    let vkey = sample.vkey.as_str();
    assert_eq!(sample.verify("0.tlog-proof", &["--vkey", vkey]), Exit::Done);
    let with_policy = ["--vkey", vkey, "--policy", &policy, "--json"];
    assert_eq!(sample.verify("0.tlog-proof", &with_policy), Exit::Done);
}

#[test]
fn a_streamed_exchange_has_a_proof_of_each_of_its_entries() {
    let sample = Sample::new();
    assert_eq!(sample.prove(&[EXCHANGE], "x.tlog-proof"), Exit::Done);
    let vkey = sample.vkey.as_str();
    for file in ["x.opening.tlog-proof", "x.end.tlog-proof"] {
        assert_eq!(sample.verify(file, &["--vkey", vkey]), Exit::Done, "{file}");
    }
    assert!(!Path::new(&sample.path("x.tlog-proof")).exists());
}

#[test]
fn an_entry_that_no_witness_has_seen_is_proven_by_the_published_checkpoint() {
    let sample = Sample::new();
    assert_eq!(sample.prove(&["3"], "3.tlog-proof"), Exit::Done);
    let (vkey, policy) = (sample.vkey.as_str(), sample.policy.display().to_string());
    assert_eq!(sample.verify("3.tlog-proof", &["--vkey", vkey]), Exit::Done);
    assert_eq!(
        sample.verify("3.tlog-proof", &["--vkey", vkey, "--policy", &policy]),
        Exit::Unverified
    );
}

#[test]
fn a_proof_that_was_changed_or_is_of_another_journal_does_not_hold() {
    let sample = Sample::new();
    assert_eq!(sample.prove(&["1"], "1.tlog-proof"), Exit::Done);
    let vkey = sample.vkey.as_str();
    let good = fs::read_to_string(sample.path("1.tlog-proof")).unwrap();
    let changes = [
        good.replacen("index 1", "index 2", 1),
        good.replacen("extra T", "extra U", 1),
        good.lines().skip(1).collect(),
        good.lines()
            .filter(|line| !line.starts_with("extra"))
            .map(|line| format!("{line}\n"))
            .collect(),
        String::new(),
    ];
    for changed in changes {
        assert_ne!(changed, good);
        fs::write(sample.path("changed"), &changed).unwrap();
        assert_eq!(
            sample.verify("changed", &["--vkey", vkey]),
            Exit::Unverified,
            "{changed}"
        );
    }
    let other = Sample::new();
    assert_eq!(
        sample.verify("1.tlog-proof", &["--vkey", &other.vkey]),
        Exit::Unverified
    );
}

#[test]
fn a_proof_is_not_verified_against_nothing() {
    let sample = Sample::new();
    assert_eq!(sample.prove(&["1"], "1.tlog-proof"), Exit::Done);
    assert_eq!(sample.verify("1.tlog-proof", &[]), Exit::Usage);
    let vkey = sample.vkey.as_str();
    assert_eq!(sample.verify("none", &["--vkey", vkey]), Exit::Failed);
    fs::write(&sample.policy, "quorum nobody\n").unwrap();
    let policy = sample.policy.display().to_string();
    assert_eq!(
        sample.verify("1.tlog-proof", &["--vkey", vkey, "--policy", &policy]),
        Exit::Usage
    );
    // The policy's logs are keys as well.
    fs::write(&sample.policy, format!("log {vkey}\nquorum none\n")).unwrap();
    assert_eq!(
        sample.verify("1.tlog-proof", &["--policy", &policy]),
        Exit::Done
    );
}

#[test]
fn what_the_journal_does_not_prove_is_not_written() {
    let sample = Sample::new();
    assert_eq!(sample.prove(&["9"], "9.tlog-proof"), Exit::Failed);
    let hashes = sample.dir.path().join("journal/hash/0.dat");
    let mut bytes = fs::read(&hashes).unwrap();
    bytes[0] ^= 1;
    fs::write(&hashes, bytes).unwrap();
    assert_eq!(sample.prove(&["1"], "1.tlog-proof"), Exit::Unverified);
    assert!(!Path::new(&sample.path("1.tlog-proof")).exists());
}

#[test]
fn a_journal_is_verified_with_the_policy_of_its_witnesses() {
    let sample = Sample::new();
    let (journal, policy) = (sample.path("journal"), sample.policy.display().to_string());
    let words = [
        "--journal",
        journal.as_str(),
        "--vkey",
        &sample.vkey,
        "--policy",
        &policy,
    ];
    assert_eq!(run("verify", &words), Exit::Done);
    fs::remove_file(sample.dir.path().join("journal/state/witnessed")).unwrap();
    assert_eq!(run("verify", &words), Exit::Unverified);
}
