//! Who is at the other end of a connection, by its certificate alone.

use crate::name::DepartmentId;
use crate::name::SystemName;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// From the certificate.
    department: DepartmentId,
    /// From the certificate at the systems door; at the peers door, as the caller's gateway tells it.
    system: Option<SystemName>,
}

impl Caller {
    /// A caller that nobody has authenticated, to explain or rehearse what would be decided.
    pub fn assumed(department: DepartmentId, system: Option<SystemName>) -> Self {
        Self { department, system }
    }

    pub fn department(&self) -> &DepartmentId {
        &self.department
    }

    pub fn system(&self) -> Option<&SystemName> {
        self.system.as_ref()
    }
}
