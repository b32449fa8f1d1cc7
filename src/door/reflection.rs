//! gRPC server reflection from the live registry: it follows every reload, and knows the options.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use prost_reflect::DescriptorPool;
use prost_reflect::FileDescriptor;
use tokio_stream::Stream;
use tokio_stream::StreamExt;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::Streaming;
use tonic_reflection::pb::v1::ErrorResponse;
use tonic_reflection::pb::v1::ExtensionNumberResponse;
use tonic_reflection::pb::v1::FileDescriptorResponse;
use tonic_reflection::pb::v1::ListServiceResponse;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::ServerReflectionResponse;
use tonic_reflection::pb::v1::ServiceResponse;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflection;

use crate::exchange::Exchange;
use crate::pb;
use crate::registry::wire::WireFields;

/// Describes the gateway's API and every record type of the registry.
#[derive(Debug, Clone)]
pub struct Reflection {
    exchange: Arc<Exchange>,
    api: DescriptorPool,
    /// The services at the door.
    services: &'static [&'static str],
}

const AT_SYSTEMS: [&str; 5] = [
    "landbridge.v1.CatalogService",
    "landbridge.v1.CorrectionService",
    "landbridge.v1.ExchangeService",
    HEALTH,
    REFLECTION,
];
const AT_OPERATORS: [&str; 3] = ["landbridge.v1.AuditService", HEALTH, REFLECTION];
const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";

impl Reflection {
    pub fn at_systems(exchange: Arc<Exchange>) -> Result<Self, prost_reflect::DescriptorError> {
        Self::new(exchange, &AT_SYSTEMS)
    }

    pub fn at_operators(exchange: Arc<Exchange>) -> Result<Self, prost_reflect::DescriptorError> {
        Self::new(exchange, &AT_OPERATORS)
    }

    fn new(
        exchange: Arc<Exchange>,
        services: &'static [&'static str],
    ) -> Result<Self, prost_reflect::DescriptorError> {
        let mut api = DescriptorPool::decode(pb::DESCRIPTORS)?;
        api.decode_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)?;
        api.decode_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)?;
        Ok(Self {
            exchange,
            api,
            services,
        })
    }

    fn answer(&self, request: &ServerReflectionRequest) -> MessageResponse {
        let Some(question) = &request.message_request else {
            return not_found("an empty request");
        };
        if let MessageRequest::ListServices(_) = question {
            let service = self
                .services
                .iter()
                .map(|name| ServiceResponse {
                    name: (*name).to_owned(),
                })
                .collect();
            return MessageResponse::ListServicesResponse(ListServiceResponse { service });
        }
        let snapshot = self.exchange.snapshot();
        let department = self.exchange.department();
        let hidden = snapshot.registry.records();
        let hidden = hidden.filter(|schema| !schema.is_known_to(department));
        let hidden = HiddenTypes(hidden.map(|schema| schema.name().as_str()).collect());
        describe(snapshot.registry.pool(), question, &hidden)
            .or_else(|| describe(&self.api, question, &HiddenTypes::default()))
            .unwrap_or_else(|| not_found("no such name"))
    }
}

/// The field numbers of `google.protobuf.FileDescriptorProto`.
const MESSAGE_TYPE: u32 = 4;
const SOURCE_CODE_INFO: u32 = 9;

/// Record types that the callers of this door may not know of, by name.
#[derive(Default)]
struct HiddenTypes<'s>(BTreeSet<&'s str>);

impl HiddenTypes<'_> {
    /// Whether the symbol is of one of them, or of something in it.
    fn has(&self, symbol: &str) -> bool {
        self.0.iter().any(|name| {
            let rest = symbol.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// The encoded file without them. Its comments go with them: they stand by number.
    fn cut(&self, file: &FileDescriptor) -> Vec<u8> {
        let encoded = file.encode_to_vec();
        let hidden: Vec<_> = file.messages().map(|m| self.has(m.full_name())).collect();
        if !hidden.contains(&true) {
            return encoded;
        }
        let mut hidden = hidden.into_iter();
        let fields = WireFields::of(&encoded).map_while(Result::ok);
        let left = fields.filter(|field| match field.number {
            MESSAGE_TYPE => hidden.next() == Some(false),
            number => number != SOURCE_CODE_INFO,
        });
        left.flat_map(|field| field.whole).copied().collect()
    }
}

fn describe(
    pool: &DescriptorPool,
    question: &MessageRequest,
    hidden: &HiddenTypes<'_>,
) -> Option<MessageResponse> {
    let files = |file| files(file, hidden);
    match question {
        MessageRequest::FileByFilename(name) => pool.get_file_by_name(name).map(files),
        MessageRequest::FileContainingSymbol(symbol) if hidden.has(symbol) => None,
        MessageRequest::FileContainingSymbol(symbol) => file_of(pool, symbol).map(files),
        MessageRequest::FileContainingExtension(extension) => {
            let number = u32::try_from(extension.extension_number).ok()?;
            let message = pool.get_message_by_name(&extension.containing_type)?;
            Some(files(message.get_extension(number)?.parent_file()))
        }
        MessageRequest::AllExtensionNumbersOfType(name) => {
            let message = pool.get_message_by_name(name)?;
            let numbers = message
                .extensions()
                .filter_map(|e| i32::try_from(e.number()).ok());
            Some(MessageResponse::AllExtensionNumbersResponse(
                ExtensionNumberResponse {
                    base_type_name: name.clone(),
                    extension_number: numbers.collect(),
                },
            ))
        }
        MessageRequest::ListServices(_) => None,
    }
}

fn file_of(pool: &DescriptorPool, symbol: &str) -> Option<FileDescriptor> {
    let method = || {
        let (service, method) = symbol.rsplit_once('.')?;
        let service = pool.get_service_by_name(service)?;
        service
            .methods()
            .any(|m| m.name() == method)
            .then(|| service.parent_file())
    };
    pool.get_message_by_name(symbol)
        .map(|m| m.parent_file())
        .or_else(|| pool.get_enum_by_name(symbol).map(|e| e.parent_file()))
        .or_else(|| pool.get_service_by_name(symbol).map(|s| s.parent_file()))
        .or_else(|| pool.get_extension_by_name(symbol).map(|e| e.parent_file()))
        .or_else(method)
}

/// The file with all that it imports, so that a client needs no second question.
fn files(file: FileDescriptor, hidden: &HiddenTypes<'_>) -> MessageResponse {
    let mut seen = BTreeSet::new();
    let mut queue = vec![file];
    let mut encoded = Vec::new();
    while let Some(file) = queue.pop() {
        if seen.insert(file.name().to_owned()) {
            encoded.push(hidden.cut(&file));
            queue.extend(file.dependencies());
        }
    }
    MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
        file_descriptor_proto: encoded,
    })
}

fn not_found(what: &str) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse {
        error_code: tonic::Code::NotFound as i32,
        error_message: what.to_owned(),
    })
}

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream =
        Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let reflection = self.clone();
        let answers = request.into_inner().map(move |question| {
            let question = question?;
            Ok(ServerReflectionResponse {
                valid_host: question.host.clone(),
                message_response: Some(reflection.answer(&question)),
                original_request: Some(question),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
