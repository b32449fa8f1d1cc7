//! Records out of a gRPC service of the department, encoded already.

pub mod settings;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::Code;
use tonic::Status;

use super::Cursor;
use super::Records;
use super::SourceError;
use super::channel::Channel;
use super::channel::ChannelError;
use super::reading::MAX_RECORD;
use super::reading::Outlet;
use super::reading::Reading;
use super::sql::Ask;
use super::sql::Position;
use crate::fault::Fault;
use crate::pb;
use crate::pb::source_service_client::SourceServiceClient;
use crate::pb::value::Kind;
use crate::policy::decision::Permit;
use crate::registry::Registry;
use crate::registry::extract::value_of;
use crate::registry::field::Field;
use crate::registry::query::Order;
use crate::registry::query::question::Question;
use crate::registry::schema::RecordSchema;
use crate::registry::value::Literal;
use settings::Address;
use settings::ServiceSettings;

/// One service, with the connection to it. Outlives reloads of the registry.
#[derive(Debug, Clone)]
pub struct ServiceSource {
    settings: Arc<ServiceSettings>,
    channel: Channel,
}

/// What a service did wrong. Its own words may hold values of records: they are not repeated.
#[derive(Debug, thiserror::Error)]
#[error("the service answered {0:?}")]
struct ServiceError(Code);

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl ServiceSource {
    /// Makes no connection yet.
    pub fn open(settings: ServiceSettings) -> Self {
        let address = settings.url.clone();
        Self {
            settings: Arc::new(settings),
            channel: Channel::new(move || connect(address.clone())),
        }
    }

    pub fn settings(&self) -> &ServiceSettings {
        &self.settings
    }

    /// That the registry has the record types which the settings name.
    pub fn check(&self, registry: &Registry) -> Vec<Fault> {
        let key = format!("service[{}].records", self.settings.name);
        let records = self.settings.records.iter();
        records
            .filter_map(|record| registry.record(record.as_str()).err())
            .map(|unknown| Fault::of_setting(&key, unknown.to_string()))
            .collect()
    }

    /// That somebody listens.
    pub async fn reach(&self) -> Result<(), SourceError> {
        let patience = self.settings.message_timeout;
        match timeout(patience, self.channel.connect()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(SourceError::Unavailable(Box::new(error))),
            Err(_) => Err(SourceError::Timeout(patience)),
        }
    }

    /// Begins an answer: the record of a key is fetched at once, others when they are asked for. The service may send
    /// records that do not pass the permit's gate, which the caller must apply.
    pub async fn fetch(
        &self,
        permit: Permit,
        question: &Question,
        after: Option<Position>,
    ) -> Result<Records, SourceError> {
        let reading = match question {
            Question::Get { key } | Question::Verify { key, .. } => self.get(&permit, key).await?,
            Question::Query { .. } | Question::Count { .. } => self.read(&permit, after)?,
        };
        Ok(Records::new(permit, Cursor::Own(reading)))
    }

    async fn get(&self, permit: &Permit, key: &str) -> Result<Reading, SourceError> {
        let (ask, schema) = (Ask::of(permit, None), &permit.query().schema);
        let request = pb::FetchRecordRequest {
            record_type: schema.name().to_string(),
            key: key.to_owned(),
            fields: Some(fields(&ask)),
        };
        let patience = self.settings.message_timeout;
        let mut client = self.client();
        let record = match timeout(patience, client.fetch_record(request)).await {
            Ok(Ok(answer)) => answer.into_inner().record,
            Ok(Err(status)) if status.code() == Code::NotFound => {
                return Ok(Reading::done(Vec::new()));
            }
            Ok(Err(status)) => return Err(source_error(&status, patience)),
            Err(_) => return Err(SourceError::Timeout(patience)),
        };
        if value_of(&record, schema.key())?.as_ref() != ask.key {
            return Err(misfit(
                schema,
                "the record has another key than was asked for",
            ));
        }
        Ok(Reading::done(vec![record]))
    }

    fn read(&self, permit: &Permit, after: Option<Position>) -> Result<Reading, SourceError> {
        let (ask, schema) = (Ask::of(permit, after), &permit.query().schema);
        let after = ask.after.iter().flat_map(Position::values);
        let request = pb::FetchRecordsRequest {
            record_type: schema.name().to_string(),
            fields: Some(fields(&ask)),
            filter: permit
                .gate()
                .map(|gate| gate.text().to_owned())
                .unwrap_or_default(),
            order: ask.order.iter().map(term).collect(),
            after: after
                .map(value)
                .collect::<Option<_>>()
                .ok_or_else(|| misfit(schema, "a place in the order has no value"))?,
        };
        let line = Line {
            schema: Arc::clone(schema),
            order: ask.order,
            last: ask.after,
        };
        let (patience, lifetime) = (self.settings.message_timeout, self.settings.answer_timeout);
        let client = self.client();
        Ok(Reading::new(patience, lifetime, move |outlet| {
            drive(client, request, line, outlet, patience)
        }))
    }

    fn client(&self) -> SourceServiceClient<Channel> {
        // A record, and what stands around it.
        SourceServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_RECORD + 16 * 1024)
    }
}

async fn connect(address: Address) -> std::io::Result<Box<dyn Io>> {
    Ok(match address {
        Address::Loopback(address) => {
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            Box::new(tcp)
        }
        Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}

async fn drive(
    mut client: SourceServiceClient<Channel>,
    request: pb::FetchRecordsRequest,
    mut line: Line,
    outlet: Outlet,
    patience: Duration,
) -> Result<(), SourceError> {
    let failed = |status: Status| source_error(&status, patience);
    let mut messages = client
        .fetch_records(request)
        .await
        .map_err(failed)?
        .into_inner();
    while let Some(message) = messages.message().await.map_err(failed)? {
        line.join(&message.records)?;
        outlet.send(message.records).await;
    }
    Ok(())
}

/// The records that came so far, in their order: a service that does not keep to it, or sends a key again, would have
/// records left out when a further question goes on.
struct Line {
    schema: Arc<RecordSchema>,
    order: Vec<Order>,
    last: Option<Position>,
}

impl Line {
    fn join(&mut self, records: &[Bytes]) -> Result<(), SourceError> {
        if self.order.is_empty() {
            return Ok(());
        }
        for record in records {
            let key = self.schema.key();
            if value_of(record, key)?.is_none() && !may_be_left_out(key) {
                return Err(misfit(&self.schema, "a record has no key"));
            }
            let place = Position::following(&self.schema, &self.order, record);
            if let (Some(last), Some(place)) = (&self.last, &place)
                && !place.is_after(last, &self.order)
            {
                return Err(misfit(
                    &self.schema,
                    "the records are not in the order asked for, or have a key twice",
                ));
            }
            self.last = place.or_else(|| self.last.take());
        }
        Ok(())
    }
}

fn fields(ask: &Ask<'_>) -> prost_types::FieldMask {
    let mut paths: Vec<_> = ask.wanted.iter().map(|path| path.to_string()).collect();
    paths.sort_unstable();
    paths.dedup();
    prost_types::FieldMask { paths }
}

fn term(by: &Order) -> pb::OrderTerm {
    pb::OrderTerm {
        field: by.field.path().to_string(),
        descending: by.descending,
    }
}

/// `None` for a number beyond those of `landbridge.v1.Value`.
fn value(of: &Literal) -> Option<pb::Value> {
    let kind = match of {
        Literal::Text(text) => Kind::Text(text.to_string()),
        Literal::Decimal(decimal) => Kind::Text(decimal.as_str().to_owned()),
        Literal::Integer(value) => Kind::Integer(*value),
        Literal::Unsigned(value) => Kind::Integer(i64::try_from(*value).ok()?),
        Literal::Number(value) => Kind::Number(*value),
        Literal::Boolean(value) => Kind::Boolean(*value),
        Literal::Data(bytes) => Kind::Data(bytes.clone()),
        Literal::Enum { number, .. } => Kind::Integer((*number).into()),
        Literal::Time { seconds, nanos } => Kind::Time(prost_types::Timestamp {
            seconds: *seconds,
            nanos: *nanos,
        }),
    };
    Some(pb::Value { kind: Some(kind) })
}

/// A number without presence that does not stand in the record is zero, and as a key as good as any.
fn may_be_left_out(key: &Field) -> bool {
    let descriptor = key.descriptor();
    !descriptor.supports_presence() && !matches!(descriptor.kind(), prost_reflect::Kind::String)
}

fn misfit(schema: &RecordSchema, what: &str) -> SourceError {
    SourceError::Misfit(format!("{}: {what}", schema.name()))
}

fn source_error(status: &Status, patience: Duration) -> SourceError {
    let unreached = std::error::Error::source(status)
        .and_then(|source| source.downcast_ref::<ChannelError>())
        .cloned();
    match (unreached, status.code()) {
        (Some(unreached), _) => SourceError::Unavailable(Box::new(unreached)),
        (None, code @ Code::Unavailable) => SourceError::Unavailable(Box::new(ServiceError(code))),
        (None, Code::DeadlineExceeded) => SourceError::Timeout(patience),
        (None, code) => SourceError::Failed(Box::new(ServiceError(code))),
    }
}
