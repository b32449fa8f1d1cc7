//! Opens a session with a PostgreSQL server: socket, TLS, login.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::ChannelBinding;
use postgres_protocol::authentication::sasl::SCRAM_SHA_256;
use postgres_protocol::authentication::sasl::ScramSha256;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use rustix::net::sockopt;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::UnixStream;

use super::session::Link;
use super::session::Session;
use super::tls;
use crate::source::SourceError;
use crate::source::sql::address::Address;
use crate::source::sql::address::Place;
use crate::source::sql::address::TlsMode;
use crate::source::sql::error::DriverFault;
use crate::source::sql::error::Unreachable;

/// How long what was sent may stay unacknowledged, and how long nothing may be heard of a peer's kernel.
const NETWORK: Duration = Duration::from_secs(10);

/// Opens a session. `timeout` is for its statements.
pub(super) async fn open(address: &Address, timeout: Duration) -> Result<Session, SourceError> {
    let link = link(address).await?;
    let mut login = LoginStep {
        session: Session::new(link, timeout),
        address,
        scram: None,
    };
    login.start().await?;
    Ok(login.session)
}

async fn link(address: &Address) -> Result<Link, SourceError> {
    let place = &address.place;
    let refused = |error| Unreachable::source_error(place, error);
    match place {
        Place::Host { name, port } => {
            let stream = TcpStream::connect((name.as_str(), *port));
            let stream = stream.await.map_err(refused)?;
            prepare(&stream).map_err(refused)?;
            secured(stream, name, address).await
        }
        Place::Socket(path) | Place::File(path) => {
            let stream = UnixStream::connect(path as &Path).await;
            Ok(Box::new(stream.map_err(refused)?))
        }
    }
}

/// A peer that a firewall has forgotten is given up, also while a statement runs.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, NETWORK)?;
    sockopt::set_tcp_keepintvl(stream, NETWORK / 4)?;
    sockopt::set_tcp_keepcnt(stream, 4)?;
    sockopt::set_tcp_user_timeout(stream, NETWORK.as_millis() as u32)?;
    Ok(())
}

async fn secured(
    mut stream: TcpStream,
    host: &str,
    address: &Address,
) -> Result<Link, SourceError> {
    let place = &address.place;
    let mode = address.tls.mode;
    if mode == TlsMode::Disable {
        return Ok(Box::new(stream));
    }
    let failed = |error| Unreachable::tls(place, error);
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    let answer = async {
        stream.write_all(&request).await?;
        stream.read_u8().await
    };
    let answer = answer
        .await
        .map_err(|error| Unreachable::source_error(place, error))?;
    match answer {
        b'S' => {
            let connector = tls::connector(&address.tls).map_err(failed)?;
            let name = ServerName::try_from(host.to_owned()).map_err(|e| failed(e.into()))?;
            let stream = connector.connect(name, stream).await;
            Ok(Box::new(stream.map_err(|e| failed(e.into()))?))
        }
        b'N' if mode == TlsMode::Prefer => Ok(Box::new(stream)),
        _ => Err(failed(Box::new(DriverFault(
            "get TLS, which the URL's `sslmode` demands: the server offers none",
        )))),
    }
}

struct LoginStep<'a> {
    session: Session,
    address: &'a Address,
    scram: Option<ScramSha256>,
}

impl LoginStep<'_> {
    async fn start(&mut self) -> Result<(), SourceError> {
        let address = self.address;
        let parameters = [
            ("user", address.user.as_str()),
            (
                "database",
                address.database.as_deref().unwrap_or(&address.user),
            ),
            (
                "application_name",
                address.application.as_deref().unwrap_or("landbridge"),
            ),
            // No more than poolers know: the rest is set with each transaction.
            ("client_encoding", "UTF8"),
        ];
        let sent = frontend::startup_message(parameters, self.session.outbound());
        sent.map_err(Unreachable::broken)?;
        self.session.flush().await?;
        loop {
            match self.session.message().await? {
                Message::ParameterStatus(status)
                    if status.name().ok() == Some("server_version") =>
                {
                    self.session
                        .take_version(status.value().unwrap_or_default());
                }
                Message::BackendKeyData(key) => self.session.take_process(key.process_id()),
                Message::ReadyForQuery(ready) => {
                    self.session.take_status(ready.status());
                    return Ok(());
                }
                Message::ErrorResponse(error) => return Err(self.session.refused(&error)),
                message => self.answer(&message).await?,
            }
        }
    }

    async fn answer(&mut self, message: &Message) -> Result<(), SourceError> {
        let outbound = self.session.outbound();
        match message {
            Message::AuthenticationCleartextPassword => {
                frontend::password_message(password(self.address)?, outbound)
            }
            Message::AuthenticationMd5Password(body) => {
                let password = password(self.address)?;
                let hash = md5_hash(self.address.user.as_bytes(), password, body.salt());
                frontend::password_message(hash.as_bytes(), outbound)
            }
            Message::AuthenticationSasl(body) => {
                let offered = body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256));
                if !offered.unwrap_or(false) {
                    return Err(unknown());
                }
                let password = password(self.address)?;
                let scram = ScramSha256::new(password, ChannelBinding::unsupported());
                let first = self.scram.insert(scram).message();
                frontend::sasl_initial_response(SCRAM_SHA_256, first, outbound)
            }
            Message::AuthenticationSaslContinue(body) => {
                let scram = self.scram.as_mut().ok_or_else(unknown)?;
                let updated = scram.update(body.data());
                updated.and_then(|()| frontend::sasl_response(scram.message(), outbound))
            }
            Message::AuthenticationSaslFinal(body) => {
                let scram = self.scram.as_mut().ok_or_else(unknown)?;
                scram.finish(body.data())
            }
            Message::AuthenticationGss
            | Message::AuthenticationSspi
            | Message::AuthenticationKerberosV5 => return Err(unknown()),
            // That all is well, and remarks.
            _ => Ok(()),
        }
        .map_err(Unreachable::broken)?;
        self.session.flush().await
    }
}

fn password(address: &Address) -> Result<&[u8], SourceError> {
    let password = address.password.as_deref().map(str::as_bytes);
    password.ok_or_else(|| {
        SourceError::Unavailable(Box::new(DriverFault(
            "log in: the server wants a password, and the URL has none",
        )))
    })
}

fn unknown() -> SourceError {
    SourceError::Unavailable(Box::new(DriverFault(
        "log in: the server wants neither a password nor SCRAM-SHA-256",
    )))
}
