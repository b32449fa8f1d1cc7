//! Where a source's address comes from: the settings, or a file of its own.

use std::path::Path;

use super::SourceConfig;
use super::faults::Faults;
use super::paths::beside;
use crate::source::service::settings::Address;
use crate::source::service::settings::ServiceSettings;
use crate::source::sql::settings::DatabaseUrl;
use crate::source::sql::settings::SqlSettings;
use crate::source::sql::settings::UrlFile;

pub(super) fn check(
    mut settings: SqlSettings,
    file: &Path,
    faults: &mut Faults<'_>,
) -> Option<SourceConfig> {
    settings.url_file = settings.url_file.map(|path| beside(file, path));
    let url = match (&settings.url, &settings.url_file) {
        (Some(url), None) => url.clone(),
        (None, Some(from)) => match UrlFile(from.clone()).read_now() {
            Ok(url) => url,
            Err(error) => {
                faults.add(
                    "source",
                    format!(
                        "the `url_file` of `{}` cannot be read: {error}",
                        settings.name
                    ),
                );
                return None;
            }
        },
        (None, None) | (Some(_), Some(_)) => {
            faults.add(
                "source",
                format!("`{}` needs either `url` or `url_file`", settings.name),
            );
            return None;
        }
    };
    Some(SourceConfig {
        url: placed(&url, file),
        settings,
    })
}

/// A socket that is not named from the root is found from the settings' folder.
pub(super) fn placed_service(settings: ServiceSettings, file: &Path) -> ServiceSettings {
    let url = match settings.url {
        Address::Unix(path) => Address::Unix(beside(file, path)),
        address @ Address::Loopback(_) => address,
    };
    ServiceSettings { url, ..settings }
}

/// A SQLite file that is not named from the root is found from the settings' folder.
fn placed(url: &DatabaseUrl, file: &Path) -> DatabaseUrl {
    match url.as_str().strip_prefix("sqlite:") {
        Some(path) => {
            let path = path.strip_prefix("//").unwrap_or(path);
            DatabaseUrl::new(format!("sqlite:{}", beside(file, path.into()).display()))
        }
        None => url.clone(),
    }
}
