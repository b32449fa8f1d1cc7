//! Fills the departments' databases with synthetic records.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;

use super::DemoError;
use super::federation::DEPARTMENTS;
use super::federation::Federation;
use super::generate;
use crate::config::Config;
use crate::fault::Fault;
use crate::name::RecordType;
use crate::registry::Registry;
use crate::source::import::ImportError;
use crate::source::import::Importer;
use crate::source::import::PutError;
use crate::source::sql::settings::Identifier;

/// The town is the same at each run.
const SEED: u64 = 2026;

/// Why the databases could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    #[error("the sample settings have faults: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Faults(Vec<Fault>),
    #[error(transparent)]
    Records(#[from] DemoError),
    #[error("{record} has no SQLite table in the sample settings")]
    NoTable { record: RecordType },
    #[error("the table of {record} cannot be made")]
    Import {
        record: RecordType,
        #[source]
        source: ImportError,
    },
    #[error("a record of {record} cannot be stored")]
    Put {
        record: RecordType,
        #[source]
        source: PutError,
    },
}

/// Makes a town of so many residents and stores what each department knows of it. `on_progress` is told what is done.
pub async fn fill(
    federation: &Federation,
    residents: u32,
    on_progress: impl Fn(&RecordType, usize),
) -> Result<(), FillError> {
    let (registry, tables) = tables(federation)?;
    let mut records = BTreeMap::<RecordType, Vec<Bytes>>::new();
    for made in generate(&registry, SEED, residents) {
        let (record, bytes) = made?;
        records.entry(record).or_default().push(bytes);
    }
    // One type at a time: a SQLite file has one writer.
    for (record, records) in &records {
        let Some((database, table)) = tables.get(record) else {
            return Err(FillError::NoTable {
                record: record.clone(),
            });
        };
        let failed = |source| FillError::Import {
            record: record.clone(),
            source,
        };
        let schema = registry.record(record.as_str()).map_err(DemoError::from)?;
        let mut importer = Importer::open(database, schema, table, true)
            .await
            .map_err(failed)?;
        for bytes in records {
            let put = importer.put(bytes).await;
            put.map_err(|source| FillError::Put {
                record: record.clone(),
                source,
            })?;
        }
        importer.finish().await.map_err(failed)?;
        on_progress(record, records.len());
    }
    Ok(())
}

/// The sample registry, and for each record type its database file and table.
type Tables = BTreeMap<RecordType, (PathBuf, Identifier)>;

fn tables(federation: &Federation) -> Result<(Registry, Tables), FillError> {
    let mut tables = BTreeMap::new();
    let mut registry = None;
    for (department, _) in DEPARTMENTS {
        let config = Config::load(&federation.settings(department)).map_err(FillError::Faults)?;
        for source in &config.sources {
            let Some(file) = source.url.as_str().strip_prefix("sqlite:") else {
                continue;
            };
            for record in &source.settings.record {
                let Some(table) = &record.table else { continue };
                tables.insert(
                    record.record.clone(),
                    (PathBuf::from(file), table.name.clone()),
                );
            }
        }
        registry = Some(config.registry);
    }
    let root = registry.unwrap_or_default();
    Ok((Registry::compile(&root).map_err(FillError::Faults)?, tables))
}
