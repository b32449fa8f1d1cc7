//! A proxy that does nothing: bytes from one HTTP/2 connection to another. Two of them are what two hops cost at least.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;
use anyhow::bail;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use landbridge::clock::Clock;
use landbridge::demo::federation::Federation;
use landbridge::demo::federation::PORTS;
use landbridge::identity::Door;
use landbridge::identity::acceptor::AcceptLimits;
use landbridge::identity::acceptor::Acceptor;
use landbridge::identity::connector::Connector;
use landbridge::identity::directory::Endpoint;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::client::material_from;
use crate::harness::direct::directory;
use crate::harness::process::Process;

/// With it, this program is such a proxy.
pub(crate) const FLAG: &str = "--hop";

const STREAM_WINDOW: u32 = 512 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
const FRAME: u32 = 64 * 1024;

const TAX: &str = "spiffe://gov.example/department/tax";
const CIVIL: &str = "spiffe://gov.example/department/civil";

/// The proxy of the asking department (`a`) or of the one with the records (`b`).
pub(crate) fn start(
    place: &str,
    federation: &Federation,
    port: u16,
    next: u16,
) -> anyhow::Result<Process> {
    let mut hop = Command::new(std::env::current_exe()?);
    hop.args([FLAG, place])
        .arg(&federation.folder)
        .args([port.to_string(), next.to_string()]);
    let log = federation.folder.join(format!("var/hop-{place}.log"));
    Process::start(&mut hop, &log)
}

#[derive(Debug)]
pub(crate) struct Hop {
    acceptor: Acceptor,
    onward: Onward,
}

/// Where calls go on to.
#[derive(Debug)]
enum Onward {
    Peer(Connector, Endpoint),
    Backend(Endpoint),
}

impl Hop {
    pub(crate) fn new(place: &str, folder: &Path, next: &str) -> anyhow::Result<Self> {
        let federation = Federation {
            folder: folder.to_owned(),
            ports: PORTS,
        };
        let departments = Arc::new(directory(folder)?);
        let next: Endpoint = format!("127.0.0.1:{next}").parse()?;
        let material = |ca, name, id| material_from(ca, name, id, &federation);
        let (door, shown, onward) = match place {
            "a" => {
                let peers = material("federation/ca", "tax/peers", TAX)?;
                let connector = Connector::to_peers(peers, departments.clone(), Clock::System);
                let systems = material("tax/ca", "tax/systems", TAX)?;
                (Door::Systems, systems, Onward::Peer(connector, next))
            }
            "b" => {
                let peers = material("federation/ca", "civil/peers", CIVIL)?;
                (Door::Peers, peers, Onward::Backend(next))
            }
            other => bail!("there is no hop `{other}`"),
        };
        let limits = AcceptLimits::default();
        Ok(Self {
            acceptor: Acceptor::new(door, shown, departments, limits, Clock::System),
            onward,
        })
    }

    /// Runs until it is killed.
    pub(crate) async fn serve(self, port: u16) -> anyhow::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        eprintln!("the hop is ready");
        let hop = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            let (tcp, from) = listener.accept().await?;
            let hop = Arc::clone(&hop);
            connections.spawn(async move { hop.connection(tcp, from.ip()).await });
        }
    }

    /// Each connection has one of its own onward, so that none waits for another.
    async fn connection(&self, tcp: TcpStream, from: IpAddr) -> anyhow::Result<()> {
        let place = self.acceptor.welcome(from);
        let link = self.acceptor.accept(tcp, place).await?;
        let mut onward = JoinSet::new();
        let sender = match &self.onward {
            Onward::Peer(connector, next) => {
                let civil = "civil".parse().context("a department")?;
                dial(connector.connect(next, &civil).await?, &mut onward).await?
            }
            Onward::Backend(next) => {
                let tcp = TcpStream::connect((next.host(), next.port())).await?;
                tcp.set_nodelay(true)?;
                dial(tcp, &mut onward).await?
            }
        };
        http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .serve_connection(
                TokioIo::new(link),
                service_fn(move |request| pass(sender.clone(), request)),
            )
            .await?;
        Ok(())
    }
}

async fn dial(
    link: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    tasks: &mut JoinSet<hyper::Result<()>>,
) -> anyhow::Result<SendRequest<Incoming>> {
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .handshake(TokioIo::new(link))
        .await?;
    tasks.spawn(connection);
    Ok(sender)
}

async fn pass(
    mut sender: SendRequest<Incoming>,
    request: Request<Incoming>,
) -> hyper::Result<Response<Incoming>> {
    sender.send_request(request).await
}
