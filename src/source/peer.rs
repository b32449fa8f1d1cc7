//! Another department's gateway as a source.

pub mod channel;
pub mod evidence;
pub mod refusal;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use tonic::Request;
use tonic::Streaming;
use tonic::metadata::MetadataValue;

use super::Cursor;
use super::Records;
use super::SourceAnswer;
use super::SourceError;
use super::Terms;
use super::channel::Channel;
use crate::pb;
use crate::pb::exchange_service_client::ExchangeServiceClient;
use crate::pb::query_records_response::Part;
use crate::policy::decision::Permit;
use crate::registry::query::question::Question;
use evidence::Evidence;
use refusal::source_error;

/// The largest message that a peer may send: a batch of records, or one record.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// How long the end of a stream is waited for, once its trailer is there.
const END: Duration = Duration::from_secs(1);

/// Asks the provider's gateway for what the permit allows.
pub(super) async fn fetch(
    channel: Channel,
    permit: Permit,
    terms: Terms,
) -> Result<SourceAnswer, SourceError> {
    let (question, deadline) = (terms.question.clone(), terms.deadline);
    let client = ExchangeServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
    let call = Call {
        client,
        permit,
        terms,
    };
    let answer = async {
        match question {
            Question::Get { key } => call.get(key).await,
            Question::Query {
                filter,
                order_by,
                cursor,
                ..
            } => call.query(filter, order_by, cursor).await,
            Question::Verify { key, claims } => call.verify(key, claims).await,
            Question::Count { filter } => call.count(filter).await,
        }
    };
    timeout(deadline, answer)
        .await
        .unwrap_or(Err(SourceError::PeerTimeout))
}

struct Call {
    client: ExchangeServiceClient<Channel>,
    permit: Permit,
    terms: Terms,
}

impl Call {
    async fn get(mut self, key: String) -> Result<SourceAnswer, SourceError> {
        let request = self.request(pb::GetRecordRequest {
            record_type: self.record_type(),
            provider: self.provider(),
            grounds: Some(self.terms.grounds.clone()),
            fields: Some(self.fields()),
            key,
            relay: Some(self.relay()),
        });
        let answer = match self.client.get_record(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Err(source_error(&status)),
        };
        let rows = PeerRows {
            batch: Some(vec![answer.record]),
            stream: None,
            trailer: None,
        };
        self.records(answer.info, rows)
    }

    async fn query(
        mut self,
        filter: String,
        order_by: String,
        cursor: Bytes,
    ) -> Result<SourceAnswer, SourceError> {
        let request = self.request(pb::QueryRecordsRequest {
            record_type: self.record_type(),
            provider: self.provider(),
            grounds: Some(self.terms.grounds.clone()),
            fields: Some(self.fields()),
            filter,
            order_by,
            limit: self.permit.limit(),
            cursor,
            relay: Some(self.relay()),
        });
        let mut stream = match self.client.query_records(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Err(source_error(&status)),
        };
        match stream.message().await {
            Ok(Some(pb::QueryRecordsResponse {
                part: Some(Part::Header(info)),
            })) => {
                let rows = PeerRows {
                    batch: None,
                    stream: Some(stream),
                    trailer: None,
                };
                self.records(Some(info), rows)
            }
            Ok(_) => Err(SourceError::Garbled(
                "a stream that does not begin with a header",
            )),
            Err(status) => Err(source_error(&status)),
        }
    }

    async fn verify(
        mut self,
        key: String,
        claims: Vec<pb::Claim>,
    ) -> Result<SourceAnswer, SourceError> {
        let asked: Vec<String> = claims.iter().map(|claim| claim.field.clone()).collect();
        let request = self.request(pb::VerifyRecordRequest {
            record_type: self.record_type(),
            provider: self.provider(),
            grounds: Some(self.terms.grounds.clone()),
            key,
            claims,
            relay: Some(self.relay()),
        });
        let answer = match self.client.verify_record(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Err(source_error(&status)),
        };
        if !answer.verdicts.iter().map(|v| &v.field).eq(&asked) {
            return Err(SourceError::Garbled("verdicts on other fields than asked"));
        }
        if answer.verdicts.iter().any(|v| !is_verdict(v)) {
            return Err(SourceError::Garbled("a verdict that is none"));
        }
        Ok(SourceAnswer::Verdicts(
            answer.verdicts,
            Evidence::of(answer.info)?,
        ))
    }

    async fn count(mut self, filter: String) -> Result<SourceAnswer, SourceError> {
        let request = self.request(pb::CountRecordsRequest {
            record_type: self.record_type(),
            provider: self.provider(),
            grounds: Some(self.terms.grounds.clone()),
            filter,
            relay: Some(self.relay()),
        });
        let mut answer = match self.client.count_records(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Err(source_error(&status)),
        };
        let evidence = Evidence::of(answer.info.take())?;
        Ok(SourceAnswer::Count(answer, evidence))
    }

    fn records(
        self,
        info: Option<pb::ExchangeInfo>,
        rows: PeerRows,
    ) -> Result<SourceAnswer, SourceError> {
        let evidence = Some(Evidence::of(info)?);
        let cursor = Cursor::Peer(Box::new(rows));
        Ok(SourceAnswer::Records(Records {
            permit: self.permit,
            cursor,
            evidence,
        }))
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.terms.deadline);
        if let Ok(traceparent) = MetadataValue::try_from(&self.terms.traceparent) {
            request.metadata_mut().insert("traceparent", traceparent);
        }
        request
    }

    fn relay(&self) -> pb::Relay {
        let agreement = self.permit.agreement();
        pb::Relay {
            exchange_id: Bytes::copy_from_slice(self.terms.exchange.bytes()),
            nonce: Bytes::copy_from_slice(&self.terms.nonce),
            system: self.terms.system.clone(),
            journal: self.terms.journal.clone(),
            agreement: agreement.id.to_string(),
            agreement_digest: Bytes::copy_from_slice(&agreement.digest),
            revision: self
                .terms
                .revision
                .map(|d| d.to_vec().into())
                .unwrap_or_default(),
            schema_digest: Bytes::copy_from_slice(self.permit.query().schema.digest()),
        }
    }

    fn record_type(&self) -> String {
        self.permit.query().schema.name().to_string()
    }

    fn provider(&self) -> String {
        self.permit.query().schema.owner().to_string()
    }

    fn fields(&self) -> prost_types::FieldMask {
        let paths = self
            .permit
            .released()
            .iter()
            .map(|released| released.field.path().to_string());
        prost_types::FieldMask {
            paths: paths.collect(),
        }
    }
}

fn is_verdict(verdict: &pb::Verdict) -> bool {
    pb::VerdictOutcome::try_from(verdict.outcome)
        .is_ok_and(|outcome| outcome != pb::VerdictOutcome::Unspecified)
}

/// Records as the provider's gateway sends them.
pub(super) struct PeerRows {
    /// The answer to a `get`, until it is taken.
    batch: Option<Vec<Bytes>>,
    stream: Option<Streaming<pb::QueryRecordsResponse>>,
    trailer: Option<pb::QueryTrailer>,
}

impl PeerRows {
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Bytes>>, SourceError> {
        if let Some(batch) = self.batch.take() {
            return Ok(Some(batch));
        }
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        if self.trailer.is_some() {
            return Ok(None);
        }
        match stream.message().await {
            Ok(Some(pb::QueryRecordsResponse {
                part: Some(Part::Batch(batch)),
            })) => Ok(Some(batch.records)),
            Ok(Some(pb::QueryRecordsResponse {
                part: Some(Part::Trailer(trailer)),
            })) => {
                self.trailer = Some(trailer);
                // What comes of it does not matter: a stream that is dropped before its end is reset, and gateways end
                // connections on which many are.
                let _ = timeout(END, stream.message()).await;
                Ok(None)
            }
            Ok(Some(_)) => Err(SourceError::Garbled("a second header, or an empty part")),
            Ok(None) => Err(SourceError::Garbled("a stream that ends without a trailer")),
            Err(status) => Err(source_error(&status)),
        }
    }

    /// Reads on to the trailer: where a further question goes on.
    pub(super) async fn next_cursor(&mut self) -> Result<Bytes, SourceError> {
        if self.stream.is_some() && self.trailer.is_none() && self.next().await?.is_some() {
            return Err(SourceError::Garbled("more records than the limit"));
        }
        let trailer = self.trailer.as_ref();
        Ok(trailer
            .map(|trailer| trailer.next_cursor.clone())
            .unwrap_or_default())
    }

    /// Of the provider's closing entry, once the trailer is there.
    pub(super) fn closing_receipt(&self) -> Option<&pb::Receipt> {
        self.trailer.as_ref()?.receipt.as_ref()
    }
}
