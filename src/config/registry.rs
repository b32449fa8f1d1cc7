//! The settings of the registry: where its tree is, and how published revisions get here.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::PublicationConfig;
use super::faults::Faults;
use super::paths::beside;
use super::quantity::DURATION;
use crate::clock::parse_span;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegistry {
    path: PathBuf,
    published: Option<PathBuf>,
    #[serde(default = "one_minute")]
    sync: String,
}

fn one_minute() -> String {
    "1m".to_owned()
}

impl RawRegistry {
    /// The tree's folder, and what is published.
    pub(super) fn check(
        self,
        settings: &Path,
        journal: &Path,
        faults: &mut Faults<'_>,
    ) -> (PathBuf, PublicationConfig) {
        let publication = PublicationConfig {
            path: match self.published {
                Some(given) => beside(settings, given),
                None => journal.with_file_name("published"),
            },
            sync: faults
                .parsed("registry.sync", &self.sync, DURATION, parse_span)
                .max(Duration::from_secs(1)),
        };
        (beside(settings, self.path), publication)
    }
}
