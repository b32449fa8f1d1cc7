//! The operators' door: pages for those who run the gateway, and its journal for those who audit it.

pub mod reader;
pub(super) mod unread;
pub mod visibility;

mod audit;
mod desk;
mod journal;
mod lookup;
mod pages;
mod person;
mod progress;
mod proof;
mod told;
mod tracker;
mod usages;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use metrics_exporter_prometheus::PrometheusHandle;
use time::UtcOffset;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;

use super::reflection::Reflection;
use super::status;
use crate::exchange::Exchange;
use crate::pb::audit_service_server::AuditServiceServer;
use audit::AuditDoor;
use desk::Desk;
use pages::Pages;
use reader::Readers;
use visibility::Visibility;

/// The largest request, in bytes: questions are short.
const MAX_QUESTION: usize = 64 * 1024;

/// What the operators' door serves of one gateway.
#[derive(Debug)]
pub struct Operators {
    pub exchange: Arc<Exchange>,
    pub metrics: PrometheusHandle,
    /// Cancelled when the gateway begins to stop.
    pub stop: CancellationToken,
    /// The journal's directory.
    pub journal: PathBuf,
    /// Whether it has witnesses.
    pub witnessed: bool,
    pub readers: Readers,
    /// Without it, people cannot ask who received their data.
    pub subjects: Option<Visibility>,
    /// Of the times that people give and are given.
    pub offset: UtcOffset,
}

impl Operators {
    /// Everything behind the door. The pages of `pages` are open; the rest asks for a reader's token.
    pub async fn routes(self) -> Result<Router, prost_reflect::DescriptorError> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<AuditServiceServer<AuditDoor>>().await;
        let reflection = Reflection::at_operators(self.exchange.clone())?;
        let pages = Pages {
            exchange: self.exchange.clone(),
            metrics: self.metrics,
            stop: self.stop,
        };
        let tracked = self.subjects.is_some();
        let desk = Arc::new(Desk::new(
            self.exchange,
            self.journal,
            self.readers,
            self.subjects.unwrap_or_default(),
            self.offset,
        ));
        let audit = AuditServiceServer::new(AuditDoor::new(desk.clone()))
            .max_decoding_message_size(MAX_QUESTION);
        let services = Routes::new(audit)
            .add_service(health_service)
            .add_service(ServerReflectionServer::new(reflection));

        let mut routes =
            pages::routes(pages).nest("/journal", journal::routes(&desk, self.witnessed));
        if tracked {
            routes = routes.nest("/v2", tracker::routes(desk));
        }
        // The services' own fallback would answer every path, with 200.
        Ok(routes.merge(services.into_axum_router()).fallback(unknown))
    }
}

async fn unknown(headers: HeaderMap) -> Response {
    let content = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    if content.is_some_and(|content| content.starts_with(b"application/grpc")) {
        return status::no_such_method().into_http();
    }
    (StatusCode::NOT_FOUND, "no such page\n").into_response()
}
