//! `ExchangeService`, the same at the systems door and at the peers door.

use std::mem;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::metadata::AsciiMetadataValue;

use super::admission::Admission;
use super::admission::Place;
use super::finish::Finish;
use super::pump;
use super::pump::Parts;
use super::pump::StreamStops;
use super::status;
use crate::exchange::Exchange;
use crate::exchange::answer::Answer;
use crate::exchange::answer::Body;
use crate::exchange::ask::Ask;
use crate::exchange::refusal::Refusal;
use crate::exchange::trace::Trace;
use crate::identity::Caller;
use crate::identity::peer::Peer;
use crate::pb;
use crate::pb::exchange_service_server::ExchangeService;
use crate::registry::query::question::Question;

/// One door's exchange service.
#[derive(Debug, Clone)]
pub struct ExchangeDoor {
    exchange: Arc<Exchange>,
    tracker: TaskTracker,
    admission: Arc<Admission>,
    deadline: Duration,
    stall: Duration,
    cut: CancellationToken,
}

/// What a request's headers and connection say of it.
struct Incoming {
    peer: Peer,
    deadline: Duration,
    trace: Trace,
}

impl ExchangeDoor {
    /// `cut` ends all streams.
    pub fn new(
        exchange: Arc<Exchange>,
        tracker: TaskTracker,
        admission: Arc<Admission>,
        deadline: Duration,
        stall: Duration,
        cut: CancellationToken,
    ) -> Self {
        Self {
            exchange,
            tracker,
            admission,
            deadline,
            stall,
            cut,
        }
    }

    fn incoming<T>(&self, request: &Request<T>) -> Result<Incoming, Status> {
        let peer = request
            .extensions()
            .get::<Peer>()
            .cloned()
            .ok_or_else(status::no_identity)?;
        let header = |name| {
            request
                .metadata()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let deadline = header("grpc-timeout")
            .and_then(timeout)
            .unwrap_or(self.deadline);
        let trace = header("traceparent")
            .and_then(Trace::parse)
            .unwrap_or_default();
        Ok(Incoming {
            peer,
            deadline: deadline.min(self.deadline),
            trace,
        })
    }

    /// What those who ask for a record type that ends are told.
    fn notice(&self, record_type: &str) -> Option<AsciiMetadataValue> {
        let snapshot = self.exchange.snapshot();
        let schema = snapshot.registry.record(record_type).ok()?;
        schema.deprecated()?.to_string().parse().ok()
    }

    /// An exchange whose answer is one message. `message` gives none for the body of another kind of answer.
    async fn answer<Q: IntoAsk, M>(
        &self,
        request: Request<Q>,
        message: impl FnOnce(Option<pb::ExchangeInfo>, Body) -> Option<M>,
    ) -> Result<Response<M>, Status> {
        let incoming = self.incoming(&request)?;
        let ask = request.into_inner().into_ask(&incoming);
        let notice = self.notice(&ask.record_type);
        let Answer::Whole(info, body) = self.run(&incoming, ask).await? else {
            return Err(status::internal());
        };
        let message = message(Some(*info), body).ok_or_else(status::internal)?;
        Ok(with_notice(notice, message))
    }

    /// Runs an exchange to its end, whatever becomes of the client.
    async fn run(&self, incoming: &Incoming, ask: Ask) -> Result<Answer, Status> {
        let kind = (&ask.record_type, mem::discriminant(&ask.question));
        let admitted = self.admission.exchange(incoming.peer.id(), kind);
        let place = admitted.map_err(status::of_admission)?;
        let (answer, _) = self.run_in(place, incoming, ask).await?;
        Ok(answer)
    }

    /// The same for an exchange that has its place, which it gives back with the answer.
    async fn run_in(
        &self,
        mut place: Place,
        incoming: &Incoming,
        ask: Ask,
    ) -> Result<(Answer, Place), Status> {
        let caller = Caller::from(&incoming.peer);
        let work = self.exchange.clone().answer(caller, ask);
        let work = async move {
            let answered = work.await;
            if answered.as_ref().map_or_else(Refusal::is_late, |_| true) {
                place.mark_answered();
            }
            answered.map(|answer| (answer, place))
        };
        let work = AssertUnwindSafe(work).catch_unwind();
        match Finish::new(work.boxed(), self.tracker.clone()).await {
            Ok(Ok(answered)) => Ok(answered),
            Ok(Err(refusal)) => Err(status::of(&refusal)),
            Err(_panicked) => Err(status::internal()),
        }
    }
}

#[tonic::async_trait]
impl ExchangeService for ExchangeDoor {
    type QueryRecordsStream = Parts;

    async fn get_record(
        &self,
        request: Request<pb::GetRecordRequest>,
    ) -> Result<Response<pb::GetRecordResponse>, Status> {
        self.answer(request, |info, body| match body {
            Body::Record(record) => Some(pb::GetRecordResponse { info, record }),
            Body::Verdicts(_) | Body::Count(_) => None,
        })
        .await
    }

    async fn query_records(
        &self,
        request: Request<pb::QueryRecordsRequest>,
    ) -> Result<Response<Self::QueryRecordsStream>, Status> {
        let incoming = self.incoming(&request)?;
        let ask = request.into_inner().into_ask(&incoming);
        let notice = self.notice(&ask.record_type);
        let admitted = self.admission.stream(incoming.peer.id());
        let place = admitted.map_err(status::of_admission)?;
        let (Answer::Stream(stream), place) = self.run_in(place, &incoming, ask).await? else {
            return Err(status::internal());
        };
        let ends = StreamStops {
            revoked: incoming.peer.cancelled().clone(),
            cut: self.cut.clone(),
        };
        let parts = pump::start(*stream, place, ends, self.stall, &self.tracker)?;
        Ok(with_notice(notice, parts))
    }

    async fn verify_record(
        &self,
        request: Request<pb::VerifyRecordRequest>,
    ) -> Result<Response<pb::VerifyRecordResponse>, Status> {
        self.answer(request, |info, body| match body {
            Body::Verdicts(verdicts) => Some(pb::VerifyRecordResponse { info, verdicts }),
            Body::Record(_) | Body::Count(_) => None,
        })
        .await
    }

    async fn count_records(
        &self,
        request: Request<pb::CountRecordsRequest>,
    ) -> Result<Response<pb::CountRecordsResponse>, Status> {
        self.answer(request, |info, body| match body {
            Body::Count(count) => Some(pb::CountRecordsResponse { info, ..*count }),
            Body::Record(_) | Body::Verdicts(_) => None,
        })
        .await
    }
}

/// A request of the service, as a question to the exchange.
trait IntoAsk {
    fn into_ask(self, incoming: &Incoming) -> Ask;
}

/// The requests have all but their question in common, by the names of their fields.
macro_rules! into_ask {
    ($request:ident, $asked:ident, $fields:expr, $question:expr) => {
        impl IntoAsk for pb::$request {
            fn into_ask(self, incoming: &Incoming) -> Ask {
                let $asked = self;
                Ask {
                    fields: $fields,
                    question: $question,
                    record_type: $asked.record_type,
                    provider: $asked.provider,
                    grounds: $asked.grounds.unwrap_or_default(),
                    relay: $asked.relay,
                    deadline: incoming.deadline,
                    trace: incoming.trace,
                }
            }
        }
    };
}

into_ask!(
    GetRecordRequest,
    asked,
    asked.fields.unwrap_or_default().paths,
    Question::Get { key: asked.key }
);
into_ask!(
    QueryRecordsRequest,
    asked,
    asked.fields.unwrap_or_default().paths,
    Question::Query {
        filter: asked.filter,
        order_by: asked.order_by,
        limit: asked.limit,
        cursor: asked.cursor,
    }
);
into_ask!(
    VerifyRecordRequest,
    asked,
    Vec::new(),
    Question::Verify {
        key: asked.key,
        claims: asked.claims,
    }
);
into_ask!(
    CountRecordsRequest,
    asked,
    Vec::new(),
    Question::Count {
        filter: asked.filter,
    }
);

/// The metadata of an answer whose record type ends.
const DEPRECATED: &str = "landbridge-deprecated";

fn with_notice<T>(notice: Option<AsciiMetadataValue>, answer: T) -> Response<T> {
    let mut response = Response::new(answer);
    if let Some(notice) = notice {
        response.metadata_mut().insert(DEPRECATED, notice);
    }
    response
}

/// Reads a `grpc-timeout` header: at most 8 digits and a unit.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
fn timeout(header: &str) -> Option<Duration> {
    let (number, unit) = header.split_at_checked(header.len().checked_sub(1)?)?;
    let number: u64 = (number.len() <= 8).then(|| number.parse().ok())??;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}
