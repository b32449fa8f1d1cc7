//! What a permit makes a source read.

use std::path::Path;

use bytes::Bytes;
use prost_reflect::DynamicMessage;
use tempfile::TempDir;
use time::UtcOffset;

use crate::clock::Moment;
use crate::identity::Caller;
use crate::pb;
use crate::policy::PolicyFile;
use crate::policy::PolicyInput;
use crate::policy::PolicySet;
use crate::policy::decision::Permit;
use crate::registry::Registry;
use crate::registry::query::Query;
use crate::registry::query::Raw;
use crate::registry::query::RawSelection;
use crate::source::import::import;
use crate::source::sql::ForeignPosition;
use crate::source::sql::Position;
use crate::source::sql::SqlBindings;
use crate::source::sql::SqlSource;

const AGREEMENT: &str = r#"
id          = "CIV-TAX-2026-01"
title       = "Resident look-up for tax assessment"
provider    = "civil"
consumer    = "tax"
legal_basis = "Tax Collection Administration Law, art. 6"
accountable = "Data Office, Civil Affairs"
valid_from  = 2026-01-01
valid_until = 2027-12-31
purposes    = ["arrears"]
[[grant]]
record      = "civil.v1.Resident"
modes       = ["get", "query", "verify", "count"]
fields      = ["resident_id", "full_name"]
lookup      = ["phone"]
rows        = 'address.district == "Nanming"'
"#;

struct Office {
    registry: Registry,
    policy: PolicySet,
    bindings: SqlBindings,
    _folder: TempDir,
}

impl Office {
    async fn new(agreement: &str) -> Self {
        let registry = Registry::compile(Path::new("proto/registry")).unwrap();
        let agreements = [PolicyFile {
            path: "a.toml".to_owned(),
            text: agreement.to_owned(),
        }];
        let policy = PolicySet::compile(&PolicyInput {
            department: &"civil".parse().unwrap(),
            departments: &["civil", "tax"].map(|d| d.parse().unwrap()),
            registry: &registry,
            agreements: &agreements,
            guardrails: &[],
            offset: UtcOffset::UTC,
            before: None,
        })
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("civil.sqlite");
        let rows: String = (0..20)
            .map(|n| {
                let district = if n % 2 == 0 { "Nanming" } else { "Yunyan" };
                format!("R{n:02},Name {},{n:017}X,555-{n},{district},HA\n", n % 3)
            })
            .collect();
        let header = "resident_id,full_name,national_id,phone,address.district,ethnic_group\n";
        let schema = registry.record("civil.v1.Resident").unwrap();
        let table = "resident".parse().unwrap();
        import(
            format!("{header}{rows}").as_bytes(),
            schema,
            &path,
            &table,
            false,
            |_| {},
        )
        .await
        .unwrap();
        let settings = "name = 'civil'\n[[record]]\ntype = 'civil.v1.Resident'\n";
        let url = format!("sqlite:{}", path.display());
        let source = SqlSource::open(toml::from_str(settings).unwrap(), &url).unwrap();
        let bindings = source.bind(&registry).unwrap();
        Self {
            registry,
            policy,
            bindings,
            _folder: folder,
        }
    }

    fn permit(&self, selection: RawSelection<'_>) -> Permit {
        let raw = Raw {
            purpose: "arrears",
            fields: &[],
            selection,
        };
        let schema = self.registry.record("civil.v1.Resident").unwrap();
        let query = Query::check(schema, &raw).unwrap();
        let caller = Caller::assumed("tax".parse().unwrap(), None);
        let noon = Moment::from_micros(1_780_000_000_000_000);
        self.policy.decide(&caller, query, noon).unwrap()
    }

    fn query(&self, order_by: &str) -> Permit {
        self.permit(RawSelection::Query {
            filter: "",
            order_by,
            limit: 0,
            cursor: &Bytes::new(),
        })
    }

    async fn fetch(&self, permit: Permit, after: Option<Position>) -> Vec<Bytes> {
        let mut records = self.bindings.fetch(permit, after).await.unwrap();
        let mut all = Vec::new();
        while let Some(batch) = records.next().await.unwrap() {
            all.extend(batch);
        }
        all
    }

    fn json(&self, record: &Bytes) -> String {
        let schema = self.registry.record("civil.v1.Resident").unwrap();
        let message = DynamicMessage::decode(schema.descriptor().clone(), record.clone()).unwrap();
        serde_json::to_string(&message).unwrap()
    }
}

#[tokio::test]
async fn only_what_is_released_or_needed_is_read() {
    let office = Office::new(AGREEMENT).await;
    let got = office
        .fetch(office.permit(RawSelection::Get { key: "R02" }), None)
        .await;
    // The subject, and the address for the grant's rows; neither the phone nor the ethnic group.
    assert_eq!(
        office.json(&got[0]),
        r#"{"residentId":"R02","fullName":"Name 2","nationalId":"00000000000000002X","address":{"district":"Nanming"}}"#
    );
    let claims = [pb::Claim {
        field: "phone".to_owned(),
        value: Some(pb::Value {
            kind: Some(pb::value::Kind::Text("555-2".to_owned())),
        }),
    }];
    let verify = RawSelection::Verify {
        key: "R02",
        claims: &claims,
    };
    let verified = office.fetch(office.permit(verify), None).await;
    assert_eq!(
        office.json(&verified[0]),
        r#"{"residentId":"R02","nationalId":"00000000000000002X","address":{"district":"Nanming"},"phone":"555-2"}"#
    );
    let counted = office
        .fetch(office.permit(RawSelection::Count { filter: "" }), None)
        .await;
    assert_eq!(counted.len(), 10);
    assert_eq!(
        office.json(&counted[0]),
        r#"{"address":{"district":"Nanming"}}"#
    );
}

#[tokio::test]
async fn an_answer_is_resumed_behind_its_last_record() {
    let office = Office::new(AGREEMENT).await;
    let whole = office.fetch(office.query("full_name desc"), None).await;
    assert_eq!(whole.len(), 10);
    let permit = office.query("full_name desc");
    let sealed = Position::after(&permit, &whole[3]).unwrap().encode();
    let after = Position::decode(&sealed, &permit).unwrap();
    assert_eq!(office.fetch(permit, Some(after)).await, whole[4..]);
}

#[tokio::test]
async fn a_position_of_another_question_is_refused() {
    let office = Office::new(AGREEMENT).await;
    let permit = office.query("full_name");
    let record = office.fetch(permit.clone(), None).await.remove(0);
    let position = Position::after(&permit, &record).unwrap().encode();
    for other in ["", "full_name desc", "resident_id"] {
        let refused = Position::decode(&position, &office.query(other));
        assert!(matches!(refused, Err(ForeignPosition)), "{other}");
    }
    for end in 0..position.len() {
        let refused = Position::decode(&position[..end], &permit);
        assert!(matches!(refused, Err(ForeignPosition)), "{end}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_released_gives_no_order_and_no_position() {
    let keyless = AGREEMENT
        .replace("\"resident_id\", ", "")
        .replace("[\"get\", \"query\", \"verify\", \"count\"]", "[\"query\"]");
    let office = Office::new(&keyless).await;
    let permit = office.query("");
    let records = office.fetch(permit.clone(), None).await;
    assert_eq!(records.len(), 10);
    assert!(Position::after(&permit, &records[0]).is_none());
}
