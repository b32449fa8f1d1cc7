//! The operators' door for auditors: rights, the tree over HTTP, search, proofs, and what a person is told.

mod persons;
mod reading;
mod subjects;
mod tree;

use landbridge::digest::sha256;
use landbridge::pb;
use landbridge::pb::catalog_service_client::CatalogServiceClient;
use landbridge::pb::journal_record::Kind;
use landbridge::reading::reader::Right;
use prost::Message as _;
use tonic::Code;
use tonic::transport::Endpoint;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::gateway::Gateway;
use crate::harness::records::Resident;
use reading::Auditor;

const SCHEMES: &str = "[subjects]\nschemes = [\"national_id\"]\n";

/// What can be read, with the right that it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Page(&'static str, Option<Right>),
    Search,
    SearchByPerson,
    ListUsages,
    GetProof,
    GetStatus,
}

impl What {
    const ALL: [Self; 12] = [
        Self::Page("/journal/checkpoint", Some(Right::Tiles)),
        Self::Page("/journal/tile/0/000.p/1", Some(Right::Tiles)),
        Self::Page("/journal/tile/entries/000.p/1", Some(Right::Tiles)),
        Self::Page(
            "/v2/findUsage?userCode=990101000000000007X",
            Some(Right::Subjects),
        ),
        Self::Page("/v2/usagePeriod", Some(Right::Subjects)),
        Self::Page("/v2/heartbeat", Some(Right::Subjects)),
        Self::Page("/export?format=csv", Some(Right::Export)),
        Self::Search,
        Self::SearchByPerson,
        Self::ListUsages,
        Self::GetProof,
        Self::GetStatus,
    ];

    /// None: any reader may.
    fn right(self) -> Option<Right> {
        match self {
            Self::Page(_, right) => right,
            Self::Search | Self::GetProof => Some(Right::Search),
            Self::SearchByPerson | Self::ListUsages => Some(Right::Subjects),
            Self::GetStatus => None,
        }
    }

    /// The action of the entry that it leaves.
    fn action(self) -> Option<&'static str> {
        match self {
            Self::Page("/v2/usagePeriod" | "/v2/heartbeat", _) | Self::GetStatus => None,
            Self::Page(path, _) if path.starts_with("/journal") => Some("tiles"),
            Self::Page(path, _) if path.starts_with("/export") => Some("export"),
            Self::Page(..) | Self::SearchByPerson | Self::ListUsages => Some("subject"),
            Self::Search => Some("search"),
            Self::GetProof => Some("prove"),
        }
    }

    async fn read(self, civil: &Gateway, auditor: &Auditor) -> Result<(), Refused> {
        let subject = Some(pb::Subject {
            scheme: String::new(),
            identifier: Resident(7).national_id(),
        });
        let status = match self {
            Self::Page(path, _) => return page(civil, path, auditor).await,
            Self::Search => auditor.search(pb::SearchRequest::default()).await.err(),
            Self::SearchByPerson => {
                let asked = pb::SearchRequest {
                    subject,
                    ..Default::default()
                };
                auditor.search(asked).await.err()
            }
            Self::ListUsages => {
                let asked = pb::ListUsagesRequest {
                    subject,
                    ..Default::default()
                };
                auditor.usages(asked).await.err()
            }
            Self::GetProof => auditor.proof_of(0).await.err(),
            Self::GetStatus => auditor.status().await.err(),
        };
        match status {
            None => Ok(()),
            Some(status) => Err(Refused::of(&status)),
        }
    }
}

/// 401 or 403 over HTTP, and what that is in gRPC; with the sentence.
#[derive(Debug)]
struct Refused {
    unknown: bool,
    lacking: bool,
    text: String,
}

impl Refused {
    fn of(status: &tonic::Status) -> Self {
        Self {
            unknown: status.code() == Code::Unauthenticated,
            lacking: status.code() == Code::PermissionDenied,
            text: status.message().to_owned(),
        }
    }
}

async fn page(civil: &Gateway, path: &str, auditor: &Auditor) -> Result<(), Refused> {
    let page = civil.fetch(path, &auditor.headers()).await;
    if page.status == 200 {
        return Ok(());
    }
    Err(Refused {
        unknown: page.status == 401 && page.head.contains("www-authenticate: Bearer"),
        lacking: page.status == 403,
        text: page.json()["message"].as_str().unwrap().to_owned(),
    })
}

#[tokio::test]
async fn everything_wants_its_right_and_what_is_read_is_one_entry() {
    let world = World::new().await;
    world.settle("civil", SCHEMES);
    // A reader of its own for each: fetching tiles is on record once a minute.
    let readers: Vec<_> = What::ALL
        .iter()
        .enumerate()
        .map(|(n, what)| {
            let (may, may_not) = (format!("may-{n}"), format!("may-not-{n}"));
            let lacking = Right::ALL
                .into_iter()
                .filter(|right| Some(*right) != what.right());
            let lacking: Vec<_> = lacking.collect();
            let tokens = (
                world.reader("civil", &may, &Right::ALL),
                world.reader("civil", &may_not, &lacking),
            );
            (*what, may, may_not, tokens)
        })
        .collect();
    let civil = world.start("civil").await;
    world.journal("civil").published().await;
    let at = world.ports("civil").operators;
    let nobody = Auditor::new(at, None);
    let stranger = Auditor::new(at, Some("lbr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));

    for (what, may, may_not, (token, weak)) in &readers {
        let before = world.journal("civil").entries().len();
        for auditor in [&nobody, &stranger] {
            let refused = what.read(&civil, auditor).await.unwrap_err();
            assert!(refused.unknown, "{what:?}: {refused:?}");
        }
        let weak = what.read(&civil, &Auditor::new(at, Some(weak))).await;
        if let Some(right) = what.right() {
            let refused = weak.unwrap_err();
            let sentence = format!("`{may_not}` does not have the right `{right}`");
            assert!(
                refused.lacking && refused.text.starts_with(&sentence),
                "{what:?}: {refused:?}"
            );
        }
        assert_eq!(
            world.journal("civil").entries().len(),
            before,
            "{what:?}: a refusal read nothing"
        );

        what.read(&civil, &Auditor::new(at, Some(token)))
            .await
            .unwrap();
        let actions: Vec<_> = world
            .journal("civil")
            .readings(may)
            .into_iter()
            .map(|access| access.action)
            .collect();
        assert_eq!(actions, Vec::from_iter(what.action()), "{what:?}");
        assert_eq!(
            world.journal("civil").entries().len(),
            before + usize::from(what.action().is_some()),
            "{what:?}"
        );
    }
    secrets_stay_secret(&world, &civil, &readers[0].3.0).await;
    world.journal("civil").verified();
}

/// Neither tokens nor identifiers in the journal, the log or the metrics; refusals are counted.
async fn secrets_stay_secret(world: &World, civil: &Gateway, token: &str) {
    let (_, metrics) = civil.page("/metrics").await;
    let kept: Vec<u8> = world
        .journal("civil")
        .entries()
        .iter()
        .filter_map(|entry| match &entry.kind {
            Kind::Access(access) => Some(access.encode_to_vec()),
            _ => None,
        })
        .flatten()
        .collect();
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("subject=national_id#"), "{kept}");
    for (place, text) in [
        ("the journal", &*kept),
        ("the log", &civil.log_text()),
        ("the metrics", &metrics),
    ] {
        for secret in [token, "lbr_AAAA", &Resident(7).national_id()] {
            assert!(!text.contains(secret), "{secret} in {place}");
        }
    }
    for reason in ["NO_TOKEN", "TOKEN_UNKNOWN", "RIGHT_MISSING"] {
        let counted = metrics.lines().any(|line| {
            line.starts_with("landbridge_reads_refused_total")
                && line.contains("what=\"tiles\"")
                && line.contains(&format!("reason=\"{reason}\""))
                && line.ends_with(" 3")
        });
        assert!(counted, "{reason}:\n{metrics}");
    }
}

#[tokio::test]
async fn without_readers_and_subjects_the_door_gives_nothing_away() {
    let world = World::new().await;
    let civil = world.start("civil").await;
    for path in ["/journal/checkpoint", "/journal/nothing", "/journal"] {
        let page = civil.fetch(path, &[]).await;
        assert!([401, 404].contains(&page.status), "{path}: {}", page.status);
    }
    assert_eq!(civil.fetch("/v2/heartbeat", &[]).await.status, 404);
    assert_eq!(civil.page("/livez").await.0, 200);
    // Other services' methods are not answered as pages.
    let channel = Endpoint::from_shared(format!(
        "http://127.0.0.1:{}",
        world.ports("civil").operators
    ));
    let mut client = CatalogServiceClient::new(channel.unwrap().connect_lazy());
    let status = client
        .list_departments(pb::ListDepartmentsRequest {})
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn an_export_is_on_record_with_the_hash_of_what_was_taken_away() {
    let world = World::new().await;
    let token = world.reader("civil", "lin.auditor", &[Right::Export]);
    let civil = world.start("civil").await;
    world.journal("civil").published().await;
    let auditor = Auditor::new(world.ports("civil").operators, Some(&token));
    let path = "/export?format=jsonl&from=0&to=1&mandate=plan%207";
    let file = civil.fetch(path, &auditor.headers()).await;
    assert_eq!(file.status, 200, "{}", file.head);
    let lines = file.body.split(|byte| *byte == b'\n');
    assert_eq!(lines.filter(|line| !line.is_empty()).count(), 1);

    let access = world.journal("civil").readings("lin.auditor").remove(0);
    assert_eq!(access.sha256, sha256(&[&file.body]).to_vec());
    assert_eq!(
        (
            access.query.as_str(),
            access.entries,
            access.mandate.as_str()
        ),
        ("jsonl from 0 to 1", 1, "plan 7")
    );
    // Nothing stays behind.
    let var = std::fs::read_dir(world.path("var/civil")).unwrap();
    let names = var.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("export")).count(), 0);
}

#[tokio::test]
async fn a_search_pages_through_what_was_exchanged_with_proofs() {
    let world = World::new().await;
    let token = world.reader("civil", "lin.auditor", &[Right::Search]);
    let (_civil, _tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    let mut exchanges = Vec::new();
    for n in [1, 3, 7] {
        let asked = Asked::get(&Resident(n).key());
        exchanges.push(system.ask(&asked).await.unwrap().exchange().to_string());
    }
    exchanges.reverse();

    let auditor = Auditor::new(world.ports("civil").operators, Some(&token));
    world.journal("civil").published().await;
    let asked = pb::SearchRequest {
        mandate: "audit plan 2026/7\n".to_owned(),
        peer: "tax".to_owned(),
        purpose: "tax-assessment".to_owned(),
        limit: 2,
        with_proofs: true,
        ..Default::default()
    };
    let first = auditor.search(asked.clone()).await.unwrap();
    let rest = auditor
        .search(pb::SearchRequest {
            cursor: first.cursor.clone().into(),
            ..asked
        })
        .await
        .unwrap();
    assert_eq!((first.entries.len(), rest.entries.len()), (2, 1));
    assert!(rest.cursor.is_empty(), "there is a third page");
    let found: Vec<_> = first.entries.iter().chain(&rest.entries).collect();
    let ids: Vec<_> = found
        .iter()
        .map(|entry| entry.exchange_id.clone())
        .collect();
    assert_eq!(ids, exchanges);
    for entry in found {
        reading::verify(&world, &entry.proof, entry.index, &entry.leaf);
        assert_eq!(
            (entry.side.as_str(), entry.outcome.as_str()),
            ("provider", "answered")
        );
    }

    let told: Vec<_> = world
        .journal("civil")
        .readings("lin.auditor")
        .into_iter()
        .map(|access| (access.action, access.query, access.entries, access.mandate))
        .collect();
    let question = "peer=tax purpose=tax-assessment";
    let mandate = || "audit plan 2026/7".to_owned();
    let before = found_before(&first.cursor);
    assert_eq!(
        told,
        [
            (
                "search".to_owned(),
                format!("{question} limit=2"),
                2,
                mandate()
            ),
            (
                "search".to_owned(),
                format!("{question} before={before} limit=2"),
                1,
                mandate()
            ),
        ]
    );
}

fn found_before(cursor: &[u8]) -> u64 {
    u64::from_be_bytes(cursor.try_into().unwrap())
}

#[tokio::test]
async fn an_exchange_is_proven_by_its_id_and_what_is_wrong_with_a_question_is_said() {
    let world = World::new().await;
    let token = world.reader("civil", "lin", &[Right::Search, Right::Subjects]);
    let (_civil, _tax) = world.pair().await;
    let answer = world
        .system("tax", "assessment")
        .ask(&Asked::query("").fields(&["resident_id"]))
        .await
        .unwrap();
    let auditor = Auditor::new(world.ports("civil").operators, Some(&token));
    world.journal("civil").published().await;
    let proofs = auditor.proofs(answer.exchange()).await.unwrap();
    assert_eq!(proofs.len(), 2, "a stream has an opening and an end");
    for proof in proofs {
        reading::verify(&world, &proof.proof, proof.index, &proof.leaf);
    }
    let status = auditor.status().await.unwrap();
    assert_eq!(status.origin, "gov.example/civil/1");
    let published = status.published.unwrap();
    assert!(published.size <= status.size && published.time.is_some());
    assert_eq!(status.witnessed, None);

    let status = auditor.proof_of(1 << 40).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let subject = |scheme: &str| {
        Some(pb::Subject {
            scheme: scheme.to_owned(),
            identifier: "1".to_owned(),
        })
    };
    let wrong = [
        (
            pb::SearchRequest {
                kind: "x".to_owned(),
                ..Default::default()
            },
            "kind: expected one of ",
        ),
        (
            pb::SearchRequest {
                peer: "X!".to_owned(),
                ..Default::default()
            },
            "peer: `X!` is not ",
        ),
        (
            pb::SearchRequest {
                limit: 1_001,
                ..Default::default()
            },
            "limit: at most 1000 ",
        ),
        (
            pb::SearchRequest {
                cursor: vec![1].into(),
                ..Default::default()
            },
            "cursor: not from ",
        ),
        (
            pb::SearchRequest {
                subject: subject(""),
                ..Default::default()
            },
            "subject.scheme: say ",
        ),
        (
            pb::SearchRequest {
                subject: subject("990101199001011234"),
                ..Default::default()
            },
            "subject.scheme: `…` is no field that identifies; those that do are ",
        ),
    ];
    for (asked, sentence) in wrong {
        let status = auditor.search(asked).await.err().unwrap();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(
            status.message().starts_with(sentence),
            "{}",
            status.message()
        );
    }
    // Nobody by that name: not everybody.
    let asked = pb::SearchRequest {
        subject: subject("national_id"),
        ..Default::default()
    };
    assert_eq!(auditor.search(asked).await.unwrap().entries.len(), 0);
}
