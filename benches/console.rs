//! How long the console takes for a page over a long journal: `cargo bench --bench console [-- --entries <n>]`.
//!
//! The entries are written by the library; a real gateway indexes them and shows them to somebody who is signed in.

#[expect(dead_code, reason = "no bench needs all of it")]
mod harness;

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::ensure;
use futures::stream;
use futures::stream::StreamExt;
use futures::stream::TryStreamExt;
use landbridge::clock::Clock;
use landbridge::config::Config;
use landbridge::demo::federation::Federation;
use landbridge::journal::Entry;
use landbridge::journal::Journal;
use landbridge::journal::JournalKeys;
use landbridge::journal::JournalSettings;
use landbridge::journal::Kind;
use landbridge::journal::Outcome;
use landbridge::journal::Role;
use landbridge::name::ExchangeId;
use landbridge::pb;
use landbridge::pb::journal_record;
use totp_rs::Algorithm;
use totp_rs::TOTP;
use uuid::Uuid;

use harness::bed;
use harness::process::Process;

const ENTRIES: u64 = 10_000_000;
/// Under way at a time while the journal is filled.
const FILL: usize = 4_096;
/// Of each page.
const TIMES: usize = 40;
const CASES: u64 = 50_000;

/// What is looked at, and what it shows.
const PAGES: [(&str, &str); 9] = [
    ("the newest 100", "/console/exchanges"),
    ("100 in the middle", "/console/exchanges?before=MIDDLE"),
    ("100 refused", "/console/exchanges?outcome=denied"),
    ("of one case", "/console/exchanges?case_reference=C-4711"),
    (
        "of one officer and record type",
        "/console/exchanges?officer=o-17&record_type=civil.v1.Resident",
    ),
    (
        "words that never meet",
        "/console/exchanges?officer=o-17&purpose=arrears&outcome=denied",
    ),
    ("an entry with its proof", "/console/entries/MIDDLE"),
    ("overview", "/console"),
    ("agreements", "/console/agreements"),
];

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let entries = match words.next().as_deref() {
        None => ENTRIES,
        Some("--entries") => words.next().context("how many?")?.parse()?,
        Some(other) => anyhow::bail!("`{other}` is not known: benches/README.md has what is"),
    };
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    let folder = target.join("console");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let federation = bed::federation(&folder)?;
    let config = Config::load(&federation.settings("civil"))
        .map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let begun = Instant::now();
    fill(&config, entries)?;
    println!("{entries} entries written in {:.0?}", begun.elapsed());
    let account = account(&folder)?;
    let gateway = start(&federation)?;
    println!("the gateway was ready within {:.1?}", gateway.start_up);
    let ports = federation.ports_of("civil").context("no civil affairs")?;
    let browser = Browser::sign_in(ports.operators, &account)?;
    println!("indexed within {:.0?}", browser.indexed(entries)?);
    for (name, path) in PAGES {
        let path = path.replace("MIDDLE", &(entries / 2).to_string());
        let mut times = Vec::with_capacity(TIMES);
        let mut page = String::new();
        for _ in 0..TIMES {
            let begun = Instant::now();
            page = browser.get(&path)?;
            times.push(begun.elapsed());
        }
        ensure!(page.starts_with("HTTP/1.1 200"), "{path}: {page}");
        times.sort_unstable();
        let within = |percent| {
            times
                .get(TIMES * percent / 100)
                .copied()
                .unwrap_or_default()
        };
        println!(
            "{name}: {} rows, {} KiB, median {:.1?}, 95 % within {:.1?}",
            page.matches("<th scope=\"row\">").count(),
            page.len() / 1024,
            within(50),
            within(95)
        );
    }
    gateway.stop()?;
    Ok(fs::remove_dir_all(folder)?)
}

#[tokio::main]
async fn fill(config: &Config, entries: u64) -> anyhow::Result<()> {
    fs::create_dir_all(config.journal.path.parent().context("no folder")?)?;
    let (keys, _) =
        JournalKeys::load_or_create(&config.journal.key, &config.journal.post_quantum_key)?;
    let (journal, _) = Journal::open(
        JournalSettings {
            dir: config.journal.path.clone(),
            origin: config.origin().to_string(),
            linger: config.journal.linger,
            segment_bytes: config.journal.segment_bytes,
            max_unpublished_age: config.journal.max_unpublished_age,
        },
        keys,
        Clock::System,
    )?;
    stream::iter(0..entries)
        .map(|number| {
            let entry = exchange(number);
            Ok::<_, anyhow::Error>(async { Ok(journal.append(entry).await.map(|_| ())?) })
        })
        .try_buffer_unordered(FILL)
        .try_collect::<()>()
        .await?;
    journal.close();
    Ok(())
}

/// One of fifty officers asks in one of fifty thousand cases; one in fifty is refused.
fn exchange(number: u64) -> Entry {
    let denied = number.is_multiple_of(50);
    let record = pb::ExchangeRecord {
        consumer: "tax".to_owned(),
        provider: "civil".to_owned(),
        system: "assessment".to_owned(),
        officer: format!("o-{}", number % 49),
        case_reference: format!("C-{}", number % CASES),
        purpose: if number.is_multiple_of(7) {
            "arrears"
        } else {
            "tax-assessment"
        }
        .to_owned(),
        mode: "get".to_owned(),
        record_type: "civil.v1.Resident".to_owned(),
        agreement: "CIV-TAX-2026-01".to_owned(),
        fields: ["resident_id", "full_name", "national_id", "birth_date"]
            .map(str::to_owned)
            .into(),
        policy_revision: vec![7; 32].into(),
        agreement_digest: vec![8; 32].into(),
        question_digest: vec![9; 32].into(),
        response_digest: vec![10; 32].into(),
        records: u64::from(!denied),
        bytes: 180,
        reason: if denied {
            "PURPOSE_NOT_AGREED"
        } else {
            "answered"
        }
        .to_owned(),
        latency_us: 900 + number % 4_000,
        peer_origin: "gov.example/tax/1".to_owned(),
        ..pb::ExchangeRecord::default()
    };
    Entry {
        kind: Kind::Exchange,
        role: Role::Provider,
        outcome: if denied {
            Outcome::Denied
        } else {
            Outcome::Answered
        },
        exchange: Some(ExchangeId::new(Uuid::now_v7())),
        exchange_digest: [number as u8; 32],
        peer: None,
        record: pb::JournalRecord {
            kind: Some(journal_record::Kind::Exchange(record)),
        },
    }
}

/// An auditor's name, password and secret.
fn account(folder: &Path) -> anyhow::Result<serde_json::Value> {
    let made = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .args([
            "account",
            "measurer",
            "--role",
            "auditor",
            "--json",
            "--accounts",
        ])
        .arg(folder.join("var/civil/accounts.toml"))
        .output()?;
    ensure!(made.status.success(), "{made:?}");
    Ok(serde_json::from_slice(&made.stdout)?)
}

fn start(federation: &Federation) -> anyhow::Result<Process> {
    let log = federation.folder.join("var/civil/log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
    command
        // The library wrote the journal: secrets that only a gateway makes were never there.
        .args(["serve", "--without-witnesses", "--accept-lost-secrets"])
        .arg("--config")
        .arg(federation.settings("civil"));
    Process::start(&mut command, &log)
}

/// Somebody who is signed in.
struct Browser {
    port: u16,
    cookie: String,
}

impl Browser {
    fn sign_in(port: u16, account: &serde_json::Value) -> anyhow::Result<Self> {
        let text = |name: &str| {
            account[name]
                .as_str()
                .context("no such part of the account")
        };
        let secret = text("otpauth")?
            .split_once("secret=")
            .context("no secret")?
            .1;
        let secret = secret.split('&').next().unwrap_or_default().to_owned();
        let secret = totp_rs::Secret::Encoded(secret)
            .to_bytes()
            .map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let code = TOTP::new(Algorithm::SHA1, 6, 0, 30, secret)?
            .generate(Clock::System.now().seconds().try_into()?);
        let form = format!(
            "name={}&password={}&code={code}",
            text("name")?,
            text("password")?
        );
        let mut browser = Self {
            port,
            cookie: String::new(),
        };
        let answer = browser.exchange(&format!(
            "POST /console/sign-in HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ))?;
        let cookie = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "));
        let (cookie, _) = cookie
            .and_then(|line| line.split_once(';'))
            .context("not signed in")?;
        browser.cookie = cookie.to_owned();
        Ok(browser)
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        self.exchange(&format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nCookie: {}\r\nConnection: close\r\n\r\n",
            self.port, self.cookie
        ))
    }

    fn exchange(&self, request: &str) -> anyhow::Result<String> {
        let mut line = TcpStream::connect(("127.0.0.1", self.port))?;
        line.write_all(request.as_bytes())?;
        let mut answer = String::new();
        line.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Waits until the search goes by the index alone.
    fn indexed(&self, entries: u64) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        loop {
            let page = self.get("/console")?;
            let told = page
                .split_once("Found by the index up to</dt><dd>")
                .context("no such fact")?
                .1;
            let reached = told.split('<').next().unwrap_or_default();
            if reached.parse::<u64>()? >= entries {
                return Ok(begun.elapsed());
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}
