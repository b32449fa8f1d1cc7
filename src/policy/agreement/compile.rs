//! From the TOML text of agreements to agreements, or every fault in them.

use std::collections::HashMap;

use toml::de::DeTable;

use super::Agreement;
use super::canonical;
use super::grant;
use super::report::Placed;
use super::report::Report;
use super::section::Section;
use super::value;
use crate::fault::Fault;
use crate::fault::nearest;
use crate::fault::position;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::policy::PolicyFile;
use crate::policy::PolicyInput;

const KEYS: [&str; 10] = [
    "id",
    "title",
    "provider",
    "consumer",
    "legal_basis",
    "accountable",
    "valid_from",
    "valid_until",
    "purposes",
    "grant",
];

/// Compiles all agreements, those between other departments too: a folder may be shared.
pub(in crate::policy) fn compile(input: &PolicyInput<'_>) -> Result<Vec<Agreement>, Vec<Fault>> {
    let mut agreements = Vec::new();
    let mut faults = Vec::new();
    // Where each id was first seen.
    let mut defined = HashMap::<AgreementId, String>::new();
    for file in input.agreements {
        let mut report = Report::new(file);
        let agreement = compile_file(input, file, &mut defined, &mut report);
        if report.faults.is_empty() {
            agreements.extend(agreement);
        }
        faults.append(&mut report.faults);
    }
    if faults.is_empty() {
        Ok(agreements)
    } else {
        Err(faults)
    }
}

fn compile_file(
    input: &PolicyInput<'_>,
    file: &PolicyFile,
    defined: &mut HashMap<AgreementId, String>,
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
    let section = Section::open(table.get_ref(), 0, String::new(), &KEYS, report);
    let id = section.required(
        "id",
        "write one such as `id = \"CIV-TAX-2026-01\"`",
        value::name,
        report,
    );
    if let Some(id) = &id {
        only_once(id, defined, report);
    }
    agreement(input, &section, id, report)
}

fn only_once(
    id: &Placed<AgreementId>,
    defined: &mut HashMap<AgreementId, String>,
    report: &mut Report<'_>,
) {
    if let Some(first) = defined.get(&id.value) {
        let message = format!(
            "the id `{}` is used already, at {first}; every agreement needs its own",
            id.value
        );
        report.at(id, message);
        return;
    }
    let (line, _) = position(&report.file.text, id.at);
    defined.insert(id.value.clone(), format!("{}:{line}", report.file.path));
}

fn agreement(
    input: &PolicyInput<'_>,
    section: &Section<'_>,
    id: Option<Placed<AgreementId>>,
    report: &mut Report<'_>,
) -> Option<Agreement> {
    let title = section.required(
        "title",
        "say in a line what the agreement is for",
        value::text,
        report,
    );
    let provider = department(input, section, "provider", report);
    let consumer = department(input, section, "consumer", report);
    let legal_basis = section.required(
        "legal_basis",
        "name the law and the article",
        value::text,
        report,
    );
    let accountable = section.required(
        "accountable",
        "name the office that answers for it",
        value::text,
        report,
    );
    let valid_from = section.required(
        "valid_from",
        "write the first day, such as `valid_from = 2026-01-01`",
        value::day,
        report,
    );
    let valid_until = section.required(
        "valid_until",
        "every agreement ends: write its last day, such as `valid_until = 2027-12-31`",
        value::day,
        report,
    );
    if let (Some(from), Some(until)) = (&valid_from, &valid_until)
        && from.value > until.value
    {
        report.at(
            until,
            format!("the agreement ends before it begins, on {}", from.value),
        );
    }
    let purposes = section.list("purposes", value::name, report);
    report.distinct(&purposes, Clone::clone);
    if purposes.is_empty() {
        report.fault(0, "purposes", "an agreement needs a purpose; write one or more, such as `purposes = [\"tax-assessment\"]`");
    }
    let tables = section.tables("grant", report);
    if tables.is_empty() {
        report.fault(
            0,
            "grant",
            "an agreement needs a grant; write one or more under `[[grant]]`",
        );
    }
    let provider_id = provider.as_ref().map(|p| &p.value);
    let grants: Vec<_> = tables
        .iter()
        .map(|table| grant::compile(input.registry, provider_id, table, report))
        .collect();

    let mut agreement = Agreement {
        id: id?.value,
        file: report.file.path.clone(),
        title: title?.value,
        provider: provider?.value,
        consumer: consumer?.value,
        legal_basis: legal_basis?.value,
        accountable: accountable?.value,
        valid_from: valid_from?.value,
        valid_until: valid_until?.value,
        purposes: purposes.into_iter().map(|p| p.value).collect(),
        grants: grants.into_iter().collect::<Option<_>>()?,
        digest: [0; 32],
    };
    agreement.digest = canonical::digest(&agreement);
    Some(agreement)
}

fn department(
    input: &PolicyInput<'_>,
    section: &Section<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Option<Placed<DepartmentId>> {
    let mend = "write the id of a department in the directory";
    let id = section.required::<DepartmentId>(name, mend, value::name, report)?;
    if input.departments.contains(&id.value) {
        return Some(id);
    }
    let known = input.departments.iter().map(DepartmentId::as_str);
    let mend = match nearest(id.value.as_str(), known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => mend.to_owned(),
    };
    report.at(
        &id,
        format!("the directory has no department `{}`; {mend}", id.value),
    );
    None
}
