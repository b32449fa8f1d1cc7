//! Asks an identity provider: one request on one connection, over TLS unless it is on this machine.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::body::to_bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::future::Either;
use futures::future::select;
use http::HeaderValue;
use http::Uri;
use http::header::HOST;
use http::uri::PathAndQuery;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use openidconnect::AsyncHttpClient;
use openidconnect::HttpRequest;
use openidconnect::HttpResponse;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::identity::material;

/// The CAs that Debian trusts.
const SYSTEM_CAS: &str = "/etc/ssl/certs/ca-certificates.crt";
const PATIENCE: Duration = Duration::from_secs(10);
/// Metadata, key sets and tokens are a few KiB.
const MAX_ANSWER: usize = 1024 * 1024;

/// Why a provider did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("`{0}` is not asked: only a provider on this machine may do without TLS")]
    Plain(String),
    #[error("the CAs in `{}` cannot be read", path.display())]
    Cas {
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("no connection to `{host}`")]
    NotReached {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    #[error("the answer cannot be read")]
    Http(#[from] hyper::Error),
    #[error("the answer is too long, or broke off")]
    Body(#[source] axum::Error),
    #[error("the request cannot be sent as it is")]
    Request(#[from] http::Error),
    #[error("no answer within ten seconds")]
    Late,
}

/// Sends requests.
#[derive(Debug)]
pub(super) struct Transport {
    /// PEM; Debian's where none is given.
    pub(super) ca: Option<PathBuf>,
}

trait Link: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Link for T {}

impl<'c> AsyncHttpClient<'c> for Transport {
    type Error = NoAnswer;
    type Future = BoxFuture<'c, Result<HttpResponse, NoAnswer>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let answer = timeout(PATIENCE, self.exchange(request));
        answer
            .map(|in_time| in_time.unwrap_or(Err(NoAnswer::Late)))
            .boxed()
    }
}

impl Transport {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        let link = self.connect(request.uri()).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(link)).await?;
        let request = as_sent(request)?;
        let answer = pin!(async move {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = to_bytes(Body::new(body), MAX_ANSWER)
                .await
                .map_err(NoAnswer::Body)?;
            Ok(HttpResponse::from_parts(head, body.to_vec()))
        });
        // The answer comes only while the connection is driven.
        match select(answer, pin!(connection)).await {
            Either::Left((answer, _)) => answer,
            Either::Right((ended, answer)) => {
                ended?;
                answer.await
            }
        }
    }

    async fn connect(&self, uri: &Uri) -> Result<Box<dyn Link>, NoAnswer> {
        let host = uri.host().unwrap_or_default().to_owned();
        let bare = host.trim_matches(['[', ']']).to_owned();
        let is_plain = uri.scheme_str() != Some("https");
        if is_plain && !is_here(&bare) {
            return Err(NoAnswer::Plain(host));
        }
        let not_reached = |source| NoAnswer::NotReached {
            host: host.clone(),
            source,
        };
        let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        let tcp = TcpStream::connect((bare.as_str(), port))
            .await
            .map_err(not_reached)?;
        if is_plain {
            return Ok(Box::new(tcp));
        }
        let name =
            ServerName::try_from(bare).map_err(|error| not_reached(io::Error::other(error)))?;
        let tls = TlsConnector::from(Arc::new(self.tls()?));
        Ok(Box::new(tls.connect(name, tcp).await.map_err(not_reached)?))
    }

    fn tls(&self) -> Result<ClientConfig, NoAnswer> {
        let path = self.ca.clone().unwrap_or_else(|| SYSTEM_CAS.into());
        let unreadable = |source| NoAnswer::Cas {
            path: path.clone(),
            source,
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&path).map_err(unreadable)? {
            // Of the system's some may be of kinds that nobody uses any more.
            let _unknown = roots.add(certificate.map_err(unreadable)?);
        }
        let config = ClientConfig::builder_with_provider(material::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(config)
    }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// With the host in its header, and the path alone in its first line.
fn as_sent(request: HttpRequest) -> Result<http::Request<Body>, NoAnswer> {
    let (mut head, body) = request.into_parts();
    if let Some(authority) = head.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(http::Error::from)?;
        head.headers.insert(HOST, host);
    }
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    head.uri = path.parse().map_err(http::Error::from)?;
    Ok(http::Request::from_parts(head, Body::from(body)))
}
