//! A federation of real gateways in a folder: what every test of the suite stands on.

pub(crate) mod asked;
pub(crate) mod books;
pub(crate) mod client;
pub(crate) mod crowd;
pub(crate) mod disk;
pub(crate) mod gateway;
pub(crate) mod http2;
pub(crate) mod impostor;
pub(crate) mod journal;
pub(crate) mod link;
pub(crate) mod packets;
pub(crate) mod person;
pub(crate) mod random;
pub(crate) mod records;
pub(crate) mod refusal;
#[expect(dead_code, reason = "the tests of `source::sql` use all of it")]
#[path = "../../src/source/sql/tests/server.rs"]
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod table;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process;
use std::process::Command;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;
use std::time::Duration;

use landbridge::clock::Clock;
use landbridge::demo::federation::DEPARTMENTS;
use landbridge::demo::federation::Federation;
use landbridge::demo::federation::Ports;
use landbridge::identity::pki::Authority;
use landbridge::identity::pki::Term;
use landbridge::identity::spiffe::SpiffeId;
use landbridge::reading::reader::Right;
use landbridge::reading::reader::Token;
use landbridge::registry::Registry;
use prost_reflect::DynamicMessage;
use tempfile::TempDir;

use client::Asker;
use client::Shown;
use gateway::Gateway;
use journal::Journal;

/// What a test waits for comes within this, or it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The sample federation, laid out on ports of its own, with synthetic records at each department.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) federation: Federation,
}

impl World {
    /// A hundred residents; no gateway runs yet. No journal has witnesses, so that a gateway is ready alone.
    pub(crate) async fn new() -> Self {
        Self::with_residents(100).await
    }

    pub(crate) async fn with_residents(residents: u32) -> Self {
        let world = Self::witnessed(residents).await;
        for (department, _) in DEPARTMENTS {
            let policy = format!("policy = \"witnesses/{department}.policy\"");
            edit(&world.federation.settings(department), &policy, "");
        }
        world
    }

    /// Each gateway has the two others as witnesses, and is ready when one of them answers.
    pub(crate) async fn witnessed(residents: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let federation =
            Federation::lay_out(folder.path(), free_ports(), Clock::System.now()).unwrap();
        let world = Self { folder, federation };
        for (department, _) in DEPARTMENTS {
            world.part_agreements(department);
            let var = world.path(&format!("var/{department}"));
            fs::create_dir_all(&var).unwrap();
            records::fill(
                &var.join(format!("{department}.sqlite")),
                department,
                residents,
            )
            .await;
        }
        world
    }

    /// Residents with 4 KiB of former names, which tax may have, up to 10,000 at once: answers too large for any buffer.
    pub(crate) async fn with_bulk(residents: u32) -> Self {
        let world = Self::with_residents(residents).await;
        records::run(&world.path("var/civil/civil.sqlite"), records::BULK).await;
        world.amend(
            "\"address.district\"]",
            "\"address.district\", \"former_names\"]",
        );
        world.amend("max_records = 1000", "max_records = 10000");
        world
    }

    /// Each department holds its own copies of the agreements, as in life, so that a test can make them differ.
    fn part_agreements(&self, department: &str) {
        let own = self.path(&format!("config/{department}/agreements"));
        fs::create_dir_all(&own).unwrap();
        for file in fs::read_dir(self.path("config/agreements")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), own.join(file.file_name())).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn ports(&self, department: &str) -> Ports {
        self.federation.ports_of(department).unwrap()
    }

    /// Names a reader in a department's settings, before its gateway starts; gives the reader's token.
    pub(crate) fn reader(&self, department: &str, name: &str, rights: &[Right]) -> String {
        let token = Token::fresh().unwrap();
        let rights: Vec<_> = rights.iter().map(|right| right.as_str()).collect();
        self.settle(
            department,
            &format!(
                "[[operators.reader]]\nname = \"{name}\"\ntoken_sha256 = \"{}\"\nrights = {rights:?}\n",
                token.digest()
            ),
        );
        token.reveal().to_owned()
    }

    /// Puts more into a department's settings.
    pub(crate) fn settle(&self, department: &str, stanza: &str) {
        let file = self.federation.settings(department);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}\n{stanza}")).unwrap();
    }

    /// Starts a department's gateway and waits until it is ready.
    pub(crate) async fn start(&self, department: &str) -> Gateway {
        self.start_with(department, &[]).await
    }

    /// Starts a gateway with settings over those of its file, e.g. `("LIMITS__STALL_DEADLINE", "1s")`.
    pub(crate) async fn start_with(&self, department: &str, settings: &[(&str, &str)]) -> Gateway {
        let gateway = self.launch(department, settings);
        gateway.is_ready().await;
        gateway
    }

    /// Starts a gateway without waiting for it.
    pub(crate) fn launch(&self, department: &str, settings: &[(&str, &str)]) -> Gateway {
        self.launch_saying(department, settings, &[])
    }

    /// Starts a gateway with further words on its command line.
    pub(crate) fn launch_saying(
        &self,
        department: &str,
        settings: &[(&str, &str)],
        words: &[&str],
    ) -> Gateway {
        let agreements = format!("{department}/agreements");
        let mut all = vec![("LOG__FORMAT", "json"), ("POLICY__AGREEMENTS", &agreements)];
        all.extend_from_slice(settings);
        Gateway::launch(
            &self.federation.settings(department),
            self.ports(department),
            &all,
            words,
        )
    }

    /// The gateways of civil and tax: provider and consumer of the agreement that most tests are about.
    pub(crate) async fn pair(&self) -> (Gateway, Gateway) {
        tokio::join!(self.start("civil"), self.start("tax"))
    }

    /// The gateways of civil, tax and market, which witness one another's journals.
    pub(crate) async fn trio(&self) -> [Gateway; 3] {
        let start = |department| self.start(department);
        tokio::join!(start("civil"), start("tax"), start("market")).into()
    }

    /// A system at its own gateway's door.
    pub(crate) fn system(&self, department: &str, system: &str) -> Asker {
        let shown = self.shown(department, &format!("systems/{system}"));
        self.systems_door(department, Some(shown))
    }

    /// Whoever shows that at a department's systems door.
    /// Lets a program show itself as tax's assessment system, with the flags that all clients have.
    pub(crate) fn as_assessment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let file = |name: &str| self.federation.certificate(&format!("tax/{name}"));
        command
            .arg("--ca")
            .arg(file("ca.pem"))
            .arg("--cert")
            .arg(file("systems/assessment.pem"))
            .arg("--key")
            .arg(file("systems/assessment.key"))
    }

    pub(crate) fn systems_door(&self, department: &str, shown: Option<Shown>) -> Asker {
        let ca = self.federation.certificate(&format!("{department}/ca.pem"));
        Asker::at(self.ports(department).systems, &ca, shown)
    }

    /// One department's gateway, or whoever has its certificate, at the peers door of another.
    pub(crate) fn peer(&self, department: &str, at: &str) -> Asker {
        self.peers_door(at, Some(self.shown(department, "peers")))
    }

    /// Whoever shows that at a department's peers door.
    pub(crate) fn peers_door(&self, department: &str, shown: Option<Shown>) -> Asker {
        let ca = self.federation.certificate("federation/ca.pem");
        Asker::at(self.ports(department).peers, &ca, shown)
    }

    /// A certificate of the layout: `peers` or `systems/<name>`.
    pub(crate) fn shown(&self, department: &str, stem: &str) -> Shown {
        let file = |extension| {
            self.federation
                .certificate(&format!("{department}/{stem}.{extension}"))
        };
        Shown::from_files(&file("pem"), &file("key"))
    }

    /// The CA in a folder of the certificates: `federation`, or a department.
    pub(crate) fn authority(&self, name: &str) -> Authority {
        Authority::open(&self.federation.certificate(name)).unwrap()
    }

    /// A certificate for `civil` or `tax/assessment` by one of the CAs.
    pub(crate) fn issue(&self, authority: &str, id: &str, term: Term) -> Shown {
        let issue = self
            .authority(authority)
            .issue(&spiffe(id), &[], term)
            .unwrap();
        Shown::from_pem(&issue.certificate, &issue.key)
    }

    pub(crate) fn journal(&self, department: &str) -> Journal {
        let var = self.path(&format!("var/{department}"));
        Journal::of(&format!("gov.example/{department}/1"), &var)
    }

    /// A department's copy of an agreement.
    pub(crate) fn agreement(&self, department: &str, id: &str) -> PathBuf {
        self.path(&format!("config/{department}/agreements/{id}.toml"))
    }

    /// Changes each department's copy of the agreement between civil and tax.
    pub(crate) fn amend(&self, from: &str, to: &str) {
        for department in ["civil", "tax"] {
            edit(&self.agreement(department, "CIV-TAX-2026-01"), from, to);
        }
    }

    /// A record in the JSON form of its type.
    pub(crate) fn decode(&self, record_type: &str, record: &[u8]) -> serde_json::Value {
        let registry = Registry::compile(&self.path("proto/registry")).unwrap();
        let descriptor = registry.record(record_type).unwrap().descriptor().clone();
        let message = DynamicMessage::decode(descriptor, record).unwrap();
        let options = prost_reflect::SerializeOptions::new().use_proto_field_name(true);
        message
            .serialize_with_options(serde_json::value::Serializer, &options)
            .unwrap()
    }
}

/// Replaces a text that must be there.
pub(crate) fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{} has no `{from}`", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

/// `civil` or `tax/assessment`, in the sample's trust domain.
pub(crate) fn spiffe(short: &str) -> SpiffeId {
    let (department, system) = short
        .split_once('/')
        .map_or((short, None), |(d, s)| (d, Some(s)));
    let (domain, department) = ("gov.example".parse().unwrap(), department.parse().unwrap());
    match system {
        None => SpiffeId::department_of(domain, department),
        Some(system) => SpiffeId::system_of(domain, department, system.parse().unwrap()),
    }
}

/// A port that nothing listens on, below those that the system gives to outgoing connections, and another for each test:
/// tests are processes side by side, or threads of one.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u32 = 10_000;
    const RANGE: u32 = 20_000;
    std::iter::repeat_with(|| {
        let offset = process::id() * 61 + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        u16::try_from(FIRST + offset % RANGE).unwrap()
    })
    .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok())
    .unwrap()
}

fn free_ports() -> [Ports; 3] {
    [(); 3].map(|()| Ports {
        systems: free_port(),
        peers: free_port(),
        operators: free_port(),
    })
}
