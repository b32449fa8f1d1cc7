//! The exchange service with its answers ready made: nothing is looked up and nobody is asked who they are.

use bytes::Bytes;
use futures::stream;
use futures::stream::BoxStream;
use futures::stream::StreamExt;
use landbridge::pb;
use landbridge::pb::exchange_service_server::ExchangeService;
use landbridge::pb::query_records_response::Part;
use tonic::Request;
use tonic::Response;
use tonic::Status;

/// What it answers with, in bytes, and how many records a message of a stream holds: about as the gateways send them.
const RECORD: usize = 300;
const BATCH: usize = 320;

#[derive(Debug)]
pub(crate) struct Canned {
    record: Bytes,
}

impl Canned {
    pub(crate) fn new() -> Self {
        Self {
            record: Bytes::from(vec![0x20; RECORD]),
        }
    }
}

#[tonic::async_trait]
impl ExchangeService for Canned {
    type QueryRecordsStream = BoxStream<'static, Result<pb::QueryRecordsResponse, Status>>;

    async fn get_record(
        &self,
        _: Request<pb::GetRecordRequest>,
    ) -> Result<Response<pb::GetRecordResponse>, Status> {
        Ok(Response::new(pb::GetRecordResponse {
            info: None,
            record: self.record.clone(),
        }))
    }

    /// As many records as the request's limit says.
    async fn query_records(
        &self,
        request: Request<pb::QueryRecordsRequest>,
    ) -> Result<Response<Self::QueryRecordsStream>, Status> {
        let (wanted, record) = (request.into_inner().limit as usize, self.record.clone());
        let batches = (0..wanted).step_by(BATCH).map(move |sent| {
            let records = vec![record.clone(); BATCH.min(wanted - sent)];
            Ok(part(Part::Batch(pb::RecordBatch { records })))
        });
        let trailer = Ok(part(Part::Trailer(pb::QueryTrailer {
            records: wanted as u64,
            ..Default::default()
        })));
        Ok(Response::new(
            stream::iter(batches.chain([trailer])).boxed(),
        ))
    }

    async fn verify_record(
        &self,
        _: Request<pb::VerifyRecordRequest>,
    ) -> Result<Response<pb::VerifyRecordResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn count_records(
        &self,
        _: Request<pb::CountRecordsRequest>,
    ) -> Result<Response<pb::CountRecordsResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }
}

fn part(part: Part) -> pb::QueryRecordsResponse {
    pb::QueryRecordsResponse { part: Some(part) }
}
