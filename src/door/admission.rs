//! Who is let in at a door while it is busy: so many exchanges as it answers in time, and no consumer at another's cost.

mod limit;
#[cfg(test)]
mod tests;

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::identity::Door;
use crate::identity::shares::NoShare;
use crate::identity::shares::Shares;
use crate::identity::spiffe::SpiffeId;
use limit::Limit;

/// The bytes of requests that are being read at a door at a time: 256 of the largest, as they are by default.
pub const READING: u64 = 256 * 1024 * 1024;

/// How much of a door may be in use.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionLimits {
    /// Exchanges under way; streamed answers have their own number.
    pub exchanges: usize,
    pub streams: usize,
    /// How long an exchange may take before fewer are let in.
    pub target: Duration,
}

/// The places of one door. Its consumers are departments at the peers door, and systems at the systems door.
#[derive(Debug)]
pub struct Admission {
    door: Door,
    limits: AdmissionLimits,
    /// Held for a few instructions, never across an `await`.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    exchanges: Shares<SpiffeId>,
    streams: Shares<SpiffeId>,
    /// Bytes, each a place.
    reading: Shares<SpiffeId>,
    limit: Limit,
}

/// Why somebody is not let in. No exchange has begun, so nothing is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdmissionRefusal {
    OverShare,
    Overloaded,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    who: SpiffeId,
    held: Occupancy,
}

/// What one request takes of a door while it is read.
#[derive(Debug)]
pub(super) struct Room {
    admission: Arc<Admission>,
    who: SpiffeId,
    bytes: u64,
}

#[derive(Debug)]
enum Occupancy {
    Exchange {
        kind: u64,
        begun: Instant,
        answered: bool,
    },
    Stream,
}

impl Admission {
    pub fn new(door: Door, limits: AdmissionLimits) -> Arc<Self> {
        Arc::new(Self {
            door,
            limits,
            state: Mutex::new(State {
                exchanges: Shares::new(),
                streams: Shares::new(),
                reading: Shares::new(),
                limit: Limit::new(limits.exchanges as u64, limits.target),
            }),
        })
    }

    /// A place for an exchange. Those of one `kind` are expected to take about as long as one another.
    pub(super) fn exchange(
        self: &Arc<Self>,
        who: &SpiffeId,
        kind: impl Hash,
    ) -> Result<Place, AdmissionRefusal> {
        let ceiling = self.limits.exchanges as u64;
        let mut state = self.state();
        let limit = state.limit.now();
        let taken = state.exchanges.take(who, limit, ceiling);
        drop(state);
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        let held = Occupancy::Exchange {
            kind: hasher.finish(),
            begun: Instant::now(),
            answered: false,
        };
        self.place(who, taken, held)
    }

    /// A place for a streamed answer. How long it takes is the reader's affair, and is not measured.
    pub(super) fn stream(self: &Arc<Self>, who: &SpiffeId) -> Result<Place, AdmissionRefusal> {
        let most = self.limits.streams as u64;
        let taken = self.state().streams.take(who, most, most);
        self.place(who, taken, Occupancy::Stream)
    }

    /// Room for a request that is about to be read: for nothing yet.
    pub(super) fn room(self: &Arc<Self>, who: &SpiffeId) -> Room {
        Room {
            admission: Arc::clone(self),
            who: who.clone(),
            bytes: 0,
        }
    }

    fn place(
        self: &Arc<Self>,
        who: &SpiffeId,
        taken: Result<(), NoShare>,
        held: Occupancy,
    ) -> Result<Place, AdmissionRefusal> {
        taken.map_err(|over| self.shed(who, over))?;
        Ok(Place {
            admission: Arc::clone(self),
            who: who.clone(),
            held,
        })
    }

    fn shed(&self, who: &SpiffeId, over: NoShare) -> AdmissionRefusal {
        let shed = match over {
            NoShare::Share => AdmissionRefusal::OverShare,
            NoShare::Full => AdmissionRefusal::Overloaded,
        };
        // Whoever got here has a certificate: there are as many values as departments, or systems of the own one.
        let consumer = match who.system() {
            Some(system) => system.as_str().to_owned(),
            None => who.department().as_str().to_owned(),
        };
        metrics::counter!(
            "landbridge_shed_total",
            "door" => self.door.as_str(), "reason" => shed.reason(), "consumer" => consumer,
        )
        .increment(1);
        shed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AdmissionRefusal {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::OverShare => "OVER_FAIR_SHARE",
            Self::Overloaded => "OVERLOADED",
        }
    }
}

impl Place {
    /// The exchange was answered, or took too long: its time tells how busy the gateway is. That of a refusal does not.
    pub(super) fn mark_answered(&mut self) {
        if let Occupancy::Exchange { answered, .. } = &mut self.held {
            *answered = true;
        }
    }
}

impl Room {
    /// More of the request has come.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), AdmissionRefusal> {
        let bytes = bytes as u64;
        let mut state = self.admission.state();
        let taken = state.reading.take_many(&self.who, bytes, READING, READING);
        drop(state);
        taken.map_err(|over| self.admission.shed(&self.who, over))?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        state.reading.give_back_many(&self.who, self.bytes);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        match self.held {
            Occupancy::Stream => state.streams.give_back(&self.who),
            Occupancy::Exchange {
                kind,
                begun,
                answered,
            } => {
                let under_way = state.exchanges.total();
                state.exchanges.give_back(&self.who);
                if answered {
                    let now = Instant::now();
                    state.limit.add_latency(kind, begun, now, under_way);
                }
            }
        }
    }
}
