//! The words that a guardrail may use, as a Cedar schema made from the registry and the directory.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cedar_policy::CedarSchemaError;
use cedar_policy::EntityId;
use cedar_policy::EntityTypeName;
use cedar_policy::EntityUid;
use cedar_policy::Policy;
use cedar_policy::PolicyId;
use cedar_policy::Schema;

use crate::name::DepartmentId;
use crate::name::RecordType;
use crate::registry::query::Mode;

/// What every guardrail may read from `context`.
///
/// `fields` are all fields that the exchange touches: those released, confirmed, filtered on, ordered by, and the key
/// that is asked for; `unmasked` are those of them that the grant releases in clear. Each stands there with every
/// message that it lies in and every field that lies in it. The sensitivities are the highest of each set: 1 public,
/// 2 internal, 3 personal, 4 sensitive; 0 when the set is empty. `weekday` is 1 on Mondays; `date` is yyyymmdd; both
/// and `hour` are of the gateway's own offset from UTC.
const CONTEXT: &str = "
type Question = {
    agreement: String,
    purpose: String,
    owner: Department,
    sharing: String,
    fields: Set<String>,
    unmasked: Set<String>,
    sensitivity: Long,
    unmasked_sensitivity: Long,
    max_records: Long,
    date: Long,
    weekday: Long,
    hour: Long,
};
action get, query, verify, count
    appliesTo { principal: [System], resource: [Record], context: Question };
";

/// Makes the schema. Departments and record types are enumerated, so that a misspelt one is an error; a principal is
/// always a system, so that `principal == Department::\"…\"`, which would never hold, is one too.
pub(super) fn schema(
    departments: &BTreeSet<DepartmentId>,
    records: &[RecordType],
) -> Result<Schema, CedarSchemaError> {
    let text = format!(
        "entity Department{};\nentity System in [Department];\nentity Record{};\n{CONTEXT}",
        enumeration(departments.iter().map(DepartmentId::as_str)),
        enumeration(records.iter().map(RecordType::as_str)),
    );
    Schema::from_cedarschema_str(&text).map(|(schema, _)| schema)
}

// Names need no escape: neither kind may hold a quote or a backslash.
fn enumeration<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = names.map(|name| format!("\"{name}\"")).collect();
    if quoted.is_empty() {
        return String::new(); // Cedar knows no empty enumeration
    }
    format!(" enum [{}]", quoted.join(", "))
}

struct Names {
    department: EntityTypeName,
    system: EntityTypeName,
    record: EntityTypeName,
    action: EntityTypeName,
    everything_else: Policy,
}

#[expect(
    clippy::expect_used,
    reason = "constant texts, read by every test of a guardrail"
)]
static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let name = |text: &str| text.parse().expect("a type's name");
    Names {
        department: name("Department"),
        system: name("System"),
        record: name("Record"),
        action: name("Action"),
        // A guardrail's id is never empty.
        everything_else: Policy::parse(
            Some(PolicyId::new("")),
            "permit(principal, action, resource);",
        )
        .expect("a policy"),
    }
});

/// The one `permit`: guardrails only take away, and agreements have been asked already.
pub(super) fn everything_else() -> Policy {
    NAMES.everything_else.clone()
}

pub(super) fn department(id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(NAMES.department.clone(), EntityId::new(id))
}

/// `tax/assessment`, or `tax/` when the system is not told.
pub(super) fn system(id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(NAMES.system.clone(), EntityId::new(id))
}

pub(super) fn record(name: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(NAMES.record.clone(), EntityId::new(name))
}

pub(super) fn action(mode: Mode) -> EntityUid {
    EntityUid::from_type_name_and_id(NAMES.action.clone(), EntityId::new(mode.as_str()))
}

pub(super) fn is_department(uid: &EntityUid) -> bool {
    *uid.type_name() == NAMES.department
}

pub(super) fn is_system(uid: &EntityUid) -> bool {
    *uid.type_name() == NAMES.system
}
