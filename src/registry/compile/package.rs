//! The rule for the packages of a tree: a name and a version, such as `civil.v1`.

use prost_reflect::FileDescriptor;

use super::sites::Sites;
use crate::fault::Fault;

/// The field number of `package` in `google.protobuf.FileDescriptorProto`.
const PACKAGE_FIELD: i32 = 2;

/// Packages that others publish and a tree may carry along: they follow their own rule.
const FOREIGN: [&str; 2] = ["google", "buf"];

pub(in crate::registry) fn is_foreign(package: &str) -> bool {
    let first = package.split('.').next().unwrap_or_default();
    FOREIGN.contains(&first)
}

pub(super) fn check(file: &FileDescriptor, sites: &Sites<'_>) -> Option<Fault> {
    let package = file.package_name();
    if is_foreign(package) {
        return None;
    }
    let mut names: Vec<_> = package.split('.').collect();
    let first = names.first().copied().unwrap_or_default();
    let message = if first == "landbridge" {
        format!("the package `{package}` is the gateway's own; choose another name")
    } else if package.is_empty() {
        "the file has no package; write one such as `package civil.v1;`".to_owned()
    } else {
        let version = names.pop().unwrap_or_default();
        if !names.is_empty() && is_version(version) {
            return None;
        }
        format!("the package `{package}` has no version; name it such as `{first}.v1`")
    };
    Some(sites.fault(&[PACKAGE_FIELD], package, message))
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|digits| {
        digits.starts_with(|c: char| matches!(c, '1'..='9'))
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}
