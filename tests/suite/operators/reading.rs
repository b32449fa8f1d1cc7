//! An auditor with a token, and nothing else of the gateway's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landbridge::name::ExchangeId;
use landbridge::pb;
use landbridge::pb::audit_service_client::AuditServiceClient;
use landbridge::pb::get_proof_request::Of;
use landbridge::pb::search_response::Part;
use landbridge::tlog::proof::Proof;
use tonic::Request;
use tonic::Status;
use tonic::transport::Channel;
use tonic::transport::Endpoint;

use crate::harness::World;

pub(super) struct Auditor {
    channel: Channel,
    authorization: Option<String>,
}

/// One page of a search.
pub(super) struct Found {
    pub(super) entries: Vec<pb::JournalEntry>,
    pub(super) cursor: Vec<u8>,
}

impl Auditor {
    pub(super) fn new(port: u16, token: Option<&str>) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        Self {
            channel: endpoint.connect_lazy(),
            authorization: token.map(|token| format!("Bearer {token}")),
        }
    }

    pub(super) fn headers(&self) -> Vec<(&str, &str)> {
        let authorization = self.authorization.as_deref();
        [
            ("X-Road-UserId", Some("EE38001010000")),
            ("Authorization", authorization),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    fn client(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    fn asked<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            let metadata = request.metadata_mut();
            metadata.insert("authorization", authorization.parse().unwrap());
        }
        request
    }

    pub(super) async fn search(&self, asked: pb::SearchRequest) -> Result<Found, Status> {
        let mut stream = self.client().search(self.asked(asked)).await?.into_inner();
        let mut next = async || Ok::<_, Status>(stream.message().await?.and_then(|told| told.part));
        let Some(Part::Header(header)) = next().await? else {
            panic!("no header");
        };
        assert!(header.complete_to > 0);
        let mut entries = Vec::new();
        loop {
            match next().await? {
                Some(Part::Entry(entry)) => entries.push(entry),
                Some(Part::Trailer(trailer)) => {
                    let cursor = trailer.cursor.to_vec();
                    return Ok(Found { entries, cursor });
                }
                _ => panic!("no trailer"),
            }
        }
    }

    pub(super) async fn usages(
        &self,
        asked: pb::ListUsagesRequest,
    ) -> Result<pb::ListUsagesResponse, Status> {
        let told = self.client().list_usages(self.asked(asked)).await?;
        Ok(told.into_inner())
    }

    pub(super) async fn proof_of(&self, index: u64) -> Result<Vec<pb::EntryProof>, Status> {
        self.prove(Of::Index(index)).await
    }

    pub(super) async fn proofs(&self, exchange: ExchangeId) -> Result<Vec<pb::EntryProof>, Status> {
        self.prove(Of::ExchangeId(exchange.to_string())).await
    }

    async fn prove(&self, of: Of) -> Result<Vec<pb::EntryProof>, Status> {
        let asked = pb::GetProofRequest {
            mandate: String::new(),
            of: Some(of),
        };
        let told = self.client().get_proof(self.asked(asked)).await?;
        Ok(told.into_inner().proofs)
    }

    pub(super) async fn status(&self) -> Result<pb::GetStatusResponse, Status> {
        let told = self
            .client()
            .get_status(self.asked(pb::GetStatusRequest {}))
            .await?;
        Ok(told.into_inner())
    }
}

/// Verifies a tlog-proof with civil's public key.
pub(super) fn verify(world: &World, proof: &str, index: u64, leaf: &[u8]) {
    let proof: Proof = proof.parse().unwrap();
    assert_eq!(proof.index, index);
    proof.prove(leaf, &[world.journal("civil").vkey()]).unwrap();
}

/// The size and the root that a checkpoint states.
pub(super) fn checkpoint(note: &str) -> (u64, [u8; 32]) {
    let lines: Vec<_> = note.lines().collect();
    assert_eq!(lines[0], "gov.example/civil/1");
    assert!(note.contains("\n\n— gov.example/civil/1 "), "{note}");
    (lines[1].parse().unwrap(), hash(lines[2]))
}

fn hash(text: &str) -> [u8; 32] {
    STANDARD.decode(text).unwrap().try_into().unwrap()
}
