//! Warm, multiplexed connections to the gateways of other departments.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use crate::identity::connector::ConnectError;
use crate::identity::connector::Connector;
use crate::identity::directory::Department;
use crate::identity::directory::Endpoint;
use crate::identity::directory::Other;
use crate::identity::link::Link;
use crate::name::DepartmentId;
use crate::source::channel::Channel;

/// The channels to all peers. Outlives reloads: certificates and trust are read anew at each connection.
#[derive(Debug)]
pub struct Peers {
    connector: Arc<Connector>,
    channels: RwLock<HashMap<DepartmentId, PeerChannel>>,
}

#[derive(Debug)]
struct PeerChannel {
    endpoints: Vec<Endpoint>,
    channel: Channel,
}

impl Peers {
    pub fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            channels: RwLock::default(),
        }
    }

    /// The channel to a department, at the endpoints that the directory now gives.
    pub fn channel(&self, department: Other<'_>) -> Channel {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(dialled) = channels.get(&department.id)
            && dialled.endpoints == department.endpoints
        {
            return dialled.channel.clone();
        }
        drop(channels);
        let channel = self.dial(&department);
        let dialled = PeerChannel {
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

    fn dial(&self, department: &Department) -> Channel {
        let (connector, expected) = (self.connector.clone(), department.id.clone());
        let endpoints: Arc<[_]> = department.endpoints.clone().into();
        Channel::new(move || {
            let (connector, expected, endpoints) =
                (connector.clone(), expected.clone(), endpoints.clone());
            async move { first(&connector, &endpoints, &expected).await }
        })
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
