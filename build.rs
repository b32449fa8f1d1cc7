//! Generates the gateway's API from `proto/landbridge`, without `protoc`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    fs,
    path::PathBuf,
};

use prost_reflect::DescriptorPool;

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

const PACKAGE: &str = "landbridge.v1";

/// The messages whose values may be printed, with all of their fields.
const SHOWN: &str = "src/pb/shown.txt";

/// The rules of the registry's fields. Apart from the API, which does not serve them.
const RULES: &str = "buf/validate/validate.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/landbridge");
    println!("cargo:rerun-if-changed=proto/buf");
    println!("cargo:rerun-if-changed={SHOWN}");
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

    let descriptors = compiler.descriptor_pool();
    let mut prost = prost_build::Config::new();
    // Records pass through as slices of the buffer they arrived in.
    prost.bytes(["."]).skip_debug(hidden(&descriptors)?);
    tonic_prost_build::configure()
        .include_file("pb.rs")
        .compile_fds_with_config(compiler.file_descriptor_set(), prost)?;
    prost_build::Config::new()
        .include_file("rules.rs")
        .compile_fds(protox::compile([RULES], ["proto"])?)?;
    Ok(())
}

/// The messages, and the choices in them, that have no `Debug`: all that are not in `SHOWN`, so that a new one does not print
/// personal data. A message that is there has exactly the fields that somebody has looked at.
fn hidden(descriptors: &DescriptorPool) -> Result<Vec<String>, Box<dyn Error>> {
    let text = fs::read_to_string(SHOWN)?;
    let mut shown = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, fields) = line
            .split_once(':')
            .ok_or(format!("{SHOWN}: `{line}` is not `Message: field field`"))?;
        shown.insert(name, fields.split_whitespace().collect::<BTreeSet<_>>());
    }
    let mut hidden = Vec::new();
    for message in descriptors.all_messages() {
        if message.package_name() != PACKAGE {
            continue;
        }
        let full = message.full_name();
        let name = full.trim_start_matches(PACKAGE).trim_start_matches('.');
        let Some(listed) = shown.remove(name) else {
            hidden.push(full.to_owned());
            hidden.extend(message.oneofs().map(|oneof| oneof.full_name().to_owned()));
            continue;
        };
        let declared: Vec<_> = message.fields().collect();
        let fields: BTreeSet<_> = declared.iter().map(|field| field.name()).collect();
        if fields != listed {
            return Err(format!(
                "{SHOWN}: `{name}` has the fields {}. May all of them stand in a log? Then list them; if not, take \
                 its line away",
                Vec::from_iter(fields).join(" ")
            )
            .into());
        }
    }
    match shown.keys().next() {
        None => Ok(hidden),
        Some(name) => Err(format!("{SHOWN}: there is no message `{name}`").into()),
    }
}
