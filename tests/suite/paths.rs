//! What lies behind a path may be swapped in any way: what is there now is in force, and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use landbridge::clock::Clock;
use landbridge::identity::pki::Term;
use landbridge::pb;
use landbridge::pb::catalog_service_client::CatalogServiceClient;
use serde_json::Value;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::edit;
use crate::harness::gateway::Gateway;
use crate::harness::records;
use crate::harness::records::Resident;
use crate::harness::spiffe;

const AGREEMENT: &str = "CIV-TAX-2026-01.toml";
const PURPOSES: &str = "\"tax-assessment\", \"arrears\"";
const WITH_REFUNDS: &str = "\"tax-assessment\", \"arrears\", \"refunds\"";
const STAYS: &str = "not reloaded: the old state stays";

/// Civil's gateway, and tax at its peers door under the agreement that a test withdraws.
struct Scene {
    world: World,
    civil: Gateway,
}

const ANSWERED: &str = "answered";
const CUT: &str = "cut";

impl Scene {
    async fn new() -> Self {
        Self::laid_out(|_| {}).await
    }

    /// With the files as `lay_out` makes them before the gateway starts.
    async fn laid_out(lay_out: impl FnOnce(&World)) -> Self {
        let world = World::new().await;
        lay_out(&world);
        let civil = world.start("civil").await;
        let scene = Self { world, civil };
        assert_eq!(scene.outcome().await, ANSWERED, "the agreement is in force");
        scene
    }

    fn agreements(&self) -> PathBuf {
        agreements(&self.world)
    }

    /// What comes of it when tax asks: `ANSWERED`, `CUT` where civil does not speak to it, or why it is refused.
    async fn outcome(&self) -> String {
        self.outcome_for("tax-assessment").await
    }

    async fn outcome_for(&self, purpose: &str) -> String {
        let asked = Asked::get(&Resident(7).key()).purpose(purpose);
        let asked = asked.relayed_for("assessment");
        match self.world.peer("tax", "civil").ask(&asked).await {
            Ok(_) => ANSWERED.to_owned(),
            Err(refused) if refused.is_cut() => CUT.to_owned(),
            Err(refused) => refused.reason,
        }
    }

    async fn reloads_by_itself(&mut self) {
        let line = self.civil.told("reloaded").await;
        assert_eq!(line["why"], "files changed");
    }

    async fn is_withdrawn(&mut self) {
        self.reloads_by_itself().await;
        assert_eq!(self.outcome().await, "NO_AGREEMENT");
    }

    /// Why civil's door turns tax away.
    async fn refused_at_the_door(&mut self) -> String {
        assert_eq!(self.outcome().await, CUT);
        let line = self.civil.told("connection refused").await;
        line["reason"].as_str().unwrap().to_owned()
    }

    /// The certificate that civil shows.
    async fn shown_at_the_door(&self) -> Vec<u8> {
        let connection = self
            .world
            .peer("tax", "civil")
            .dial
            .connect()
            .await
            .unwrap();
        let (_, tls) = connection.get_ref();
        tls.peer_certificates().unwrap()[0].to_vec()
    }

    fn told(&self, message: &str) -> usize {
        let log = self.civil.log_text();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &Value| line["message"] == message)
            .count()
    }
}

fn agreements(world: &World) -> PathBuf {
    world.path("config/civil/agreements")
}

/// A copy of a folder beside it, without the agreement between civil and tax.
fn without_agreement(folder: &Path, name: &str) -> PathBuf {
    let copy = copied(folder, name);
    fs::remove_file(copy.join(AGREEMENT)).unwrap();
    copy
}

fn copied(folder: &Path, name: &str) -> PathBuf {
    let copy = folder.with_file_name(name);
    fs::create_dir_all(&copy).unwrap();
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    copy
}

/// As `ln -sfn` does it: at no moment is there nothing.
fn swap_link(link: &Path, target: &Path) {
    let fresh = link.with_file_name("fresh");
    symlink(target, &fresh).unwrap();
    fs::rename(fresh, link).unwrap();
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {told}");
}

#[tokio::test]
async fn an_agreement_withdrawn_in_a_folder_that_was_put_in_place_is_not_in_force() {
    let mut scene = Scene::new().await;
    let folder = scene.agreements();
    let new = copied(&folder, "new");
    fs::rename(&folder, folder.with_file_name("old")).unwrap();
    fs::rename(new, &folder).unwrap();
    fs::remove_file(folder.join(AGREEMENT)).unwrap();
    scene.is_withdrawn().await;

    // What is put back into the folder of before changes nothing; into that of now it does.
    fs::copy(
        folder.with_file_name("old").join(AGREEMENT),
        folder.join(AGREEMENT),
    )
    .unwrap();
    scene.reloads_by_itself().await;
    assert_eq!(scene.outcome().await, ANSWERED);
    fs::remove_file(folder.join(AGREEMENT)).unwrap();
    scene.civil.reload().await;
    assert_eq!(scene.outcome().await, "NO_AGREEMENT");
}

#[tokio::test]
async fn a_folder_behind_a_link_is_followed_whenever_the_link_is_swapped() {
    let mut scene = Scene::laid_out(|world| {
        let folder = agreements(world);
        fs::rename(&folder, folder.with_file_name("v1")).unwrap();
        symlink("v1", &folder).unwrap();
    })
    .await;
    let folder = scene.agreements();
    let second = without_agreement(&folder, "v2");
    swap_link(&folder, &second);
    scene.is_withdrawn().await;
    // The old tree is there still, and its deletion is nobody's concern.
    swap_link(&folder, Path::new("v1"));
    scene.reloads_by_itself().await;
    assert_eq!(scene.outcome().await, ANSWERED);
    swap_link(&folder, Path::new("v2"));
    scene.is_withdrawn().await;
}

/// `agreements/X.toml -> ..data/X.toml`, `..data -> ..2026_12_01`: a ConfigMap is updated by swapping `..data`.
#[tokio::test]
async fn a_folder_mounted_from_a_config_map_is_read_again_when_it_is_updated() {
    let mut scene = Scene::laid_out(|world| {
        let folder = agreements(world);
        let first = folder.join("..2026_12_01");
        fs::rename(&folder, folder.with_file_name("aside")).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::rename(folder.with_file_name("aside"), &first).unwrap();
        symlink("..2026_12_01", folder.join("..data")).unwrap();
        for file in fs::read_dir(&first).unwrap() {
            let name = file.unwrap().file_name();
            symlink(Path::new("..data").join(&name), folder.join(&name)).unwrap();
        }
    })
    .await;
    let folder = scene.agreements();
    let second = copied(&folder.join("..2026_12_01"), "..2026_12_02");
    edit(&second.join(AGREEMENT), PURPOSES, WITH_REFUNDS);
    swap_link(&folder.join("..data"), Path::new("..2026_12_02"));
    fs::remove_dir_all(folder.join("..2026_12_01")).unwrap();
    scene.reloads_by_itself().await;
    assert_eq!(scene.outcome_for("refunds").await, ANSWERED);

    let third = without_agreement(&second, "..2026_12_03");
    swap_link(&folder.join("..data"), &third);
    // As the kubelet does it: what is gone from the map loses its link afterwards.
    fs::remove_file(folder.join(AGREEMENT)).unwrap();
    scene.is_withdrawn().await;
}

#[tokio::test]
async fn a_folder_that_is_mounted_over_is_read_where_it_is_now() {
    let mut scene = Scene::new().await;
    let folder = scene.agreements();
    let other = without_agreement(&folder, "other");
    let Some(_mount) = Mount::bind(&other, &folder) else {
        eprintln!("not tried: nothing can be mounted here");
        return;
    };
    scene.is_withdrawn().await;
}

#[tokio::test]
async fn a_revocation_list_behind_a_link_is_read_when_its_target_is_rewritten_or_swapped() {
    let mut scene = Scene::laid_out(|world| {
        let list = world.federation.certificate("federation/crl.pem");
        let folder = world.path("lists");
        fs::create_dir(&folder).unwrap();
        fs::rename(&list, folder.join("present.pem")).unwrap();
        let tax = spiffe("tax").to_string();
        let mut authority = world.authority("federation");
        authority.revoke(&tax, Clock::System.now()).unwrap();
        fs::rename(&list, folder.join("next.pem")).unwrap();
        fs::copy(folder.join("present.pem"), folder.join("crl.pem")).unwrap();
        symlink(folder.join("crl.pem"), &list).unwrap();
    })
    .await;
    let lists = scene.world.path("lists");
    fs::copy(lists.join("next.pem"), lists.join("crl.pem")).unwrap();
    scene.reloads_by_itself().await;
    assert_eq!(scene.refused_at_the_door().await, "CERT_REVOKED");

    let link = scene.world.federation.certificate("federation/crl.pem");
    swap_link(&link, &lists.join("present.pem"));
    scene.reloads_by_itself().await;
    assert_eq!(scene.outcome().await, ANSWERED);
}

#[tokio::test]
async fn a_certificate_behind_a_link_is_shown_as_it_is_now() {
    let mut scene = Scene::laid_out(|world| {
        for name in ["peers.pem", "peers.key"] {
            let file = world.federation.certificate(&format!("civil/{name}"));
            let target = file.with_file_name(format!("first-{name}"));
            fs::rename(&file, &target).unwrap();
            symlink(&target, &file).unwrap();
        }
    })
    .await;
    let file = |name: &str| scene.world.federation.certificate(&format!("civil/{name}"));
    let mut authority = scene.world.authority("federation");
    let term = Term::lasting(Duration::from_secs(3_600), Clock::System.now());
    let issue = authority.issue(&spiffe("civil"), &[], term).unwrap();
    // The certificate first: it does not fit the key until that is there, too.
    fs::write(file("next.pem"), &issue.certificate).unwrap();
    fs::write(file("next.key"), &issue.key).unwrap();
    fs::set_permissions(file("next.key"), fs::Permissions::from_mode(0o600)).unwrap();
    swap_link(&file("peers.pem"), &file("next.pem"));
    scene.civil.told(STAYS).await;
    let before = scene.shown_at_the_door().await;
    swap_link(&file("peers.key"), &file("next.key"));
    scene.reloads_by_itself().await;
    assert_ne!(scene.shown_at_the_door().await, before);
}

#[tokio::test]
async fn files_are_read_again_however_they_are_replaced() {
    let mut scene = Scene::new().await;
    let file = scene.agreements().join(AGREEMENT);
    let text = fs::read_to_string(&file).unwrap();
    let amended = text.replace(PURPOSES, WITH_REFUNDS);
    // Editors and rsync: a new file in the place of the old one.
    let fresh = file.with_extension("tmp");
    fs::write(&fresh, &amended).unwrap();
    fs::rename(&fresh, &file).unwrap();
    scene.reloads_by_itself().await;
    assert_eq!(scene.outcome_for("refunds").await, ANSWERED);
    // In place.
    fs::write(&file, &text).unwrap();
    scene.reloads_by_itself().await;
    assert_eq!(scene.outcome_for("refunds").await, "PURPOSE_NOT_AGREED");
    // Deleted, and back.
    fs::remove_file(&file).unwrap();
    scene.is_withdrawn().await;
    fs::write(&file, &text).unwrap();
    scene.reloads_by_itself().await;
    // What is refused for its mode is taken when the mode is right.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    scene.civil.told(STAYS).await;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    scene.reloads_by_itself().await;
    assert_eq!(scene.outcome().await, ANSWERED);
}

#[tokio::test]
async fn a_folder_that_is_missing_is_a_fault_and_an_empty_one_means_no_agreement() {
    let mut scene = Scene::new().await;
    let folder = scene.agreements();
    let aside = folder.with_file_name("aside");
    fs::rename(&folder, &aside).unwrap();
    let line = scene.civil.told(STAYS).await;
    let fault = line["fault"].as_str().unwrap();
    assert!(
        fault.contains("config/civil/agreements: cannot be read"),
        "{fault}"
    );
    assert_eq!(scene.outcome().await, ANSWERED, "the old state stays");
    let (_, metrics) = scene.civil.page("/metrics").await;
    assert!(metrics.contains("landbridge_files_refused 1"), "{metrics}");

    fs::create_dir(&folder).unwrap();
    scene.is_withdrawn().await;
    assert_eq!(
        scene.told(STAYS),
        1,
        "one fault is told once:\n{}",
        scene.civil.log_text()
    );
    let (_, metrics) = scene.civil.page("/metrics").await;
    assert!(metrics.contains("landbridge_files_refused 0"), "{metrics}");
    fs::remove_dir(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    scene.reloads_by_itself().await;
    assert_eq!(scene.outcome().await, ANSWERED);
}

#[tokio::test]
async fn what_else_is_written_beside_the_files_causes_no_reload() {
    let mut scene = Scene::new().await;
    let (folder, settings) = (scene.agreements(), scene.world.path("config"));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    // The gateway's own log, and whatever an editor leaves.
    let writer = thread::spawn(move || {
        let mut written = String::new();
        while !stopped.load(Ordering::Relaxed) {
            written.push_str("a line\n");
            for file in [settings.join("civil.log"), folder.join(".X.toml.swp")] {
                fs::write(file, &written).unwrap();
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let file = scene.agreements().join(AGREEMENT);
    for (from, to) in [(PURPOSES, WITH_REFUNDS), (WITH_REFUNDS, PURPOSES)] {
        edit(&file, from, to);
        scene.reloads_by_itself().await;
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert_eq!(scene.told("reloaded"), 2, "{}", scene.civil.log_text());
}

#[tokio::test]
async fn a_sqlite_file_that_is_replaced_is_read_where_it_is_now() {
    let scene = Scene::new().await;
    let file = scene.world.path("var/civil/civil.sqlite");
    let fresh = file.with_file_name("fresh.sqlite");
    records::fill(&fresh, "civil", 0).await;
    fs::rename(&fresh, &file).unwrap();
    assert_eq!(scene.outcome().await, "NOT_FOUND");
}

#[tokio::test]
async fn a_registry_that_is_a_git_tree_follows_the_branch_that_is_checked_out() {
    let mut scene = Scene::laid_out(|world| {
        let tree = world.path("proto/registry");
        let git = |arguments: &[&str]| {
            let tree = tree.to_str().unwrap();
            let identity = ["-c", "user.name=T", "-c", "user.email=t@gov.example"];
            let words = [&["-C", tree][..], &identity, arguments].concat();
            run("git", &words);
        };
        git(&["init", "--quiet", "--initial-branch=main"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message=first"]);
        git(&["checkout", "--quiet", "-b", "next"]);
        let proto = tree.join("civil/v1/resident.proto");
        edit(&proto, "title: \"Resident\"", "title: \"Inhabitant\"");
        git(&["commit", "--quiet", "--all", "--message=second"]);
        git(&["checkout", "--quiet", "main"]);
    })
    .await;
    let tree = scene.world.path("proto/registry");
    let mut catalog = CatalogServiceClient::new(scene.world.system("civil", "counter").channel);
    for (branch, title) in [("next", "Inhabitant"), ("main", "Resident")] {
        run(
            "git",
            &["-C", tree.to_str().unwrap(), "checkout", "--quiet", branch],
        );
        scene.reloads_by_itself().await;
        let request = pb::GetRecordTypeRequest {
            record_type: "civil.v1.Resident".to_owned(),
        };
        let told = catalog.get_record_type(request).await.unwrap().into_inner();
        assert_eq!(told.record_type.unwrap().title, title);
    }
}

/// As Kubernetes mounts ConfigMaps and Secrets.
#[tokio::test]
async fn folders_that_everybody_may_write_are_fine_where_nothing_can_be_written() {
    let world = World::new().await;
    let folder = agreements(&world);
    let open = |mode, file_mode| {
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            fs::set_permissions(file, fs::Permissions::from_mode(file_mode)).unwrap();
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(0o1777, 0o666);
    let Some(mount) = Mount::bind(&folder, &folder) else {
        eprintln!("not tried: nothing can be mounted here");
        return;
    };
    let mut civil = world.launch("civil", &[]);
    assert_eq!(civil.ended().await.code(), Some(64));
    let told = civil.log_text();
    assert!(
        told.contains("everybody on this machine may write it (mode 1777)"),
        "{told}"
    );
    mount.becomes_read_only();
    let civil = world.start("civil").await;
    drop((civil, mount));
}

#[tokio::test]
async fn a_byte_order_mark_before_any_file_says_nothing() {
    let scene = Scene::laid_out(|world| {
        let mut files = vec![
            world.federation.settings("civil"),
            world.path("config/directory.toml"),
            world.path("config/guardrails/personal.cedar"),
            world.path("proto/registry/civil/v1/resident.proto"),
            agreements(world).join(AGREEMENT),
            world.federation.certificate("civil/peers.pem"),
            world.federation.certificate("civil/peers.key"),
            world.federation.certificate("civil/ca.pem"),
            world.federation.certificate("civil/crl.pem"),
        ];
        let url = "sqlite:../var/civil/civil.sqlite";
        let settings = world.federation.settings("civil");
        edit(&settings, &format!("url = \"{url}\""), "url_file = \"url\"");
        files.push(world.path("config/url"));
        fs::write(world.path("config/url"), format!("{url}\n")).unwrap();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, format!("\u{feff}{text}")).unwrap();
        }
    })
    .await;
    // The text that is kept for auditors is that which is in force.
    let kept = scene.world.path("var/civil/journal/policy");
    let texts = fs::read_dir(kept)
        .unwrap()
        .filter_map(|file| fs::read_to_string(file.unwrap().path()).ok());
    let ids = texts
        .filter(|text| text.contains("\"CIV-TAX-2026-01\""))
        .count();
    assert_eq!(ids, 1);
}

/// Unmounted when it is dropped.
struct Mount(PathBuf);

impl Mount {
    /// None where this process may not mount.
    fn bind(from: &Path, at: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .arg("--bind")
            .args([from, at])
            .output()
            .unwrap();
        mounted.status.success().then(|| Self(at.to_owned()))
    }

    fn becomes_read_only(&self) {
        run(
            "mount",
            &["-o", "remount,bind,ro", self.0.to_str().unwrap()],
        );
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &["--lazy", self.0.to_str().unwrap()]);
    }
}
