//! What records cost two gateways: by their size, the fields that are granted, and the rules of the grant.

use std::fs;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use landbridge::pb;
use landbridge::pb::source_service_server::SourceServiceServer;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::Axis;
use crate::Line;
use crate::Options;
use crate::growth::service;
use crate::growth::service::FIELDS;
use crate::growth::service::Kind;
use crate::growth::service::MadeUp;
use crate::growth::service::RULES;
use crate::growth::service::SIZES;
use crate::harness::bed::Bed;
use crate::harness::bed::Pair;
use crate::harness::client;
use crate::harness::client::Client;

/// Few enough that a megabyte each is answered in time.
const IN_FLIGHT: usize = 16;

pub(crate) async fn measure(folder: &Path, options: &Options) -> anyhow::Result<Vec<Axis>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let mut tasks = JoinSet::new();
    let server = Server::builder().add_service(SourceServiceServer::new(MadeUp));
    tasks.spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let pair = Pair {
        name: String::new(),
        gateway: Path::new(env!("CARGO_BIN_EXE_landbridge")),
        source: service::settings(port),
        settings: &[],
    };
    let bed = Bed::lay_out_with(&folder.join("gateways"), &pair, |folder| {
        let registry = folder.join("proto/registry/civil/v1/growth.proto");
        fs::write(registry, service::registry())?;
        let agreement = folder.join("config/agreements/CIV-TAX-GROWTH.toml");
        Ok(fs::write(agreement, service::agreement())?)
    })?;
    let client = client::connect(&bed.federation, bed.door()?).await?;
    let axis = |title, of, points| Axis {
        title,
        of,
        lines: vec![Line {
            name: "two gateways",
            points,
        }],
    };
    let mut costs = Vec::new();
    for kind in Kind::all() {
        eprintln!("{}", kind.record_type());
        costs.push(cost(&bed, &client, kind, options.spell).await?);
    }
    let mut costs = costs.into_iter();
    let mut points = |of: [usize; 5]| -> Vec<(f64, f64)> {
        of.into_iter()
            .map(|much| much as f64)
            .zip(costs.by_ref())
            .collect()
    };
    Ok(vec![
        axis("Record size", "bytes", points(SIZES)),
        axis("Granted fields", "fields", points(FIELDS)),
        axis("Rules of the grant", "comparisons", points(RULES)),
    ])
}

/// Microseconds of both gateways' CPU for a call: the median of three spells.
async fn cost(bed: &Bed, client: &Client, kind: Kind, spell: Duration) -> anyhow::Result<f64> {
    run(client, kind, spell / 4).await?;
    let cpu = || anyhow::Ok(bed.tax.cpu()? + bed.civil.cpu()?);
    let mut costs = Vec::new();
    for _ in 0..3 {
        let before = cpu()?;
        let calls = run(client, kind, spell).await?;
        costs.push((cpu()? - before) * 1e6 / calls as f64);
    }
    costs.sort_by(f64::total_cmp);
    costs.get(1).copied().context("no costs")
}

/// A closed loop.
async fn run(client: &Client, kind: Kind, spell: Duration) -> anyhow::Result<u64> {
    let until = Instant::now() + spell;
    let mut askers = JoinSet::new();
    for asker in 0..IN_FLIGHT {
        let mut client = client.clone();
        askers.spawn(async move {
            let mut calls = 0;
            while Instant::now() < until {
                let request = pb::GetRecordRequest {
                    record_type: kind.record_type(),
                    grounds: client::grounds(),
                    key: format!("{asker}-{calls}"),
                    ..Default::default()
                };
                client.get_record(request).await?;
                calls += 1;
            }
            anyhow::Ok(calls)
        });
    }
    let mut calls = 0;
    while let Some(asked) = askers.join_next().await {
        calls += asked??;
    }
    Ok(calls)
}
