//! The sample's registry and policy, and a resident.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use bytes::Bytes;
use landbridge::clock::Moment;
use landbridge::identity::Caller;
use landbridge::name::DepartmentId;
use landbridge::policy::PolicyFile;
use landbridge::policy::PolicyInput;
use landbridge::policy::PolicySet;
use landbridge::policy::decision::Permit;
use landbridge::registry::Registry;
use landbridge::registry::query::Query;
use landbridge::registry::query::Raw;
use landbridge::registry::query::RawSelection;
use landbridge::registry::schema::RecordSchema;
use prost::Message;
use prost_reflect::DynamicMessage;
use time::UtcOffset;

/// Noon of Monday, 1 June 2026, in office hours.
pub(crate) const NOON: Moment = Moment::from_micros(1_780_286_400_000_000);

pub(crate) const LOOK_UP: Raw<'static> = Raw {
    purpose: "tax-assessment",
    fields: &[],
    selection: RawSelection::Get { key: "R0000000007" },
};

/// As large as those of the other benches.
const RESIDENT: &str = include_str!("../compare/resident.json");

#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) root: PathBuf,
    registry: Registry,
    /// Of the provider.
    pub(crate) policy: PolicySet,
}

impl Ground {
    pub(crate) fn of_the_sample() -> anyhow::Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let registry = Registry::compile(&root.join("proto/registry"));
        let registry = registry.map_err(|faults| anyhow!("{faults:?}"))?;
        Ok(Self {
            policy: policy("civil", &root, &registry)?,
            registry,
            root,
        })
    }

    pub(crate) fn resident(&self) -> anyhow::Result<&Arc<RecordSchema>> {
        Ok(self.registry.record("civil.v1.Resident")?)
    }

    pub(crate) fn caller() -> anyhow::Result<Caller> {
        Ok(Caller::assumed("tax".parse()?, Some("assessment".parse()?)))
    }

    /// 300 bytes that the agreement lets through.
    pub(crate) fn record(&self) -> anyhow::Result<Bytes> {
        let mut json = serde_json::Deserializer::from_str(RESIDENT);
        let resident = self.resident()?.descriptor().clone();
        let message = DynamicMessage::deserialize(resident, &mut json)?;
        Ok(message.encode_to_vec().into())
    }

    pub(crate) fn permit(&self) -> anyhow::Result<Permit> {
        self.permit_by(&self.policy)
    }

    pub(crate) fn permit_of_the_consumer(&self) -> anyhow::Result<Permit> {
        self.permit_by(&policy("tax", &self.root, &self.registry)?)
    }

    fn permit_by(&self, policy: &PolicySet) -> anyhow::Result<Permit> {
        let query = Query::check(self.resident()?, &LOOK_UP)?;
        let decided = policy.decide(&Self::caller()?, query, NOON);
        decided.map_err(|denial| anyhow!("{denial}"))
    }
}

fn policy(department: &str, root: &Path, registry: &Registry) -> anyhow::Result<PolicySet> {
    let departments = ["civil", "tax", "market"].map(str::parse::<DepartmentId>);
    let departments = departments.into_iter().collect::<Result<Vec<_>, _>>()?;
    PolicySet::compile(&PolicyInput {
        department: &department.parse()?,
        departments: &departments,
        registry,
        agreements: &files(&root.join("config/agreements"))?,
        guardrails: &files(&root.join("config/guardrails"))?,
        offset: UtcOffset::from_hms(8, 0, 0)?,
        before: None,
    })
    .map_err(|faults| anyhow!("{faults:?}"))
}

fn files(folder: &Path) -> anyhow::Result<Vec<PolicyFile>> {
    let entries = fs::read_dir(folder)?;
    let files = entries.map(|entry| {
        let path = entry?.path();
        Ok(PolicyFile {
            text: fs::read_to_string(&path)?,
            path: path.display().to_string(),
        })
    });
    files.collect()
}
