//! The asking system: its connections to whoever shows the certificate of its department's gateway.

use std::sync::Arc;

use anyhow::anyhow;
use hyper_util::rt::TokioIo;
use landbridge::clock::Clock;
use landbridge::demo::federation::Federation;
use landbridge::identity::End;
use landbridge::identity::connector::Connector;
use landbridge::identity::directory::Endpoint;
use landbridge::identity::material::Material;
use landbridge::identity::material::MaterialPaths;
use landbridge::identity::spiffe::SpiffeId;
use landbridge::pb;
use landbridge::pb::exchange_service_client::ExchangeServiceClient;
use tonic::transport::Channel;
use tonic::transport::Uri;
use tower::service_fn;

pub(crate) const RECORD: &str = "civil.v1.Resident";
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

pub(crate) type Client = ExchangeServiceClient<Channel>;

/// A connection of its own, with the windows that the gateways have among themselves.
pub(crate) async fn connect(federation: &Federation, port: u16) -> anyhow::Result<Client> {
    connect_as("assessment", federation, port).await
}

pub(crate) async fn connect_as(
    system: &str,
    federation: &Federation,
    port: u16,
) -> anyhow::Result<Client> {
    let material = material(
        federation,
        &format!("systems/{system}"),
        &format!("/system/{system}"),
    )?;
    let connector = Arc::new(Connector::to_own_gateway(material, Clock::System));
    let endpoint: Endpoint = format!("127.0.0.1:{port}").parse()?;
    let dial = service_fn(move |_: Uri| {
        let (connector, endpoint) = (Arc::clone(&connector), endpoint.clone());
        async move {
            let gateway = "tax".parse().map_err(anyhow::Error::from)?;
            let link = connector.connect(&endpoint, &gateway).await?;
            Ok::<_, anyhow::Error>(TokioIo::new(link))
        }
    });
    let channel = tonic::transport::Endpoint::from_static("http://gateway.invalid")
        .initial_stream_window_size(512 * 1024)
        .initial_connection_window_size(2 * 1024 * 1024)
        .connect_with_connector(dial)
        .await?;
    Ok(ExchangeServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE))
}

/// A certificate of the tax office, from its own CA.
pub(crate) fn material(
    federation: &Federation,
    name: &str,
    holder: &str,
) -> anyhow::Result<Material> {
    let id = format!("spiffe://gov.example/department/tax{holder}");
    material_from("tax/ca", &format!("tax/{name}"), &id, federation)
}

/// A certificate with its key, and the CA that others must be of.
pub(crate) fn material_from(
    ca: &str,
    name: &str,
    id: &str,
    federation: &Federation,
) -> anyhow::Result<Material> {
    let file = |name: &str, kind: &str| federation.certificate(&format!("{name}.{kind}"));
    let paths = MaterialPaths {
        certificate: file(name, "pem"),
        key: file(name, "key"),
        ca: file(ca, "pem"),
        crls: Vec::new(),
    };
    let id: SpiffeId = id.parse()?;
    Material::load_as(&id, &paths, &[End::Client], Clock::System.now()).map_err(|faults| {
        anyhow!(
            "{}",
            faults.iter().map(|f| f.to_string()).collect::<String>()
        )
    })
}

pub(crate) fn look_up(key: String) -> pb::GetRecordRequest {
    pb::GetRecordRequest {
        record_type: RECORD.to_owned(),
        grounds: grounds(),
        key,
        ..Default::default()
    }
}

pub(crate) fn grounds() -> Option<pb::Grounds> {
    Some(pb::Grounds {
        purpose: "tax-assessment".to_owned(),
        case_reference: "2026-000001".to_owned(),
        officer: "Officer 7".to_owned(),
    })
}
