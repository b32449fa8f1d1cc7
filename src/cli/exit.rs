//! How a command ends: its exit code, and what it says when it did not do what was asked.

use std::fmt::Display;
use std::io;
use std::io::Write;
use std::process::ExitCode;

use super::gateway_refusal::GatewayRefusal;
use crate::fault::Fault;
use crate::fault::chain;
use crate::text::visible;

/// The exit codes, as scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Done,
    Failed,
    /// An agreement, a guardrail or a limit forbids it.
    Denied,
    /// A journal that does not verify, or a value that is not confirmed.
    Unverified,
    /// Journals that cannot be compared to their end yet.
    Pending,
    /// Bad usage, or bad settings: `EX_USAGE` of sysexits.h.
    Usage,
    /// Ctrl-C, as shells report it.
    Interrupted,
}

impl Exit {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Denied => 2,
            Self::Unverified => 3,
            Self::Pending => 4,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What a verb ends with.
pub(super) type Run = Result<Exit, Failure>;

/// Why a verb could not do what was asked.
#[derive(Debug)]
pub(super) enum Failure {
    Error {
        exit: Exit,
        error: anyhow::Error,
        /// What the user can do about it.
        hint: Option<String>,
    },
    /// Faults in files that somebody wrote.
    Faults(Vec<Fault>),
    /// The gateway answered, and the answer is no.
    Refused(Box<GatewayRefusal>),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error {
            exit: Exit::Failed,
            error: error.into(),
            hint: None,
        }
    }
}

impl Failure {
    /// The command was not given what it needs.
    pub(super) fn usage(message: impl Display) -> Self {
        Self::Error {
            exit: Exit::Usage,
            error: anyhow::anyhow!("{message}"),
            hint: None,
        }
    }

    /// Ends with that code.
    pub(super) fn exiting(self, exit: Exit) -> Self {
        match self {
            Self::Error { error, hint, .. } => Self::Error { exit, error, hint },
            told => told,
        }
    }

    /// What was to be proven is not so.
    pub(super) fn unverified(error: impl Into<anyhow::Error>) -> Self {
        Self::Error {
            exit: Exit::Unverified,
            error: error.into(),
            hint: None,
        }
    }

    /// Says what the user can do about it.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Error { exit, error, .. } => Self::Error {
                exit,
                error,
                hint: Some(hint.into()),
            },
            told => told,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Error { exit, .. } => *exit,
            Self::Faults(_) => Exit::Usage,
            Self::Refused(refused) => refused.exit(),
        }
    }

    /// Tells the user, and gives the exit code. A reader that went away, as in `| head`, is no failure.
    pub(super) fn report(&self, json: bool, to: &mut impl Write) -> Exit {
        if self.is_broken_pipe() {
            return Exit::Done;
        }
        // When not even the complaint can be written, the exit code still says it.
        let _ = if json {
            self.write_json(to)
        } else {
            self.write(to)
        };
        self.exit()
    }

    fn is_broken_pipe(&self) -> bool {
        let Self::Error { error, .. } = self else {
            return false;
        };
        error.chain().any(|cause| {
            let io = cause.downcast_ref::<io::Error>();
            io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
        })
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Error { error, hint, .. } => {
                writeln!(to, "error: {}", visible(&chain(error.as_ref())))?;
                match hint {
                    Some(hint) => writeln!(to, "hint: {}", visible(hint)),
                    None => Ok(()),
                }
            }
            Self::Faults(faults) => {
                for fault in faults {
                    writeln!(to, "error: {}", visible(&fault.to_string()))?;
                }
                Ok(())
            }
            Self::Refused(refused) => refused.write(to),
        }
    }

    fn write_json(&self, to: &mut impl Write) -> io::Result<()> {
        let report = match self {
            Self::Error { error, hint, .. } => {
                serde_json::json!({ "error": chain(error.as_ref()), "hint": hint })
            }
            Self::Faults(faults) => serde_json::json!({ "faults": faults }),
            Self::Refused(refused) => refused.to_json(),
        };
        writeln!(to, "{report}")
    }
}

#[cfg(test)]
mod tests;
