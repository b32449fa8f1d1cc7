//! Everything that reads bytes from outside, each as one function that must not panic, whatever it is given.
//!
//! `tests/suite/fuzz.rs` runs them for seconds with every test run; `tests/fuzz/Cargo.toml` is for hours, guided by coverage.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use bytes::Bytes;
use landbridge::clock::Moment;
use landbridge::config::Config;
use landbridge::evidence::witness::request::AddCheckpoint;
use landbridge::identity::Caller;
use landbridge::identity::directory::Directory;
use landbridge::identity::material::Material;
use landbridge::identity::material::MaterialPaths;
use landbridge::journal::reader::Reader;
use landbridge::journal::tiles::TilePath;
use landbridge::journal::verify::verify;
use landbridge::pb;
use landbridge::policy::PolicyFile;
use landbridge::policy::PolicyInput;
use landbridge::policy::PolicySet;
use landbridge::publication::Revision;
use landbridge::redact::PseudonymKey;
use landbridge::redact::Redaction;
use landbridge::redact::Redactions;
use landbridge::registry::Registry;
use landbridge::registry::filter::Filter;
use landbridge::registry::query::Query;
use landbridge::registry::query::Raw;
use landbridge::registry::query::RawSelection;
use landbridge::registry::revision::PackageFiles;
use landbridge::registry::rules::FieldSet;
use landbridge::source::import::import;
use landbridge::tlog::note;
use landbridge::tlog::note::VerifierKey;
use landbridge::tlog::proof::Proof;
use landbridge::tlog::signed_checkpoint::SignedCheckpoint;
use prost::Message;
use time::UtcOffset;

/// Noon of a day on which the sample's agreements are in force.
const NOON: Moment = Moment::from_micros(1_780_286_400_000_000);

/// Reads bytes, and must not panic.
pub(crate) type Target = fn(&Ground, &[u8]);

/// What reads, by its name.
pub(crate) const ALL: [(&str, Target); 15] = [
    ("request", request),
    ("filter", filter),
    ("redaction", redaction),
    ("rules", rules),
    ("agreement", agreement),
    ("guardrail", guardrail),
    ("registry", registry),
    ("revision", revision),
    ("journal", journal),
    ("proof", proof),
    ("witness", witness),
    ("import", import_csv),
    ("certificate", certificate),
    ("directory", directory),
    ("settings", settings),
];

/// What the targets read by.
pub(crate) struct Ground {
    root: PathBuf,
    registry: Registry,
    redaction: Redaction,
    folder: tempfile::TempDir,
}

impl Ground {
    /// `root`: the repository.
    pub(crate) fn new(root: &Path) -> Self {
        let registry =
            Registry::compile(&root.join("proto/registry")).expect("the sample compiles");
        let agreements = ["CIV-TAX-2026-01", "CIV-CIV-2026-01"]
            .map(|id| policy_file(&root.join(format!("config/agreements/{id}.toml"))));
        let policy =
            policy(&registry, &agreements, &[]).expect("the sample's agreements are sound");
        let schema = registry.record("civil.v1.Resident").expect("it is there");
        let raw = Raw {
            purpose: "tax-assessment",
            fields: &[],
            selection: RawSelection::Get { key: "R1" },
        };
        let query = Query::check(schema, &raw).expect("it is sound");
        let caller = Caller::assumed(
            "tax".parse().expect("a name"),
            Some("assessment".parse().expect("a name")),
        );
        let permit = policy.decide(&caller, query, NOON).expect("it is granted");
        Self {
            redaction: Redactions::default().of(&permit, &PseudonymKey::from_secret(&[7; 32])),
            registry,
            root: root.to_owned(),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Sound inputs of a target, to begin with.
    pub(crate) fn seeds(&self, target: &str) -> Vec<Vec<u8>> {
        let of_files = |folder: &str| {
            let mut files = Vec::new();
            for entry in fs::read_dir(self.root.join(folder)).expect("a folder") {
                files.push(fs::read(entry.expect("an entry").path()).expect("a file"));
            }
            files
        };
        match target {
            "request" => vec![sample_request().encode_to_vec()],
            "filter" => vec![
                b"full_name == \"x\" && (height_cm > 150 || !has(phone))".to_vec(),
                b"address.district in [\"Nanming\", \"Yunyan\"] && status == \"STATUS_ACTIVE\"".to_vec(),
                b"registered_at < timestamp(\"2026-01-01T00:00:00Z\")".to_vec(),
            ],
            "redaction" | "rules" => vec![sample_record()],
            "agreement" => of_files("config/agreements"),
            "guardrail" => of_files("config/guardrails"),
            "registry" => of_files("proto/registry/civil/v1"),
            "revision" => vec![b"landbridge registry revision\npackage civil.v1\nowner civil\nnumber 3\ndigest 07070707070707070707070707070707070707070707070707070707070707\nprevious none\npublished 2026-11-29T06:40:00Z\n".to_vec()],
            "journal" => of_files("tests/fuzz/corpus/journal"),
            "proof" | "witness" => of_files(&format!("tests/fuzz/corpus/{target}")),
            "import" => vec![b"resident_id,full_name,national_id,address.district,former_names,registered_at\nR1,\"a, b\",110101199001011237,Nanming,\"[\"\"x\"\"]\",2026-01-31T08:00:00+08:00\n".to_vec()],
            "certificate" => of_files("tests/fuzz/corpus/certificate"),
            "directory" => vec![fs::read(self.root.join("config/directory.toml")).expect("the directory")],
            "settings" => ["civil", "tax"]
                .map(|d| fs::read(self.root.join(format!("config/{d}.toml"))).expect("settings"))
                .to_vec(),
            _ => Vec::new(),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("a folder");
        }
        fs::write(&path, bytes).expect("a file");
        path
    }
}

fn policy_file(path: &Path) -> PolicyFile {
    PolicyFile {
        path: path.display().to_string(),
        text: fs::read_to_string(path).expect("a file"),
    }
}

fn policy(
    registry: &Registry,
    agreements: &[PolicyFile],
    guardrails: &[PolicyFile],
) -> Result<PolicySet, Vec<landbridge::fault::Fault>> {
    PolicySet::compile(&PolicyInput {
        department: &"civil".parse().expect("a name"),
        departments: &["civil", "tax", "market"].map(|id| id.parse().expect("a name")),
        registry,
        agreements,
        guardrails,
        offset: UtcOffset::UTC,
        before: None,
    })
}

fn sample_request() -> pb::QueryRecordsRequest {
    pb::QueryRecordsRequest {
        record_type: "civil.v1.Resident".to_owned(),
        grounds: Some(pb::Grounds {
            purpose: "tax-assessment".to_owned(),
            case_reference: "T-1".to_owned(),
            officer: "W. Example".to_owned(),
        }),
        filter: "full_name == \"x\"".to_owned(),
        order_by: "full_name desc".to_owned(),
        ..Default::default()
    }
}

/// A resident, with a message, a list and a map in it.
fn sample_record() -> Vec<u8> {
    b"\x0a\x0bR0000000003\x12\x03\xe7\x8e\x8b\x1a\x12110101199001011237\x20\x01\x2a\x0a1990-01-01\x32\x02HA\x38\x01\x42\x09\x0a\x07Nanming\x52\x01x\x5a\x0213\x60\xaa\x01\x6a\x06\x08\x80\x84\xaf\xda\x05\x72\x06\x0a\x01a\x12\x01b".to_vec()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn request(ground: &Ground, bytes: &[u8]) {
    _ = pb::GetRecordRequest::decode(bytes);
    _ = pb::VerifyRecordRequest::decode(bytes);
    _ = pb::FileCorrectionRequest::decode(bytes);
    _ = pb::FetchRevisionResponse::decode(bytes);
    let Ok(asked) = pb::QueryRecordsRequest::decode(bytes) else {
        return;
    };
    let Ok(schema) = ground.registry.record(&asked.record_type) else {
        return;
    };
    let fields = asked.fields.unwrap_or_default().paths;
    let raw = Raw {
        purpose: &asked.grounds.unwrap_or_default().purpose,
        fields: &fields,
        selection: RawSelection::Query {
            filter: &asked.filter,
            order_by: &asked.order_by,
            limit: asked.limit,
            cursor: &asked.cursor,
        },
    };
    _ = Query::check(schema, &raw).map_err(|invalid| invalid.to_string());
}

fn filter(ground: &Ground, bytes: &[u8]) {
    let schema = ground.registry.record("civil.v1.Resident");
    let text = text(bytes);
    if let Ok(filter) = Filter::parse(&text, schema.expect("it is there")) {
        _ = filter.matches(&sample_record());
        _ = filter.matches(bytes);
    }
    _ = ground.registry.search(&text).count();
}

fn redaction(ground: &Ground, bytes: &[u8]) {
    let record = Bytes::copy_from_slice(bytes);
    if let Ok(Some(left)) = ground.redaction.apply(&record) {
        // What a gateway lets out, another one lets through unchanged.
        let once = left.into_bytes();
        _ = ground.redaction.apply(&once);
    }
}

fn rules(ground: &Ground, bytes: &[u8]) {
    let schema = ground.registry.record("civil.v1.Resident");
    let rules = schema.expect("it is there").rules().expect("it has some");
    _ = rules.violation(bytes, &FieldSet::All);
}

fn agreement(ground: &Ground, bytes: &[u8]) {
    let file = PolicyFile {
        path: "fuzz.toml".to_owned(),
        text: text(bytes),
    };
    _ = policy(&ground.registry, &[file], &[]);
}

fn guardrail(ground: &Ground, bytes: &[u8]) {
    let file = PolicyFile {
        path: "fuzz.cedar".to_owned(),
        text: text(bytes),
    };
    _ = policy(&ground.registry, &[], &[file]);
}

fn registry(_: &Ground, bytes: &[u8]) {
    let compiled = Registry::compile_texts([("civil/v1/fuzz.proto".to_owned(), text(bytes))]);
    if let Ok(registry) = compiled {
        _ = landbridge::registry::lint::lint(registry.pool());
        _ = landbridge::registry::compat::compare(registry.pool(), registry.pool());
    }
}

fn revision(_: &Ground, bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(revision) = text.parse::<Revision>() {
        assert_eq!(revision.to_string(), text, "one form only");
    }
    let files = BTreeMap::from([(text.clone(), text)]);
    _ = PackageFiles::new("civil.v1".parse().expect("a name"), files);
}

fn journal(ground: &Ground, bytes: &[u8]) {
    ground.write("journal/seg/00000000000000000000.seg", bytes);
    let dir = ground.folder.path().join("journal");
    if let Ok(entries) = Reader::open(&dir).forward(0) {
        entries.take(1_000).for_each(drop);
    }
    _ = verify(&dir, &[]);
}

fn proof(_: &Ground, bytes: &[u8]) {
    let text = text(bytes);
    _ = text.parse::<Proof>().map(|proof| proof.to_string());
    _ = text.parse::<VerifierKey>();
    _ = text.parse::<TilePath>();
    _ = note::open(&text, &[]);
    _ = SignedCheckpoint::open(&text, &[]);
}

fn witness(_: &Ground, bytes: &[u8]) {
    _ = AddCheckpoint::parse(&text(bytes)).map(|asked| asked.body());
}

fn import_csv(ground: &Ground, bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let schema = ground.registry.record("civil.v1.Resident");
    let table = "residents".parse().expect("a name");
    _ = runtime.expect("a runtime").block_on(import(
        bytes,
        schema.expect("it is there"),
        Path::new(":memory:"),
        &table,
        false,
        |_| {},
    ));
}

fn certificate(ground: &Ground, bytes: &[u8]) {
    let file = ground.write("fuzz.pem", bytes);
    let paths = MaterialPaths {
        certificate: file.clone(),
        key: file.clone(),
        ca: file.clone(),
        crls: vec![file],
    };
    _ = Material::load(&paths, &"gov.example".parse().expect("a name"), NOON);
}

fn directory(_: &Ground, bytes: &[u8]) {
    _ = Directory::parse("fuzz.toml", &text(bytes));
}

fn settings(ground: &Ground, bytes: &[u8]) {
    let file = ground.write("fuzz.toml", bytes);
    _ = Config::load(&file);
}
