//! Opens the three doors: binds them, puts the services behind them, and runs them on the tracker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use metrics_exporter_prometheus::PrometheusHandle;
use prost_reflect::DescriptorError;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tonic::service::Routes;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;

use super::Addresses;
use super::Gateway;
use super::StartError;
use super::operators;
use super::operators::OperatorsServer;
use crate::clock::Clock;
use crate::config::Config;
use crate::console;
use crate::console::Console;
use crate::door;
use crate::door::admission::Admission;
use crate::door::admission::AdmissionLimits;
use crate::door::catalog::CatalogDoor;
use crate::door::corrections::CorrectionDoor;
use crate::door::exchange::ExchangeDoor;
use crate::door::operators::Operators;
use crate::door::operators::hosts;
use crate::door::peer::PeerDoor;
use crate::door::reflection::Reflection;
use crate::door::server::DoorServer;
use crate::door::server::ServerLimits;
use crate::door::tiles::ServedJournal;
use crate::identity::Door;
use crate::identity::acceptor::AcceptLimits;
use crate::identity::acceptor::Acceptor;
use crate::identity::directory::Directory;
use crate::identity::material::Material;
use crate::pb::catalog_service_server::CatalogServiceServer;
use crate::pb::correction_service_server::CorrectionServiceServer;
use crate::pb::exchange_service_server::ExchangeServiceServer;
use crate::pb::peer_service_server::PeerServiceServer;
use crate::publication::shelf::Shelf;
use crate::reading::desk::ReadingDesk;

/// The largest block of request headers.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections that the system keeps until they are accepted; as many as it allows, where it allows fewer.
const BACKLOG: u32 = 4_096;

/// The doors' sockets, bound and not yet served.
pub(super) struct Doors {
    systems: TcpListener,
    peers: TcpListener,
    operators: TcpListener,
    addresses: Addresses,
}

impl Doors {
    pub(super) fn bind(config: &Config) -> Result<Self, StartError> {
        let (systems, at_systems) = listen("systems", config.systems.listen)?;
        let (peers, at_peers) = listen("peers", config.peers.listen)?;
        let (operators, at_operators) = listen("operators", config.operators.listen)?;
        let addresses = Addresses {
            systems: at_systems,
            peers: at_peers,
            operators: at_operators,
        };
        Ok(Self {
            systems,
            peers,
            operators,
            addresses,
        })
    }

    pub(super) fn addresses(&self) -> Addresses {
        self.addresses
    }
}

/// The acceptor of one door.
pub(super) fn acceptor(
    door: Door,
    material: Material,
    directory: Arc<Directory>,
    config: &Config,
    clock: &Clock,
) -> Arc<Acceptor> {
    let limits = AcceptLimits {
        connections: config.limits.max_connections,
        strangers: config.limits.max_handshakes,
        handshake: HANDSHAKE,
    };
    Arc::new(Acceptor::new(
        door,
        material,
        directory,
        limits,
        clock.clone(),
    ))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A gateway that is started again does not wait for what is left of its old connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn listen(
    door: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Listen {
        door,
        address,
        source,
    };
    let listener = bind(address).map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

impl Gateway {
    /// Runs the doors until the gateway stops.
    pub(super) async fn open(
        &self,
        doors: Doors,
        metrics: PrometheusHandle,
    ) -> Result<(), StartError> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health
            .set_serving::<ExchangeServiceServer<ExchangeDoor>>()
            .await;
        let reflection = Reflection::at_systems(self.exchange.clone())?;

        let (at_systems, at_peers) = (self.admission(Door::Systems), self.admission(Door::Peers));
        let peer_door = self.peer_door();
        let counting = peer_door.clone().sum_up(self.life.stop.clone());
        self.life.tasks.spawn(counting);
        let peers = Routes::new(self.exchange_service(&at_peers))
            .add_service(health_service.clone())
            .add_service(self.peer_service(&peer_door));
        let peers = Routes::from(
            peers
                .into_axum_router()
                .nest("/witness", door::witness::routes(self.witness.clone()))
                .nest("/journal", door::tiles::routes(self.served_journal())),
        );
        let systems = Routes::new(self.exchange_service(&at_systems))
            .add_service(health_service)
            .add_service(CatalogServiceServer::new(CatalogDoor::new(
                self.exchange.clone(),
            )))
            .add_service(self.correction_service())
            .add_service(ServerReflectionServer::new(reflection));

        let systems = self.server(self.systems.clone(), at_systems, systems);
        let peers = self.server(self.peers.clone(), at_peers, peers);
        self.life.tasks.spawn(systems.run(doors.systems));
        self.life.tasks.spawn(peers.run(doors.peers));
        self.life
            .tasks
            .spawn(self.reconciler().run(self.life.stop.clone()));
        self.life
            .tasks
            .spawn(self.surveyor().run(self.life.stop.clone()));
        self.life
            .tasks
            .spawn(self.courier().run(self.life.stop.clone()));
        let synchroniser = self.synchroniser();
        self.life
            .tasks
            .spawn(synchroniser.run(self.life.stop.clone()));
        self.life.operator_tasks.spawn(operators::sum_up(
            metrics.clone(),
            self.life.stopped.clone(),
        ));
        // Not on the tracker, which a stop waits for: this door tells until the very end that the gateway is stopping.
        let operators = OperatorsServer {
            routes: self.operators(metrics).await?,
            tracker: self.life.operator_tasks.clone(),
            stopped: self.life.stopped.clone(),
        };
        self.life
            .operator_tasks
            .spawn(operators.run(doors.operators));
        Ok(())
    }

    /// What the operators' door serves: services for programs, and the console for people if the settings have one.
    async fn operators(&self, metrics: PrometheusHandle) -> Result<Router, DescriptorError> {
        let config = &self.config;
        let desk = Arc::new(ReadingDesk::new(
            self.exchange.clone(),
            config.journal.path.clone(),
            config.operators.readers.clone(),
            config.subjects.clone().unwrap_or_default(),
            config.offset,
        ));
        let operators = Operators {
            desk: desk.clone(),
            metrics,
            stop: self.life.stop.clone(),
            overdue: self.overdue.clone(),
            witnessed: config.witness.policy.is_some(),
            tracked: config.subjects.is_some(),
        };
        let routes = operators.routes().await?;
        let hosts = Arc::new(config.operators.hosts.clone());
        let hosts = middleware::from_fn_with_state(hosts, hosts::check);
        let Some(console) = &config.console else {
            return Ok(routes.layer(hosts));
        };
        let neighbours = console::Neighbours {
            systems: self.systems.clone(),
            peers: self.peers.clone(),
            witnesses: self.states.clone(),
            overdue: self.overdue.clone(),
        };
        let name = format!(
            "{}-{}_{}",
            config.department,
            config.journal.replica,
            self.addresses.operators.port()
        );
        let console = Arc::new(Console::new(console.clone(), &name, desk, neighbours));
        self.life
            .tasks
            .spawn(console.clone().count_refusals(self.life.stop.clone()));
        Ok(routes.merge(console.routes()).layer(hosts))
    }

    /// What peers may read of the own journal.
    fn served_journal(&self) -> ServedJournal {
        ServedJournal {
            dir: self.config.journal.path.clone(),
            entries: false,
            witnessed: self.config.witness.policy.is_some(),
        }
    }

    fn admission(&self, door: Door) -> Arc<Admission> {
        let limits = &self.config.limits;
        let limits = AdmissionLimits {
            exchanges: limits.max_requests,
            streams: limits.max_streamed_answers,
            target: limits.target_latency,
        };
        Admission::new(door, limits)
    }

    fn exchange_service(&self, admission: &Arc<Admission>) -> ExchangeServiceServer<ExchangeDoor> {
        let limits = &self.config.limits;
        let service = ExchangeDoor::new(
            self.exchange.clone(),
            self.life.tasks.clone(),
            admission.clone(),
            limits.deadline,
            limits.stall,
            self.life.cut.clone(),
        );
        ExchangeServiceServer::new(service)
            .max_decoding_message_size(limits.max_message)
            .max_encoding_message_size(usize::MAX)
    }

    fn correction_service(&self) -> CorrectionServiceServer<CorrectionDoor> {
        let service = CorrectionDoor::new(self.desk.clone(), self.life.tasks.clone());
        CorrectionServiceServer::new(service)
            .max_decoding_message_size(self.config.limits.max_message)
    }

    fn peer_door(&self) -> PeerDoor {
        let shelf = Shelf::at(&self.config.publication.path);
        PeerDoor::new(
            self.books(),
            self.exchange.clone(),
            shelf,
            self.desk.clone(),
            self.config.trust_domain.clone(),
            self.life.tasks.clone(),
        )
    }

    fn peer_service(&self, door: &PeerDoor) -> PeerServiceServer<PeerDoor> {
        PeerServiceServer::new(door.clone())
            .max_decoding_message_size(self.config.limits.max_message)
            .max_encoding_message_size(usize::MAX)
    }

    fn server(
        &self,
        acceptor: Arc<Acceptor>,
        admission: Arc<Admission>,
        routes: Routes,
    ) -> DoorServer {
        let limits = &self.config.limits;
        DoorServer {
            door: acceptor.door(),
            acceptor,
            admission,
            routes: routes.prepare(),
            journal: self.exchange.journal().clone(),
            limits: ServerLimits {
                max_streams: limits.max_streams,
                max_header_bytes: MAX_HEADER_BYTES,
                // What is let in may use its whole deadline; the rest is for reading it.
                call: limits.deadline + Duration::from_secs(10),
            },
            tracker: self.life.tasks.clone(),
            stop: self.life.stop.clone(),
        }
    }
}
