//! The sample deployment, as it stands in the repository, so that the binary alone can lay it out.

/// The sample federation's trust domain.
pub(super) const TRUST_DOMAIN: &str = "gov.example";

macro_rules! files {
    ($($name:literal,)*) => {
        /// Settings, agreements, guardrails and registry, by their paths.
        pub(super) const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $name))),)*];
    };
}

files! {
    "config/agreements/CIV-CIV-2026-01.toml",
    "config/agreements/CIV-MKT-2026-01.toml",
    "config/agreements/CIV-TAX-2026-01.toml",
    "config/agreements/MKT-TAX-2026-01.toml",
    "config/agreements/TAX-CIV-2026-01.toml",
    "config/agreements/TAX-MKT-2026-01.toml",
    "config/civil.toml",
    "config/directory.toml",
    "config/guardrails/hours.cedar",
    "config/guardrails/personal.cedar",
    "config/guardrails/tax.cedar",
    "config/market.toml",
    "config/tax.toml",
    "config/witnesses.policy",
    "proto/registry/civil/v1/address.proto",
    "proto/registry/civil/v1/family.proto",
    "proto/registry/civil/v1/household.proto",
    "proto/registry/civil/v1/resident.proto",
    "proto/registry/market/v1/annual_report.proto",
    "proto/registry/market/v1/business.proto",
    "proto/registry/tax/v1/payment.proto",
    "proto/registry/tax/v1/taxpayer.proto",
}
