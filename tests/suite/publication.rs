//! Published revisions: how they come into force everywhere, and what keeps them out.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use landbridge::clock::Clock;
use landbridge::config::Config;
use landbridge::digest::hex;
use landbridge::journal::Outcome;
use landbridge::name::PackageName;
use landbridge::pb;
use landbridge::pb::RegistryEvent;
use landbridge::pb::catalog_service_client::CatalogServiceClient;
use landbridge::pb::journal_record::Kind;
use landbridge::publication::Revision;
use landbridge::publication::shelf::Candidate;
use landbridge::publication::shelf::Shelf;
use landbridge::registry::revision::PackageFiles;
use landbridge::tlog::key::JournalKey;
use tonic::Code;

use crate::harness::PATIENCE;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::asked::RESIDENT;
use crate::harness::client::Answer;
use crate::harness::edit;
use crate::harness::gateway::Gateway;
use crate::harness::journal::Journal;
use crate::harness::records::Resident;
use crate::harness::table;

const RESIDENT_PROTO: &str = "civil/v1/resident.proto";

/// A federation in which each department has a registry's tree of its own.
struct Governed {
    world: World,
}

impl Governed {
    async fn new() -> Self {
        let world = World::new().await;
        for department in ["civil", "tax"] {
            let tree = Self::tree_of(&world, department);
            let copied = Command::new("cp")
                .arg("-r")
                .arg(world.path("proto/registry"))
                .arg(&tree)
                .status();
            assert!(copied.unwrap().success());
        }
        Self { world }
    }

    fn tree_of(world: &World, department: &str) -> PathBuf {
        world.path(&format!("proto/registry-{department}"))
    }

    fn tree(&self, department: &str) -> PathBuf {
        Self::tree_of(&self.world, department)
    }

    /// `sync`: how often it asks the others.
    async fn start(&self, department: &str, sync: &str) -> Gateway {
        let tree = format!("../proto/registry-{department}");
        let settings = [("REGISTRY__PATH", tree.as_str()), ("REGISTRY__SYNC", sync)];
        self.world.start_with(department, &settings).await
    }

    /// `landbridge registry …` with a department's settings: how it ends, and what it prints.
    fn registry(&self, department: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
            .arg("registry")
            .args(arguments)
            .arg("--config")
            .arg(self.world.federation.settings(department))
            .env(
                "LANDBRIDGE__POLICY__AGREEMENTS",
                format!("{department}/agreements"),
            )
            .env("LANDBRIDGE__REGISTRY__PATH", self.tree(department))
            .output()
            .unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    }

    fn publish(&self, department: &str, package: &str) -> String {
        let (exit, told) = self.registry(department, &["publish", package]);
        assert_eq!(exit, Some(0), "{told}");
        told
    }

    fn config(&self, department: &str) -> Config {
        Config::load(&self.world.federation.settings(department)).unwrap()
    }

    /// Puts files on a department's shelf as its own next revision, signed by `signer`: what a gateway that checks nothing
    /// would have there.
    fn forge(&self, department: &str, signer: &str, package: &str, texts: &[(&str, String)]) {
        let (config, package) = (self.config(department), package.parse().unwrap());
        let texts = texts.iter().cloned();
        let texts: BTreeMap<_, _> = texts.map(|(name, text)| (name.to_owned(), text)).collect();
        let files = PackageFiles::new(package, texts).unwrap();
        let shelf = Shelf::at(&config.publication.path);
        let head = shelf.current(files.package()).unwrap();
        let revision = Revision {
            package: files.package().clone(),
            owner: config.department.clone(),
            number: head.as_ref().map_or(1, |head| head.revision.number + 1),
            digest: *files.digest(),
            previous: head.map(|head| head.revision.digest),
            at: Clock::System.now(),
        };
        let key = JournalKey::load(&self.config(signer).journal.key).unwrap();
        let note = revision.sign(&key, &config.origin()).unwrap();
        let candidate = Candidate {
            revision,
            note,
            files,
        };
        shelf.put_in_force(&shelf.keep(candidate).unwrap()).unwrap();
    }

    /// The files of a package in a department's tree, the first occurrence of a text in them replaced.
    fn texts(
        &self,
        department: &str,
        package: &str,
        from: &str,
        to: &str,
    ) -> Vec<(String, String)> {
        let name: PackageName = package.parse().unwrap();
        let folder = self.tree(department).join(name.folder());
        let mut texts = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap().replacen(from, to, 1);
            texts.push((format!("{}{file}", name.folder()), text));
        }
        texts
    }

    /// Waits until a department's gateway goes by a revision with that title: it is on record a moment before.
    async fn goes_by(&self, department: &str, system: &str, title: &str) {
        let look = async {
            while self.title(department, system).await != title {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, look).await;
        waited.unwrap_or_else(|_| panic!("{department} does not go by `{title}`"));
    }

    async fn title(&self, department: &str, system: &str) -> String {
        let mut catalog = CatalogServiceClient::new(self.world.system(department, system).channel);
        let request = pb::GetRecordTypeRequest {
            record_type: RESIDENT.to_owned(),
        };
        let told = catalog.get_record_type(request).await.unwrap().into_inner();
        told.record_type.unwrap().title
    }
}

impl Governed {
    /// What tax is answered once its gateway goes by the revision that stands in its journal.
    async fn answered_once_fit(&self, case: &str) -> Answer {
        let assessment = self.world.system("tax", "assessment");
        loop {
            match assessment.ask(&asked(case)).await {
                Ok(answer) => return answer,
                Err(refused) => assert_eq!(refused.reason, "REVISION_INCOMPATIBLE"),
            }
        }
    }
}

/// What the journal says of a revision of that number.
async fn registry_entry(
    journal: &Journal,
    event: RegistryEvent,
    number: u64,
) -> (Outcome, pb::RegistryRecord) {
    let fits = |record: &pb::RegistryRecord| record.event() == event && record.number == number;
    journal
        .awaits(|entry| match &entry.kind {
            Kind::Registry(record) if fits(record) => Some((entry.leaf.outcome, record.clone())),
            _ => None,
        })
        .await
}

fn asked(case: &str) -> Asked {
    Asked::get(&Resident(7).key()).case(case)
}

#[tokio::test]
async fn a_published_revision_comes_into_force_everywhere_without_a_restart() {
    let governed = Governed::new().await;
    let mut civil = governed.start("civil", "1s").await;
    let _tax = governed.start("tax", "1s").await;
    let (at_civil, at_tax) = (
        governed.world.journal("civil"),
        governed.world.journal("tax"),
    );
    let proto = governed.tree("civil").join(RESIDENT_PROTO);

    edit(&proto, "title: \"Resident\"", "title: \"Inhabitant\"");
    let told = governed.publish("civil", "civil.v1");
    assert!(
        told.contains("revision 1 of civil.v1 is in force"),
        "{told}"
    );
    let (_, published) = registry_entry(&at_civil, RegistryEvent::Published, 1).await;
    let (outcome, adopted) = registry_entry(&at_tax, RegistryEvent::Adopted, 1).await;
    assert_eq!(outcome, Outcome::Answered);
    assert_eq!(adopted.digest, published.digest);
    assert_eq!(adopted.owner, "civil");
    governed.goes_by("tax", "assessment", "Inhabitant").await;

    // From now on the tree holds drafts.
    edit(&proto, "title: \"Inhabitant\"", "title: \"Citizen\"");
    let warned = civil.told("something needs attention").await;
    let warning = warned["warning"].as_str().unwrap();
    assert!(
        warning.contains("landbridge registry publish civil.v1"),
        "{warning}"
    );
    assert_eq!(governed.title("civil", "counter").await, "Inhabitant");

    governed.publish("civil", "civil.v1");
    registry_entry(&at_tax, RegistryEvent::Adopted, 2).await;
    assert_eq!(governed.title("civil", "counter").await, "Citizen");
    governed.goes_by("tax", "assessment", "Citizen").await;
    let assessment = governed.world.system("tax", "assessment");
    let answer = assessment.ask(&asked("AFTER")).await.unwrap();
    assert_eq!(
        governed.world.decode(RESIDENT, &answer.records[0]),
        Resident(7).released()
    );

    let told = governed.publish("civil", "civil.v1");
    assert!(told.contains("nothing to publish"), "{told}");
    let (_, told) = governed.registry("tax", &["revisions", "--json"]);
    let rows: Vec<serde_json::Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let stated: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["number"].as_u64().unwrap(),
                row["in_force"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(stated, [(1, false), (2, true)]);
    assert_eq!(rows[1]["previous"], hex(&published.digest));
    let kept = PathBuf::from(rows[0]["folder"].as_str().unwrap()).join(RESIDENT_PROTO);
    assert!(
        fs::read_to_string(kept)
            .unwrap()
            .contains("title: \"Inhabitant\"")
    );
    at_tax.verified();
}

#[tokio::test]
async fn a_revision_stays_in_force_over_a_restart_whatever_the_tree_says() {
    let governed = Governed::new().await;
    let civil = governed.start("civil", "1s").await;
    let tax = governed.start("tax", "1s").await;
    let proto = governed.tree("civil").join(RESIDENT_PROTO);
    edit(&proto, "title: \"Resident\"", "title: \"Inhabitant\"");
    governed.publish("civil", "civil.v1");
    let at_tax = governed.world.journal("tax");
    registry_entry(&at_tax, RegistryEvent::Adopted, 1).await;
    governed.goes_by("tax", "assessment", "Inhabitant").await;
    tax.kill();
    civil.kill();
    edit(&proto, "title: \"Inhabitant\"", "title: \"Draft\"");

    let _civil = governed.start("civil", "1h").await;
    let _tax = governed.start("tax", "1h").await;
    assert_eq!(governed.title("civil", "counter").await, "Inhabitant");
    assert_eq!(governed.title("tax", "assessment").await, "Inhabitant");
    let assessment = governed.world.system("tax", "assessment");
    assessment.ask(&asked("AFTER")).await.unwrap();
}

#[tokio::test]
async fn gateways_on_different_compatible_revisions_keep_exchanging() {
    let governed = Governed::new().await;
    let _civil = governed.start("civil", "1s").await;
    governed.publish("civil", "civil.v1");
    // Takes over the first revision as it starts, and asks for no other.
    let _tax = governed.start("tax", "1h").await;
    let at_tax = governed.world.journal("tax");
    registry_entry(&at_tax, RegistryEvent::Adopted, 1).await;

    let proto = governed.tree("civil").join(RESIDENT_PROTO);
    edit(&proto, "title: \"Resident\"", "title: \"Inhabitant\"");
    governed.publish("civil", "civil.v1");
    let assessment = governed.world.system("tax", "assessment");
    let answer = assessment.ask(&asked("OLDER")).await.unwrap();
    assert_eq!(
        governed.world.decode(RESIDENT, &answer.records[0]),
        Resident(7).released()
    );
    assert_eq!(governed.title("tax", "assessment").await, "Resident");
    let entries = at_tax.of_case("OLDER");
    let exchange = entries[0].exchange().unwrap();
    assert_eq!(
        exchange.peer_schema_digest.len(),
        32,
        "their schemas differ"
    );
}

#[tokio::test]
async fn a_consumer_that_was_never_told_fetches_what_it_lacks_when_it_is_refused() {
    let governed = Governed::new().await;
    let _tax = governed.start("tax", "1h").await;
    let _civil = governed.start("civil", "1s").await;
    let proto = governed.tree("civil").join(RESIDENT_PROTO);
    edit(&proto, "title: \"Resident\"", "title: \"Inhabitant\"");
    governed.publish("civil", "civil.v1");

    let assessment = governed.world.system("tax", "assessment");
    let refused = assessment.ask(&asked("EARLY")).await.err().unwrap();
    assert!(
        refused.is(Code::FailedPrecondition, "REVISION_INCOMPATIBLE"),
        "{refused:?}"
    );
    let at_tax = governed.world.journal("tax");
    registry_entry(&at_tax, RegistryEvent::Adopted, 1).await;
    let answer = governed.answered_once_fit("LATER").await;
    assert_eq!(answer.records.len(), 1);
}

#[tokio::test]
async fn on_incompatible_revisions_the_refusal_names_both_and_nothing_leaves_the_house() {
    let governed = Governed::new().await;
    let _civil = governed.start("civil", "1s").await;
    governed.publish("civil", "civil.v1");
    // Tax has built on a number that civil has given to something else.
    let theirs = governed.tree("tax").join(RESIDENT_PROTO);
    edit(&theirs, "string ethnic_group = 6", "int64 ethnic_group = 6");
    let mut tax = governed.start("tax", "1s").await;
    let told = tax
        .told("a published revision is not taken over: the one before stays in force")
        .await;
    let objection = told["objection"].as_str().unwrap();
    assert!(
        objection.contains("FIELD_WIRE_JSON_COMPATIBLE_TYPE: civil.v1.Resident.ethnic_group"),
        "{objection}"
    );

    let (at_tax, at_civil) = (
        governed.world.journal("tax"),
        governed.world.journal("civil"),
    );
    let (outcome, refused) = registry_entry(&at_tax, RegistryEvent::Refused, 1).await;
    assert_eq!(outcome, Outcome::Denied);
    assert_eq!(refused.detail, objection);
    let assessment = governed.world.system("tax", "assessment");
    let refusal = assessment.ask(&asked("MISFIT")).await.err().unwrap();
    assert!(
        refusal.is(Code::FailedPrecondition, "REVISION_INCOMPATIBLE"),
        "{refusal:?}"
    );
    assert_eq!(refusal.metadata["provider_revision"], hex(&refused.digest));
    assert_eq!(
        refusal.metadata["consumer_revision"],
        hex(&refused.replaced)
    );
    assert_eq!(
        at_tax.of_case("MISFIT")[0].reason(),
        "REVISION_INCOMPATIBLE"
    );
    assert!(at_civil.of_case("MISFIT").is_empty());

    // A gateway that asks all the same is refused by the provider.
    let mut hard = asked("HARD").relayed_for("assessment");
    hard.relay.as_mut().unwrap().revision = refused.replaced.clone();
    let refusal = governed
        .world
        .peer("tax", "civil")
        .ask(&hard)
        .await
        .err()
        .unwrap();
    assert!(
        refusal.is(Code::FailedPrecondition, "REVISION_INCOMPATIBLE"),
        "{refusal:?}"
    );
    assert_eq!(refusal.metadata["provider_revision"], hex(&refused.digest));
    assert_eq!(
        refusal.metadata["consumer_revision"],
        hex(&refused.replaced)
    );
    assert!(
        refusal.message.contains("revision 1 ("),
        "{}",
        refusal.message
    );
    assert_eq!(
        at_civil.of_case("HARD")[0].reason(),
        "REVISION_INCOMPATIBLE"
    );

    // Brought into line, it takes the revision over by itself.
    edit(&theirs, "int64 ethnic_group = 6", "string ethnic_group = 6");
    registry_entry(&at_tax, RegistryEvent::Adopted, 1).await;
    let answer = governed.answered_once_fit("MENDED").await;
    assert_eq!(answer.records.len(), 1);
}

#[tokio::test]
async fn a_breaking_draft_is_not_published() {
    let governed = Governed::new().await;
    let _civil = governed.start("civil", "1s").await;
    governed.publish("civil", "civil.v1");
    let proto = governed.tree("civil").join("civil/v1/address.proto");
    let text = fs::read_to_string(&proto).unwrap();
    let field = text
        .lines()
        .find(|line| line.trim_start().starts_with("string district = "))
        .unwrap();
    edit(
        &proto,
        field,
        &field.replacen("string district", "string quarter", 1),
    );
    let (exit, told) = governed.registry("civil", &["publish", "civil.v1"]);
    assert_eq!(exit, Some(1), "{told}");
    assert!(
        told.contains("FIELD_SAME_NAME: civil.v1.Address.quarter"),
        "{told}"
    );
    assert!(told.contains("not published"), "{told}");
    let (_, told) = governed.registry("civil", &["revisions"]);
    let [row] = &table::of_text(&told)[..] else {
        panic!("one revision: {told}");
    };
    assert_eq!(row[..2], ["* civil.v1 revision 1", "civil"]);
}

#[tokio::test]
async fn nobody_publishes_into_what_is_anothers() {
    let governed = Governed::new().await;
    let _tax = governed.start("tax", "1s").await;
    let (exit, told) = governed.registry("tax", &["publish", "civil.v1"]);
    assert_eq!(exit, Some(64), "{told}");
    assert!(told.contains("`civil.v1` is of `civil`"), "{told}");

    // A gateway that checks nothing of its own, and lists it.
    let texts = governed.texts("tax", "tax.v1", "package tax.v1;", "package civil.v2;");
    let texts: Vec<_> = texts
        .iter()
        .map(|(name, text)| {
            let text = text.replace("package tax.v1;", "package civil.v2;");
            (
                name.replace("tax/v1/", "civil/v2/"),
                text.replace("tax/v1/", "civil/v2/"),
            )
        })
        .collect();
    let texts: Vec<_> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.clone()))
        .collect();
    drop(_tax);
    governed.forge("tax", "tax", "civil.v2", &texts);
    let _tax = governed.start("tax", "1h").await;
    let _civil = governed.start("civil", "1s").await;
    let at_civil = governed.world.journal("civil");
    let (_, refused) = registry_entry(&at_civil, RegistryEvent::Refused, 1).await;
    assert_eq!(
        (refused.owner.as_str(), refused.package.as_str()),
        ("tax", "civil.v2")
    );
    assert!(
        refused
            .detail
            .contains("`tax` may not publish `civil.v2`: `civil.v1` is of `civil`"),
        "{}",
        refused.detail
    );
    assert!(
        !governed
            .config("civil")
            .publication
            .path
            .join("civil.v2")
            .exists()
    );
}

#[tokio::test]
async fn a_revision_that_its_owner_did_not_sign_is_refused_and_the_one_before_serves_on() {
    let governed = Governed::new().await;
    let civil = governed.start("civil", "1s").await;
    let _tax = governed.start("tax", "1s").await;
    governed.publish("civil", "civil.v1");
    let at_tax = governed.world.journal("tax");
    registry_entry(&at_tax, RegistryEvent::Adopted, 1).await;
    civil.kill();

    let changed = governed.texts(
        "civil",
        "civil.v1",
        "title: \"Resident\"",
        "title: \"Forged\"",
    );
    let changed: Vec<_> = changed
        .iter()
        .map(|(name, text)| (name.as_str(), text.clone()))
        .collect();
    governed.forge("civil", "tax", "civil.v1", &changed);
    let _civil = governed.start("civil", "1h").await;
    let (_, refused) = registry_entry(&at_tax, RegistryEvent::Refused, 2).await;
    assert!(
        refused
            .detail
            .contains("not signed by a journal key that the directory has of `civil`"),
        "{}",
        refused.detail
    );
    assert_eq!(governed.title("tax", "assessment").await, "Resident");
    let assessment = governed.world.system("tax", "assessment");
    assessment.ask(&asked("STILL")).await.unwrap();
}
