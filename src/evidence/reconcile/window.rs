//! A span of time whose exchanges are compared, and what comes of it in the journal.

use std::time::Duration;

use super::Difference;
use super::Summary;
use crate::clock::Moment;
use crate::journal::Role;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::pb;

/// Differences that one entry names; beyond that it says how many there are.
const NAMED: usize = 256;
/// The longest window, in milliseconds: an hour.
const LONGEST_MS: u32 = 3_600_000;

/// Begins at a multiple of its length, so that both sides mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    start_ms: u64,
    length_ms: u32,
}

impl Window {
    /// The window of that length in which a moment lies. The length is between a second and an hour.
    pub fn containing(at: Moment, length: Duration) -> Self {
        let length_ms = u32::try_from(length.as_millis())
            .unwrap_or(LONGEST_MS)
            .clamp(1_000, LONGEST_MS);
        let at_ms = u64::try_from(at.micros() / 1_000).unwrap_or(0);
        Self {
            start_ms: at_ms - at_ms % u64::from(length_ms),
            length_ms,
        }
    }

    /// None for one that no gateway would make.
    pub fn read(window: &pb::Window) -> Option<Self> {
        let valid = (1_000..=LONGEST_MS).contains(&window.length_ms)
            && window.start_ms.is_multiple_of(u64::from(window.length_ms))
            && window.start_ms < u64::MAX / 1_000_000;
        valid.then_some(Self {
            start_ms: window.start_ms,
            length_ms: window.length_ms,
        })
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self {
            start_ms: self.start_ms.saturating_add(u64::from(self.length_ms)),
            ..self
        }
    }

    pub fn start(self) -> Moment {
        moment(self.start_ms)
    }

    /// The first moment that is too late for it.
    pub fn end(self) -> Moment {
        moment(self.start_ms.saturating_add(u64::from(self.length_ms)))
    }

    pub fn contains(self, exchange: ExchangeId) -> bool {
        let made = exchange.millis();
        self.start_ms <= made && made - self.start_ms < u64::from(self.length_ms)
    }

    /// What this side, as the consumer, puts on record when from this window on nothing was compared.
    pub fn uncompared(self, peer: &DepartmentId, why: String) -> pb::ReconciliationRecord {
        pb::ReconciliationRecord {
            peer: peer.to_string(),
            side: Role::Consumer.as_str().to_owned(),
            window_start_ms: self.start_ms,
            window_ms: self.length_ms,
            uncompared: why,
            ..Default::default()
        }
    }

    /// What this side puts on record of a comparison.
    pub fn record(
        self,
        peer: &DepartmentId,
        side: Role,
        own: &Summary,
        theirs: &Summary,
        differences: &[Difference],
    ) -> pb::ReconciliationRecord {
        pb::ReconciliationRecord {
            peer: peer.to_string(),
            side: side.as_str().to_owned(),
            window_start_ms: self.start_ms,
            window_ms: self.length_ms,
            count: own.count,
            root: own.root.to_vec().into(),
            peer_count: theirs.count,
            peer_root: theirs.root.to_vec().into(),
            differences: differences
                .iter()
                .take(NAMED)
                .map(|difference| difference.record(side))
                .collect(),
            differing: differences.len() as u64,
            ..Default::default()
        }
    }
}

impl From<Window> for pb::Window {
    fn from(window: Window) -> Self {
        Self {
            start_ms: window.start_ms,
            length_ms: window.length_ms,
        }
    }
}

fn moment(ms: u64) -> Moment {
    Moment::from_micros(i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

impl Difference {
    fn record(&self, side: Role) -> pb::Difference {
        let digest = |digest: Option<[u8; 32]>| digest.map(|d| d.to_vec()).unwrap_or_default();
        let (own, theirs) = match side {
            Role::Provider => (self.provider, self.consumer),
            Role::Consumer | Role::None => (self.consumer, self.provider),
        };
        pb::Difference {
            exchange_id: self.exchange.bytes().to_vec().into(),
            class: self.class.as_str().to_owned(),
            own_digest: digest(own).into(),
            peer_digest: digest(theirs).into(),
        }
    }
}
