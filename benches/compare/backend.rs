//! The backend behind the proxies and the gateways, in a process of its own: ready-made answers over HTTP/2 without TLS.

use std::path::Path;
use std::process::Command;

use hyper::server::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use landbridge::pb::exchange_service_server::ExchangeServiceServer;
use landbridge::pb::source_service_server::SourceServiceServer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceExt;

use crate::compare::ready::Ready;
use crate::harness::bed::free_port;
use crate::harness::canned::Canned;
use crate::harness::process::Process;

/// With it, this program is the backend.
pub(crate) const FLAG: &str = "--backend";

pub(crate) fn start(folder: &Path) -> anyhow::Result<(Process, u16)> {
    let port = free_port()?;
    let mut backend = Command::new(std::env::current_exe()?);
    backend.arg(FLAG).arg(port.to_string());
    Ok((
        Process::start(&mut backend, &folder.join("backend.log"))?,
        port,
    ))
}

/// Runs until it is killed.
pub(crate) async fn serve(port: u16) -> anyhow::Result<()> {
    let routes = Routes::new(ExchangeServiceServer::new(Canned::new()))
        .add_service(SourceServiceServer::new(Ready::new()?))
        .prepare();
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    eprintln!("the backend is ready");
    let mut connections = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await?;
        connections.spawn(connection(tcp, routes.clone()));
    }
}

async fn connection(tcp: TcpStream, routes: Routes) -> anyhow::Result<()> {
    tcp.set_nodelay(true)?;
    let service =
        routes.map_request(|request: http::Request<hyper::body::Incoming>| request.map(Body::new));
    http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(512 * 1024)
        .initial_connection_window_size(2 * 1024 * 1024)
        .max_frame_size(64 * 1024)
        .max_send_buf_size(512 * 1024)
        .serve_connection(TokioIo::new(tcp), TowerToHyperService::new(service))
        .await?;
    Ok(())
}
