//! Checks the words within a guardrail's conditions that Cedar takes for any text.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

use super::occasion::SHARING;
use super::vocabulary;
use crate::fault::nearest;
use crate::name::DepartmentId;
use crate::name::SystemName;
use crate::registry::schema::RecordSchema;

/// A word that can never match.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MisspeltLiteral {
    /// As it stands in the text.
    pub(super) word: String,
    pub(super) message: String,
}

/// What the words are checked against.
#[derive(Debug)]
pub(super) struct Checker<'a> {
    pub(super) departments: &'a BTreeSet<DepartmentId>,
    /// The record types that the guardrail covers.
    pub(super) records: &'a [&'a RecordSchema],
}

impl Checker<'_> {
    pub(super) fn check(&self, policy: &Policy) -> Vec<MisspeltLiteral> {
        let mut found: Vec<_> = policy
            .entity_literals()
            .iter()
            .filter(|uid| vocabulary::is_system(uid))
            .filter_map(|uid| self.system(uid.id().unescaped()))
            .collect();
        // A static policy always has a JSON form.
        if let Ok(json) = policy.to_json() {
            self.walk(&json, &mut found);
        }
        found
    }

    fn system(&self, id: &str) -> Option<MisspeltLiteral> {
        let known = id.split_once('/').is_some_and(|(department, system)| {
            self.departments.contains(department) && system.parse::<SystemName>().is_ok()
        });
        (!known).then(|| MisspeltLiteral {
            word: id.to_owned(),
            message: format!(
                "`{id}` is not a system of a department in the directory; write `System::\"department/system\"`"
            ),
        })
    }

    fn walk(&self, node: &Value, found: &mut Vec<MisspeltLiteral>) {
        match node {
            Value::Array(nodes) => nodes.iter().for_each(|n| self.walk(n, found)),
            Value::Object(nodes) => {
                for (name, operands) in nodes {
                    self.operation(name, operands, found);
                    self.walk(operands, found);
                }
            }
            _ => {}
        }
    }

    fn operation(&self, name: &str, operands: &Value, found: &mut Vec<MisspeltLiteral>) {
        let (Some(left), Some(right)) = (operands.get("left"), operands.get("right")) else {
            return;
        };
        for (subject, value) in [(left, right), (right, left)] {
            match (name, context_attribute(subject)) {
                ("contains" | "containsAny" | "containsAll", Some("fields" | "unmasked")) => {
                    found.extend(texts(value).filter_map(|word| self.field(word)));
                }
                ("==" | "!=", Some("sharing")) => {
                    found.extend(texts(value).filter_map(sharing_class));
                }
                ("==" | "!=", None) if is_principal(subject) => found.extend(department(value)),
                _ => {}
            }
        }
    }

    fn field(&self, path: &str) -> Option<MisspeltLiteral> {
        let message = match self.records {
            [record] => record.field(path).err()?.to_string(),
            records if records.iter().any(|r| r.field(path).is_ok()) => return None,
            _ => format!("no record type that the guardrail covers has a field `{path}`"),
        };
        Some(MisspeltLiteral {
            word: path.to_owned(),
            message,
        })
    }
}

fn sharing_class(word: &str) -> Option<MisspeltLiteral> {
    if SHARING.contains(&word) {
        return None;
    }
    let hint = nearest(word, SHARING).unwrap_or("CONDITIONAL");
    Some(MisspeltLiteral {
        word: word.to_owned(),
        message: format!("unknown sharing class `{word}`; did you mean `{hint}`?"),
    })
}

fn department(value: &Value) -> Option<MisspeltLiteral> {
    let entity = value.get("Value")?.get("__entity")?;
    let id = entity.get("id")?.as_str()?;
    (entity.get("type")?.as_str()? == "Department").then(|| MisspeltLiteral {
        word: id.to_owned(),
        message: format!(
            "a principal is a system, never a department; write `principal in Department::\"{id}\"`"
        ),
    })
}

fn context_attribute(node: &Value) -> Option<&str> {
    let access = node.get(".")?;
    (access.get("left")?.get("Var")? == "context").then_some(())?;
    access.get("attr")?.as_str()
}

fn is_principal(node: &Value) -> bool {
    node.get("Var").is_some_and(|name| name == "principal")
}

fn texts(node: &Value) -> impl Iterator<Item = &str> {
    let one = node.get("Value").and_then(Value::as_str);
    let many = node.get("Set").and_then(Value::as_array);
    let many = many.into_iter().flatten();
    one.into_iter()
        .chain(many.filter_map(|member| member.get("Value")?.as_str()))
}
