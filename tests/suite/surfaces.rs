//! What a gateway shows of itself: health, reflection, catalogue, the operators' pages.

use landbridge::pb;
use landbridge::pb::catalog_service_client::CatalogServiceClient;
use prost_reflect::DescriptorPool;
use tokio_stream::once;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::Asker;
use crate::harness::records::Resident;

#[tokio::test]
async fn both_doors_say_that_they_serve() {
    let world = World::new().await;
    let _civil = world.start("civil").await;
    for asker in [world.system("civil", "counter"), world.peer("tax", "civil")] {
        for service in ["", "landbridge.v1.ExchangeService"] {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let told = HealthClient::new(asker.channel.clone())
                .check(request)
                .await
                .unwrap()
                .into_inner();
            assert_eq!(told.status(), ServingStatus::Serving, "`{service}`");
        }
    }
}

async fn reflect(asker: &Asker, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    let mut client = ServerReflectionClient::new(asker.channel.clone());
    let mut answers = client
        .server_reflection_info(once(request))
        .await
        .unwrap()
        .into_inner();
    answers
        .message()
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap()
}

/// The files that reflection gives for a symbol, linked.
async fn pool_of(asker: &Asker, symbol: &str) -> DescriptorPool {
    let symbol = MessageRequest::FileContainingSymbol(symbol.to_owned());
    let MessageResponse::FileDescriptorResponse(files) = reflect(asker, symbol).await else {
        panic!("no file");
    };
    let mut pool = DescriptorPool::new();
    let mut left: Vec<_> = files.file_descriptor_proto;
    // A file is taken when those that it imports are there.
    for _ in 0..left.len() {
        left.retain(|file| pool.decode_file_descriptor_proto(file.as_slice()).is_err());
    }
    assert!(left.is_empty(), "{} files do not fit together", left.len());
    pool
}

#[tokio::test]
async fn reflection_hides_what_one_may_not_know_of_from_all_but_its_owner() {
    let world = World::new().await;
    let (_civil, _tax) = world.pair().await;
    let marriage = "civil.v1.MarriageRecord";
    let (own, foreign) = (
        world.system("civil", "counter"),
        world.system("tax", "assessment"),
    );
    let pool = pool_of(&own, marriage).await;
    assert!(
        pool.get_message_by_name("civil.v1.AdoptionRecord")
            .is_some()
    );
    let pool = pool_of(&foreign, marriage).await;
    assert!(pool.get_message_by_name(marriage).is_some());
    assert!(
        pool.get_message_by_name("civil.v1.AdoptionRecord")
            .is_none()
    );
    let symbol = MessageRequest::FileContainingSymbol("civil.v1.AdoptionRecord".to_owned());
    assert!(matches!(
        reflect(&foreign, symbol).await,
        MessageResponse::ErrorResponse(error) if error.error_code == Code::NotFound as i32
    ));
    let name = MessageRequest::FileByFilename("civil/v1/family.proto".to_owned());
    let MessageResponse::FileDescriptorResponse(files) = reflect(&foreign, name).await else {
        panic!("no file");
    };
    let bytes = files.file_descriptor_proto.concat();
    let has = |word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    assert!(has(b"MarriageRecord") && !has(b"doption"));
}

#[tokio::test]
async fn reflection_lists_the_services_and_gives_record_types_with_their_options() {
    let world = World::new().await;
    let _civil = world.start("civil").await;
    let system = world.system("civil", "counter");
    let MessageResponse::ListServicesResponse(list) =
        reflect(&system, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list of services");
    };
    let services: Vec<_> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for expected in [
        "landbridge.v1.CorrectionService",
        "landbridge.v1.ExchangeService",
        "landbridge.v1.CatalogService",
        "grpc.health.v1.Health",
    ] {
        assert!(services.contains(&expected.to_owned()), "{services:?}");
    }

    let pool = pool_of(&system, "civil.v1.Resident").await;
    let resident = pool.get_message_by_name("civil.v1.Resident").unwrap();
    let record = pool.get_extension_by_name("landbridge.v1.record").unwrap();
    let options = resident.options();
    let options = options.get_extension(&record);
    assert_eq!(
        options
            .as_message()
            .unwrap()
            .get_field_by_name("key")
            .unwrap()
            .as_str(),
        Some("resident_id")
    );

    let symbol = MessageRequest::FileContainingSymbol("civil.v1.Nobody".to_owned());
    assert!(
        matches!(reflect(&system, symbol).await, MessageResponse::ErrorResponse(error) if error.error_code == Code::NotFound as i32)
    );
}

#[tokio::test]
async fn the_catalogue_tells_a_system_what_it_may_ask_for_and_others_nothing_of_it() {
    let world = World::new().await;
    let _tax = world.start("tax").await;
    let catalog = |system: &str| CatalogServiceClient::new(world.system("tax", system).channel);
    let departments = catalog("audit")
        .list_departments(pb::ListDepartmentsRequest {})
        .await
        .unwrap()
        .into_inner();
    let ids: Vec<_> = departments
        .departments
        .iter()
        .map(|department| department.id.as_str())
        .collect();
    assert_eq!(ids, ["civil", "market", "tax"]);

    for (system, agreements) in [("assessment", vec!["CIV-TAX-2026-01"]), ("audit", vec![])] {
        let list = catalog(system)
            .list_record_types(pb::ListRecordTypesRequest {})
            .await
            .unwrap()
            .into_inner();
        assert!(list.record_types.len() >= 6, "{}", list.record_types.len());
        let resident = list
            .record_types
            .iter()
            .find(|record| record.name == "civil.v1.Resident")
            .unwrap();
        let told: Vec<_> = resident
            .grants
            .iter()
            .map(|grant| grant.agreement.as_str())
            .collect();
        assert_eq!(told, agreements, "{system}");
    }
    let request = pb::GetRecordTypeRequest {
        record_type: "civil.v1.Residnet".to_owned(),
    };
    let status = catalog("audit").get_record_type(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(
        status.message().contains("civil.v1.Resident"),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn the_peers_door_has_neither_catalogue_nor_reflection() {
    let world = World::new().await;
    let _civil = world.start("civil").await;
    let peer = world.peer("tax", "civil");
    let status = CatalogServiceClient::new(peer.channel.clone())
        .list_departments(pb::ListDepartmentsRequest {})
        .await;
    assert_eq!(status.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn the_operators_pages_tell_of_life_readiness_and_exchanges() {
    let world = World::new().await;
    let (_civil, tax) = world.pair().await;
    assert_eq!(tax.page("/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(tax.page("/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(tax.page("/nothing").await.0, 404);
    let system = world.system("tax", "assessment");
    system.ask(&Asked::get(&Resident(7).key())).await.unwrap();
    system
        .ask(&Asked::get(&Resident(7).key()).purpose("curiosity"))
        .await
        .err()
        .unwrap();
    let (status, metrics) = tax.page("/metrics").await;
    assert_eq!(status, 200);
    for (reason, mode) in [("answered", "get"), ("PURPOSE_NOT_AGREED", "get")] {
        let counted = metrics.lines().any(|line| {
            line.starts_with("landbridge_exchanges_total")
                && line.contains(&format!("reason=\"{reason}\""))
                && line.contains(&format!("mode=\"{mode}\""))
                && line.ends_with(" 1")
        });
        assert!(counted, "{reason}:\n{metrics}");
    }
    assert!(
        !metrics.contains(&Resident(7).key()) && !metrics.contains("王"),
        "personal data among the metrics"
    );
}
