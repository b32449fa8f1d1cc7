//! Style, script and icon: part of the program, and kept by browsers until it changes.

use std::borrow::Cow;
use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::extract::Path;
use axum::http::HeaderName;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::digest::hex;
use crate::evidence::json;

pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "css",
        "text/css; charset=utf-8",
        include_str!("console.css"),
    )
});
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    // How records are laid out is part of the script, as the code is that reads them by it.
    let layout = json::layout().map_or_else(|_| "null".to_owned(), |layout| layout.to_string());
    let script = format!("{}const LAYOUT = {layout};\n", include_str!("console.js"));
    Asset::new("js", "text/javascript; charset=utf-8", script)
});
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("svg", "image/svg+xml", include_str!("icon.svg")));

/// A file that is named after what stands in it.
pub(super) struct Asset {
    name: String,
    kind: &'static str,
    text: Cow<'static, str>,
}

impl Asset {
    fn new(extension: &str, kind: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        let digest = hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        let stem: String = digest.chars().take(16).collect();
        Self {
            name: format!("{stem}.{extension}"),
            kind,
            text,
        }
    }

    pub(super) fn path(&self) -> String {
        format!("/console/assets/{}", self.name)
    }
}

pub(super) async fn show(Path(name): Path<String>) -> Response {
    let all: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    let Some(asset) = all.into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, asset.text.as_bytes()).into_response()
}
