//! Requests in the words of the API, sound until a test spoils them.

use std::time::Duration;

use bytes::Bytes;
use landbridge::pb;
use landbridge::registry::query::question::Question;
use tonic::Request;
use uuid::Uuid;

use super::PATIENCE;

pub(crate) const RESIDENT: &str = "civil.v1.Resident";

/// A request of any mode.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) record_type: String,
    pub(crate) provider: String,
    pub(crate) grounds: pb::Grounds,
    pub(crate) fields: Vec<String>,
    pub(crate) question: Question,
    pub(crate) relay: Option<pb::Relay>,
    pub(crate) traceparent: Option<&'static str>,
    pub(crate) deadline: Duration,
}

impl Asked {
    pub(crate) fn new(question: Question) -> Self {
        Self {
            record_type: RESIDENT.to_owned(),
            provider: String::new(),
            grounds: pb::Grounds {
                purpose: "tax-assessment".to_owned(),
                case_reference: "CASE-1".to_owned(),
                officer: "W. Example".to_owned(),
            },
            fields: Vec::new(),
            question,
            relay: None,
            traceparent: None,
            deadline: PATIENCE,
        }
    }

    pub(crate) fn get(key: &str) -> Self {
        Self::new(Question::Get {
            key: key.to_owned(),
        })
    }

    pub(crate) fn query(filter: &str) -> Self {
        let (filter, order_by) = (filter.to_owned(), String::new());
        Self::new(Question::Query {
            filter,
            order_by,
            limit: 0,
            cursor: Bytes::new(),
        })
    }

    pub(crate) fn verify(key: &str, claims: &[(&str, &str)]) -> Self {
        let claims = claims
            .iter()
            .map(|(field, value)| claim(field, value))
            .collect();
        Self::new(Question::Verify {
            key: key.to_owned(),
            claims,
        })
    }

    pub(crate) fn count(filter: &str) -> Self {
        Self::new(Question::Count {
            filter: filter.to_owned(),
        })
    }

    pub(crate) fn case(mut self, reference: &str) -> Self {
        self.grounds.case_reference = reference.to_owned();
        self
    }

    pub(crate) fn purpose(mut self, purpose: &str) -> Self {
        self.grounds.purpose = purpose.to_owned();
        self
    }

    pub(crate) fn record_type(mut self, name: &str) -> Self {
        self.record_type = name.to_owned();
        self
    }

    pub(crate) fn fields(mut self, paths: &[&str]) -> Self {
        self.fields = paths.iter().map(|path| (*path).to_owned()).collect();
        self
    }

    pub(crate) fn trace(mut self, traceparent: &'static str) -> Self {
        self.traceparent = Some(traceparent);
        self
    }

    /// As a gateway passes it on, for that system of its own.
    pub(crate) fn relayed_for(mut self, system: &str) -> Self {
        self.relay = Some(pb::Relay {
            exchange_id: Uuid::now_v7().as_bytes().to_vec().into(),
            nonce: vec![9; 32].into(),
            system: system.to_owned(),
            agreement_digest: vec![9; 32].into(),
            schema_digest: vec![9; 32].into(),
            ..Default::default()
        });
        self
    }

    /// Orders a query; other modes have no order.
    pub(crate) fn order(mut self, by: &str) -> Self {
        if let Question::Query { order_by, .. } = &mut self.question {
            *order_by = by.to_owned();
        }
        self
    }

    /// Limits a query.
    pub(crate) fn limit(mut self, most: u32) -> Self {
        if let Question::Query { limit, .. } = &mut self.question {
            *limit = most;
        }
        self
    }

    /// Goes on where an earlier answer stopped.
    pub(crate) fn after(mut self, from: &Bytes) -> Self {
        if let Question::Query { cursor, .. } = &mut self.question {
            *cursor = from.clone();
        }
        self
    }

    pub(super) fn mask(&self) -> Option<prost_types::FieldMask> {
        (!self.fields.is_empty()).then(|| prost_types::FieldMask {
            paths: self.fields.clone(),
        })
    }

    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        if let Some(traceparent) = self.traceparent {
            request
                .metadata_mut()
                .insert("traceparent", traceparent.parse().unwrap());
        }
        request
    }
}

/// A text that is held to be true of a field.
pub(crate) fn claim(field: &str, text: &str) -> pb::Claim {
    let value = pb::Value {
        kind: Some(pb::value::Kind::Text(text.to_owned())),
    };
    pb::Claim {
        field: field.to_owned(),
        value: Some(value),
    }
}
