//! `audit export`: takes entries out of a journal, proven, in the formats that others read.

use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use tokio::runtime;
use tokio::runtime::Runtime;

use super::Place;
use super::criteria::CriteriaArgs;
use super::unreadable;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::cli::table::Table;
use crate::clock::Clock;
use crate::digest::hex;
use crate::evidence::export::Export;
use crate::evidence::export::ExportError;
use crate::evidence::export::Format;
use crate::evidence::export::Progress;
use crate::evidence::export::Selection;
use crate::evidence::export::WrittenExport;
use crate::evidence::export::write;
use crate::journal::reader::ReadError;
use crate::journal::verify::Fault;

#[derive(Args)]
#[command(after_help = "Formats:
  parquet  a file for DuckDB, pandas, Spark: a typed column for each thing to ask for
  csv      a file for spreadsheets
  jsonl    a file with a line for each entry, as `audit search --json` prints it
  ocsf     a file with a line for each entry, as SIEMs take it (OCSF 1.3, API Activity)
  tiles    a folder that tools for transparency logs read (C2SP tlog-tiles)
  bundle   a folder of evidence with its proofs, keys and instructions, to be verified without Landbridge

Examples:
  landbridge audit export --config config/civil.toml --format parquet --out 2026.parquet
  landbridge audit export --config config/civil.toml --format csv --out denied.csv \\
      --outcome denied --since 7d
  landbridge audit export --config config/civil.toml --format bundle --out case-4711 \\
      --exchange <exchange id>
  landbridge audit export --journal var/civil/journal --vkey \"$(landbridge audit key \\
      --config config/civil.toml)\" --format tiles --out civil-log

Every entry is checked against its leaf, and all of them against the signed checkpoint: nothing is written of a journal that
does not verify. Entries newer than the checkpoint, of about the last second, are left out.

Exit codes: 0 done, 1 it cannot be read or written, 3 verification failed, 64 bad usage, 130 interrupted.")]
pub(super) struct ExportArgs {
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    format: Format,
    /// The file or folder to write, where nothing may stand yet
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    #[command(flatten)]
    criteria: CriteriaArgs,
    /// From the entry of this index on
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from: u64,
    /// Before the entry of this index
    #[arg(long, value_name = "INDEX")]
    to: Option<u64>,
    /// The federation's tlog-policy, for a bundle: which witnesses must have cosigned [default: that of the settings]
    #[arg(long, value_name = "FILE")]
    witnesses: Option<PathBuf>,
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.iter().map(|format| format.as_str())).try_map(|word| {
        let found = Format::ALL.iter().find(|format| format.as_str() == word);
        found.copied().ok_or("no such format")
    })
}

impl ExportArgs {
    pub(super) fn run(self, place: &Place, output: &OutputOptions) -> Run {
        let json = output.for_one()?;
        let of_settings = || place.config.as_ref()?.witness.policy.clone();
        let policy = self.witnesses.or_else(of_settings);
        let policy = policy.map(std::fs::read_to_string).transpose()?;
        let (criteria, whom) = self.criteria.criteria(place, Clock::System.now())?;
        let selection = Selection {
            criteria,
            from: self.from,
            to: self.to,
        };
        let export = Export {
            journal: &place.dir,
            trusted: place.trusted()?,
            selection: &selection,
            format: self.format,
            offset: place.offset,
            policy: policy.as_deref(),
        };
        place.demand_folder()?;
        let interrupt = Interrupt::listen()?;
        let mut meter = Meter::new();
        let written = write(&export, &self.out, &mut |progress| {
            meter.tell(progress);
            interrupt.is_set()
        });
        meter.end();
        match written {
            Ok(written) => {
                print_written(&written, &self.out, json)?;
                match &whom {
                    Some(whom) => whom.print_gaps(false, place.index().as_ref(), place),
                    None => Ok(Exit::Done),
                }
            }
            Err(error) => not_written(error),
        }
    }
}

/// Why there is no export. A journal that does not verify has an exit code of its own.
fn not_written(error: ExportError) -> Run {
    match error {
        ExportError::Interrupted => Ok(Exit::Interrupted),
        ExportError::Read(error @ ReadError::Disk(_))
        | ExportError::Fault(Fault::Read(error @ ReadError::Disk(_))) => Err(unreadable(error)),
        ExportError::Read(_) | ExportError::Fault(_) => Err(Failure::unverified(error)
            .hint("see what `landbridge audit verify` finds; nothing was written")),
        ExportError::Exists(_) => Err(Failure::from(error)
            .exiting(Exit::Usage)
            .hint("give another `--out`: an export overwrites nothing")),
        ExportError::WholeOnly => Err(Failure::from(error)
            .exiting(Exit::Usage)
            .hint("leave the criteria out, or take `--format bundle`")),
        ExportError::Range { .. } | ExportError::Nothing => {
            Err(Failure::from(error).exiting(Exit::Usage))
        }
        error => Err(error.into()),
    }
}

fn print_written(
    written: &WrittenExport,
    out: &std::path::Path,
    json: bool,
) -> Result<(), Failure> {
    let checkpoint = &written.checkpoint;
    let mut to = io::stdout().lock();
    if json {
        let report = serde_json::json!({
            "entries": written.entries,
            "out": out.display().to_string(),
            "sha256": hex(&written.sha256),
            "checkpoint": {
                "origin": checkpoint.origin(),
                "size": checkpoint.size(),
                "root": hex(checkpoint.root()),
            },
        });
        writeln!(to, "{report}")?;
    } else {
        let of = match out.is_dir() {
            true => "SHA-256 of its SHA256SUMS",
            false => "SHA-256",
        };
        let pairs = [
            ("written", out.display().to_string()),
            ("entries", written.entries.to_string()),
            (of, hex(&written.sha256)),
            (
                "proven by",
                format!(
                    "the checkpoint of {} at {} entries",
                    checkpoint.origin(),
                    checkpoint.size()
                ),
            ),
        ];
        writeln!(to, "{}", Table::of_pairs(pairs))?;
    }
    to.flush()?;
    writeln!(
        io::stderr(),
        "note: read from the journal's files, so the journal has no entry of this export"
    )?;
    Ok(())
}

/// Set by Ctrl-C.
struct Interrupt {
    set: Arc<AtomicBool>,
    /// Listens for as long as it is there.
    _runtime: Runtime,
}

impl Interrupt {
    fn listen() -> io::Result<Self> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let set = Arc::new(AtomicBool::new(false));
        let flag = set.clone();
        runtime.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                flag.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self {
            set,
            _runtime: runtime,
        })
    }

    fn is_set(&self) -> ControlFlow<()> {
        match self.set.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// Tells how far it has come, when it takes a while.
struct Meter {
    began: Instant,
    told: Option<Instant>,
}

const SILENT: Duration = Duration::from_secs(2);
const TELL_EVERY: Duration = Duration::from_millis(500);

impl Meter {
    fn new() -> Self {
        let began = Instant::now();
        Self { began, told: None }
    }

    fn tell(&mut self, progress: Progress) {
        let now = Instant::now();
        let took = now - self.began;
        let due = self.told.is_none_or(|told| now - told >= TELL_EVERY);
        if took < SILENT || !due || progress.of == 0 || !io::stderr().is_terminal() {
            return;
        }
        self.told = Some(now);
        let rate = progress.read as f64 / took.as_secs_f64();
        let percent = progress.read.saturating_mul(100) / progress.of.max(1);
        let mut err = io::stderr().lock();
        // Whether anybody sees the progress does not matter to the export.
        let _ = write!(
            err,
            "\r{} of {} entries read ({percent} %), {} written, {rate:.0} a second ",
            progress.read, progress.of, progress.written
        )
        .and_then(|()| err.flush());
    }

    fn end(&self) {
        if self.told.is_some() {
            // As above.
            let _ = writeln!(io::stderr());
        }
    }
}
