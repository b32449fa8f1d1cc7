//! Lays a large federation out in a folder, around the gateway of one department that is a party to every agreement.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;

/// How much there is of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) departments: usize,
    pub(crate) packages: usize,
    pub(crate) records: usize,
    pub(crate) agreements: usize,
    pub(crate) grants: usize,
    pub(crate) guardrails: usize,
}

impl Extent {
    /// A country.
    pub(crate) const WHOLE: Self = Self {
        departments: 3_000,
        packages: 300,
        records: 2_000,
        agreements: 10_000,
        grants: 10,
        guardrails: 24,
    };
    /// Tells whether the measuring works, and little more.
    pub(crate) const QUICK: Self = Self {
        departments: 300,
        packages: 30,
        records: 200,
        agreements: 500,
        ..Self::WHOLE
    };

    /// The packages of the department whose gateway is measured come first.
    fn own_packages(self) -> usize {
        self.packages / 6
    }

    fn records_of(self, package: usize) -> impl Iterator<Item = usize> {
        (package..self.records).step_by(self.packages)
    }

    fn owner(self, package: usize) -> String {
        match package.checked_sub(self.own_packages()) {
            None => "civil".to_owned(),
            Some(other) => department(other),
        }
    }

    /// Provider, consumer, and the packages that the agreement is about. Of five agreements the gateway gives in three.
    fn parties(self, agreement: usize) -> (String, String, usize) {
        let others = self.packages - self.own_packages();
        if agreement % 5 < 3 {
            let consumer = department(agreement % self.departments);
            (
                "civil".to_owned(),
                consumer,
                agreement % self.own_packages(),
            )
        } else {
            let provider = agreement % others;
            let package = self.own_packages() + provider;
            (department(provider), "civil".to_owned(), package)
        }
    }
}

fn department(number: usize) -> String {
    format!("dept-{number:04}")
}

/// The full name of a record type.
fn record(package: usize, number: usize) -> String {
    format!("p{package:03}.v1.Record{number:04}")
}

/// Adds all of it to a federation that is laid out already.
pub(crate) fn lay_out(folder: &Path, extent: Extent) -> anyhow::Result<()> {
    for package in 0..extent.packages {
        let folder = folder.join(format!("proto/registry/p{package:03}/v1"));
        fs::create_dir_all(&folder)?;
        fs::write(
            folder.join("records.proto"),
            registry_file(extent, package)?,
        )?;
    }
    let directory = folder.join("config/directory.toml");
    let mut text = fs::read_to_string(&directory)?;
    for number in 0..extent.departments {
        write!(text, "\n[[department]]\nid = \"{}\"\n", department(number))?;
        write!(
            text,
            "name = \"Department {number}\"\nname_zh = \"部门 {number}\"\n"
        )?;
        write!(
            text,
            "endpoints = [\"gateway-{number}.gov.example:8443\"]\njournal = []\n"
        )?;
    }
    fs::write(&directory, text)?;
    for number in 0..extent.agreements {
        let file = format!("config/agreements/BIG-{number:05}.toml");
        fs::write(folder.join(file), agreement(extent, number)?)?;
    }
    // Besides those of the sample.
    let there = 5;
    let guardrails: String = (there..extent.guardrails)
        .map(|n| guardrail(extent, n))
        .collect();
    Ok(fs::write(
        folder.join("config/guardrails/big.cedar"),
        guardrails,
    )?)
}

fn registry_file(extent: Extent, package: usize) -> anyhow::Result<String> {
    let mut text = format!(
        "// Records of package {package}.\nsyntax = \"proto3\";\n\npackage p{package:03}.v1;\n\n"
    );
    text.push_str("import \"google/protobuf/timestamp.proto\";\nimport \"landbridge/v1/annotations.proto\";\n");
    for number in extent.records_of(package) {
        let owner = extent.owner(package);
        write!(
            text,
            "\n// One record of kind {number}.\nmessage Record{number:04} {{\n  option (landbridge.v1.record) = {{\n    owner: \"{owner}\"\n    key: \"id\"\n    subject: \"national_id\"\n    title: \"Record {number}\"\n    title_zh: \"记录\"\n    sharing: SHARING_CLASS_CONDITIONAL\n    update_frequency: UPDATE_FREQUENCY_DAILY\n  }};\n"
        )?;
        for (place, (kind, name, options)) in FIELDS.iter().enumerate() {
            let place = place + 1;
            write!(
                text,
                "  // What {name} is.\n  {kind} {name} = {place} [(landbridge.v1.field) = {{ {options} title: \"{name}\" title_zh: \"字段\" }}];\n"
            )?;
        }
        text.push_str(
            "  // Where.\n  message Place {\n    // The district.\n    string district = 1 [(landbridge.v1.field) = { sensitivity: SENSITIVITY_PERSONAL title: \"District\" }];\n    // The street.\n    string street = 2 [(landbridge.v1.field) = { sensitivity: SENSITIVITY_PERSONAL mask: \"drop\" title: \"Street\" }];\n  }\n}\n",
        );
    }
    Ok(text)
}

const FIELDS: [(&str, &str, &str); 10] = [
    ("string", "id", "sensitivity: SENSITIVITY_INTERNAL"),
    ("string", "full_name", "sensitivity: SENSITIVITY_PERSONAL"),
    (
        "string",
        "national_id",
        "sensitivity: SENSITIVITY_SENSITIVE mask: \"keep-last:4\"",
    ),
    (
        "string",
        "birth_date",
        "sensitivity: SENSITIVITY_PERSONAL mask: \"year\"",
    ),
    ("Place", "place", "sensitivity: SENSITIVITY_PERSONAL"),
    ("int64", "amount", "sensitivity: SENSITIVITY_INTERNAL"),
    ("bool", "active", "sensitivity: SENSITIVITY_PUBLIC"),
    ("string", "office", "sensitivity: SENSITIVITY_PUBLIC"),
    (
        "google.protobuf.Timestamp",
        "registered_at",
        "sensitivity: SENSITIVITY_INTERNAL",
    ),
    (
        "string",
        "ethnic_group",
        "sensitivity: SENSITIVITY_SENSITIVE mask: \"drop\"",
    ),
];

fn agreement(extent: Extent, number: usize) -> anyhow::Result<String> {
    let (provider, consumer, package) = extent.parties(number);
    let mut text = format!(
        "# Agreement {number}.\nid          = \"BIG-{number:05}\"\ntitle       = \"Sharing of records, line {number}\"\nprovider    = \"{provider}\"\nconsumer    = \"{consumer}\"\nlegal_basis = \"Data Sharing Act, art. {}\"\naccountable = \"Data Office\"\nvalid_from  = 2026-01-01\nvalid_until = 2035-12-31\npurposes    = [\"assessment\", \"arrears\", \"inspection-{}\"]\n",
        number % 90,
        number % 7
    );
    let records: Vec<_> = extent.records_of(package).collect();
    for line in 0..extent.grants {
        let record = record(
            package,
            *records
                .get(line % records.len())
                .context("a package without records")?,
        );
        write!(
            text,
            "\n[[grant]]\nrecord      = \"{record}\"\nmodes       = [\"get\", \"query\", \"verify\", \"count\"]\nfields      = [\"id\", \"full_name\", \"national_id\", \"birth_date\", \"place.district\", \"amount\", \"active\", \"office\"]\nmask        = {{ full_name = \"keep-first:1\" }}\nlookup      = [\"national_id\"]\nrows        = 'active && place.district == \"District {}\" && amount >= {line}'\nmax_records = 1000\nrate        = \"200/s\"\ndaily       = 50000\n",
            (number + line) % 40,
        )?;
    }
    Ok(text)
}

/// A third of them for every exchange, the rest for one record type each.
fn guardrail(extent: Extent, number: usize) -> String {
    let (resource, when) = match number % 3 {
        0 => (
            "resource".to_owned(),
            format!(
                "context.sensitivity >= 3 && context.max_records > {}",
                10_000 + number
            ),
        ),
        _ => {
            let package = number % extent.packages;
            (
                format!("resource == Record::\"{}\"", record(package, package)),
                "context.fields.contains(\"ethnic_group\") && context.hour > 25".to_owned(),
            )
        }
    };
    format!(
        "@id(\"big-{number}\")\n@reason(\"rule {number}\")\nforbid (principal, action, {resource})\nwhen {{ {when} }};\n\n"
    )
}
