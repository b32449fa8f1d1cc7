//! How each witness of the own journal is doing.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::clock::Moment;
use crate::name::DepartmentId;

/// One witness of the own journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessState {
    pub department: DepartmentId,
    /// The size of the checkpoint that it has cosigned last, if it has since the gateway started.
    pub cosigned: Option<u64>,
    /// When it did.
    pub at: Option<Moment>,
    /// What kept it from cosigning when it was asked last.
    pub trouble: Option<String>,
}

/// The states of all witnesses, by the names of their keys. Written by one task.
#[derive(Debug, Clone, Default)]
pub struct WitnessStates(Arc<ArcSwap<BTreeMap<String, WitnessState>>>);

impl WitnessStates {
    pub fn load(&self) -> Arc<BTreeMap<String, WitnessState>> {
        self.0.load_full()
    }

    /// Gives what was known before.
    pub fn put(&self, name: String, state: WitnessState) -> Option<WitnessState> {
        let mut states = BTreeMap::clone(&self.0.load());
        let former = states.insert(name, state);
        self.0.store(Arc::new(states));
        former
    }
}
