//! Warm, multiplexed connections to the gateways of other departments.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tonic::transport::Channel;
use tonic::transport::Endpoint as Http2;
use tonic::transport::Uri;
use tower::service_fn;

use crate::identity::connector::ConnectError;
use crate::identity::connector::Connector;
use crate::identity::directory::Department;
use crate::identity::directory::Endpoint;
use crate::identity::link::Link;
use crate::name::DepartmentId;

/// A connection to one department's gateway, made when it is first needed and again when it was lost.
pub type PeerChannel = Channel;

/// The channels to all peers. Outlives reloads: certificates and trust are read anew at each connection.
#[derive(Debug)]
pub struct Peers {
    connector: Arc<Connector>,
    channels: RwLock<HashMap<DepartmentId, Dialled>>,
}

#[derive(Debug)]
struct Dialled {
    endpoints: Vec<Endpoint>,
    channel: PeerChannel,
}

impl Peers {
    pub fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            channels: RwLock::default(),
        }
    }

    /// The channel to a department, at the endpoints that the directory now gives.
    pub fn channel(&self, department: &Department) -> PeerChannel {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(dialled) = channels.get(&department.id)
            && dialled.endpoints == department.endpoints
        {
            return dialled.channel.clone();
        }
        drop(channels);
        let channel = self.dial(department);
        let dialled = Dialled {
            endpoints: department.endpoints.clone(),
            channel: channel.clone(),
        };
        let mut channels = self
            .channels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        channels.insert(department.id.clone(), dialled);
        channel
    }

    fn dial(&self, department: &Department) -> PeerChannel {
        let (connector, expected) = (self.connector.clone(), department.id.clone());
        let endpoints: Arc<[_]> = department.endpoints.clone().into();
        let connect = service_fn(move |_: Uri| {
            let (connector, expected, endpoints) =
                (connector.clone(), expected.clone(), endpoints.clone());
            async move {
                first(&connector, &endpoints, &expected)
                    .await
                    .map(TokioIo::new)
            }
        });
        // The windows were measured: 64 KiB costs two fifths of a stream's rate, 16 MiB gains nothing.
        Http2::from_static("http://peer.invalid")
            .initial_stream_window_size(512 * 1024)
            .initial_connection_window_size(2 * 1024 * 1024)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(connect)
    }
}

/// The first endpoint that answers as the department. A directory lists at least one.
async fn first(
    connector: &Connector,
    endpoints: &[Endpoint],
    expected: &DepartmentId,
) -> Result<Link, ConnectError> {
    let (last, others) = endpoints.split_last().ok_or_else(|| ConnectError::Late {
        address: expected.to_string(),
    })?;
    for endpoint in others {
        match connector.connect(endpoint, expected).await {
            Ok(link) => return Ok(link),
            Err(error) => {
                tracing::warn!(department = %expected, %error, "trying the next endpoint")
            }
        }
    }
    connector.connect(last, expected).await
}
