//! `import`: fills an embedded SQLite source from a CSV file, all rows or none.

use std::fs::File;
use std::io;
use std::io::IsTerminal;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::exit::Exit;
use super::exit::Failure;
use super::exit::Run;
use super::output;
use super::output::Format;
use super::output::OutputOptions;
use crate::assembly::registry;
use crate::config::Config;
use crate::registry::Registry;
use crate::registry::schema::RecordSchema;
use crate::source::import::BadRow;
use crate::source::import::ImportError;
use crate::source::import::ImportReport;
use crate::source::import::MOST_BAD_ROWS;
use crate::source::import::Progress;
use crate::source::import::import;
use crate::source::sql::settings::Identifier;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge import people.csv --record civil.v1.Resident --config config/civil.toml
  landbridge import people.csv --record civil.v1.Resident --config config/civil.toml --replace
  landbridge import - --record civil.v1.Resident --registry proto/registry --database civil.sqlite \\
      --table residents < people.csv
  landbridge import people.csv --record civil.v1.Resident --config config/civil.toml --dry-run

The first row names fields: `full_name`, or `address.district` for a field of a message; a cell of a message, a list or \
a map holds its JSON. An empty cell states nothing. All rows are imported or none; readers see the old state until then. \
A row that breaks a rule of the registry (buf.validate) is a bad row.

Exit codes: 0 imported, 1 nothing was imported, 64 bad usage or settings.")]
pub(super) struct ImportArgs {
    /// The CSV file, UTF-8; `-` reads standard input
    file: PathBuf,
    /// The record type, such as `civil.v1.Resident`
    #[arg(long, value_name = "RECORD TYPE")]
    record: String,
    /// The gateway's settings, which name the registry, the SQLite file and the table
    #[arg(long, env = "LANDBRIDGE_CONFIG", value_name = "FILE", required_unless_present_all = ["registry", "database"])]
    config: Option<PathBuf>,
    /// The registry's `.proto` tree [default: that of the settings]
    #[arg(long, value_name = "DIR")]
    registry: Option<PathBuf>,
    /// The SQLite file; made if it is not there [default: that of the settings]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// The table; made if it is not there [default: that of the settings, or the message's name in lower case]
    #[arg(long)]
    table: Option<Identifier>,
    /// Replaces the records that are there, rather than adding to them
    #[arg(long)]
    replace: bool,
    /// Checks every row and writes nothing; records that are there already are not looked at
    #[arg(long)]
    dry_run: bool,
}

/// Where the records go.
struct Target {
    database: PathBuf,
    table: Identifier,
}

/// SQLite's name for a database that is nowhere.
const NOWHERE: &str = ":memory:";

impl ImportArgs {
    pub(super) async fn run(self, output: OutputOptions) -> Run {
        let config = match (&self.registry, &self.database) {
            (Some(_), Some(_)) => None,
            _ => self
                .config
                .as_deref()
                .map(Config::load)
                .transpose()
                .map_err(Failure::Faults)?,
        };
        let registry = match (&self.registry, &config) {
            (None, Some(config)) => registry(config, None, Vec::new()).map(|(held, _)| held),
            (given, _) => {
                Registry::compile(given.as_deref().unwrap_or(Path::new(""))).map(Arc::new)
            }
        };
        let registry = registry.map_err(Failure::Faults)?;
        let schema = registry.record(&self.record).map_err(Failure::usage)?;
        let target = self.target(config.as_ref(), schema)?;
        let (file, size) = self.open()?;

        let path = if self.dry_run {
            Path::new(NOWHERE)
        } else {
            &target.database
        };
        let imported = import(
            file,
            schema,
            path,
            &target.table,
            self.replace,
            |progress| print_progress(progress, size),
        )
        .await;
        wipe()?;
        match imported {
            Ok(imported) => self.report(&imported, &target, &output),
            Err(ImportError::BadRows(rows)) => {
                report_bad(&rows, output.for_lists())?;
                Err(ImportError::BadRows(rows).into())
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// What a progress is measured against is known of a file only.
    fn open(&self) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
        if self.file == Path::new("-") {
            return Ok((Box::new(io::stdin()), None));
        }
        let unreadable = |error: io::Error| {
            let error = anyhow::Error::from(error);
            Failure::from(error.context(format!("`{}` cannot be read", self.file.display())))
        };
        let file = File::open(&self.file).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        Ok((Box::new(file), Some(size)))
    }

    fn target(&self, config: Option<&Config>, schema: &RecordSchema) -> Result<Target, Failure> {
        let configured = match config {
            Some(config) => configured(config, schema)?,
            None => None,
        };
        let (database, table) = configured.unzip();
        let Some(database) = self.database.clone().or(database) else {
            let failure = Failure::usage(format!(
                "the settings name no SQLite source for {}",
                schema.name()
            ));
            return Err(failure.hint(
                "add a `[[source]]` with `url = \"sqlite:…\"` and a `[[source.record]]` of this type, or give `--registry` and `--database`",
            ));
        };
        let table = match self.table.clone().or(table.flatten()) {
            Some(table) => table,
            None => schema.descriptor().name().to_lowercase().parse()?,
        };
        Ok(Target { database, table })
    }

    fn report(&self, imported: &ImportReport, target: &Target, output: &OutputOptions) -> Run {
        let mut out = io::stdout().lock();
        if output.is_json() {
            let report = serde_json::json!({
                "rows": imported.rows,
                "removed": imported.removed,
                "dry_run": self.dry_run,
                "database": target.database,
                "table": target.table.as_str(),
            });
            writeln!(out, "{report}")?;
        } else if self.dry_run {
            writeln!(out, "all {} rows fit; nothing was imported", imported.rows)?;
        } else {
            let removed = match imported.removed {
                0 => String::new(),
                removed => format!(", in place of {removed}"),
            };
            let (database, table) = (target.database.display(), target.table.as_str());
            writeln!(
                out,
                "imported {} records of {} into `{table}` of {database}{removed}",
                imported.rows, self.record
            )?;
        }
        out.flush()?;
        Ok(Exit::Done)
    }
}

/// The SQLite file and the table that the settings give a record type. None when they have no such source.
fn configured(
    config: &Config,
    schema: &RecordSchema,
) -> Result<Option<(PathBuf, Option<Identifier>)>, Failure> {
    for source in &config.sources {
        let Some(path) = source.url.as_str().strip_prefix("sqlite:") else {
            continue;
        };
        let Some(settings) = source
            .settings
            .record
            .iter()
            .find(|settings| settings.record == *schema.name())
        else {
            continue;
        };
        if !settings.columns.is_empty() || !settings.absent.is_empty() {
            let failure = Failure::usage(format!(
                "the settings map {} to columns of other names: such a table was not made here",
                schema.name()
            ));
            return Err(failure.hint("fill it with the database's own tools, or take `columns` and `absent` out of the settings"));
        }
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = path.split('?').next().unwrap_or(path);
        return Ok(Some((
            path.into(),
            settings.table.as_ref().map(|table| table.name.clone()),
        )));
    }
    Ok(None)
}

/// Progress is for somebody who waits before a terminal.
fn print_progress(progress: Progress, size: Option<u64>) {
    let mut err = io::stderr().lock();
    if !err.is_terminal() {
        return;
    }
    let share = match size {
        Some(size @ 1..) => format!(", {} %", progress.bytes.saturating_mul(100) / size),
        _ => String::new(),
    };
    // Progress that nobody can read is no reason to stop.
    let _ = write!(err, "\r{} rows{share} ", progress.rows).and_then(|()| err.flush());
}

fn wipe() -> io::Result<()> {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        write!(err, "\r\u{1b}[K")?;
    }
    Ok(())
}

fn report_bad(rows: &[BadRow], format: Format) -> Result<(), Failure> {
    output::list(format, rows, &["line", "column", "expected"], |row| {
        vec![
            row.line.to_string(),
            row.column.clone(),
            row.expected.clone(),
        ]
    })?;
    if rows.len() >= MOST_BAD_ROWS {
        writeln!(io::stderr(), "the first {MOST_BAD_ROWS}: there may be more")?;
    }
    Ok(())
}

fn failed(error: ImportError) -> Failure {
    let hint = match &error {
        ImportError::Table { .. } => {
            "let it be made anew under another `--table`, or change it with the database's own tools"
        }
        ImportError::Database(_) => "is the disk full, or another import under way?",
        ImportError::BadRows(_) | ImportError::Unreadable(_) => return error.into(),
    };
    Failure::from(error).hint(hint)
}

#[cfg(test)]
mod tests;
