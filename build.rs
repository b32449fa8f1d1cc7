//! Generates the gateway's API from `proto/landbridge`, without `protoc`.

use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 8] = [
    "landbridge/v1/annotations.proto",
    "landbridge/v1/audit.proto",
    "landbridge/v1/catalog.proto",
    "landbridge/v1/correction.proto",
    "landbridge/v1/exchange.proto",
    "landbridge/v1/journal.proto",
    "landbridge/v1/peer.proto",
    "landbridge/v1/source.proto",
];

/// The rules of the registry's fields. Apart from the API, which does not serve them.
const RULES: &str = "buf/validate/validate.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/landbridge");
    println!("cargo:rerun-if-changed=proto/buf");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(FILES)?;

    // The lossless encoding: `prost_types` would drop the custom options, and reflection must serve them.
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(
        out.join("landbridge_fds.bin"),
        compiler.encode_file_descriptor_set(),
    )?;

    let mut prost = prost_build::Config::new();
    // Records pass through as slices of the buffer they arrived in. Debug is left out where personal data could be.
    prost.bytes(["."]).skip_debug([
        "landbridge.v1.Grounds",
        "landbridge.v1.GetRecordRequest",
        "landbridge.v1.GetRecordResponse",
        "landbridge.v1.QueryRecordsRequest",
        "landbridge.v1.QueryRecordsResponse",
        "landbridge.v1.QueryRecordsResponse.part",
        "landbridge.v1.RecordBatch",
        "landbridge.v1.VerifyRecordRequest",
        "landbridge.v1.Claim",
        "landbridge.v1.Value",
        "landbridge.v1.Value.kind",
        "landbridge.v1.CountRecordsRequest",
        "landbridge.v1.Subject",
        "landbridge.v1.SearchRequest",
        "landbridge.v1.SearchResponse",
        "landbridge.v1.SearchResponse.part",
        "landbridge.v1.JournalEntry",
        "landbridge.v1.StreamEnd",
        "landbridge.v1.ListUsagesRequest",
        "landbridge.v1.ListUsagesResponse",
        "landbridge.v1.Usage",
        "landbridge.v1.ExchangeRecord",
        "landbridge.v1.JournalRecord",
        "landbridge.v1.JournalRecord.kind",
        "landbridge.v1.FileCorrectionRequest",
        "landbridge.v1.ListCorrectionsResponse",
        "landbridge.v1.ListChangeNoticesResponse",
        "landbridge.v1.Correction",
        "landbridge.v1.ChangeNotice",
        "landbridge.v1.SubmitCorrectionRequest",
        "landbridge.v1.AnswerCorrectionRequest",
        "landbridge.v1.NotifyChangeRequest",
        "landbridge.v1.FetchRecordRequest",
        "landbridge.v1.FetchRecordResponse",
        "landbridge.v1.FetchRecordsRequest",
        "landbridge.v1.FetchRecordsResponse",
    ]);
    tonic_prost_build::configure()
        .include_file("pb.rs")
        .compile_fds_with_config(compiler.file_descriptor_set(), prost)?;
    prost_build::Config::new()
        .include_file("rules.rs")
        .compile_fds(protox::compile([RULES], ["proto"])?)?;
    Ok(())
}
