//! A profile: the connection of one system, in a file.

use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;

use crate::cli::exit::Failure;
use crate::fault::Fault;
use crate::fault::position;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) gateway: Option<String>,
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// Reads a profile; its relative paths are relative to it.
pub(super) fn read(path: &Path) -> Result<Profile, Failure> {
    let fault = |(line, column), message: String| {
        let file = path.display().to_string();
        Failure::Faults(vec![Fault {
            file,
            line,
            column,
            key: String::new(),
            message,
        }])
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| fault((0, 0), format!("the profile cannot be read: {error}")))?;
    let profile: Profile = toml::from_str(&text).map_err(|error| {
        let at = error
            .span()
            .map_or((0, 0), |span| position(&text, span.start));
        fault(at, error.message().to_owned())
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = |path: Option<PathBuf>| path.map(|path| folder.join(path));
    Ok(Profile {
        ca: beside(profile.ca),
        cert: beside(profile.cert),
        key: beside(profile.key),
        ..profile
    })
}
