//! The descriptor of a record type, from the gateway's reflection or from a registry at hand.

use std::path::Path;

use futures::stream;
use prost_reflect::DescriptorPool;
use prost_reflect::FieldDescriptor;
use prost_reflect::MessageDescriptor;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::client::Gateway;
use super::client::MAX_MESSAGE;
use super::exit::Failure;
use crate::registry::Registry;

/// Finds the descriptor. None when the gateway does not know the record type: it says so best itself, when asked.
pub(super) async fn find(
    gateway: &Gateway,
    registry: Option<&Path>,
    record: &str,
) -> Result<Option<MessageDescriptor>, Failure> {
    match registry {
        Some(folder) => local(folder, record).map(Some),
        None => reflected(gateway, record).await,
    }
}

fn local(folder: &Path, record: &str) -> Result<MessageDescriptor, Failure> {
    let registry = Registry::compile(folder).map_err(Failure::Faults)?;
    Ok(registry.record(record)?.descriptor().clone())
}

async fn reflected(gateway: &Gateway, record: &str) -> Result<Option<MessageDescriptor>, Failure> {
    let mut client =
        ServerReflectionClient::new(gateway.channel.clone()).max_decoding_message_size(MAX_MESSAGE);
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(record.to_owned())),
    };
    let request = gateway.request(stream::iter([question]));
    let answer = async {
        client
            .server_reflection_info(request)
            .await?
            .into_inner()
            .message()
            .await
    };
    let answer = answer.await.map_err(|status| gateway.failed(&status))?;
    match answer.and_then(|answer| answer.message_response) {
        Some(MessageResponse::FileDescriptorResponse(files)) => {
            descriptor(&files.file_descriptor_proto, record)
        }
        _ => Ok(None),
    }
}

/// The files come in any order, those that are imported among them.
fn descriptor(files: &[Vec<u8>], record: &str) -> Result<Option<MessageDescriptor>, Failure> {
    let files: Vec<prost_types::FileDescriptorProto> = files
        .iter()
        .map(|file| prost::Message::decode(file.as_slice()))
        .collect::<Result<_, _>>()?;
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(files)?;
    Ok(pool.get_message_by_name(record))
}

/// The field at a dotted path; None where there is none.
pub(super) fn field(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    match path.split_once('.') {
        None => message.get_field_by_name(path),
        Some((first, rest)) => {
            let step = message.get_field_by_name(first)?;
            field(step.kind().as_message()?, rest)
        }
    }
}
