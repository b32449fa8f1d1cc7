//! The rule for the packages of a tree: a name and a version, such as `civil.v1`.

use std::collections::HashMap;
use std::str::FromStr;

use prost_reflect::FileDescriptor;

use super::record::Records;
use super::sites::Sites;
use crate::fault::Fault;
use crate::name::PackageName;

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
    let first = package.split('.').next().unwrap_or_default();
    let message = if first == "landbridge" {
        format!("the package `{package}` is the gateway's own; choose another name")
    } else if package.is_empty() {
        "the file has no package; write one such as `package civil.v1;`".to_owned()
    } else if PackageName::from_str(package).is_ok() {
        return None;
    } else {
        format!(
            "the package `{package}` ends with no version; name it `{package}.v1`, or with `v1beta1` while it is tried"
        )
    };
    Some(sites.fault(&[PACKAGE_FIELD], package, message))
}

/// A package is published by one department: all of its record types are that department's.
pub(super) fn check_owners(records: &Records, sites: &HashMap<String, Sites<'_>>) -> Vec<Fault> {
    let mut owners = HashMap::new();
    let mut faults = Vec::new();
    for record in records.values() {
        let package = record.name().package();
        let (owner, first) = owners
            .entry(package)
            .or_insert((record.owner(), record.name()));
        let descriptor = record.descriptor();
        let file = descriptor.parent_file();
        if *owner == record.owner() {
            continue;
        }
        let Some(sites) = sites.get(file.name()) else {
            continue;
        };
        let message = format!(
            "is of `{}`, but `{first}` of the same package is of `{owner}`; give each department a package of its own",
            record.owner()
        );
        faults.push(sites.fault(descriptor.path(), record.name().as_str(), message));
    }
    faults
}
