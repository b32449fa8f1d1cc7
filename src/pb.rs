//! The gateway's own API, as generated from `proto/landbridge`.

#![expect(
    clippy::all,
    missing_debug_implementations,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

include!(concat!(env!("OUT_DIR"), "/pb.rs"));

pub use landbridge::v1::*;

/// The rules of protovalidate that are enforced, as `proto/buf/validate/validate.proto` states them.
pub mod rules {
    include!(concat!(env!("OUT_DIR"), "/rules.rs"));

    pub use buf::validate::*;
}

/// The descriptors of the API with its options, for reflection and for the registry's annotations.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/landbridge_fds.bin"));

/// What a receipt is called among the details of a `google.rpc.Status`.
pub const RECEIPT_TYPE: &str = "type.googleapis.com/landbridge.v1.Receipt";
