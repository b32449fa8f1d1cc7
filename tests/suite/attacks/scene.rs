//! Journals of gateways that have ended, and all who look at them: an auditor, a witness, the other department.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use landbridge::clock::Clock;
use landbridge::evidence::cosigned::log_hash;
use landbridge::evidence::journals::Journals;
use landbridge::evidence::witness::CosignRefusal;
use landbridge::evidence::witness::Witness;
use landbridge::evidence::witness::request::AddCheckpoint;
use landbridge::identity::directory::Directory;
use landbridge::journal::reader::Reader;
use landbridge::journal::tiles::Tiles;
use landbridge::name::ExchangeId;
use landbridge::tlog::cosignature::CosignerKey;
use landbridge::tlog::signed_checkpoint::SignedCheckpoint;
use serde_json::Value;

use super::forge;
use super::forge::Forged;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::records::Resident;

pub(super) struct Scene {
    pub(super) world: World,
    /// Answered to tax by civil: the first exchange, and the last.
    pub(super) first: ExchangeId,
    pub(super) last: ExchangeId,
    /// Civil's checkpoint that was cosigned when only the first exchange was there.
    pub(super) early: SignedCheckpoint,
    /// Cosigned when all exchanges were there: what an auditor has kept of tax and civil.
    kept: [SignedCheckpoint; 2],
    /// Has cosigned what was kept.
    witness: Witness,
}

/// What a command says, and its exit code.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) told: String,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let world = World::witnessed(100).await;
        let mut gateways = world.trio().await;
        let system = world.system("tax", "assessment");
        let get = |n| Asked::get(&Resident(n).key()).case("C-7");
        let first = system.ask(&get(7)).await.unwrap().exchange();
        let entries = world.journal("civil").entries().len() as u64;
        let early = world.journal("civil").witnessed(entries).await;

        system.ask(&Asked::query("")).await.unwrap();
        system.ask(&Asked::count("")).await.unwrap();
        system.ask(&get(9).fields(&["phone"])).await.err().unwrap();
        system.ask(&Asked::get("R9999999999")).await.err().unwrap();
        system.ask(&get(9)).await.unwrap();
        let last = system.ask(&get(11)).await.unwrap().exchange();
        let (tax, civil) = (world.journal("tax"), world.journal("civil"));
        let all = [&tax, &civil].map(|journal| journal.entries().len() as u64);
        let kept = [tax.witnessed(all[0]).await, civil.witnessed(all[1]).await];
        for gateway in &gateways {
            gateway.signal("TERM");
        }
        for gateway in &mut gateways {
            assert!(gateway.ended().await.success());
        }
        let witness = witness(&world);
        for checkpoint in &kept {
            let request = AddCheckpoint {
                old: 0,
                proof: Vec::new(),
                note: checkpoint.note(),
            };
            witness.add(&request.body()).await.unwrap();
        }
        Self {
            world,
            first,
            last,
            early,
            kept,
            witness,
        }
    }

    pub(super) fn dir(&self, department: &str) -> PathBuf {
        self.world.journal(department).dir().to_owned()
    }

    /// What an auditor has kept of a department's journal.
    pub(super) fn kept(&self, department: &str) -> &SignedCheckpoint {
        let [tax, civil] = &self.kept;
        if department == "tax" { tax } else { civil }
    }

    /// A forged journal of that name, signed with the department's keys.
    pub(super) fn forged(&self, name: &str, department: &str, entries: &[Forged]) -> PathBuf {
        let dir = self
            .world
            .path(&format!("forged/{}", name.replace(' ', "-")));
        forge::sign(&self.world, department, entries, &dir);
        dir
    }

    /// A department's journal with its files, to be changed.
    pub(super) fn copied(&self, name: &str, department: &str) -> PathBuf {
        let to = self
            .world
            .path(&format!("copied/{}", name.replace(' ', "-")));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let from = self.dir(department);
        let copied = Command::new("cp").arg("-a").arg(from).arg(&to).status();
        assert!(copied.unwrap().success());
        to
    }

    /// Anybody who has the department's public key, and nothing else.
    pub(super) fn verify(&self, department: &str, dir: &Path) -> Said {
        let vkey = self.vkey(department);
        landbridge(&["audit", "verify", "--journal", text(dir), "--vkey", &vkey])
    }

    /// The same one, who has kept an earlier checkpoint besides and lays it beside the journal.
    pub(super) fn verify_with_kept(&self, department: &str, dir: &Path) -> Said {
        let note = self.kept(department).note();
        fs::write(dir.join("state/witnessed"), note).unwrap();
        let said = self.verify(department, dir);
        fs::remove_file(dir.join("state/witnessed")).unwrap();
        said
    }

    /// With what status a witness refuses the journal's checkpoint, however it is asked; 200 if it does not.
    pub(super) async fn witness(&self, department: &str, dir: &Path) -> u16 {
        let note = Reader::open(dir).published().unwrap().unwrap();
        let vkey = self.world.journal(department).vkey();
        let checkpoint = SignedCheckpoint::open(&note, &[vkey]).unwrap();
        let log = log_hash(checkpoint.origin());
        let known = self.witness.last(&log).unwrap();
        let known: u64 = known.lines().nth(1).unwrap().parse().unwrap();
        let (old, size) = (known.min(checkpoint.size()), checkpoint.size());
        let proof = Tiles::open(dir).consistency(old, size).unwrap();
        let note = &note;
        match self
            .witness
            .add(&AddCheckpoint { old, proof, note }.body())
            .await
        {
            Ok(_) => 200,
            Err(CosignRefusal::OtherOld { size }) if size == known => 409,
            Err(CosignRefusal::Inconsistent { .. }) => 422,
            Err(other) => panic!("{other}"),
        }
    }

    /// Whoever has the leaves of both departments: which classes of differences there are.
    pub(super) fn reconcile(&self, department: &str, dir: &Path) -> (i32, Vec<String>) {
        let other = if department == "tax" { "civil" } else { "tax" };
        let (own, theirs) = (self.vkey(department), self.vkey(other));
        let other = self.dir(other);
        let said = landbridge(&[
            "audit",
            "reconcile",
            text(dir),
            text(&other),
            "--json",
            "--vkey",
            &own,
            "--vkey",
            &theirs,
        ]);
        let told: Value = serde_json::from_str(&said.told).unwrap();
        let directions = told["directions"].as_array().unwrap();
        let differences = directions
            .iter()
            .flat_map(|direction| direction["differences"].as_array().unwrap());
        let classes = differences.map(|found| found["class"].as_str().unwrap().to_owned());
        (said.code, classes.collect())
    }

    pub(super) fn vkey(&self, department: &str) -> String {
        self.world.journal(department).vkey().to_string()
    }
}

/// Of a department that has cosigned nothing yet.
fn witness(world: &World) -> Witness {
    let file = world.path("config/directory.toml");
    let text = fs::read_to_string(&file).unwrap();
    let directory = Directory::parse("directory.toml", &text).unwrap();
    let domain = "gov.example".parse().unwrap();
    let journals = Journals::read("directory.toml", &directory, &domain).unwrap();
    let dir = world.path("witness");
    fs::create_dir(&dir).unwrap();
    let key = CosignerKey::create(&dir.join("witness.key"), "gov.example/market/witness").unwrap();
    let own = "market".parse().unwrap();
    Witness::open(&dir.join("state"), key, own, journals.into(), Clock::System).unwrap()
}

pub(super) fn landbridge(words: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
    let output = command.args(words).output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        told: String::from_utf8(output.stdout).unwrap(),
    }
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
