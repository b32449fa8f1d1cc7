//! An evidence bundle: entries, what proves them, and how to verify it without this program.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Export;
use super::ExportError;
use super::csv::utc;
use super::draft::Folder;
use super::rows::Row;
use super::rows::Rows;
use crate::digest::hex;
use crate::evidence::json;
use crate::tlog::merkle::Hash;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// What every bundle has besides the evidence, by the names of the files.
const TEXTS: [(&str, &str); 5] = [
    ("README.md", include_str!("bundle/README.md")),
    ("README.zh-CN.md", include_str!("bundle/README.zh-CN.md")),
    ("verify.py", include_str!("bundle/verify.py")),
    ("readable.py", include_str!("bundle/readable.py")),
    (
        "journal.proto",
        include_str!("../../../proto/landbridge/v1/journal.proto"),
    ),
];
const LEAVES: &str = "leaves.bin";
const RECORDS: &str = "records.jsonl";

/// A bundle of a whole journal needs its leaves only; one of a selection has a proof for each entry.
pub(super) fn write(
    rows: &mut Rows<'_>,
    mut folder: Folder,
    export: &Export<'_>,
    checkpoint: &SignedCheckpoint,
) -> Result<Hash, ExportError> {
    let (mut leaves, mut records) = (folder.create(LEAVES)?, folder.create(RECORDS)?);
    while let Some(row) = rows.next()? {
        leaves.put(row.stored.leaf_bytes())?;
        records.put(format!("{}\n", line(&row)?).as_bytes())?;
        if !export.selection.is_whole() {
            let index = row.index();
            let proof = rows.tiles().proof(index, checkpoint)?;
            let name = format!("proofs/{index}.tlog-proof");
            folder.put(&name, proof.to_string().as_bytes())?;
        }
    }
    if rows.written() == 0 && !export.selection.is_whole() {
        // Without a proof it would pass for a whole journal that is empty.
        return Err(ExportError::Nothing);
    }
    folder.close(LEAVES, leaves)?;
    folder.close(RECORDS, records)?;
    folder.put("checkpoint", checkpoint.note().as_bytes())?;
    folder.put("vkeys.txt", vkeys(export).as_bytes())?;
    if let Some(policy) = export.policy {
        folder.put("policy", policy.as_bytes())?;
    }
    for (name, text) in TEXTS {
        folder.put(name, text.as_bytes())?;
    }
    folder.finish()
}

/// The salt and the record to which the leaf commits, and both leaf's time and record for people. Null is what was erased.
fn line(row: &Row) -> Result<serde_json::Value, ExportError> {
    let sealed = row.stored.sealed();
    let readable = row.record.as_ref().map(json::record).transpose();
    let readable = readable.map_err(|source| ExportError::Entry {
        entry: row.index(),
        source,
    })?;
    Ok(serde_json::json!({
        "index": row.index(),
        "time": utc(row.stored.leaf.time),
        "salt": sealed.map(|(salt, _)| hex(salt)),
        "record": sealed.map(|(_, record)| STANDARD.encode(record)),
        "readable": readable,
    }))
}

/// The public keys of the journal, and of the witnesses that the policy names; a line each.
fn vkeys(export: &Export<'_>) -> String {
    let mut lines: Vec<String> = export.trusted.iter().map(ToString::to_string).collect();
    for line in export.policy.unwrap_or_default().lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some("witness") {
            lines.extend(words.nth(1).map(str::to_owned));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}
