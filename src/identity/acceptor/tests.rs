use std::time::Duration;

use rustls::HandshakeKind;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::identity::Caller;
use crate::identity::connector::Connector;
use crate::identity::harness::Ca;
use crate::identity::harness::DAY;
use crate::identity::harness::World;
use crate::identity::harness::accept;
use crate::identity::harness::connect;
use crate::identity::harness::directory;
use crate::identity::harness::directory_of;
use crate::identity::harness::knock;
use crate::identity::harness::params;
use crate::identity::harness::raw_client;
use crate::identity::harness::raw_connect;
use crate::identity::harness::spiffe;
use crate::identity::harness::term;
use crate::identity::link::GRACE;
use crate::identity::pki::Authority;
use crate::identity::pki::Issue;
use crate::identity::tls_error::alert_within;

/// A refused client: the reason, the holder who goes on record, and the alert that the client gets.
type Refused = (&'static str, Option<String>, Option<&'static str>);

async fn refused(door: &Acceptor, shown: Option<(&str, &str)>) -> Refused {
    let (outcome, alert) = knock(door, raw_client(shown)).await;
    let refused = outcome.expect_err("was let in");
    let identified = refused.trust().and_then(|refusal| refusal.identified());
    (refused.reason(), identified.map(ToString::to_string), alert)
}

fn shown(issue: &Issue) -> Option<(&str, &str)> {
    Some((&issue.certificate, &issue.key))
}

fn on_record(short: &str) -> Option<String> {
    Some(spiffe(short).to_string())
}

#[tokio::test]
async fn a_peer_of_the_directory_is_let_in_at_the_peers_door() {
    let mut world = World::new();
    let door = world.peers_door();
    let civil = world.issue(Ca::Federation, "civil");
    let link = knock(&door, raw_client(shown(&civil))).await.0.unwrap();
    assert_eq!(*link.peer().id(), spiffe("civil"));
    assert_eq!(link.peer().key_exchange(), "X25519MLKEM768");
    let caller = Caller::from(link.peer());
    assert_eq!(caller.department().as_str(), "civil");
    assert_eq!(caller.system(), None);
    let told = caller.with_system("registry-desk".parse().unwrap());
    assert_eq!(told.system().unwrap().as_str(), "registry-desk");
}

#[tokio::test]
async fn an_own_system_is_let_in_at_the_systems_door() {
    let mut world = World::new();
    let door = world.systems_door();
    let system = world.issue(Ca::Tax, "tax/assessment");
    let link = knock(&door, raw_client(shown(&system))).await.0.unwrap();
    assert_eq!(*link.peer().id(), spiffe("tax/assessment"));
    let caller = Caller::from(link.peer()).with_system("another".parse().unwrap());
    assert_eq!(caller.system().unwrap().as_str(), "assessment");
}

#[tokio::test]
async fn nobody_is_let_in_without_a_certificate() {
    let mut world = World::new();
    for door in [world.peers_door(), world.systems_door()] {
        let expected = ("NO_CERTIFICATE", None, Some("CertificateRequired"));
        assert_eq!(refused(&door, None).await, expected);
    }
}

#[tokio::test]
async fn another_ca_vouches_for_nobody() {
    let mut world = World::new();
    let door = world.peers_door();
    let expected = ("UNKNOWN_ISSUER", None, Some("UnknownCA"));

    let other = world.issue(Ca::Tax, "civil");
    assert_eq!(refused(&door, shown(&other)).await, expected);

    let folder = world.path("impostor");
    let mut impostor = Authority::create(&folder, "federation", world.clock.now()).unwrap();
    let same_name = impostor.issue(&spiffe("civil"), &[], term(0, 1)).unwrap();
    assert_eq!(refused(&door, shown(&same_name)).await, expected);

    let expired = impostor.issue(&spiffe("civil"), &[], term(-2, -1)).unwrap();
    assert_eq!(refused(&door, shown(&expired)).await, expected);
}

#[tokio::test]
async fn a_certificate_is_good_from_its_first_moment_to_its_last() {
    let mut world = World::new();
    let door = world.peers_door();
    let id = spiffe("civil");

    let expired = world.federation.issue(&id, &[], term(-2, -1)).unwrap();
    let expected = (
        "CERT_EXPIRED",
        on_record("civil"),
        Some("CertificateExpired"),
    );
    assert_eq!(refused(&door, shown(&expired)).await, expected);

    let early = world.federation.issue(&id, &[], term(1, 2)).unwrap();
    let expected = (
        "CERT_NOT_YET_VALID",
        on_record("civil"),
        Some("CertificateExpired"),
    );
    assert_eq!(refused(&door, shown(&early)).await, expected);

    world.wait(DAY);
    assert!(knock(&door, raw_client(shown(&early))).await.0.is_ok());
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_and_another_of_the_same_holder_is_not() {
    let mut world = World::new();
    let (lost, kept) = (
        world.issue(Ca::Federation, "civil"),
        world.issue(Ca::Federation, "civil"),
    );
    world
        .federation
        .revoke(&lost.serial, world.clock.now())
        .unwrap();
    let door = world.peers_door();
    let expected = (
        "CERT_REVOKED",
        on_record("civil"),
        Some("CertificateRevoked"),
    );
    assert_eq!(refused(&door, shown(&lost)).await, expected);
    assert!(knock(&door, raw_client(shown(&kept))).await.0.is_ok());
}

#[tokio::test]
async fn an_expired_revocation_list_lets_nobody_in() {
    let mut world = World::new();
    let door = world.peers_door();
    let civil = world.issue(Ca::Federation, "civil");
    world.wait(30 * DAY);
    let expected = ("CRL_EXPIRED", on_record("civil"), Some("UnknownCA"));
    assert_eq!(refused(&door, shown(&civil)).await, expected);
}

#[tokio::test]
async fn a_door_is_for_those_whom_it_is_for() {
    let mut world = World::new();
    let peers = world.peers_door();
    let systems = world.systems_door();
    let rows = [
        (&peers, Ca::Federation, "health", "NOT_IN_DIRECTORY"),
        (&peers, Ca::Federation, "tax", "OWN_DEPARTMENT"),
        (&peers, Ca::Federation, "civil/desk", "WRONG_DOOR"),
        (&systems, Ca::Tax, "tax", "WRONG_DOOR"),
        (&systems, Ca::Tax, "civil", "WRONG_DOOR"),
        (&systems, Ca::Tax, "civil/desk", "WRONG_DEPARTMENT"),
    ];
    for (door, ca, id, reason) in rows {
        let issue = world.issue(ca, id);
        let expected = (reason, on_record(id), Some("AccessDenied"));
        assert_eq!(
            refused(door, shown(&issue)).await,
            expected,
            "{id} at {}",
            door.door()
        );
    }
}

#[tokio::test]
async fn a_certificate_names_its_holder_once_and_in_this_trust_domain() {
    let mut world = World::new();
    let door = world.peers_door();
    let (civil, tax) = (
        "spiffe://gov.example/department/civil",
        "spiffe://gov.example/department/tax",
    );
    let foreign = "spiffe://gov.invalid/department/civil";
    let rows: [(&[&str], &str, Option<&str>); 5] = [
        (&[civil, tax], "BAD_SPIFFE_ID", None),
        (&[civil, civil], "BAD_SPIFFE_ID", None),
        (&[], "BAD_SPIFFE_ID", None),
        (
            &["https://gov.example/department/civil"],
            "BAD_SPIFFE_ID",
            None,
        ),
        (&[foreign], "WRONG_TRUST_DOMAIN", Some(foreign)),
    ];
    for (uris, reason, identified) in rows {
        let term = term(0, 1);
        let issue = world
            .federation
            .issue_with(params(uris), String::new(), term)
            .unwrap();
        let expected = (
            reason,
            identified.map(str::to_owned),
            Some("BadCertificate"),
        );
        assert_eq!(refused(&door, shown(&issue)).await, expected, "{uris:?}");
    }
}

#[tokio::test]
async fn a_certificate_for_servers_does_not_dial() {
    let mut world = World::new();
    let door = world.peers_door();
    let mut params = params(&["spiffe://gov.example/department/civil"]);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let issue = world
        .federation
        .issue_with(params, String::new(), term(0, 1))
        .unwrap();
    let expected = (
        "CERT_WRONG_PURPOSE",
        on_record("civil"),
        Some("UnsupportedCertificate"),
    );
    assert_eq!(refused(&door, shown(&issue)).await, expected);
}

#[tokio::test]
async fn whoever_shows_a_certificate_without_its_key_puts_nobody_on_record() {
    let mut world = World::new();
    let door = world.peers_door();
    let own = world.issue(Ca::Tax, "civil");
    for id in ["civil", "health", "civil/desk"] {
        let seen = world.issue(Ca::Federation, id);
        let expected = ("KEY_NOT_PROVED", None, Some("DecryptError"));
        assert_eq!(
            refused(&door, Some((&seen.certificate, &own.key))).await,
            expected,
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_handshake_is_never_resumed() {
    let mut world = World::new();
    let door = world.peers_door();
    let civil = world.issue(Ca::Federation, "civil");
    let client = raw_client(shown(&civil));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..3 {
        let serve = async {
            let mut link = accept(&door, listener.accept().await.unwrap().0)
                .await
                .unwrap();
            link.write_all(b"x").await.unwrap();
            link.flush().await.unwrap();
            link
        };
        let dial = async {
            let mut tls = raw_connect(client.clone(), address).await.unwrap();
            // A ticket would have come before the first byte.
            assert_eq!(tls.read_u8().await.unwrap(), b'x');
            tls.get_ref().1.handshake_kind()
        };
        assert_eq!(tokio::join!(serve, dial).1, Some(HandshakeKind::Full));
    }
}

#[tokio::test]
async fn only_http2_over_tls13_is_spoken() {
    let mut world = World::new();
    let door = world.peers_door();
    let civil = world.issue(Ca::Federation, "civil");
    let mut client = raw_client(shown(&civil));
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (outcome, alert) = knock(&door, client).await;
    assert_eq!(outcome.unwrap_err().reason(), "HANDSHAKE_FAILED");
    assert_eq!(alert, Some("NoApplicationProtocol"));

    for (hello, answer) in [
        // Alert, fatal, protocol_version.
        (tls12_hello(), &[0x15, 3, 3, 0, 2, 2, 70][..]),
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            &[0x15, 3, 3, 0, 2, 2, 50],
        ),
    ] {
        let (server, mut client) = plain(&door).await;
        client.write_all(&hello).await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = Vec::new();
        let (outcome, _) = tokio::join!(server, client.read_to_end(&mut heard));
        assert_eq!(outcome.unwrap_err().reason(), "HANDSHAKE_FAILED");
        assert_eq!(heard, answer);
    }
}

/// A connection on which no TLS has been spoken yet.
async fn plain(
    door: &Acceptor,
) -> (
    impl Future<Output = Result<Link, HandshakeRefused>> + '_,
    TcpStream,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (accept(door, server), client)
}

/// ECDHE-ECDSA-AES128-GCM-SHA256 with P-256, and no `supported_versions` extension.
fn tls12_hello() -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3];
    hello.extend([0, extensions.len() as u8]);
    hello.extend(extensions);
    let mut handshake = vec![1, 0, 0, hello.len() as u8];
    handshake.extend(hello);
    let mut record = vec![0x16, 3, 1, 0, handshake.len() as u8];
    record.extend(handshake);
    record
}

#[tokio::test]
async fn a_stalled_handshake_ends_at_its_deadline_and_frees_its_place() {
    let mut world = World::new();
    let door = world.peers_door_with(AcceptLimits {
        handshake: Duration::from_millis(50),
        ..AcceptLimits::default()
    });
    let (server, _client) = plain(&door).await;
    assert_eq!(server.await.unwrap_err().reason(), "HANDSHAKE_TIMEOUT");
    let civil = world.issue(Ca::Federation, "civil");
    assert!(knock(&door, raw_client(shown(&civil))).await.0.is_ok());
}

#[tokio::test]
async fn a_handshake_and_its_link_can_move_between_threads() {
    fn moves<T: Send>(future: impl Future<Output = T> + Send) -> impl Future<Output = T> {
        future
    }
    let mut world = World::new();
    let door = world.peers_door();
    let (server, client) = plain(&door).await;
    drop(client);
    assert_eq!(
        moves(server).await.unwrap_err().reason(),
        "HANDSHAKE_FAILED"
    );
}

#[tokio::test]
async fn a_full_door_refuses_who_has_shown_who_they_are() {
    let mut world = World::new();
    let door = world.peers_door_with(AcceptLimits {
        connections: 1,
        ..AcceptLimits::default()
    });
    let civil = world.issue(Ca::Federation, "civil");
    let link = knock(&door, raw_client(shown(&civil))).await.0.unwrap();
    let market = world.issue(Ca::Federation, "market");
    let refused = knock(&door, raw_client(shown(&market)))
        .await
        .0
        .unwrap_err();
    assert_eq!(refused.reason(), "TOO_MANY_CONNECTIONS");
    assert_eq!(door.peers().len(), 1);
    drop(link);
    assert_eq!(door.peers().len(), 0);
    assert!(knock(&door, raw_client(shown(&civil))).await.0.is_ok());
}

#[tokio::test]
async fn one_peer_cannot_take_all_the_connections_of_a_door() {
    let mut world = World::new();
    let door = world.peers_door_with(AcceptLimits {
        connections: 5,
        ..AcceptLimits::default()
    });
    let (civil, market) = (
        world.issue(Ca::Federation, "civil"),
        world.issue(Ca::Federation, "market"),
    );
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(knock(&door, raw_client(shown(&civil))).await.0.unwrap());
    }
    let refused = knock(&door, raw_client(shown(&civil))).await.0.unwrap_err();
    assert_eq!(refused.reason(), "OVER_FAIR_SHARE");
    assert!(knock(&door, raw_client(shown(&market))).await.0.is_ok());

    held.pop();
    assert!(knock(&door, raw_client(shown(&civil))).await.0.is_ok());
}

#[tokio::test]
async fn whoever_is_let_in_and_says_nothing_is_let_go() {
    let mut world = World::new();
    let door = world.peers_door_with(AcceptLimits {
        handshake: Duration::from_millis(200),
        ..AcceptLimits::default()
    });
    let civil = world.civil();
    let (mut silent, _client) = connect(&door, &civil).await;
    assert_eq!(
        silent.read_u8().await.unwrap_err().kind(),
        io::ErrorKind::TimedOut
    );
    let (mut begun, mut client) = connect(&door, &civil).await;
    client.write_all(b"x").await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(begun.read_u8().await.unwrap(), b'x');
    let later = timeout(Duration::from_millis(300), begun.read_u8()).await;
    assert!(later.is_err(), "it waits for more");
}

#[tokio::test]
async fn revoking_cuts_the_connections_of_that_certificate_within_a_second() {
    let mut world = World::new();
    let door = world.peers_door();
    let lost = world.issue(Ca::Federation, "civil");
    let kept = world.issue(Ca::Federation, "civil");
    let connector = |world: &World, issue: &Issue| {
        let material = world.load(Ca::Federation, issue);
        Connector::to_peers(material, directory(), world.clock.clone())
    };
    let (cut, mut at_civil) = connect(&door, &connector(&world, &lost)).await;
    let (mut served, mut dialled) = connect(&door, &connector(&world, &kept)).await;
    let peer = cut.peer().clone();

    // Both directions wait: there is nothing to read, and the other end does not read.
    let (mut from, mut to) = tokio::io::split(cut);
    let mut read = Box::pin(from.read_u8());
    assert!(futures::poll!(read.as_mut()).is_pending());
    let flood = vec![0; 32 << 20];
    let mut write = Box::pin(to.write_all(&flood));
    assert!(futures::poll!(write.as_mut()).is_pending());

    let now = world.clock.now();
    world.federation.revoke(&lost.serial, now).unwrap();
    let material = world.material(Ca::Federation, "tax");
    let began = tokio::time::Instant::now();
    let cuts = door.reload(material, directory());
    assert_eq!(cuts.len(), 1);
    assert_eq!(cuts[0].refusal.reason(), "CERT_REVOKED");
    assert_eq!(cuts[0].peer.connection(), peer.connection());
    assert!(peer.cancelled().is_cancelled());
    assert!(!served.peer().cancelled().is_cancelled());

    let (read, write) = tokio::join!(read, write);
    assert!((GRACE..Duration::from_secs(1)).contains(&began.elapsed()));
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(write.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    from.read_u8().await.unwrap_err();
    drop((from, to));
    let mut rest = Vec::new();
    at_civil.read_to_end(&mut rest).await.unwrap_err();

    served.write_all(b"still here").await.unwrap();
    served.flush().await.unwrap();
    let mut heard = [0; 10];
    dialled.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
    assert!(door.rejudge(RejudgeScope::All).is_empty());
    assert_eq!(door.peers().len(), 1);
}

#[tokio::test]
async fn leaving_the_directory_cuts_at_both_ends() {
    let mut world = World::new();
    let door = world.peers_door();
    let civil = world.civil();
    let _links = connect(&door, &civil).await;
    let cuts = door.reload(
        world.material(Ca::Federation, "tax"),
        directory_of(&["tax"]),
    );
    assert_eq!(cuts[0].refusal.reason(), "NOT_IN_DIRECTORY");
    let cuts = civil.reload(
        world.material(Ca::Federation, "civil"),
        Some(directory_of(&["civil"])),
    );
    assert_eq!(cuts[0].refusal.reason(), "NOT_IN_DIRECTORY");
    assert_eq!(*cuts[0].peer.id(), spiffe("tax"));
}

#[tokio::test]
async fn a_connection_ends_with_its_certificate() {
    let mut world = World::new();
    let door = world.peers_door();
    let civil = world
        .federation
        .issue(&spiffe("civil"), &[], term(0, 1))
        .unwrap();
    let link = knock(&door, raw_client(shown(&civil))).await.0.unwrap();
    assert!(door.rejudge(RejudgeScope::Ended).is_empty());
    world.wait(DAY + 1);
    assert_eq!(
        door.rejudge(RejudgeScope::Ended)[0].refusal.reason(),
        "CERT_EXPIRED"
    );
    assert!(link.peer().cancelled().is_cancelled());
}

#[tokio::test]
async fn a_handshake_that_began_before_a_revocation_is_refused_after_it() {
    let mut world = World::new();
    let door = world.peers_door();
    let civil = world.issue(Ca::Federation, "civil");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let mut accept = Box::pin(accept(&door, listener.accept().await.unwrap().0));
    // It has taken the trust of before the reload, and waits for the client's hello.
    assert!(futures::poll!(accept.as_mut()).is_pending());

    world
        .federation
        .revoke(&civil.serial, world.clock.now())
        .unwrap();
    assert!(
        door.reload(world.material(Ca::Federation, "tax"), directory())
            .is_empty()
    );

    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let client = tokio_rustls::TlsConnector::from(Arc::new(raw_client(shown(&civil))));
    let (outcome, _) = tokio::join!(accept, client.connect(name, tcp));
    assert_eq!(outcome.unwrap_err().reason(), "CERT_REVOKED");
    assert_eq!(door.peers().len(), 0);
}

#[tokio::test]
async fn a_reload_shows_the_new_certificate_and_keeps_the_connections() {
    let mut world = World::new();
    let door = world.peers_door();
    let civil = world.civil();
    let (_served, before) = connect(&door, &civil).await;
    assert!(
        door.reload(world.material(Ca::Federation, "tax"), directory())
            .is_empty()
    );
    let (_served, after) = connect(&door, &civil).await;
    assert_ne!(before.peer().fingerprint(), after.peer().fingerprint());
    assert_eq!(door.peers().len(), 2);
    assert_eq!(civil.peers().len(), 2);
}

#[tokio::test]
async fn a_dialler_learns_of_its_revocation_with_the_first_read() {
    let mut world = World::new();
    let door = world.peers_door();
    let connector = world.civil();
    world
        .federation
        .revoke(&spiffe("civil").to_string(), world.clock.now())
        .unwrap();
    door.reload(world.material(Ca::Federation, "tax"), directory());
    let (listener, endpoint) = crate::identity::harness::listen().await;
    let tax = "tax".parse().unwrap();
    let serve = async { accept(&door, listener.accept().await.unwrap().0).await };
    let (refused, dialled) = tokio::join!(serve, connector.connect(&endpoint, &tax));
    assert_eq!(refused.unwrap_err().reason(), "CERT_REVOKED");
    let error = dialled.unwrap().read_u8().await.unwrap_err();
    assert_eq!(alert_within(&error), Some("CertificateRevoked"));
}
