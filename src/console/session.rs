//! Who is signed in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::account::ProvenCredentials;
use super::role::Role;
use crate::clock::Moment;
use crate::exchange::secret;
use crate::exchange::secret::NoRandomness;
use crate::name::ReaderName;

/// A session ends when nobody has looked at a page for so long, and at the latest so long after the sign-in.
const IDLE_SECONDS: i64 = 15 * 60;
const LIFE_SECONDS: i64 = 8 * 3600;
/// Sessions of one person; the oldest ends when there is one more.
const SESSIONS_EACH: usize = 4;

type Id = [u8; 32];

/// All sessions of one gateway. They end with it.
#[derive(Default)]
pub(super) struct Sessions(Mutex<State>);

#[derive(Default)]
struct State {
    /// By the digest of what the browser shows: who reads the memory cannot show it.
    live: BTreeMap<Id, Session>,
    /// The step of the last code that each person has used: none works twice.
    used: BTreeMap<ReaderName, u64>,
}

#[derive(Debug, Clone)]
struct Session {
    who: User,
    begun: Moment,
    seen: Moment,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: ReaderName,
    pub(super) role: Role,
    pub(super) means: SignInMethod,
}

/// By what somebody was signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignInMethod {
    /// Of the file of accounts, which may change while they are signed in.
    Account,
    /// The role is the provider's, for as long as the session.
    OpenId,
}

/// This code was used already, or an earlier one than was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CodeUsed;

impl Sessions {
    /// Uses the code up.
    pub(super) fn accept(&self, proven: &ProvenCredentials) -> Result<User, CodeUsed> {
        let mut state = self.state();
        let used = state.used.entry(proven.name.clone()).or_default();
        if proven.step <= *used {
            return Err(CodeUsed);
        }
        *used = proven.step;
        Ok(User {
            name: proven.name.clone(),
            role: proven.role,
            means: SignInMethod::Account,
        })
    }

    /// Begins a session; gives what the browser shows from then on.
    pub(super) fn begin(&self, who: User, now: Moment) -> Result<String, NoRandomness> {
        let shown = URL_SAFE_NO_PAD.encode(secret::random::<32>()?);
        let mut state = self.state();
        state.live.retain(|_, session| session.lives(now));
        let of_person = |session: &Session| session.who.name == who.name;
        while state
            .live
            .values()
            .filter(|session| of_person(session))
            .count()
            >= SESSIONS_EACH
        {
            let sessions = state.live.iter().filter(|(_, session)| of_person(session));
            let Some(oldest) = sessions
                .min_by_key(|(_, session)| session.begun)
                .map(|(&id, _)| id)
            else {
                break;
            };
            state.live.remove(&oldest);
        }
        let session = Session {
            who,
            begun: now,
            seen: now,
        };
        state.live.insert(id(&shown), session);
        Ok(shown)
    }

    pub(super) fn of(&self, shown: &str, now: Moment) -> Option<User> {
        let mut state = self.state();
        let id = id(shown);
        let session = state.live.get_mut(&id)?;
        if !session.lives(now) {
            state.live.remove(&id);
            return None;
        }
        session.seen = now;
        Some(session.who.clone())
    }

    pub(super) fn end(&self, shown: &str) {
        self.state().live.remove(&id(shown));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn lives(&self, now: Moment) -> bool {
        now.seconds() < self.seen.seconds() + IDLE_SECONDS
            && now.seconds() < self.begun.seconds() + LIFE_SECONDS
    }
}

fn id(shown: &str) -> Id {
    let mut id = Id::default();
    let digest = digest::digest(&digest::SHA256, shown.as_bytes());
    id.iter_mut()
        .zip(digest.as_ref())
        .for_each(|(to, from)| *to = *from);
    id
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

#[cfg(test)]
mod tests;
