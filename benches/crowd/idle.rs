//! Connections of other departments' gateways that have nothing to ask.

use std::sync::Arc;
use std::time::Instant;

use anyhow::anyhow;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use landbridge::assembly;
use landbridge::clock::Clock;
use landbridge::identity::connector::Connector;
use landbridge::identity::directory::Endpoint;
use tokio::task::JoinSet;
use tonic::body::Body;

use crate::Extent;
use crate::harness::bed::Bed;
use crate::harness::client;

/// Handshakes under way at a time.
const AT_A_TIME: usize = 16;

pub(crate) async fn measure(bed: &Bed, extent: Extent) -> anyhow::Result<()> {
    let federation = &bed.federation;
    let ports = federation.ports_of("civil");
    let port = ports.ok_or_else(|| anyhow!("no civil affairs"))?.peers;
    let endpoint: Endpoint = format!("127.0.0.1:{port}").parse()?;
    let id = "spiffe://gov.example/department/tax";
    let material = client::material_from("federation/ca", "tax/peers", id, federation)?;
    let directory = assembly::directory(&federation.folder.join("config/directory.toml"))
        .map_err(|faults| anyhow!("{faults:?}"))?;
    let connector = Arc::new(Connector::to_peers(
        material,
        Arc::new(directory),
        Clock::System,
    ));

    let (before, cpu) = (bed.civil.memory()?.now, bed.civil.cpu()?);
    let begun = Instant::now();
    let (mut dialling, mut open) = (JoinSet::new(), Vec::new());
    for number in 0..extent.connections {
        if number >= AT_A_TIME
            && let Some(connection) = dialling.join_next().await
        {
            open.push(connection??);
        }
        dialling.spawn(connect(Arc::clone(&connector), endpoint.clone()));
    }
    while let Some(connection) = dialling.join_next().await {
        open.push(connection??);
    }
    let took = begun.elapsed().as_secs_f64();
    let count = open.len() as f64;
    let memory = bed.civil.memory()?.now;
    println!(
        "{count:.0} idle peer connections: {:.1} KiB each, RSS {before:.0} -> {memory:.0} MiB; \
         {:.2} ms of CPU for each handshake, {:.0} handshakes/s",
        (memory - before) * 1024.0 / count,
        (bed.civil.cpu()? - cpu) * 1e3 / count,
        count / took
    );
    Ok(())
}

/// With HTTP/2 set up on it, as a gateway's connection is.
async fn connect(
    connector: Arc<Connector>,
    endpoint: Endpoint,
) -> anyhow::Result<http2::SendRequest<Body>> {
    let link = connector.connect(&endpoint, &"civil".parse()?).await?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(link)).await?;
    // Answers the gateway's pings for as long as the sender is held.
    hyper::rt::Executor::execute(&TokioExecutor::new(), async {
        let _closed = connection.await;
    });
    Ok(sender)
}
