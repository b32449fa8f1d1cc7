use tokio_rustls::TlsAcceptor;

use super::*;
use crate::identity::harness::Ca;
use crate::identity::harness::DAY;
use crate::identity::harness::World;
use crate::identity::harness::accept;
use crate::identity::harness::department;
use crate::identity::harness::directory;
use crate::identity::harness::listen;
use crate::identity::harness::params;
use crate::identity::harness::raw_server;
use crate::identity::harness::spiffe;
use crate::identity::harness::term;
use crate::identity::pki::Issue;

/// The reason and the holder, when a server with this certificate is dialled as a department.
async fn refused(
    connector: &Connector,
    server: &Issue,
    to: &str,
) -> (&'static str, Option<String>) {
    let (listener, endpoint) = listen().await;
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let server = TlsAcceptor::from(Arc::new(raw_server(server)));
        server.accept(tcp).await.map(drop)
    };
    let to = department(to);
    match tokio::join!(serve, connector.connect(&endpoint, &to)) {
        (_, Err(ConnectError::Untrusted { cause, .. })) => {
            (cause.reason(), cause.identified().map(ToString::to_string))
        }
        (_, other) => panic!("{other:?}"),
    }
}

fn named(short: &str) -> Option<String> {
    Some(spiffe(short).to_string())
}

#[tokio::test]
async fn only_the_department_that_was_dialled_is_believed() {
    let mut world = World::new();
    let civil = world.civil();
    let rows = [
        ("health", "tax", "WRONG_DEPARTMENT"),
        ("civil", "tax", "WRONG_DEPARTMENT"),
        ("tax/assessment", "tax", "WRONG_DOOR"),
        ("health", "health", "NOT_IN_DIRECTORY"),
    ];
    for (shows, dialled, reason) in rows {
        let server = world.issue(Ca::Federation, shows);
        let expected = (reason, named(shows));
        assert_eq!(
            refused(&civil, &server, dialled).await,
            expected,
            "{shows} dialled as {dialled}"
        );
    }
}

#[tokio::test]
async fn a_server_is_held_to_the_rules_for_clients() {
    let mut world = World::new();
    let civil = world.civil();
    let tax = spiffe("tax");

    let other_ca = world.issue(Ca::Tax, "tax");
    assert_eq!(
        refused(&civil, &other_ca, "tax").await,
        ("UNKNOWN_ISSUER", None)
    );
    let expired = world.federation.issue(&tax, &[], term(-2, -1)).unwrap();
    assert_eq!(
        refused(&civil, &expired, "tax").await,
        ("CERT_EXPIRED", named("tax"))
    );
    let early = world.federation.issue(&tax, &[], term(1, 2)).unwrap();
    assert_eq!(
        refused(&civil, &early, "tax").await,
        ("CERT_NOT_YET_VALID", named("tax"))
    );

    let mut client_only = params(&["spiffe://gov.example/department/tax"]);
    client_only.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let issue = world
        .federation
        .issue_with(client_only, String::new(), term(0, 1));
    assert_eq!(
        refused(&civil, &issue.unwrap(), "tax").await,
        ("CERT_WRONG_PURPOSE", named("tax"))
    );

    let revoked = world.issue(Ca::Federation, "tax");
    world
        .federation
        .revoke(&revoked.serial, world.clock.now())
        .unwrap();
    civil.reload(world.material(Ca::Federation, "civil"), Some(directory()));
    assert_eq!(
        refused(&civil, &revoked, "tax").await,
        ("CERT_REVOKED", named("tax"))
    );

    let good = world.issue(Ca::Federation, "tax");
    world.wait(30 * DAY);
    assert_eq!(
        refused(&civil, &good, "tax").await,
        ("CRL_EXPIRED", named("tax"))
    );
}

#[tokio::test]
async fn a_system_finds_its_own_gateway_and_no_other() {
    let mut world = World::new();
    let door = world.systems_door();
    let material = world.material(Ca::Tax, "tax/assessment");
    let system = Connector::to_own_gateway(material, world.clock.clone());
    let (listener, endpoint) = listen().await;
    let serve = async { accept(&door, listener.accept().await.unwrap().0).await };
    let tax = department("tax");
    let (served, dialled) = tokio::join!(serve, system.connect(&endpoint, &tax));
    assert_eq!(*served.unwrap().peer().id(), spiffe("tax/assessment"));
    assert_eq!(*dialled.unwrap().peer().id(), spiffe("tax"));

    let of_the_federation = world.issue(Ca::Federation, "tax");
    assert_eq!(
        refused(&system, &of_the_federation, "tax").await,
        ("UNKNOWN_ISSUER", None)
    );
    let of_another = world.issue(Ca::Tax, "civil");
    assert_eq!(
        refused(&system, &of_another, "tax").await,
        ("WRONG_DEPARTMENT", named("civil"))
    );
}

#[tokio::test]
async fn where_nobody_listens_nobody_is_reached() {
    let mut world = World::new();
    let civil = world.civil();
    let (listener, endpoint) = listen().await;
    drop(listener);
    let error = civil
        .connect(&endpoint, &department("tax"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        format!("no gateway can be reached at {endpoint}")
    );
}

#[tokio::test]
async fn a_server_that_speaks_no_http2_refuses_with_an_alert() {
    let mut world = World::new();
    let civil = world.civil();
    let mut server = raw_server(&world.issue(Ca::Federation, "tax"));
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (listener, endpoint) = listen().await;
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(server))
            .accept(tcp)
            .await
            .map(drop)
    };
    let tax = department("tax");
    let (_, outcome) = tokio::join!(serve, civil.connect(&endpoint, &tax));
    let error = outcome.unwrap_err();
    assert!(
        matches!(
            error,
            ConnectError::RefusedByPeer {
                alert: "NoApplicationProtocol",
                ..
            }
        ),
        "{error:?}"
    );
}
