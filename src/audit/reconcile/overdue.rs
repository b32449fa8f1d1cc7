//! Departments whose journals have not been compared with ours for longer than that takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::clock::Moment;
use crate::name::DepartmentId;

/// What has not been compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncompared {
    /// When the oldest window begins.
    pub since: Moment,
    /// What kept it from being compared last.
    pub why: String,
}

/// By department. Written by one task.
#[derive(Debug, Clone, Default)]
pub struct Overdue(Arc<ArcSwap<BTreeMap<DepartmentId, Uncompared>>>);

impl Overdue {
    pub fn load(&self) -> Arc<BTreeMap<DepartmentId, Uncompared>> {
        self.0.load_full()
    }

    pub fn put(&self, department: &DepartmentId, uncompared: Option<Uncompared>) {
        let known = self.0.load();
        if uncompared.as_ref() == known.get(department) {
            return;
        }
        let mut changed = BTreeMap::clone(&known);
        match uncompared {
            Some(uncompared) => _ = changed.insert(department.clone(), uncompared),
            None => _ = changed.remove(department),
        }
        self.0.store(Arc::new(changed));
    }
}
