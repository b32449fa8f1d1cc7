//! `CatalogService`: what there is, and what the caller may ask for.

use std::sync::Arc;

use tonic::Request;
use tonic::Response;
use tonic::Status;

use super::status;
use crate::exchange::Exchange;
use crate::exchange::snapshot::Snapshot;
use crate::identity::Caller;
use crate::identity::peer::Peer;
use crate::pb;
use crate::pb::catalog_service_server::CatalogService;
use crate::policy::agreement::Agreement;
use crate::policy::agreement::Grant;
use crate::registry::UnknownRecordType;
use crate::registry::field::Field;
use crate::registry::schema::RecordSchema;

/// Served at the systems door.
#[derive(Debug, Clone)]
pub struct CatalogDoor {
    exchange: Arc<Exchange>,
}

impl CatalogDoor {
    pub fn new(exchange: Arc<Exchange>) -> Self {
        Self { exchange }
    }

    fn may_know(&self, schema: &RecordSchema) -> bool {
        schema.is_known_to(self.exchange.department())
    }

    /// As the registry would say it of a name that it has not.
    fn unknown(&self, snapshot: &Snapshot, name: &str) -> UnknownRecordType {
        let known = snapshot.registry.records();
        let known = known.filter(|schema| self.may_know(schema));
        let known: Vec<_> = known.map(|schema| schema.name()).collect();
        UnknownRecordType::among(name, &known)
    }

    fn entry(
        &self,
        snapshot: &Snapshot,
        schema: &RecordSchema,
        caller: &Caller,
    ) -> pb::RecordTypeEntry {
        let grants = snapshot
            .policy
            .usable(caller, schema, self.exchange.clock().now());
        let offers = snapshot.offers.load();
        let offer = offers.get(schema.name());
        pb::RecordTypeEntry {
            name: schema.name().to_string(),
            owner: schema.owner().to_string(),
            title: schema.title().to_owned(),
            title_zh: schema.title_zh().to_owned(),
            description: schema.description().to_owned(),
            office: schema.office().to_owned(),
            office_zh: schema.office_zh().to_owned(),
            access: schema.access().to_owned(),
            offered_modes: offer.map(|offer| offer.modes.clone()).unwrap_or_default(),
            fresh_as_of: offer
                .map(|offer| offer.fresh_as_of.clone())
                .unwrap_or_default(),
            offer_told_at: offer.and_then(|offer| offer.told_at),
            deprecated: schema.deprecated().map(|end| pb::Deprecation {
                until: end.until.to_string(),
                replaced_by: end
                    .replaced_by
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            }),
            key: schema.key().path().to_string(),
            sharing: schema.sharing().into(),
            update_frequency: schema.update_frequency().into(),
            schema_digest: schema.digest().to_vec().into(),
            grants: grants
                .into_iter()
                .map(|(agreement, grant)| grant_entry(agreement, grant))
                .collect(),
        }
    }
}

/// Record types that a search gives, unless it says how many.
const FOUND: usize = 50;
const MOST_FOUND: usize = 500;
/// Characters of a search that are read.
const MAX_WORDS: usize = 256;

fn grant_entry(agreement: &Agreement, grant: &Grant) -> pb::GrantEntry {
    let masked = grant
        .released
        .iter()
        .filter(|released| released.mask.is_some());
    pb::GrantEntry {
        agreement: agreement.id.to_string(),
        title: agreement.title.clone(),
        purposes: agreement.purposes.iter().map(ToString::to_string).collect(),
        modes: grant
            .modes
            .iter()
            .map(|mode| mode.as_str().to_owned())
            .collect(),
        fields: grant
            .released
            .iter()
            .map(|released| released.field.path().to_string())
            .collect(),
        masked: masked
            .map(|released| released.field.path().to_string())
            .collect(),
        lookup: grant
            .lookup
            .iter()
            .map(|field| field.path().to_string())
            .collect(),
        valid_until: agreement.valid_until.to_string(),
        lookup_misses: grant.lookup_misses,
        distinct_counts: grant.distinct_counts.unwrap_or(0),
        count_step: grant.count_step,
    }
}

fn field_entry(field: &Field) -> pb::FieldEntry {
    pb::FieldEntry {
        path: field.path().to_string(),
        r#type: field.type_name(),
        sensitivity: field.sensitivity().into(),
        mask: field
            .default_mask()
            .map(|mask| mask.to_string())
            .unwrap_or_default(),
        title: field.title().to_owned(),
        title_zh: field.title_zh().to_owned(),
        description: field.description().to_owned(),
    }
}

fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let peer = request
        .extensions()
        .get::<Peer>()
        .ok_or_else(status::no_identity)?;
    Ok(peer.into())
}

#[tonic::async_trait]
impl CatalogService for CatalogDoor {
    async fn list_departments(
        &self,
        _request: Request<pb::ListDepartmentsRequest>,
    ) -> Result<Response<pb::ListDepartmentsResponse>, Status> {
        let snapshot = self.exchange.snapshot();
        let departments = snapshot
            .directory
            .departments()
            .map(|department| pb::DepartmentEntry {
                id: department.id.to_string(),
                name: department.name.clone(),
                name_zh: department.name_zh.clone(),
            });
        Ok(Response::new(pb::ListDepartmentsResponse {
            departments: departments.collect(),
        }))
    }

    async fn list_record_types(
        &self,
        request: Request<pb::ListRecordTypesRequest>,
    ) -> Result<Response<pb::ListRecordTypesResponse>, Status> {
        let (caller, snapshot) = (caller(&request)?, self.exchange.snapshot());
        let entries = snapshot
            .registry
            .records()
            .filter(|schema| self.may_know(schema))
            .map(|schema| self.entry(&snapshot, schema, &caller));
        Ok(Response::new(pb::ListRecordTypesResponse {
            record_types: entries.collect(),
        }))
    }

    async fn search_record_types(
        &self,
        request: Request<pb::SearchRecordTypesRequest>,
    ) -> Result<Response<pb::SearchRecordTypesResponse>, Status> {
        let (caller, snapshot) = (caller(&request)?, self.exchange.snapshot());
        let pb::SearchRecordTypesRequest { words, limit } = request.get_ref();
        let limit = match usize::try_from(*limit).unwrap_or(MOST_FOUND) {
            0 => FOUND,
            limit => limit.min(MOST_FOUND),
        };
        // What is longer is no search, and costs more than one.
        let words: String = words.chars().take(MAX_WORDS).collect();
        let found = snapshot.registry.search(&words);
        let entries = found
            .filter(|schema| self.may_know(schema))
            .take(limit)
            .map(|schema| self.entry(&snapshot, schema, &caller));
        Ok(Response::new(pb::SearchRecordTypesResponse {
            record_types: entries.collect(),
        }))
    }

    async fn export_package(
        &self,
        request: Request<pb::ExportPackageRequest>,
    ) -> Result<Response<pb::ExportPackageResponse>, Status> {
        let (package, snapshot) = (&request.get_ref().package, self.exchange.snapshot());
        let files = snapshot
            .registry
            .package(package, |schema| self.may_know(schema))
            .ok_or_else(|| status::unknown_package(package))?;
        let files = files
            .into_iter()
            .map(|(name, text)| pb::SchemaFile { name, text });
        Ok(Response::new(pb::ExportPackageResponse {
            files: files.collect(),
        }))
    }

    async fn get_record_type(
        &self,
        request: Request<pb::GetRecordTypeRequest>,
    ) -> Result<Response<pb::GetRecordTypeResponse>, Status> {
        let (caller, snapshot) = (caller(&request)?, self.exchange.snapshot());
        let name = &request.get_ref().record_type;
        let found = snapshot.registry.record(name);
        let schema = match found {
            Ok(schema) if self.may_know(schema) => schema,
            _ => return Err(status::unknown_record_type(&self.unknown(&snapshot, name))),
        };
        Ok(Response::new(pb::GetRecordTypeResponse {
            record_type: Some(self.entry(&snapshot, schema, &caller)),
            fields: schema.leaves().iter().map(field_entry).collect(),
        }))
    }
}
