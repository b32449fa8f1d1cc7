//! From the TOML text of agreements to agreements, or every fault in them.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use time::Date;
use toml::de::DeTable;

use super::Agreement;
use super::canonical;
use super::grant;
use super::report::Located;
use super::report::Report;
use super::section::Form;
use super::section::Section;
use super::value;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::fault::nearest;
use crate::fault::position;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::policy::Part;
use crate::policy::PolicyFile;
use crate::policy::PolicyInput;
use crate::policy::text_digest;
use crate::registry::Registry;

const FORM: Form = Form {
    required: &[
        ("id", "write one such as `id = \"CIV-TAX-2026-01\"`"),
        ("title", "say in a line what the agreement is for"),
        (
            "provider",
            "write the id of the department that has the records",
        ),
        (
            "consumer",
            "write the id of the department that asks for them",
        ),
        ("legal_basis", "name the law and the article"),
        ("accountable", "name the office that answers for it"),
        (
            "valid_from",
            "write the first day, such as `valid_from = 2026-01-01`",
        ),
        (
            "valid_until",
            "every agreement ends: write its last day, such as `valid_until = 2027-12-31`",
        ),
        (
            "purposes",
            "write one or more, such as `purposes = [\"tax-assessment\"]`",
        ),
        ("grant", "write one or more, each under `[[grant]]`"),
    ],
    optional: &[],
};

/// The keys of an agreement, and those of a grant.
#[cfg(test)]
pub(in crate::policy) fn keys() -> Vec<&'static str> {
    FORM.keys().chain(grant::keys()).collect()
}

/// Where each id was first seen.
type IdPlaces = HashMap<AgreementId, String>;

/// An agreement with the file that it was compiled from.
#[derive(Debug, Clone)]
pub(in crate::policy) struct CompiledAgreement {
    pub(in crate::policy) agreement: Arc<Agreement>,
    /// Of the file's text.
    text: Digest,
    /// Where its id stands.
    place: String,
}

/// Compiles all agreements, those between other departments too: a folder may be shared. What stands in a file that has
/// not changed is taken over.
pub(in crate::policy) fn compile(
    input: &PolicyInput<'_>,
    before: &[CompiledAgreement],
) -> Result<Vec<CompiledAgreement>, Vec<Fault>> {
    let by_file = before.iter().map(|known| (&*known.agreement.file, known));
    let known = CompiledBefore {
        by_file: by_file.collect(),
        departments: input.departments.iter().collect(),
        registry: input.registry,
    };
    let mut agreements = Vec::new();
    let mut faults = Vec::new();
    let mut defined = IdPlaces::new();
    for file in input.agreements {
        let text = text_digest(&file.text);
        if let Some(same) = known.same(file, &text)
            && !defined.contains_key(&same.agreement.id)
        {
            defined.insert(same.agreement.id.clone(), same.place.clone());
            agreements.push(same.clone());
            continue;
        }
        let mut report = Report::new(file);
        let agreement = compile_file(input, file, &mut defined, &mut report);
        if let Some(agreement) = agreement
            && report.faults.is_empty()
        {
            agreements.push(CompiledAgreement {
                text,
                place: defined.get(&agreement.id).cloned().unwrap_or_default(),
                agreement: Arc::new(agreement),
            });
        }
        faults.append(&mut report.faults);
    }
    if faults.is_empty() {
        Ok(agreements)
    } else {
        Err(faults)
    }
}

impl CompiledAgreement {
    pub(in crate::policy) fn part(&self) -> Part<'_> {
        Part {
            name: self.agreement.id.as_str(),
            digest: &self.agreement.digest,
            file: &self.agreement.file,
            text: &self.text,
        }
    }
}

/// The agreements of before, and what they may still rest on.
struct CompiledBefore<'a> {
    by_file: HashMap<&'a str, &'a CompiledAgreement>,
    departments: HashSet<&'a DepartmentId>,
    registry: &'a Registry,
}

impl CompiledBefore<'_> {
    /// What a file's text would be compiled to again: between the same departments, by the same schemas.
    fn same(&self, file: &PolicyFile, text: &Digest) -> Option<&CompiledAgreement> {
        let known = self.by_file.get(&*file.path)?;
        let agreement = &*known.agreement;
        let mut parties = [&agreement.provider, &agreement.consumer].into_iter();
        let mut grants = agreement.grants.iter();
        let same = known.text == *text
            && parties.all(|party| self.departments.contains(party))
            && grants.all(|grant| {
                let now = self.registry.record(grant.schema.name().as_str());
                now.is_ok_and(|schema| Arc::ptr_eq(schema, &grant.schema))
            });
        same.then_some(known)
    }
}

fn compile_file(
    input: &PolicyInput<'_>,
    file: &PolicyFile,
    defined: &mut IdPlaces,
    report: &mut Report<'_>,
) -> Option<Agreement> {
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        report.fault(at, "", error.message());
    }
    // What the parser made up to go on would only bring faults that are not there.
    if !errors.is_empty() {
        return None;
    }
    let section = Section::open(table.get_ref(), 0, String::new(), &FORM, report);
    agreement(input, &section, defined, report)
}

fn agreement(
    input: &PolicyInput<'_>,
    section: &Section<'_>,
    defined: &mut IdPlaces,
    report: &mut Report<'_>,
) -> Option<Agreement> {
    let id = id(section, defined, report);
    let title = section.read("title", value::text, report);
    let provider = department(input, section, "provider", report);
    let consumer = department(input, section, "consumer", report);
    let legal_basis = section.read("legal_basis", value::text, report);
    let accountable = section.read("accountable", value::text, report);
    let validity = validity(section, report);
    let purposes = section.list("purposes", value::name, report);
    let grants: Vec<_> = section
        .tables("grant", report)
        .iter()
        .map(|table| grant::compile(input.registry, provider.as_ref(), table, report))
        .collect();

    let (valid_from, valid_until) = validity?;
    let mut agreement = Agreement {
        id: id?,
        file: report.file.path.clone(),
        title: title?.value,
        provider: provider?,
        consumer: consumer?,
        legal_basis: legal_basis?.value,
        accountable: accountable?.value,
        valid_from,
        valid_until,
        purposes: purposes.into_iter().map(|p| p.value).collect(),
        grants: grants.into_iter().collect::<Option<_>>()?,
        digest: [0; 32],
    };
    agreement.digest = canonical::digest(&agreement);
    Some(agreement)
}

fn id(
    section: &Section<'_>,
    defined: &mut IdPlaces,
    report: &mut Report<'_>,
) -> Option<AgreementId> {
    let id: Located<AgreementId> = section.read("id", value::name, report)?;
    if let Some(first) = defined.get(&id.value) {
        let message = format!(
            "the id `{}` is used already, at {first}; every agreement needs its own",
            id.value
        );
        report.at(&id, message);
        return None;
    }
    let (line, _) = position(&report.file.text, id.at);
    let place = format!("{}:{line}", report.file.path);
    defined.insert(id.value.clone(), place);
    Some(id.value)
}

fn validity(section: &Section<'_>, report: &mut Report<'_>) -> Option<(Date, Date)> {
    let from = section.read("valid_from", value::day, report);
    let until = section.read("valid_until", value::day, report);
    let (from, until) = (from?.value, until?);
    if from > until.value {
        report.at(
            &until,
            format!("the agreement ends before it begins, on {from}"),
        );
    }
    Some((from, until.value))
}

fn department(
    input: &PolicyInput<'_>,
    section: &Section<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Option<DepartmentId> {
    let id: Located<DepartmentId> = section.read(name, value::name, report)?;
    if input.departments.contains(&id.value) {
        return Some(id.value);
    }
    let known = || input.departments.iter().map(DepartmentId::as_str);
    let hint = match nearest(id.value.as_str(), known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", known().collect::<Vec<_>>().join(", ")),
    };
    let message = format!("the directory has no department `{}`; {hint}", id.value);
    report.at(&id, message);
    None
}
