//! Who may read at the operators' door: named readers with their rights, known by a bearer token.

mod token;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::Deserialize;

use crate::name::ReaderName;
pub use token::Token;
pub use token::TokenDigest;

/// What a reader may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// To fetch the tree: checkpoint, tiles and leaves, which name nobody.
    Tiles,
    /// To search the journal's records and to have them proven.
    Search,
    /// To ask by a person's identifier who received that person's data.
    Subjects,
    /// To take parts of the journal away in bulk.
    Export,
}

/// Somebody whom the settings name.
#[derive(Debug, Clone)]
pub struct Reader {
    pub name: ReaderName,
    pub token: TokenDigest,
    pub rights: BTreeSet<Right>,
}

/// Everybody whom the settings name.
#[derive(Debug, Clone, Default)]
pub struct Readers(Vec<Reader>);

/// Somebody who has shown a reader's token. Only `Readers` makes one.
#[derive(Debug, Clone)]
pub struct KnownReader<'a>(&'a Reader);

/// Evidence that a reader has the right to what was asked. Only `KnownReader` makes one, and the console for who is signed in.
#[derive(Debug, Clone)]
pub struct ReadGrant {
    reader: ReaderName,
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotGranted {
    #[error(
        "no token was given; send `authorization: Bearer lbr_…`, which `landbridge audit token` makes"
    )]
    NoToken,
    #[error("the token is none that this gateway's settings name under [[operators.reader]]")]
    UnknownToken,
    #[error("`{reader}` does not have the right `{right}`; it is given under [[operators.reader]]")]
    RightMissing { reader: ReaderName, right: Right },
}

impl Right {
    pub const ALL: [Self; 4] = [Self::Tiles, Self::Search, Self::Subjects, Self::Export];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tiles => "tiles",
            Self::Search => "search",
            Self::Subjects => "subjects",
            Self::Export => "export",
        }
    }
}

impl Readers {
    pub fn new(readers: Vec<Reader>) -> Self {
        Self(readers)
    }

    /// Whose token the `authorization` header shows.
    pub fn know(&self, authorization: Option<&[u8]>) -> Result<KnownReader<'_>, NotGranted> {
        let shown = authorization
            .and_then(token::bearer)
            .ok_or(NotGranted::NoToken)?;
        let digest = TokenDigest::of(shown);
        // Each is compared whole: how long this takes tells nothing of the tokens.
        let mut known = None;
        for reader in &self.0 {
            if verify_slices_are_equal(reader.token.bytes(), digest.bytes()).is_ok() {
                known = Some(reader);
            }
        }
        known.map(KnownReader).ok_or(NotGranted::UnknownToken)
    }
}

impl KnownReader<'_> {
    pub fn may(&self, right: Right) -> Result<ReadGrant, NotGranted> {
        if !self.0.rights.contains(&right) {
            return Err(NotGranted::RightMissing {
                reader: self.0.name.clone(),
                right,
            });
        }
        Ok(ReadGrant {
            reader: self.0.name.clone(),
        })
    }
}

impl ReadGrant {
    /// For somebody who is signed in at the console, whose role gives the right.
    pub(crate) fn signed_in(name: &ReaderName) -> Self {
        Self {
            reader: name.clone(),
        }
    }

    pub fn reader(&self) -> &ReaderName {
        &self.reader
    }
}

impl NotGranted {
    /// Stable, for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoToken => "NO_TOKEN",
            Self::UnknownToken => "TOKEN_UNKNOWN",
            Self::RightMissing { .. } => "RIGHT_MISSING",
        }
    }
}

/// A word that is no right.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of tiles, search, subjects, export")]
pub struct NoRight;

impl FromStr for Right {
    type Err = NoRight;

    fn from_str(s: &str) -> Result<Self, NoRight> {
        Self::ALL
            .into_iter()
            .find(|right| right.as_str() == s)
            .ok_or(NoRight)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
