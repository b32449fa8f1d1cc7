//! A department's own service with residents: what the tables hold, over gRPC.

use std::cmp::Ordering;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use futures::Stream;
use futures::StreamExt;
use futures::stream;
use landbridge::pb;
use landbridge::pb::source_service_server::SourceService;
use landbridge::pb::source_service_server::SourceServiceServer;
use landbridge::pb::value::Kind;
use landbridge::registry::Registry;
use prost::Message;
use prost_reflect::DynamicMessage;
use prost_reflect::MessageDescriptor;
use tokio::net::TcpListener;
use tokio::net::UnixListener;
use tokio_util::task::TaskTracker;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::World;
use super::asked::RESIDENT;
use super::records::Resident;

const RESIDENTS: u32 = 100;
/// Records of a message: few, so that answers have several.
const MESSAGE: usize = 7;

type Lie = Arc<dyn Fn(Vec<Bytes>) -> Result<Vec<Bytes>, Status> + Send + Sync>;

/// Ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Population {
    descriptor: MessageDescriptor,
    lie: Arc<Mutex<Lie>>,
}

impl Population {
    pub(crate) fn of(world: &World) -> Self {
        let registry = Registry::compile(&world.path("proto/registry")).unwrap();
        Self {
            descriptor: registry.record(RESIDENT).unwrap().descriptor().clone(),
            lie: Arc::new(Mutex::new(Arc::new(Ok))),
        }
    }

    pub(crate) fn serve_tcp(&self, listener: TcpListener) {
        let server = Server::builder().add_service(SourceServiceServer::new(self.clone()));
        TaskTracker::new().spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    }

    pub(crate) fn serve_unix(&self, listener: UnixListener) {
        let server = Server::builder().add_service(SourceServiceServer::new(self.clone()));
        let incoming = stream::unfold(listener, |listener| async {
            let accepted = listener.accept().await.map(|(unix, _)| unix);
            Some((accepted, listener))
        });
        TaskTracker::new().spawn(server.serve_with_incoming(incoming));
    }

    /// From now on the records of every message go through this.
    pub(crate) fn tells(
        &self,
        lie: impl Fn(Vec<Bytes>) -> Result<Vec<Bytes>, Status> + Send + Sync + 'static,
    ) {
        *self.lie.lock().unwrap() = Arc::new(lie);
    }

    pub(crate) fn encoded(&self, resident: &Resident) -> Bytes {
        let message = DynamicMessage::deserialize(self.descriptor.clone(), resident.stored());
        message.unwrap().encode_to_vec().into()
    }

    fn told(&self, records: Vec<Bytes>) -> Result<Vec<Bytes>, Status> {
        let lie = self.lie.lock().unwrap().clone();
        lie(records)
    }
}

#[tonic::async_trait]
impl SourceService for Population {
    type FetchRecordsStream =
        Pin<Box<dyn Stream<Item = Result<pb::FetchRecordsResponse, Status>> + Send>>;

    async fn fetch_record(
        &self,
        request: Request<pb::FetchRecordRequest>,
    ) -> Result<Response<pb::FetchRecordResponse>, Status> {
        let asked = request.into_inner();
        assert_eq!(asked.record_type, RESIDENT);
        let resident = (1..=RESIDENTS)
            .map(Resident)
            .find(|r| r.key() == asked.key)
            .ok_or_else(|| Status::not_found("none"))?;
        let mut told = self.told(vec![self.encoded(&resident)])?;
        Ok(Response::new(pb::FetchRecordResponse {
            record: told.remove(0),
        }))
    }

    /// Heeds the order, and not the filter.
    async fn fetch_records(
        &self,
        request: Request<pb::FetchRecordsRequest>,
    ) -> Result<Response<Self::FetchRecordsStream>, Status> {
        let asked = request.into_inner();
        let descending = match asked.order.as_slice() {
            [] => false,
            [by] if by.field == "resident_id" => by.descending,
            _ => return Err(Status::unimplemented("another order")),
        };
        let mut residents: Vec<_> = (1..=RESIDENTS).map(Resident).collect();
        if descending {
            residents.reverse();
        }
        if let [after] = asked.after.as_slice() {
            let Some(Kind::Text(after)) = &after.kind else {
                return Err(Status::invalid_argument("a key is a text"));
            };
            let behind = match descending {
                true => Ordering::Less,
                false => Ordering::Greater,
            };
            residents.retain(|resident| resident.key().cmp(after) == behind);
        }
        let records: Vec<_> = residents.iter().map(|r| self.encoded(r)).collect();
        let messages: Vec<_> = records
            .chunks(MESSAGE)
            .map(|records| {
                let records = self.told(records.to_vec())?;
                Ok(pb::FetchRecordsResponse { records })
            })
            .collect();
        Ok(Response::new(stream::iter(messages).boxed()))
    }
}
