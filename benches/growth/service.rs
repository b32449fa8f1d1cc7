//! Records of any size, and of record types that were made to be measured.

use std::fmt::Write;

use bytes::Bytes;
use futures::stream;
use futures::stream::BoxStream;
use landbridge::pb;
use landbridge::pb::source_service_server::SourceService;
use prost::encoding::WireType;
use prost::encoding::encode_key;
use prost::encoding::encode_varint;
use tonic::Request;
use tonic::Response;
use tonic::Status;

/// The bytes of a record's body.
pub(crate) const SIZES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
/// Fields that are granted, each of ten bytes.
pub(crate) const FIELDS: [usize; 5] = [1, 3, 10, 30, 100];
/// Comparisons in the grant's rows.
pub(crate) const RULES: [usize; 5] = [0, 1, 4, 16, 64];
/// Fields that records with rules have, whatever the rule.
const RULED: usize = 64;
const VALUE: &str = "0123456789";

/// Which records there are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Sized(usize),
    Wide(usize),
    Ruled(usize),
}

impl Kind {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let sized = SIZES.into_iter().map(Self::Sized);
        let wide = FIELDS.into_iter().map(Self::Wide);
        sized.chain(wide).chain(RULES.into_iter().map(Self::Ruled))
    }

    fn name(self) -> String {
        match self {
            Self::Sized(bytes) => format!("Sized{bytes}"),
            Self::Wide(fields) => format!("Wide{fields}"),
            Self::Ruled(rules) => format!("Ruled{rules}"),
        }
    }

    pub(crate) fn record_type(self) -> String {
        format!("civil.v1.{}", self.name())
    }

    /// Beside the key.
    fn fields(self) -> usize {
        match self {
            Self::Sized(_) => 1,
            Self::Wide(fields) => fields,
            Self::Ruled(_) => RULED,
        }
    }

    fn message(self) -> String {
        let mut text = format!(
            "message {} {{\n  option (landbridge.v1.record) = {{ owner: \"civil\" key: \"id\" title: \"Made up\" \
             sharing: SHARING_CLASS_CONDITIONAL }};\n  string id = 1;\n",
            self.name()
        );
        for field in 1..=self.fields() {
            // Writing to a text does not fail.
            let _ = writeln!(text, "  string f{field} = {};", field + 1);
        }
        text + "}\n"
    }

    fn grant(self) -> String {
        let released = match self {
            Self::Ruled(_) => 1,
            _ => self.fields(),
        };
        let fields = (1..=released).map(|field| format!("\"f{field}\""));
        let fields = fields.collect::<Vec<_>>().join(", ");
        let rows = match self {
            Self::Ruled(rules @ 1..) => {
                let rules = (1..=rules).map(|field| format!("f{field} == \"{VALUE}\""));
                format!("rows = '{}'\n", rules.collect::<Vec<_>>().join(" && "))
            }
            _ => String::new(),
        };
        format!(
            "[[grant]]\nrecord = \"{}\"\nmodes = [\"get\"]\nfields = [\"id\", {fields}]\n{rows}\
             systems = [\"assessment\"]\nrate = \"1000000/s\"\ndaily = 1000000000000\n",
            self.record_type()
        )
    }

    fn record(self, key: &str) -> Bytes {
        let mut out = Vec::new();
        put(&mut out, 1, key);
        match self {
            Self::Sized(bytes) => put(&mut out, 2, &"x".repeat(bytes)),
            _ => (1..=self.fields()).for_each(|field| put(&mut out, field as u32 + 1, VALUE)),
        }
        out.into()
    }
}

fn put(out: &mut Vec<u8>, number: u32, text: &str) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(text.len() as u64, out);
    out.extend(text.as_bytes());
}

/// The record types, as a file of the registry.
pub(crate) fn registry() -> String {
    let head =
        "syntax = \"proto3\";\npackage civil.v1;\nimport \"landbridge/v1/annotations.proto\";\n";
    Kind::all().fold(head.to_owned(), |text, kind| text + &kind.message())
}

/// An agreement on all of them.
pub(crate) fn agreement() -> String {
    let head = "id = \"CIV-TAX-GROWTH\"\ntitle = \"What is measured\"\nprovider = \"civil\"\nconsumer = \"tax\"\n\
         legal_basis = \"None\"\naccountable = \"Nobody\"\nvalid_from = 2026-01-01\nvalid_until = 2035-12-31\n\
         purposes = [\"tax-assessment\"]\n\n";
    Kind::all().fold(head.to_owned(), |text, kind| text + &kind.grant())
}

/// The settings of a gateway that asks for them.
pub(crate) fn settings(port: u16) -> String {
    let types: Vec<_> = Kind::all().map(Kind::record_type).collect();
    format!(
        "\n[[service]]\nname = \"made up\"\nurl = \"http://127.0.0.1:{port}\"\nrecords = {types:?}\n"
    )
}

#[derive(Debug)]
pub(crate) struct MadeUp;

#[tonic::async_trait]
impl SourceService for MadeUp {
    type FetchRecordsStream = BoxStream<'static, Result<pb::FetchRecordsResponse, Status>>;

    async fn fetch_record(
        &self,
        request: Request<pb::FetchRecordRequest>,
    ) -> Result<Response<pb::FetchRecordResponse>, Status> {
        let asked = request.into_inner();
        let kind = Kind::all().find(|kind| kind.record_type() == asked.record_type);
        let kind = kind.ok_or_else(|| Status::invalid_argument("no such record type"))?;
        Ok(Response::new(pb::FetchRecordResponse {
            record: kind.record(&asked.key),
        }))
    }

    async fn fetch_records(
        &self,
        _: Request<pb::FetchRecordsRequest>,
    ) -> Result<Response<Self::FetchRecordsStream>, Status> {
        Ok(Response::new(Box::pin(stream::empty())))
    }
}
