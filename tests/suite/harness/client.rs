//! Clients that share nothing with the gateway but its API: ordinary TLS, ordinary gRPC.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use landbridge::name::ExchangeId;
use landbridge::pb;
use landbridge::pb::exchange_service_client::ExchangeServiceClient;
use landbridge::pb::query_records_response::Part;
use landbridge::registry::query::question::Question;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Request;
use tonic::Streaming;
use tonic::transport::Channel;
use tonic::transport::Endpoint;
use tonic::transport::Uri;
use tower::service_fn;

use super::refusal::Refused;

pub(crate) const RESIDENT: &str = "civil.v1.Resident";

/// A certificate with its key, to be shown at a door.
pub(crate) struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Shown {
    pub(crate) fn from_pem(certificate: &str, key: &str) -> Self {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        Self {
            chain,
            key: PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        }
    }

    pub(crate) fn from_files(certificate: &Path, key: &Path) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap();
        Self::from_pem(&read(certificate), &read(key))
    }
}

/// How to reach one door, showing one certificate or none.
#[derive(Clone)]
pub(crate) struct Dial {
    port: u16,
    config: Arc<ClientConfig>,
}

impl Dial {
    pub(crate) fn new(port: u16, ca: &Path, shown: Option<Shown>) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(ca).unwrap())
            .unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
        let mut config = match shown {
            Some(Shown { chain, key }) => builder.with_client_auth_cert(chain, key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self {
            port,
            config: Arc::new(config),
        }
    }

    pub(crate) async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(self.config.clone())
            .connect(name, tcp)
            .await
    }

    /// Connects when it is first used, and again when the connection was lost.
    pub(crate) fn channel(&self) -> Channel {
        self.channel_of(
            &Endpoint::from_static("http://gateway.invalid").initial_stream_window_size(64 * 1024),
        )
    }

    pub(crate) fn channel_of(&self, endpoint: &Endpoint) -> Channel {
        let dial = self.clone();
        endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
            let dial = dial.clone();
            async move { dial.connect().await.map(TokioIo::new) }
        }))
    }
}

/// Whoever asks at a door.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) dial: Dial,
    pub(crate) channel: Channel,
}

/// A request of any mode.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) record_type: String,
    pub(crate) provider: String,
    pub(crate) grounds: pb::Grounds,
    pub(crate) fields: Vec<String>,
    pub(crate) question: Question,
    pub(crate) relay: Option<pb::Relay>,
    pub(crate) traceparent: Option<&'static str>,
    pub(crate) deadline: Duration,
}

/// An answer of any mode.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) info: pb::ExchangeInfo,
    pub(crate) records: Vec<Bytes>,
    pub(crate) verdicts: Vec<pb::Verdict>,
    pub(crate) count: pb::CountRecordsResponse,
    pub(crate) trailer: pb::QueryTrailer,
}

impl Answer {
    pub(crate) fn exchange(&self) -> ExchangeId {
        self.info.exchange_id.parse().unwrap()
    }
}

impl Asked {
    pub(crate) fn new(question: Question) -> Self {
        Self {
            record_type: RESIDENT.to_owned(),
            provider: String::new(),
            grounds: pb::Grounds {
                purpose: "tax-assessment".to_owned(),
                case_reference: "CASE-1".to_owned(),
                officer: "W. Example".to_owned(),
            },
            fields: Vec::new(),
            question,
            relay: None,
            traceparent: None,
            deadline: super::PATIENCE,
        }
    }

    pub(crate) fn get(key: &str) -> Self {
        Self::new(Question::Get {
            key: key.to_owned(),
        })
    }

    pub(crate) fn query(filter: &str) -> Self {
        let (filter, order_by) = (filter.to_owned(), String::new());
        Self::new(Question::Query {
            filter,
            order_by,
            limit: 0,
            cursor: Bytes::new(),
        })
    }

    pub(crate) fn verify(key: &str, claims: &[(&str, &str)]) -> Self {
        let claims = claims
            .iter()
            .map(|(field, value)| claim(field, value))
            .collect();
        Self::new(Question::Verify {
            key: key.to_owned(),
            claims,
        })
    }

    pub(crate) fn count(filter: &str) -> Self {
        Self::new(Question::Count {
            filter: filter.to_owned(),
        })
    }

    pub(crate) fn case(mut self, reference: &str) -> Self {
        self.grounds.case_reference = reference.to_owned();
        self
    }

    pub(crate) fn purpose(mut self, purpose: &str) -> Self {
        self.grounds.purpose = purpose.to_owned();
        self
    }

    pub(crate) fn record_type(mut self, name: &str) -> Self {
        self.record_type = name.to_owned();
        self
    }

    pub(crate) fn fields(mut self, paths: &[&str]) -> Self {
        self.fields = paths.iter().map(|path| (*path).to_owned()).collect();
        self
    }

    pub(crate) fn trace(mut self, traceparent: &'static str) -> Self {
        self.traceparent = Some(traceparent);
        self
    }

    /// As a gateway passes it on, for that system of its own.
    pub(crate) fn relayed_for(mut self, system: &str) -> Self {
        let mut id = [7; 16];
        aws_lc_rs::rand::fill(&mut id).unwrap();
        // The version and the variant of a UUIDv7.
        id[6] = id[6] & 0x0f | 0x70;
        id[8] = id[8] & 0x3f | 0x80;
        self.relay = Some(pb::Relay {
            exchange_id: id.to_vec().into(),
            nonce: vec![9; 32].into(),
            system: system.to_owned(),
            agreement_digest: vec![9; 32].into(),
            ..Default::default()
        });
        self
    }

    /// Orders a query; other modes have no order.
    pub(crate) fn order(mut self, by: &str) -> Self {
        if let Question::Query { order_by, .. } = &mut self.question {
            *order_by = by.to_owned();
        }
        self
    }

    /// Limits a query.
    pub(crate) fn limit(mut self, most: u32) -> Self {
        if let Question::Query { limit, .. } = &mut self.question {
            *limit = most;
        }
        self
    }

    /// Goes on where an earlier answer stopped.
    pub(crate) fn after(mut self, from: &Bytes) -> Self {
        if let Question::Query { cursor, .. } = &mut self.question {
            *cursor = from.clone();
        }
        self
    }

    fn mask(&self) -> Option<prost_types::FieldMask> {
        (!self.fields.is_empty()).then(|| prost_types::FieldMask {
            paths: self.fields.clone(),
        })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        if let Some(traceparent) = self.traceparent {
            request
                .metadata_mut()
                .insert("traceparent", traceparent.parse().unwrap());
        }
        request
    }
}

/// A text that is held to be true of a field.
pub(crate) fn claim(field: &str, text: &str) -> pb::Claim {
    let value = pb::Value {
        kind: Some(pb::value::Kind::Text(text.to_owned())),
    };
    pb::Claim {
        field: field.to_owned(),
        value: Some(value),
    }
}

impl Asker {
    pub(crate) fn at(port: u16, ca: &Path, shown: Option<Shown>) -> Self {
        let dial = Dial::new(port, ca, shown);
        Self {
            channel: dial.channel(),
            dial,
        }
    }

    pub(crate) fn client(&self) -> ExchangeServiceClient<Channel> {
        ExchangeServiceClient::new(self.channel.clone())
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX)
    }

    /// Asks and reads the whole answer.
    pub(crate) async fn ask(&self, asked: &Asked) -> Result<Answer, Refused> {
        let common = asked.clone();
        let (record_type, provider, grounds) =
            (common.record_type, common.provider, Some(common.grounds));
        let relay = common.relay;
        match common.question {
            Question::Get { key } => {
                let fields = asked.mask();
                let message = pb::GetRecordRequest {
                    record_type,
                    provider,
                    grounds,
                    fields,
                    key,
                    relay,
                };
                let told = self
                    .client()
                    .get_record(asked.request(message))
                    .await?
                    .into_inner();
                Ok(Answer {
                    info: told.info.unwrap(),
                    records: vec![told.record],
                    ..Default::default()
                })
            }
            Question::Query { .. } => read(self.open(asked).await?).await,
            Question::Verify { key, claims } => {
                let message = pb::VerifyRecordRequest {
                    record_type,
                    provider,
                    grounds,
                    key,
                    claims,
                    relay,
                };
                let told = self
                    .client()
                    .verify_record(asked.request(message))
                    .await?
                    .into_inner();
                Ok(Answer {
                    info: told.info.unwrap(),
                    verdicts: told.verdicts,
                    ..Default::default()
                })
            }
            Question::Count { filter } => {
                let message = pb::CountRecordsRequest {
                    record_type,
                    provider,
                    grounds,
                    filter,
                    relay,
                };
                let mut told = self
                    .client()
                    .count_records(asked.request(message))
                    .await?
                    .into_inner();
                Ok(Answer {
                    info: told.info.take().unwrap(),
                    count: told,
                    ..Default::default()
                })
            }
        }
    }

    /// Opens a stream and reads nothing of it.
    pub(crate) async fn open(
        &self,
        asked: &Asked,
    ) -> Result<Streaming<pb::QueryRecordsResponse>, Refused> {
        let common = asked.clone();
        let Question::Query {
            filter,
            order_by,
            limit,
            cursor,
        } = common.question
        else {
            panic!("only a query has a stream");
        };
        let message = pb::QueryRecordsRequest {
            record_type: common.record_type,
            provider: common.provider,
            grounds: Some(common.grounds),
            fields: asked.mask(),
            filter,
            order_by,
            limit,
            cursor,
            relay: common.relay,
        };
        Ok(self
            .client()
            .query_records(asked.request(message))
            .await?
            .into_inner())
    }
}

/// Reads a stream to its end: a header, batches, a trailer.
pub(crate) async fn read(
    mut stream: Streaming<pb::QueryRecordsResponse>,
) -> Result<Answer, Refused> {
    let mut answer = Answer {
        info: header(&mut stream).await?,
        ..Default::default()
    };
    while let Some(told) = stream.message().await? {
        match told.part.unwrap() {
            Part::Batch(batch) => answer.records.extend(batch.records),
            Part::Trailer(trailer) => answer.trailer = trailer,
            Part::Header(_) => panic!("a second header"),
        }
    }
    assert!(
        answer.trailer.receipt.is_some(),
        "the stream ended without a trailer"
    );
    Ok(answer)
}

/// Reads the header of a stream.
pub(crate) async fn header(
    stream: &mut Streaming<pb::QueryRecordsResponse>,
) -> Result<pb::ExchangeInfo, Refused> {
    match stream.message().await?.and_then(|told| told.part) {
        Some(Part::Header(info)) => Ok(info),
        _ => panic!("the stream does not begin with a header"),
    }
}
