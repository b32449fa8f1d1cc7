//! The call to compare with: a server without a gateway, over the same mutual TLS, in a process of its own.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::anyhow;
use hyper::server::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use landbridge::clock::Clock;
use landbridge::demo::federation::DEPARTMENTS;
use landbridge::demo::federation::Federation;
use landbridge::demo::federation::PORTS;
use landbridge::identity::Door;
use landbridge::identity::acceptor::AcceptLimits;
use landbridge::identity::acceptor::Acceptor;
use landbridge::identity::directory::Directory;
use landbridge::identity::strangers::Place;
use landbridge::pb::exchange_service_server::ExchangeServiceServer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceExt;

use crate::harness::bed::free_port;
use crate::harness::canned::Canned;
use crate::harness::client::material;
use crate::harness::process::Process;

/// With it, this program is the server.
pub(crate) const FLAG: &str = "--serve-directly";

/// The server, started with the certificates of a federation.
pub(crate) fn start(federation: &Federation) -> anyhow::Result<(Process, u16)> {
    let port = free_port()?;
    let mut server = Command::new(std::env::current_exe()?);
    server
        .arg(FLAG)
        .arg(&federation.folder)
        .arg(port.to_string());
    let log = federation.folder.join("var/direct.log");
    Ok((Process::start(&mut server, &log)?, port))
}

/// Runs the server until it is killed. It takes itself for the tax office's gateway.
pub(crate) async fn serve(folder: &Path, port: u16) -> anyhow::Result<()> {
    let federation = Federation {
        folder: folder.to_owned(),
        ports: PORTS,
    };
    let acceptor = Arc::new(Acceptor::new(
        Door::Systems,
        material(&federation, "systems", "")?,
        Arc::new(directory(folder)?),
        AcceptLimits::default(),
        Clock::System,
    ));
    let routes = Routes::new(ExchangeServiceServer::new(Canned::new())).prepare();
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    eprintln!("{} are served: ready", DEPARTMENTS.len());
    let mut connections = JoinSet::new();
    loop {
        let (tcp, from) = listener.accept().await?;
        let place = acceptor.welcome(from.ip());
        connections.spawn(connection(acceptor.clone(), routes.clone(), tcp, place));
    }
}

pub(crate) fn directory(folder: &Path) -> anyhow::Result<Directory> {
    let file = folder.join("config/directory.toml");
    let text = std::fs::read_to_string(&file)?;
    Directory::parse(&file.display().to_string(), &text).map_err(|_| anyhow!("the directory"))
}

/// As a gateway's door has it.
async fn connection(
    acceptor: Arc<Acceptor>,
    routes: Routes,
    tcp: TcpStream,
    place: Place,
) -> anyhow::Result<()> {
    let link = acceptor.accept(tcp, place).await?;
    let service =
        routes.map_request(|request: http::Request<hyper::body::Incoming>| request.map(Body::new));
    http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(512 * 1024)
        .initial_connection_window_size(2 * 1024 * 1024)
        .max_frame_size(64 * 1024)
        .max_send_buf_size(512 * 1024)
        .serve_connection(TokioIo::new(link), TowerToHyperService::new(service))
        .await?;
    Ok(())
}
