//! A department's own service with its residents ready made: only the key of each is put in.

use std::path::Path;

use anyhow::Context;
use anyhow::anyhow;
use bytes::Bytes;
use futures::stream;
use futures::stream::BoxStream;
use futures::stream::StreamExt;
use landbridge::pb;
use landbridge::pb::source_service_server::SourceService;
use landbridge::registry::Registry;
use prost::Message;
use prost_reflect::DynamicMessage;
use tonic::Request;
use tonic::Response;
use tonic::Status;

use crate::harness::client::RECORD;
use crate::harness::residents;

/// How many records a message of a stream holds: about as a gateway reads them from a database.
const BATCH: u32 = 320;

/// A resident without the key, as large as those in the databases.
const RESIDENT: &str = include_str!("resident.json");

/// The settings of a gateway that asks it.
pub(crate) fn settings(port: u16) -> String {
    format!(
        r#"
[[service]]
name = "population"
url = "http://127.0.0.1:{port}"
records = ["{RECORD}"]
"#
    )
}

#[derive(Debug)]
pub(crate) struct Ready {
    rest: Bytes,
}

impl Ready {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/registry");
        let registry = Registry::compile(&root).map_err(|faults| anyhow!("{faults:?}"))?;
        let resident = registry.record(RECORD)?.descriptor().clone();
        let number = resident
            .get_field_by_name("resident_id")
            .context("a resident without a key")?
            .number();
        // The key is written before the rest, with a length of one byte.
        anyhow::ensure!(number == 1, "the key is not the first field");
        let mut json = serde_json::Deserializer::from_str(RESIDENT);
        let rest = DynamicMessage::deserialize(resident, &mut json)?;
        Ok(Self {
            rest: rest.encode_to_vec().into(),
        })
    }

    fn resident(rest: &[u8], key: &str) -> Bytes {
        let mut record = Vec::with_capacity(2 + key.len() + rest.len());
        record.extend([0x0a, key.len() as u8]);
        record.extend(key.as_bytes());
        record.extend(rest);
        record.into()
    }
}

#[tonic::async_trait]
impl SourceService for Ready {
    type FetchRecordsStream = BoxStream<'static, Result<pb::FetchRecordsResponse, Status>>;

    async fn fetch_record(
        &self,
        request: Request<pb::FetchRecordRequest>,
    ) -> Result<Response<pb::FetchRecordResponse>, Status> {
        let record = Self::resident(&self.rest, &request.into_inner().key);
        Ok(Response::new(pb::FetchRecordResponse { record }))
    }

    /// Without end: the gateway takes as many as it was asked for.
    async fn fetch_records(
        &self,
        _: Request<pb::FetchRecordsRequest>,
    ) -> Result<Response<Self::FetchRecordsStream>, Status> {
        let rest = self.rest.clone();
        let messages = stream::iter((1..).step_by(BATCH as usize)).map(move |first| {
            let keys = (first..first + BATCH).map(residents::key);
            let records = keys.map(|key| Self::resident(&rest, &key)).collect();
            Ok(pb::FetchRecordsResponse { records })
        });
        Ok(Response::new(messages.boxed()))
    }
}
