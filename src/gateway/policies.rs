//! Keeps the texts of the policy as they come into force, so that an auditor can read later what an exchange rested on.

use std::fs;
use std::path::Path;

use crate::audit::policies::Changes;
use crate::audit::policies::Policies;
use crate::fault::chain;
use crate::policy::Part;
use crate::policy::PolicySet;
use crate::policy::text_digest;

/// Keeps what is new of it beside the journal; tells what differs from the policy before.
pub(super) fn keep(journal: &Path, policy: &PolicySet) -> Changes {
    let policies = Policies::beside(journal);
    let new = policy.parts().filter(|part| !policies.has(part.digest));
    let in_force = policy
        .parts()
        .map(|part| (part.name.to_owned(), *part.digest));
    let kept = policies
        .keep(new.filter_map(read))
        .and_then(|()| policies.put_in_force(&in_force.collect()));
    kept.unwrap_or_else(|error| {
        tracing::error!(error = %chain(&error), "the policy's texts are not kept");
        Changes::default()
    })
}

/// The text that was compiled; none if the file is another by now, which its reload will keep.
fn read(part: Part<'_>) -> Option<([u8; 32], String)> {
    let text = fs::read_to_string(part.file).ok()?;
    (text_digest(&text) == *part.text).then_some((*part.digest, text))
}
