//! The operators' door: pages for those who run the gateway, and its journal for those who audit it.

pub mod hosts;
pub(crate) mod introduction;

pub(crate) mod audit;
pub(crate) mod export;
mod journal;
mod pages;
mod parameters;
mod tracker;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;

use super::reflection::Reflection;
use super::status;
use crate::evidence::reconcile::overdue::OverdueComparisons;
use crate::pb::audit_service_server::AuditServiceServer;
use crate::reading::desk::ReadingDesk;
use audit::AuditDoor;
use introduction::Introduction;
use pages::Pages;

/// The largest request, in bytes: questions are short.
const MAX_QUESTION: usize = 64 * 1024;

/// What the operators' door serves of one gateway.
#[derive(Debug)]
pub struct Operators {
    pub desk: Arc<ReadingDesk>,
    pub metrics: PrometheusHandle,
    /// Cancelled when the gateway begins to stop.
    pub stop: CancellationToken,
    /// Whose journals have not been compared for too long.
    pub overdue: OverdueComparisons,
    /// Whether the journal has witnesses.
    pub witnessed: bool,
    /// Whether people can ask who received their data.
    pub tracked: bool,
}

impl Operators {
    /// Everything behind the door. The pages of `pages` are open; the rest asks for a reader's token.
    pub async fn routes(self) -> Result<Router, prost_reflect::DescriptorError> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<AuditServiceServer<AuditDoor>>().await;
        let desk = self.desk;
        let reflection = Reflection::at_operators(desk.exchange.clone())?;
        let pages = Pages {
            exchange: desk.exchange.clone(),
            metrics: self.metrics,
            stop: self.stop,
            overdue: self.overdue,
        };
        let audit = AuditServiceServer::new(AuditDoor::new(desk.clone()))
            .max_decoding_message_size(MAX_QUESTION);
        let services = Routes::new(audit)
            .add_service(health_service)
            .add_service(ServerReflectionServer::new(reflection));

        let mut routes =
            pages::routes(pages).nest("/journal", journal::routes(&desk, self.witnessed));
        routes = routes.merge(export::routes(desk.clone()));
        if self.tracked {
            routes = routes.nest("/v2", tracker::routes(desk.clone()));
        }
        // The services' own fallback would answer every path, with 200.
        Ok(routes
            .merge(services.into_axum_router())
            .fallback(unknown)
            .layer(middleware::from_fn_with_state(desk, introduce_readers)))
    }
}

/// A connection on which a reader has shown a token is no stranger's any more.
async fn introduce_readers(
    State(desk): State<Arc<ReadingDesk>>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(introduction) = request.extensions().get::<Introduction>()
        && desk.know(request.headers()).is_ok()
    {
        introduction.make();
    }
    next.run(request).await
}

async fn unknown(headers: HeaderMap) -> Response {
    let content = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    if content.is_some_and(|content| content.starts_with(b"application/grpc")) {
        return status::no_such_method().into_http();
    }
    (StatusCode::NOT_FOUND, "no such page\n").into_response()
}
