//! `catalog`: which departments and record types there are, and what may be asked.

mod dcat;

use std::fs;
use std::io;
use std::io::Write;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::anyhow;
use clap::Args;
use clap::Subcommand;
use serde::Serialize;
use tonic::transport::Channel;

use super::client::ClientOptions;
use super::client::Gateway;
use super::client::MAX_MESSAGE;
use super::exit::Exit;
use super::exit::Failure;
use super::exit::Run;
use super::output;
use super::output::Format;
use super::output::OutputOptions;
use super::table::Table;
use crate::clock::Clock;
use crate::digest::hex;
use crate::pb;
use crate::pb::catalog_service_client::CatalogServiceClient;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge catalog
  landbridge catalog departments --json
  landbridge catalog search 身份 resident
  landbridge catalog show civil.v1.Resident --profile clients/tax-assessment.toml
  landbridge catalog export civil.v1 --to civil
  landbridge catalog dcat > catalog.jsonld

What nobody is ever given (SHARING_CLASS_PROHIBITED) is shown to its owner's systems alone. In an exported folder,
`buf generate` makes Python, TypeScript and Go of the schemas.")]
pub(super) struct CatalogArgs {
    #[command(subcommand)]
    what: Option<CatalogCommand>,
    #[command(flatten)]
    client: ClientOptions,
}

#[derive(Subcommand)]
enum CatalogCommand {
    /// The departments of the federation
    Departments,
    /// The record types, and what this system may ask of each (the default)
    List,
    /// The record types that have all of the words in names, titles, fields or descriptions
    Search {
        /// Chinese or English; of English words the beginnings do
        #[arg(required = true)]
        words: Vec<String>,
        /// The most record types
        #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Writes the schema files of a package with what they import, and a `buf.gen.yaml` that makes code of them
    Export {
        /// Such as `civil.v1`
        package: String,
        /// The folder; it is made if it is not there
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// All of it as DCAT 3 (JSON-LD), for open-data portals
    Dcat,
    /// One record type with its fields and grants
    Show {
        /// Its full name, such as `civil.v1.Resident`
        #[arg(value_name = "RECORD TYPE")]
        record: String,
    },
}

/// Written beside exported schemas.
const GENERATE: &str = include_str!("catalog/buf.gen.yaml");

struct Catalog {
    gateway: Gateway,
    client: CatalogServiceClient<Channel>,
    output: OutputOptions,
}

impl CatalogArgs {
    pub(super) async fn run(self, output: OutputOptions) -> Run {
        let gateway = self.client.gateway(Clock::System)?;
        let client = CatalogServiceClient::new(gateway.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE);
        let mut catalog = Catalog {
            gateway,
            client,
            output,
        };
        match self.what.unwrap_or(CatalogCommand::List) {
            CatalogCommand::Departments => catalog.departments().await?,
            CatalogCommand::List => catalog.list().await?,
            CatalogCommand::Search { words, limit } => {
                catalog.search(words.join(" "), limit).await?
            }
            CatalogCommand::Export { package, to } => catalog.export(package, &to).await?,
            CatalogCommand::Dcat => catalog.dcat().await?,
            CatalogCommand::Show { record } => catalog.show(record).await?,
        }
        Ok(Exit::Done)
    }
}

impl Catalog {
    async fn departments(&mut self) -> Result<(), Failure> {
        let request = self.gateway.request(pb::ListDepartmentsRequest {});
        let answer = self.client.list_departments(request).await;
        let answer = self.gateway.answered(answer)?;
        let rows: Vec<_> = answer
            .departments
            .into_iter()
            .map(DepartmentRow::from)
            .collect();
        output::list(
            self.output.for_lists(),
            &rows,
            &["department", "name", "名称"],
            |row| vec![row.id.clone(), row.name.clone(), row.name_zh.clone()],
        )
    }

    async fn list(&mut self) -> Result<(), Failure> {
        let request = self.gateway.request(pb::ListRecordTypesRequest {});
        let answer = self.client.list_record_types(request).await;
        let answer = self.gateway.answered(answer)?;
        self.print(answer.record_types)
    }

    async fn dcat(&mut self) -> Result<(), Failure> {
        let departments = self.gateway.request(pb::ListDepartmentsRequest {});
        let departments = self.client.list_departments(departments).await;
        let departments = self.gateway.answered(departments)?;
        let records = self.gateway.request(pb::ListRecordTypesRequest {});
        let records = self.client.list_record_types(records).await;
        let records = self.gateway.answered(records)?.record_types;
        let catalog = dcat::catalog(&departments.departments, &records);
        writeln!(io::stdout().lock(), "{catalog:#}")?;
        Ok(())
    }

    async fn search(&mut self, words: String, limit: u32) -> Result<(), Failure> {
        let request = pb::SearchRecordTypesRequest { words, limit };
        let request = self.gateway.request(request);
        let answer = self.client.search_record_types(request).await;
        let answer = self.gateway.answered(answer)?;
        self.print(answer.record_types)
    }

    fn print(&self, entries: Vec<pb::RecordTypeEntry>) -> Result<(), Failure> {
        let rows: Vec<_> = entries.into_iter().map(RecordRow::from).collect();
        let header = ["record type", "owner", "title", "sharing", "may ask", "for"];
        output::list(self.output.for_lists(), &rows, &header, |row| {
            let modes = distinct(row.grants.iter().flat_map(|grant| &grant.modes));
            let purposes = distinct(row.grants.iter().flat_map(|grant| &grant.purposes));
            let title = format!("{} {}", row.title, row.title_zh);
            let (name, owner) = (row.name.clone(), row.owner.clone());
            vec![
                name,
                owner,
                title.trim().to_owned(),
                row.sharing.clone(),
                modes,
                purposes,
            ]
        })
    }

    async fn export(&mut self, package: String, to: &Path) -> Result<(), Failure> {
        let request = pb::ExportPackageRequest { package };
        let request = self.gateway.request(request);
        let answer = self.client.export_package(request).await;
        let answer = self.gateway.answered(answer)?;
        let files = answer.files.iter();
        let files = files.map(|file| (file.name.as_str(), file.text.as_str()));
        for (name, text) in files.chain([("buf.gen.yaml", GENERATE)]) {
            let path = within(to, name)?;
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
            writeln!(io::stdout().lock(), "{}", path.display())?;
        }
        Ok(())
    }

    async fn show(&mut self, record: String) -> Result<(), Failure> {
        let request = self.gateway.request(pb::GetRecordTypeRequest {
            record_type: record,
        });
        let answer = self.client.get_record_type(request).await;
        let answer = self.gateway.answered(answer)?;
        let row = RecordRow::from(answer.record_type.unwrap_or_default());
        let fields: Vec<_> = answer.fields.into_iter().map(FieldRow::from).collect();
        match self.output.for_lists() {
            Format::Json => {
                let shown = serde_json::json!({ "record_type": row, "fields": fields });
                writeln!(io::stdout().lock(), "{shown}")?;
            }
            Format::Csv => output::list(Format::Csv, &fields, &FieldRow::HEADER, FieldRow::cells)?,
            Format::Table => write(&row, &fields, &mut io::stdout().lock())?,
        }
        Ok(())
    }
}

/// The path of an exported file, which comes from the gateway: below the folder, or none.
fn within(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let mut parts = Path::new(name).components();
    if name.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
        return Err(anyhow!("the gateway names a file outside of the folder").into());
    }
    Ok(folder.join(name))
}

fn write(row: &RecordRow, fields: &[FieldRow], to: &mut impl Write) -> io::Result<()> {
    let facts = [
        ("record type", &row.name),
        ("title", &row.title),
        ("", &row.title_zh),
        ("description", &row.description),
        ("owner", &row.owner),
        ("office", &row.office),
        ("", &row.office_zh),
        ("access", &row.access),
        ("ends", &row.deprecated),
        ("key", &row.key),
        ("sharing", &row.sharing),
        ("updated", &row.update_frequency),
        ("fresh as of", &row.fresh_as_of),
        ("offered", &row.offered_modes.join(", ")),
        ("schema", &row.schema_digest),
    ];
    let stated = facts.into_iter().filter(|(_, fact)| !fact.is_empty());
    writeln!(
        to,
        "{}\n",
        Table::of_pairs(stated.map(|(name, fact)| (name, fact.clone())))
    )?;
    let mut table = Table::new(&FieldRow::HEADER);
    fields.iter().for_each(|field| table.row(&field.cells()));
    writeln!(to, "{table}")?;
    if row.grants.is_empty() {
        return writeln!(to, "\nno agreement lets this system ask for it today");
    }
    for grant in &row.grants {
        let facts = [
            ("agreement", format!("{} {}", grant.agreement, grant.title)),
            ("until", grant.valid_until.clone()),
            ("modes", grant.modes.join(", ")),
            ("purposes", grant.purposes.join(", ")),
            ("fields", grant.fields.join(", ")),
            ("masked", grant.masked.join(", ")),
            ("look-up", grant.lookup.join(", ")),
            ("guesses", grant.guesses()),
            ("counts", grant.counts()),
        ];
        let stated = facts.into_iter().filter(|(_, fact)| !fact.is_empty());
        writeln!(to, "\n{}", Table::of_pairs(stated))?;
    }
    Ok(())
}

fn distinct<'a>(words: impl Iterator<Item = &'a String>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for word in words {
        if !seen.contains(&word.as_str()) {
            seen.push(word);
        }
    }
    seen.join(", ")
}

#[derive(Serialize)]
struct DepartmentRow {
    id: String,
    name: String,
    name_zh: String,
}

#[derive(Serialize)]
struct RecordRow {
    name: String,
    owner: String,
    title: String,
    title_zh: String,
    description: String,
    office: String,
    office_zh: String,
    access: String,
    deprecated: String,
    key: String,
    sharing: String,
    update_frequency: String,
    /// Empty where the owner does not say.
    fresh_as_of: String,
    /// Empty while the owner's gateway has not told.
    offered_modes: Vec<String>,
    schema_digest: String,
    grants: Vec<GrantRow>,
}

#[derive(Serialize)]
struct GrantRow {
    agreement: String,
    title: String,
    purposes: Vec<String>,
    modes: Vec<String>,
    fields: Vec<String>,
    masked: Vec<String>,
    lookup: Vec<String>,
    valid_until: String,
    lookup_misses: u32,
    /// None: any number.
    distinct_counts: Option<u32>,
    count_step: u64,
}

impl GrantRow {
    fn has(&self, mode: &str) -> bool {
        self.modes.iter().any(|granted| granted == mode)
    }

    fn guesses(&self) -> String {
        if self.lookup.is_empty() && !self.has("verify") {
            return String::new();
        }
        let misses = self.lookup_misses;
        format!("{misses} values a day may be looked up or verified in vain")
    }

    fn counts(&self) -> String {
        if !self.has("count") {
            return String::new();
        }
        let step = match self.count_step {
            0 | 1 => "exact".to_owned(),
            step => format!("in steps of {step}"),
        };
        match self.distinct_counts {
            Some(counts) => format!("{step}, {counts} different filters a day"),
            None => step,
        }
    }
}

#[derive(Serialize)]
struct FieldRow {
    path: String,
    r#type: String,
    sensitivity: String,
    mask: String,
    title: String,
    title_zh: String,
    description: String,
}

impl FieldRow {
    const HEADER: [&str; 6] = ["field", "type", "sensitivity", "mask", "title", "名称"];

    fn cells(&self) -> Vec<String> {
        let Self {
            path,
            r#type,
            sensitivity,
            mask,
            title,
            title_zh,
            ..
        } = self;
        [path, r#type, sensitivity, mask, title, title_zh]
            .map(Clone::clone)
            .to_vec()
    }
}

impl From<pb::DepartmentEntry> for DepartmentRow {
    fn from(entry: pb::DepartmentEntry) -> Self {
        Self {
            id: entry.id,
            name: entry.name,
            name_zh: entry.name_zh,
        }
    }
}

impl From<pb::RecordTypeEntry> for RecordRow {
    fn from(entry: pb::RecordTypeEntry) -> Self {
        Self {
            sharing: word(entry.sharing().as_str_name(), "SHARING_CLASS_"),
            update_frequency: word(entry.update_frequency().as_str_name(), "UPDATE_FREQUENCY_"),
            schema_digest: hex(&entry.schema_digest),
            fresh_as_of: entry.fresh_as_of,
            offered_modes: entry.offered_modes,
            name: entry.name,
            owner: entry.owner,
            title: entry.title,
            title_zh: entry.title_zh,
            description: entry.description,
            office: entry.office,
            office_zh: entry.office_zh,
            access: entry.access,
            deprecated: entry.deprecated.map(end_text).unwrap_or_default(),
            key: entry.key,
            grants: entry.grants.into_iter().map(GrantRow::from).collect(),
        }
    }
}

impl From<pb::GrantEntry> for GrantRow {
    fn from(entry: pb::GrantEntry) -> Self {
        Self {
            agreement: entry.agreement,
            title: entry.title,
            purposes: entry.purposes,
            modes: entry.modes,
            fields: entry.fields,
            masked: entry.masked,
            lookup: entry.lookup,
            valid_until: entry.valid_until,
            lookup_misses: entry.lookup_misses,
            distinct_counts: (entry.distinct_counts > 0).then_some(entry.distinct_counts),
            count_step: entry.count_step,
        }
    }
}

impl From<pb::FieldEntry> for FieldRow {
    fn from(entry: pb::FieldEntry) -> Self {
        Self {
            sensitivity: word(entry.sensitivity().as_str_name(), "SENSITIVITY_"),
            path: entry.path,
            r#type: entry.r#type,
            mask: entry.mask,
            title: entry.title,
            title_zh: entry.title_zh,
            description: entry.description,
        }
    }
}

fn end_text(end: pb::Deprecation) -> String {
    match end.replaced_by.as_str() {
        "" => end.until,
        other => format!("{}; use {other}", end.until),
    }
}

/// `SHARING_CLASS_CONDITIONAL` as `conditional`; what is not specified is empty.
fn word(name: &str, prefix: &str) -> String {
    match name.strip_prefix(prefix) {
        Some("UNSPECIFIED") | None => String::new(),
        Some(word) => word.to_lowercase(),
    }
}
