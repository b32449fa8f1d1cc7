//! The catalogue in the vocabulary of open-data portals: DCAT 3 (W3C Recommendation, 22 August 2024) as JSON-LD.

use serde_json::Value;
use serde_json::json;

use crate::digest::hex;
use crate::pb;
use crate::pb::SharingClass;
use crate::pb::UpdateFrequency;

/// The authority tables of the EU's Publications Office, which DCAT's profiles take values from.
const AUTHORITY: &str = "http://publications.europa.eu/resource/authority";

/// Each record type is a dataset, its department the publisher.
pub(super) fn catalog(
    departments: &[pb::DepartmentEntry],
    records: &[pb::RecordTypeEntry],
) -> Value {
    let listed: Vec<_> = records
        .iter()
        .map(|record| json!({ "@id": id_of(&record.name) }))
        .collect();
    let mut graph = vec![json!({
        "@id": "urn:landbridge:catalog",
        "@type": "dcat:Catalog",
        "dct:title": in_both("Record types", "记录类型目录"),
        "dcat:dataset": listed,
    })];
    graph.extend(departments.iter().map(publisher));
    graph.extend(records.iter().map(dataset));
    json!({
        "@context": {
            "dcat": "http://www.w3.org/ns/dcat#",
            "dct": "http://purl.org/dc/terms/",
            "foaf": "http://xmlns.com/foaf/0.1/",
            "vcard": "http://www.w3.org/2006/vcard/ns#",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
        },
        "@graph": graph,
    })
}

fn publisher(department: &pb::DepartmentEntry) -> Value {
    json!({
        "@id": id_of_department(&department.id),
        "@type": "foaf:Agent",
        "foaf:name": in_both(&department.name, &department.name_zh),
    })
}

fn dataset(record: &pb::RecordTypeEntry) -> Value {
    let mut dataset = json!({
        "@id": id_of(&record.name),
        "@type": "dcat:Dataset",
        "dct:identifier": record.name,
        "dct:title": in_both(&record.title, &record.title_zh),
        "dct:publisher": { "@id": id_of_department(&record.owner) },
        "dcat:version": hex(&record.schema_digest),
    });
    let mut state = |key: &str, value: Value| {
        if let Some(dataset) = dataset.as_object_mut() {
            dataset.insert(key.to_owned(), value);
        }
    };
    if !record.description.is_empty() {
        state(
            "dct:description",
            json!({ "@value": record.description, "@language": "en" }),
        );
    }
    if let Some(frequency) = frequency(record.update_frequency()) {
        state(
            "dct:accrualPeriodicity",
            json!({ "@id": format!("{AUTHORITY}/frequency/{frequency}") }),
        );
    }
    if !record.fresh_as_of.is_empty() {
        let r#type = match record.fresh_as_of.contains('T') {
            true => "xsd:dateTime",
            false => "xsd:date",
        };
        let modified = json!({ "@value": record.fresh_as_of, "@type": r#type });
        state("dct:modified", modified);
    }
    if let Some(access) = access(record.sharing()) {
        state(
            "dct:accessRights",
            json!({ "@id": format!("{AUTHORITY}/access-right/{access}") }),
        );
    }
    if !record.office.is_empty() || !record.office_zh.is_empty() {
        let mut contact = json!({
            "@type": "vcard:Organization",
            "vcard:fn": in_both(&record.office, &record.office_zh),
        });
        if let (Some(contact), false) = (contact.as_object_mut(), record.access.is_empty()) {
            contact.insert("vcard:note".to_owned(), json!(record.access));
        }
        state("dcat:contactPoint", contact);
    }
    dataset
}

fn id_of(record: &str) -> String {
    format!("urn:landbridge:record-type:{record}")
}

fn id_of_department(department: &str) -> String {
    format!("urn:landbridge:department:{department}")
}

/// A text in English and in Simplified Chinese, as far as there is one.
fn in_both(english: &str, chinese: &str) -> Value {
    let texts = [("en", english), ("zh-Hans", chinese)].into_iter();
    let stated = texts.filter(|(_, text)| !text.is_empty());
    stated
        .map(|(language, text)| json!({ "@value": text, "@language": language }))
        .collect()
}

fn frequency(frequency: UpdateFrequency) -> Option<&'static str> {
    match frequency {
        UpdateFrequency::Unspecified => None,
        UpdateFrequency::Live => Some("UPDATE_CONT"),
        UpdateFrequency::Daily => Some("DAILY"),
        UpdateFrequency::Weekly => Some("WEEKLY"),
        UpdateFrequency::Monthly => Some("MONTHLY"),
        UpdateFrequency::Yearly => Some("ANNUAL"),
    }
}

/// Whoever asks needs an agreement, for what is shared unconditionally, too.
fn access(sharing: SharingClass) -> Option<&'static str> {
    match sharing {
        SharingClass::Unspecified => None,
        SharingClass::Unconditional | SharingClass::Conditional => Some("RESTRICTED"),
        SharingClass::Prohibited => Some("NON_PUBLIC"),
    }
}
