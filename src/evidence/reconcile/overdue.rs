//! Departments whose journals have not been compared with ours for longer than that takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::clock::Moment;
use crate::name::DepartmentId;

/// What has not been compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverdueComparison {
    /// When the oldest window begins.
    pub since: Moment,
    /// What kept it from being compared last.
    pub why: String,
}

/// By department. Written by one task.
#[derive(Debug, Clone, Default)]
pub struct OverdueComparisons(Arc<ArcSwap<BTreeMap<DepartmentId, OverdueComparison>>>);

impl OverdueComparisons {
    pub fn load(&self) -> Arc<BTreeMap<DepartmentId, OverdueComparison>> {
        self.0.load_full()
    }

    pub fn put(&self, department: &DepartmentId, uncompared: Option<OverdueComparison>) {
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
