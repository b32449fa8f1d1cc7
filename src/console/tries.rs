//! How often somebody may try to sign in: a few times at once, and once more for each minute that passes.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use aws_lc_rs::digest;

use super::device::DeviceId;
use crate::clock::Moment;
use crate::name::ReaderName;

const TRIES: i64 = 5;
/// After so long one try has come back.
const BACK_SECONDS: i64 = 60;
const MAX_KEYS: usize = 4_096;

/// For whom tries are counted: for a name as it was typed, whether or not there is such an account; and apart for each
/// browser on which it has signed in before. So who knows the name alone uses up no tries of the person that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key([u8; digest::SHA256_OUTPUT_LEN]);

/// The tries of everybody, none of which is told from another by whether the account exists.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<BTreeMap<Key, SpentTries>>);

#[derive(Debug, Clone)]
struct SpentTries {
    tries: i64,
    /// Up to when those that came back are taken off.
    at: Moment,
    /// Whose account it is, once a try has shown that there is one.
    who: Option<ReaderName>,
}

/// There is no try left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoTryLeft {
    pub(super) seconds: u32,
    pub(super) who: Option<ReaderName>,
}

impl Key {
    pub(super) fn of(name: &str, device: Option<&DeviceId>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        if let Some(device) = device {
            context.update(device);
        }
        // A device's id has a length of its own: no name is taken for another's with one.
        context.update(&[u8::from(device.is_some())]);
        context.update(name.as_bytes());
        let mut key = [0; digest::SHA256_OUTPUT_LEN];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }
}

impl Tries {
    /// Takes a try, before it is judged: those who try at the same time cannot have more of them.
    pub(super) fn take(&self, key: Key, now: Moment) -> Result<(), NoTryLeft> {
        let mut keys = self.keys();
        if keys.len() >= MAX_KEYS && !keys.contains_key(&key) {
            make_room(&mut keys, now);
        }
        let spent = keys.entry(key).or_insert(SpentTries {
            tries: 0,
            at: now,
            who: None,
        });
        spent.age(now);
        if spent.tries >= TRIES {
            let wait = spent.at.seconds() + BACK_SECONDS - now.seconds();
            return Err(NoTryLeft {
                seconds: u32::try_from(wait).unwrap_or(0).max(1),
                who: spent.who.clone(),
            });
        }
        spent.tries += 1;
        Ok(())
    }

    /// It was not judged.
    pub(super) fn give_back(&self, key: Key) {
        let mut keys = self.keys();
        if let Some(spent) = keys.get_mut(&key) {
            spent.tries -= 1;
            if spent.tries <= 0 {
                keys.remove(&key);
            }
        }
    }

    /// It was wrong, and that is whose account it was for.
    pub(super) fn learn(&self, key: Key, who: &ReaderName) {
        if let Some(spent) = self.keys().get_mut(&key) {
            spent.who = Some(who.clone());
        }
    }

    /// It was right.
    pub(super) fn forget(&self, key: Key) {
        self.keys().remove(&key);
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<Key, SpentTries>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpentTries {
    fn age(&mut self, now: Moment) {
        let back = (now.seconds() - self.at.seconds()).max(0) / BACK_SECONDS;
        self.tries = (self.tries - back).max(0);
        self.at = match self.tries {
            0 => now,
            _ => Moment::from_micros(self.at.micros() + back * BACK_SECONDS * 1_000_000),
        };
    }
}

/// Those who have all their tries again go, or else the one of longest ago.
fn make_room(keys: &mut BTreeMap<Key, SpentTries>, now: Moment) {
    keys.retain(|_, spent| {
        spent.age(now);
        spent.tries > 0
    });
    if keys.len() >= MAX_KEYS
        && let Some(oldest) = keys.iter().min_by_key(|(_, spent)| spent.at)
    {
        let oldest = *oldest.0;
        keys.remove(&oldest);
    }
}
