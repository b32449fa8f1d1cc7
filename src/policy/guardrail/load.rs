//! Reads guardrail files, or reports every fault in them.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::ActionConstraint;
use cedar_policy::Effect;
use cedar_policy::EntityUid;
use cedar_policy::Policy;
use cedar_policy::PolicyId;
use cedar_policy::PolicySet;
use cedar_policy::PrincipalConstraint;
use cedar_policy::ResourceConstraint;
use cedar_policy::ValidationMode;
use cedar_policy::ValidationWarning;
use cedar_policy::Validator;
use cedar_policy::ffi::DetailedError;

use super::Guardrail;
use super::Guardrails;
use super::Scope;
use super::literals::Checker;
use super::vocabulary;
use crate::fault::Fault;
use crate::fault::position;
use crate::name::DepartmentId;
use crate::name::RecordType;
use crate::policy::PolicyFile;
use crate::registry::Registry;
use crate::registry::query::Mode;
use crate::registry::schema::RecordSchema;

const MODES: [Mode; 4] = [Mode::Get, Mode::Query, Mode::Verify, Mode::Count];

/// What guardrails are checked against.
#[derive(Debug)]
pub(in crate::policy) struct Input<'a> {
    pub(in crate::policy) files: &'a [PolicyFile],
    pub(in crate::policy) departments: &'a [DepartmentId],
    pub(in crate::policy) registry: &'a Registry,
}

impl Guardrails {
    pub(in crate::policy) fn load(input: &Input<'_>) -> Result<Self, Vec<Fault>> {
        if input.files.is_empty() {
            return Ok(Self::default());
        }
        let records: Vec<_> = input.registry.records().map(|r| r.name().clone()).collect();
        // A record type's owner may have left the directory, or not be in it yet.
        let owners = input.registry.records().map(|r| r.owner().clone());
        let departments: BTreeSet<_> = input.departments.iter().cloned().chain(owners).collect();
        let schema = vocabulary::schema(&departments, &records).map_err(|message| {
            vec![Fault {
                file: String::new(),
                line: 0,
                column: 0,
                key: String::new(),
                message: format!("no Cedar schema can be made from the registry: {message}"),
            }]
        })?;
        let mut loader = Loader {
            departments,
            records: input.registry.records().map(AsRef::as_ref).collect(),
            validator: Validator::new(schema),
            defined: HashMap::new(),
            faults: Vec::new(),
        };
        let mut all: Vec<_> = input
            .files
            .iter()
            .flat_map(|file| loader.file(file))
            .collect();
        if !loader.faults.is_empty() {
            return Err(loader.faults);
        }
        all.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Self { all })
    }
}

struct Loader<'a> {
    departments: BTreeSet<DepartmentId>,
    records: Vec<&'a RecordSchema>,
    validator: Validator,
    /// Where each id was first seen.
    defined: HashMap<String, String>,
    faults: Vec<Fault>,
}

impl Loader<'_> {
    fn file(&mut self, file: &PolicyFile) -> Vec<Guardrail> {
        let policies = match PolicySet::from_str(&file.text) {
            Ok(policies) => policies,
            Err(errors) => {
                let faults = errors.iter().map(|e| diagnosed(file, &e.into()));
                self.faults.extend(faults);
                return Vec::new();
            }
        };
        for template in policies.templates() {
            let at = file.text.find(&template.to_cedar()).unwrap_or(0);
            self.fault(
                file,
                at,
                "",
                "a guardrail cannot be a template; name what it covers instead of a `?` slot",
            );
        }
        let mut policies: Vec<_> = policies
            .policies()
            .map(|policy| (start(file, policy), policy))
            .collect();
        policies.sort_by_key(|(at, _)| *at);
        policies
            .into_iter()
            .filter_map(|(at, policy)| self.guardrail(file, at, policy))
            .collect()
    }

    fn guardrail(&mut self, file: &PolicyFile, at: usize, policy: &Policy) -> Option<Guardrail> {
        if policy.effect() == Effect::Permit {
            self.fault(
                file,
                at,
                "",
                "a guardrail can only forbid; what is permitted stands in agreements",
            );
        }
        let reason = self.annotation(file, at, policy, "reason");
        let id = self.annotation(file, at, policy, "id")?;
        if let Some(first) = self.defined.get(&id) {
            let message =
                format!("the id `{id}` is used already, at {first}; every guardrail needs its own");
            self.fault(file, at, "@id", &message);
            return None;
        }
        let (line, _) = position(&file.text, at);
        self.defined
            .insert(id.clone(), format!("{}:{line}", file.path));

        let policy = policy.new_id(PolicyId::new(&id));
        self.validate(file, &policy);
        let scope = Scope::of(&policy);
        self.spell(file, at, &policy, &scope);
        Some(Guardrail {
            id,
            reason: reason?,
            scope,
            policy,
        })
    }

    fn annotation(
        &mut self,
        file: &PolicyFile,
        at: usize,
        policy: &Policy,
        name: &str,
    ) -> Option<String> {
        let value = policy.annotation(name).unwrap_or_default().trim();
        if value.is_empty() {
            let message = format!("every guardrail needs an `@{name}(\"…\")` before it");
            self.fault(file, at, &format!("@{name}"), &message);
            return None;
        }
        Some(value.to_owned())
    }

    fn validate(&mut self, file: &PolicyFile, policy: &Policy) {
        let Ok(alone) = PolicySet::from_policies([policy.clone()]) else {
            return; // one policy cannot clash with itself
        };
        let result = self.validator.validate(&alone, ValidationMode::Strict);
        let errors = result.validation_errors().map(DetailedError::from);
        // A policy that can never apply is a mistake, and often one that a misspelling has made.
        let warnings = result
            .validation_warnings()
            .filter(|w| {
                matches!(
                    w,
                    ValidationWarning::ImpossiblePolicy(_)
                        | ValidationWarning::InvalidActionApplication(_)
                        | ValidationWarning::BidiCharsInString(_)
                        | ValidationWarning::BidiCharsInIdentifier(_)
                )
            })
            .map(DetailedError::from);
        // The first says why; the rest follows from it.
        let first = errors.chain(warnings).next();
        self.faults.extend(first.map(|e| diagnosed(file, &e)));
    }

    fn spell(&mut self, file: &PolicyFile, at: usize, policy: &Policy, scope: &Scope) {
        let covered: Vec<_> = self
            .records
            .iter()
            .copied()
            .filter(|r| scope.record.as_ref().is_none_or(|name| name == r.name()))
            .collect();
        let checker = Checker {
            departments: &self.departments,
            records: &covered,
        };
        for misspelt in checker.check(policy) {
            let text = file.text.get(at..).unwrap_or_default();
            let within = text.find(&format!("\"{}\"", misspelt.word)).unwrap_or(0);
            self.fault(file, at + within, "", &misspelt.message);
        }
    }

    fn fault(&mut self, file: &PolicyFile, at: usize, key: &str, message: &str) {
        let (line, column) = position(&file.text, at);
        self.faults.push(Fault {
            file: file.path.clone(),
            line,
            column,
            key: key.to_owned(),
            message: message.to_owned(),
        });
    }
}

/// Where a policy's text begins: Cedar keeps it as it stands.
fn start(file: &PolicyFile, policy: &Policy) -> usize {
    policy
        .to_cedar()
        .and_then(|text| file.text.find(&text))
        .unwrap_or(0)
}

fn diagnosed(file: &PolicyFile, error: &DetailedError) -> Fault {
    let place = error.source_locations.first();
    let (line, column) = place.map_or((0, 0), |p| position(&file.text, p.loc.start));
    let expected = place.and_then(|p| p.label.as_deref());
    let mut message = error.message.clone();
    for more in [expected, error.help.as_deref()].into_iter().flatten() {
        message.push_str("; ");
        message.push_str(more);
    }
    Fault {
        file: file.path.clone(),
        line,
        column,
        key: String::new(),
        message,
    }
}

impl Scope {
    fn of(policy: &Policy) -> Self {
        let consumer = match policy.principal_constraint() {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
            PrincipalConstraint::In(uid)
            | PrincipalConstraint::Eq(uid)
            | PrincipalConstraint::IsIn(_, uid) => consumer(&uid),
        };
        let modes = match policy.action_constraint() {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(uid) => Some(modes(&[uid])),
            ActionConstraint::In(uids) => Some(modes(&uids)),
        };
        let record = match policy.resource_constraint() {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
            ResourceConstraint::In(uid)
            | ResourceConstraint::Eq(uid)
            | ResourceConstraint::IsIn(_, uid) => uid.id().unescaped().parse::<RecordType>().ok(),
        };
        Self {
            consumer,
            modes,
            record,
        }
    }
}

/// The department itself, or that of the system.
fn consumer(uid: &EntityUid) -> Option<DepartmentId> {
    let id = uid.id().unescaped();
    let department = if vocabulary::is_department(uid) {
        id
    } else {
        id.split_once('/')?.0
    };
    department.parse().ok()
}

fn modes(actions: &[EntityUid]) -> Vec<Mode> {
    MODES
        .into_iter()
        .filter(|mode| actions.iter().any(|a| a.id().unescaped() == mode.as_str()))
        .collect()
}
