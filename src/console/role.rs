//! What somebody who is signed in may see.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// Each sees the state of the gateway, and who may get what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Viewer,
    /// Also every entry of the journal, and whom a person's data went to.
    Auditor,
    /// Also what a change of the policy would do. The journal is for auditors.
    Administrator,
}

/// A word that is no role.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected viewer, auditor or administrator")]
pub struct NoRole;

impl Role {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Auditor, Self::Administrator];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    pub(super) fn reads_journal(self) -> bool {
        match self {
            Self::Auditor => true,
            Self::Viewer | Self::Administrator => false,
        }
    }

    /// Whether they may have a change of the policy checked and rehearsed.
    pub(super) fn proposes(self) -> bool {
        match self {
            Self::Administrator => true,
            Self::Viewer | Self::Auditor => false,
        }
    }
}

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(s: &str) -> Result<Self, NoRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == s)
            .ok_or(NoRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
