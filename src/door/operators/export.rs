//! Parts of the journal in bulk, for readers with the right `export`: as a file that is on record with its hash.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::ops::ControlFlow;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Uri;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_DISPOSITION;
use axum::http::header::CONTENT_LENGTH;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures::stream;
use tar::HeaderMode;
use uuid::Uuid;

use super::parameters::Parameters;
use crate::evidence::criteria::Criteria;
use crate::evidence::export::Export;
use crate::evidence::export::ExportError;
use crate::evidence::export::Format;
use crate::evidence::export::Selection;
use crate::evidence::export::WrittenExport;
use crate::evidence::export::write;
use crate::reading::desk::Action;
use crate::reading::desk::OnRecord;
use crate::reading::desk::Reading;
use crate::reading::desk::ReadingDesk;
use crate::reading::error::ReadingError;
use crate::reading::reader::ReadGrant;
use crate::reading::reader::Right;
use crate::tlog::note::VerifierKey;

/// The folder in a bundle's archive.
const BUNDLE: &str = "evidence";
/// Bytes that are read and sent at a time.
const PORTION: usize = 256 * 1024;

/// `export?format=parquet|csv|jsonl|ocsf|bundle`, and optionally `since`, `until`, `from`, `to` and `mandate`.
pub(super) fn routes(desk: Arc<ReadingDesk>) -> Router {
    Router::new().route("/export", get(export)).with_state(desk)
}

/// What is wanted, in the reader's own words too.
pub(crate) struct ExportRequest {
    pub(crate) format: Format,
    pub(crate) selection: Selection,
    pub(crate) mandate: String,
    pub(crate) told: String,
}

async fn export(
    State(desk): State<Arc<ReadingDesk>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, ReadingError> {
    let exported = exported(&desk, &headers, uri.query().unwrap_or_default()).await;
    exported.map_err(|unread| unread.log("export"))
}

async fn exported(
    desk: &Arc<ReadingDesk>,
    headers: &HeaderMap,
    query: &str,
) -> Result<Response, ReadingError> {
    let granted = desk.know(headers)?.may(Right::Export)?;
    let asked = ExportRequest::read(query, desk)?;
    export_for(desk, &granted, asked).await
}

/// The file, once it is on record with its hash.
pub(crate) async fn export_for(
    desk: &ReadingDesk,
    granted: &ReadGrant,
    asked: ExportRequest,
) -> Result<Response, ReadingError> {
    let snapshot = desk.exchange.snapshot();
    let trusted = snapshot.journals.of(desk.exchange.department()).to_vec();
    let (format, journal, offset) = (asked.format, desk.journal.clone(), desk.offset);
    let selection = asked.selection;
    let made = desk.look_up(move || {
        let export = Export {
            journal: &journal,
            trusted: &trusted,
            selection: &selection,
            format,
            offset,
            policy: None,
        };
        made(&export, &trusted)
    });
    let (written, file) = made.await?;
    let reading = Reading {
        action: Action::Export,
        query: asked.told,
        entries: written.entries,
        sha256: Some(written.sha256),
        mandate: asked.mandate,
    };
    let on_record = desk.record(granted, reading).await?;
    let length = file.metadata().map_err(ReadingError::failed)?.len();
    Ok(sent(&on_record, format, length, file))
}

impl ExportRequest {
    fn read(query: &str, desk: &ReadingDesk) -> Result<Self, ReadingError> {
        let parameters = Parameters::read(query)?;
        let word = parameters.one("format")?.unwrap_or_default();
        let format = FILES.into_iter().find(|format| format.as_str() == word);
        let format = format.ok_or_else(|| {
            ReadingError::invalid(
                "format",
                "expected one of parquet, csv, jsonl, ocsf, bundle",
            )
        })?;
        let index = |name| parameters.number(name, 0..=usize::MAX);
        let criteria = Criteria {
            since: parameters.moment("since", desk.offset)?,
            until: parameters.moment("until", desk.offset)?,
            ..Criteria::default()
        };
        Ok(Self {
            format,
            selection: Selection {
                criteria,
                from: index("from")?.unwrap_or(0) as u64,
                to: index("to")?.map(|to| to as u64),
            },
            mandate: parameters.one("mandate")?.unwrap_or_default().to_owned(),
            told: query_words(&parameters, format)?,
        })
    }
}

/// Those that are one file, and a bundle as a tar archive; `landbridge audit export` makes the folders.
pub(crate) const FILES: [Format; 5] = [
    Format::Parquet,
    Format::Csv,
    Format::Jsonl,
    Format::Ocsf,
    Format::Bundle,
];

fn query_words(parameters: &Parameters, format: Format) -> Result<String, ReadingError> {
    let mut told = format.as_str().to_owned();
    for name in ["since", "until", "from", "to"] {
        if let Some(value) = parameters.one(name)? {
            told.push_str(&format!(" {name} {value}"));
        }
    }
    Ok(told)
}

/// The export as a file that has no name any more: it is gone when it has been sent, or when we die.
fn made(
    export: &Export<'_>,
    trusted: &[VerifierKey],
) -> Result<(WrittenExport, File), ReadingError> {
    if trusted.is_empty() {
        let why = "the directory has no key of this department's journal to verify it with";
        return Err(ReadingError::failed(io::Error::other(why)));
    }
    let path = place(export.journal);
    let written =
        write(export, &path, &mut |_| ControlFlow::Continue(())).map_err(reading_error)?;
    let file = match export.format {
        Format::Bundle => pack(&path),
        Format::Parquet | Format::Csv | Format::Jsonl | Format::Ocsf | Format::Tiles => {
            File::open(&path).and_then(|file| fs::remove_file(&path).map(|()| file))
        }
    };
    Ok((written, file.map_err(ReadingError::failed)?))
}

/// A folder as a tar archive without a name; the folder is gone.
fn pack(folder: &Path) -> io::Result<File> {
    let place = folder.with_extension("tar");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&place)?;
    fs::remove_file(&place)?;
    let mut archive = tar::Builder::new(file);
    archive.mode(HeaderMode::Deterministic);
    let packed = archive.append_dir_all(BUNDLE, folder);
    fs::remove_dir_all(folder)?;
    packed?;
    let mut file = archive.into_inner()?;
    file.rewind()?;
    Ok(file)
}

/// Beside the journal, where only its gateway reads.
fn place(journal: &Path) -> PathBuf {
    journal.with_file_name(format!("export-{}", Uuid::now_v7()))
}

fn reading_error(error: ExportError) -> ReadingError {
    match error {
        ExportError::Range { .. } | ExportError::Nothing => {
            ReadingError::invalid("query", error.to_string())
        }
        error => ReadingError::failed(error),
    }
}

fn sent(_on_record: &OnRecord, format: Format, length: u64, file: File) -> Response {
    let (kind, name) = match format {
        Format::Parquet => ("application/vnd.apache.parquet", "journal.parquet"),
        Format::Csv => ("text/csv; charset=utf-8", "journal.csv"),
        Format::Bundle => ("application/x-tar", "evidence.tar"),
        Format::Jsonl | Format::Ocsf | Format::Tiles => ("application/x-ndjson", "journal.jsonl"),
    };
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    let portions = stream::try_unfold(file, |file| async move {
        let read = tokio::task::spawn_blocking(move || portion(file));
        let (portion, file) = read.await.map_err(io::Error::other)??;
        Ok::<_, io::Error>((!portion.is_empty()).then_some((portion, file)))
    });
    (headers, Body::from_stream(portions)).into_response()
}

fn portion(mut file: File) -> io::Result<(Bytes, File)> {
    let mut portion = Vec::with_capacity(PORTION);
    file.by_ref()
        .take(PORTION as u64)
        .read_to_end(&mut portion)?;
    Ok((portion.into(), file))
}
