//! Who is signed in, and who has tried too often.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::account::Proven;
use super::role::Role;
use crate::clock::Moment;
use crate::exchange::secret;
use crate::exchange::secret::NoRandomness;
use crate::name::ReaderName;

/// A session ends when nobody has looked at a page for so long, and at the latest so long after the sign-in.
const IDLE_SECONDS: i64 = 15 * 60;
const LIFE_SECONDS: i64 = 8 * 3600;
/// After so many tries that failed, an account is tried again only when the pause is over.
const TRIES: u32 = 5;
const PAUSE_SECONDS: i64 = 60;
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
    tries: BTreeMap<ReaderName, Tries>,
}

#[derive(Debug, Clone)]
struct Session {
    who: SignedIn,
    begun: Moment,
    seen: Moment,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedIn {
    pub(super) name: ReaderName,
    pub(super) role: Role,
    pub(super) means: Means,
}

/// By what somebody was signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// Of the file of accounts, which may change while they are signed in.
    Account,
    /// The role is the provider's, for as long as the session.
    OpenId,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    failed: u32,
    last: Moment,
    /// The step of the last code that was used: none works twice.
    used: u64,
}

/// Why nobody was signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rejected {
    #[error("the name, the password or the code is not right")]
    Wrong,
    #[error("too many tries; wait a minute")]
    TooOften,
    #[error("this code was used already; wait for the next one")]
    Used,
}

impl Sessions {
    /// Whether a password of that account may be tried now.
    pub(super) fn may_try(&self, name: &ReaderName, now: Moment) -> Result<(), Rejected> {
        let state = self.state();
        let tries = state.tries.get(name);
        match tries.filter(|tries| tries.failed >= TRIES) {
            Some(tries) if now.seconds() < tries.last.seconds() + PAUSE_SECONDS => {
                Err(Rejected::TooOften)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn failed(&self, name: &ReaderName, now: Moment) {
        let mut state = self.state();
        let tries = state.tries.entry(name.clone()).or_insert(Tries::NONE);
        tries.failed = tries.failed.saturating_add(1);
        tries.last = now;
    }

    /// Uses the code up.
    pub(super) fn accept(&self, proven: &Proven, now: Moment) -> Result<SignedIn, Rejected> {
        let mut state = self.state();
        let tries = state
            .tries
            .entry(proven.name.clone())
            .or_insert(Tries::NONE);
        if proven.step <= tries.used {
            return Err(Rejected::Used);
        }
        *tries = Tries {
            failed: 0,
            last: now,
            used: proven.step,
        };
        Ok(SignedIn {
            name: proven.name.clone(),
            role: proven.role,
            means: Means::Account,
        })
    }

    /// Begins a session; gives what the browser shows from then on.
    pub(super) fn begin(&self, who: SignedIn, now: Moment) -> Result<String, NoRandomness> {
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

    pub(super) fn of(&self, shown: &str, now: Moment) -> Option<SignedIn> {
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

impl Tries {
    const NONE: Self = Self {
        failed: 0,
        last: Moment::from_micros(0),
        used: 0,
    };
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
