//! Clients that share nothing with the gateway but its API: ordinary TLS, ordinary gRPC.

use std::io;
use std::net::Ipv4Addr;
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
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Streaming;
use tonic::transport::Channel;
use tonic::transport::Endpoint;
use tonic::transport::Uri;
use tower::service_fn;

use super::asked::Asked;
use super::refusal::Refused;

/// A certificate with its key, to be shown at a door.
pub(crate) struct Shown {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
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
    from: Ipv4Addr,
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
            from: Ipv4Addr::LOCALHOST,
            config: Arc::new(config),
        }
    }

    /// From another address of this machine.
    pub(crate) fn from(mut self, address: Ipv4Addr) -> Self {
        self.from = address;
        self
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    /// A connection on which nothing has been said.
    pub(crate) async fn tcp(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if self.from != Ipv4Addr::LOCALHOST {
            socket.bind((self.from, 0).into())?;
        }
        socket
            .connect((Ipv4Addr::LOCALHOST, self.port).into())
            .await
    }

    /// Whether the other end begins to speak HTTP/2: with TLS 1.3 a client is done before its certificate is judged.
    pub(crate) async fn is_let_in(&self) -> bool {
        let speak = async {
            let mut tls = self.connect().await?;
            // The preface, and settings that are none.
            tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
                .await?;
            tls.read_exact(&mut [0; 9]).await
        };
        timeout(Duration::from_secs(5), speak)
            .await
            .is_ok_and(|spoken| spoken.is_ok())
    }

    pub(crate) async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let tcp = self.tcp().await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(self.config.clone())
            .connect(name, tcp)
            .await
    }

    /// Connects when it is first used, and again when the connection was lost. The window is small, so that an answer
    /// which nobody reads comes to a halt.
    pub(crate) fn channel(&self) -> Channel {
        let (endpoint, dial) = (
            Endpoint::from_static("http://gateway.invalid"),
            self.clone(),
        );
        endpoint
            .initial_stream_window_size(64 * 1024)
            .connect_with_connector_lazy(service_fn(move |_: Uri| {
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

    /// The reason for which it is refused, if it is.
    pub(crate) async fn refusal(&self, asked: &Asked) -> Option<String> {
        self.ask(asked).await.err().map(|refused| refused.reason)
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

/// Reads a stream on, which must break off.
pub(crate) async fn broken(mut stream: Streaming<pb::QueryRecordsResponse>) -> Refused {
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream was answered whole"),
            Err(status) => return status.into(),
        }
    }
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
