//! Why a reader was not answered, and how that is told over HTTP.

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::IntoResponse;
use axum::response::Response;
use serde_json::json;

use super::reader::NotGranted;
use crate::fault::chain;
use crate::journal::AppendError;

/// Why a reader was not answered. The text is for the reader; causes are for the operator's log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadingError {
    #[error(transparent)]
    NotGranted(#[from] NotGranted),
    #[error("{field}: {why}")]
    Invalid { field: &'static str, why: String },
    #[error("the journal has no such entry")]
    NotFound,
    #[error("the journal cannot be written, and nothing is read that is not on record")]
    Unlogged(#[from] AppendError),
    #[error("the journal cannot be read now; the gateway's log says why")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ReadingError {
    pub(crate) fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        let why = why.into();
        Self::Invalid { field, why }
    }

    pub(crate) fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Failed(Box::new(error))
    }

    /// Stable, for programs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::NotGranted(refused) => refused.reason(),
            Self::Invalid { .. } => "QUESTION_INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::Unlogged(_) => "JOURNAL_UNAVAILABLE",
            Self::Failed(_) => "JOURNAL_UNREADABLE",
        }
    }

    /// Counts and logs it. Of who asked in vain, nothing but the name of a reader is known, and the token never shown.
    pub(crate) fn log(self, what: &'static str) -> Self {
        let reason = self.reason();
        metrics::counter!("landbridge_reads_refused_total", "what" => what, "reason" => reason)
            .increment(1);
        match &self {
            Self::Failed(_) | Self::Unlogged(_) => {
                tracing::error!(what, reason, error = %chain(&self), "a reader was not answered");
            }
            Self::NotGranted(_) => {
                tracing::warn!(what, reason, error = %self, "a reader was refused");
            }
            Self::Invalid { .. } | Self::NotFound => {
                tracing::debug!(what, reason, "a reader was not answered");
            }
        }
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotGranted(NotGranted::NoToken | NotGranted::UnknownToken) => {
                StatusCode::UNAUTHORIZED
            }
            Self::NotGranted(NotGranted::RightMissing { .. }) => StatusCode::FORBIDDEN,
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unlogged(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for ReadingError {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = json!({ "reason": self.reason(), "message": self.to_string() });
        let headers = [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "no-store"),
        ];
        let mut response = (status, headers, format!("{body}\n")).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer realm=\"landbridge\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, how);
        }
        response
    }
}
