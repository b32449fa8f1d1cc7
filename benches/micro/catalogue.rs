//! A registry of 20,000 record types, as a large country may have.

use std::fmt::Write;

use anyhow::anyhow;
use landbridge::registry::Registry;

const PACKAGES: usize = 2_000;
const SUBJECTS: [(&str, &str); 10] = [
    ("Permit", "许可证"),
    ("Licence", "执照"),
    ("Inspection", "检查"),
    ("Vehicle", "车辆"),
    ("Dwelling", "住房"),
    ("Pension", "养老金"),
    ("School", "学校"),
    ("Patient", "患者"),
    ("Company", "企业"),
    ("Parcel", "地块"),
];

pub(crate) fn compile() -> anyhow::Result<Registry> {
    let files =
        (0..PACKAGES).map(|package| Ok((format!("p{package}/v1/all.proto"), file(package)?)));
    let files = files.collect::<anyhow::Result<Vec<_>>>()?;
    Registry::compile_texts(files).map_err(|faults| anyhow!("{faults:?}"))
}

fn file(package: usize) -> anyhow::Result<String> {
    let mut text = format!(
        "syntax = \"proto3\";\npackage p{package}.v1;\nimport \"landbridge/v1/annotations.proto\";\n"
    );
    let district = package % 100;
    for (english, chinese) in SUBJECTS {
        write!(
            text,
            "// A {english} of district {district}.\nmessage {english} {{\n\
             option (landbridge.v1.record) = {{ owner: \"p{package}\" key: \"id\" title: \"{english} register\" \
             title_zh: \"{chinese}登记\" sharing: SHARING_CLASS_CONDITIONAL }};\n\
             // The register's number.\nstring id = 1 [(landbridge.v1.field) = {{ title: \"{english} number\" title_zh: \"{chinese}编号\" }}];\n\
             // As on the identity card.\nstring full_name = 2 [(landbridge.v1.field) = {{ title: \"Full name\" title_zh: \"姓名\" }}];\n\
             // A day.\nstring valid_until = 3;\n// Where.\nstring address = 4;\n// In fen.\nint64 fee = 5;\n}}\n"
        )?;
    }
    Ok(text)
}
