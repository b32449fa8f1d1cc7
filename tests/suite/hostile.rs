//! Hostile and broken clients: a precise status or a closed connection, and others are served all the while.

use std::time::Duration;
use std::time::Instant;

use bytes::Buf;
use bytes::BufMut;
use bytes::Bytes;
use landbridge::pb;
use landbridge::pb::journal_record::Kind;
use prost::Message;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;
use tonic::Request;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::Codec;
use tonic::codec::DecodeBuf;
use tonic::codec::Decoder;
use tonic::codec::EncodeBuf;
use tonic::codec::Encoder;
use tonic::codegen::http::uri::PathAndQuery;

use crate::harness::PATIENCE;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::asked::claim;
use crate::harness::client::Asker;
use crate::harness::http2::Http2;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;

const GET: &str = "/landbridge.v1.ExchangeService/GetRecord";

/// Sends bytes as they are.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// What comes of a message of these bytes.
async fn send(asker: &Asker, path: &'static str, message: Vec<u8>) -> Result<Bytes, Refused> {
    let mut client = Grpc::new(asker.channel.clone());
    client
        .ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let answer = client
        .unary(
            Request::new(message.into()),
            PathAndQuery::from_static(path),
            Raw,
        )
        .await?;
    Ok(answer.into_inner())
}

/// The bytes of a sound request, with these after them.
fn request_and(more: &[u8]) -> Vec<u8> {
    let message = pb::GetRecordRequest {
        record_type: "civil.v1.Resident".to_owned(),
        grounds: Some(Asked::get("").grounds),
        key: Resident(7).key(),
        ..Default::default()
    };
    [&message.encode_to_vec(), more].concat()
}

/// A length-delimited field of that number.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_varint(u64::from(number << 3 | 2), &mut out);
    prost::encoding::encode_varint(content.len() as u64, &mut out);
    [out, content.to_vec()].concat()
}

#[tokio::test]
async fn a_message_that_is_no_request_gets_a_status_and_the_next_one_is_served() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let start_of_group = [0xbb, 0x01];
    let nested = |depth| (0..depth).fold(Vec::new(), |inside: Vec<u8>, _| field(9, &inside));
    let cases = [
        (
            "truncated",
            request_and(&[0x2a, 0x10, b'R']),
            Code::InvalidArgument,
        ),
        (
            "invalid UTF-8",
            request_and(&[0x2a, 0x02, 0xc3, 0x28]),
            Code::InvalidArgument,
        ),
        (
            "a varint without an end",
            request_and(&[0xff; 11]),
            Code::InvalidArgument,
        ),
        (
            "a wire type that is none",
            request_and(&[0x0f]),
            Code::InvalidArgument,
        ),
        (
            "10,000 groups",
            request_and(&start_of_group.repeat(10_000)),
            Code::InvalidArgument,
        ),
        (
            "a message of 2 MiB",
            request_and(&field(99, &vec![0; 2 << 20])),
            Code::OutOfRange,
        ),
        (
            "a million fields",
            request_and(&field(4, &field(1, b"x").repeat(1_000_000))),
            Code::OutOfRange,
        ),
        ("nothing", Vec::new(), Code::InvalidArgument),
    ];
    for (what, message, code) in cases {
        let refused = send(&system, GET, message).await.err().unwrap();
        assert_eq!(refused.code, code, "{what}: {refused:?}");
        assert!(
            !refused.message.contains(&Resident(7).key()),
            "{what}: {refused:?}"
        );
    }
    let too_many = request_and(&field(4, &field(1, b"x").repeat(300_000)));
    let refused = send(&system, GET, too_many).await.err().unwrap();
    assert!(
        refused.is(Code::InvalidArgument, "REQUEST_TOO_LARGE") && refused.location == "fields",
        "{refused:?}"
    );
    // What a newer client may send is skipped, however deep it goes.
    send(&system, GET, request_and(&nested(10_000)))
        .await
        .unwrap();
    send(
        &system,
        "/landbridge.v1.ExchangeService/DropRecords",
        Vec::new(),
    )
    .await
    .err()
    .filter(|refused| refused.code == Code::Unimplemented)
    .unwrap();
    system.ask(&Asked::get(&Resident(7).key())).await.unwrap();
    world.journal("tax").verified();
}

#[tokio::test]
async fn a_filter_as_deep_or_as_long_as_it_likes_is_refused_with_its_place() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let deep = |open: &str, inside: &str, close: &str, depth: usize| {
        open.repeat(depth) + inside + &close.repeat(depth)
    };
    let sound = "full_name == \"x\"";
    for (what, filter) in [
        ("parentheses", deep("(", sound, ")", 7_000)),
        ("negations", deep("!", "(full_name == \"x\")", "", 10_000)),
        (
            "a hundred thousand terms",
            vec![sound; 100_000].join(" || "),
        ),
        ("a thousand terms", vec![sound; 1_000].join(" && ")),
        (
            "a long list",
            format!("full_name in [{}]", "\"x\",".repeat(4_000) + "\"y\""),
        ),
        ("no end", "\"".to_owned() + &"x".repeat(10_000)),
        (
            "control characters",
            "full_name == \"\u{0}\u{1b}[2J\"\u{7}".to_owned(),
        ),
    ] {
        for asked in [Asked::query(&filter), Asked::count(&filter)] {
            let refused = system
                .ask(&asked)
                .await
                .err()
                .unwrap_or_else(|| panic!("{what} was answered"));
            let precise =
                refused.is(Code::InvalidArgument, "FILTER_INVALID") && refused.location == "filter";
            assert!(
                precise || refused.code == Code::OutOfRange,
                "{what}: {refused:?}"
            );
            assert!(refused.message.len() < 300, "{what}: {}", refused.message);
        }
    }
    system.ask(&Asked::query(sound)).await.unwrap();
}

#[tokio::test]
async fn values_of_any_size_stay_within_their_bounds() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let long = "x".repeat(100_000);
    for (what, asked, reason) in [
        ("a long key", Asked::get(&long), "REQUEST_TOO_LARGE"),
        (
            "a long order",
            Asked::query("").order(&long),
            "REQUEST_TOO_LARGE",
        ),
        (
            "a long cursor",
            Asked::query("").after(&vec![0; 100_000].into()),
            "REQUEST_TOO_LARGE",
        ),
        (
            "a long purpose",
            Asked::get("R1").purpose(&long),
            "PURPOSE_INVALID",
        ),
        (
            "a long case",
            Asked::get("R1").case(&long),
            "GROUNDS_INVALID",
        ),
        (
            "a long record type",
            Asked::get("R1").record_type(&long),
            "RECORD_TYPE_UNKNOWN",
        ),
        (
            "a long field",
            Asked::get("R1").fields(&[&long]),
            "FIELD_UNKNOWN",
        ),
    ] {
        let refused = system.ask(&asked).await.err().unwrap();
        assert!(
            refused.is(Code::InvalidArgument, reason),
            "{what}: {}",
            refused.reason
        );
        assert!(
            refused.message.len() < 300,
            "{what}: {} bytes of message",
            refused.message.len()
        );
    }
    let entries = world.journal("tax").entries();
    let exchanges: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.exchange())
        .collect();
    assert_eq!(exchanges.len(), 7);
    for exchange in exchanges {
        assert!(
            exchange.encoded_len() < 4_096,
            "{}: {} bytes on record",
            exchange.reason,
            exchange.encoded_len()
        );
    }
    let asked = Asked::verify(&Resident(7).key(), &[]);
    let claims = vec![claim("full_name", &long)];
    let pb_question = landbridge::registry::query::question::Question::Verify {
        key: Resident(7).key(),
        claims,
    };
    let refused = system
        .ask(&Asked {
            question: pb_question,
            ..asked
        })
        .await;
    assert!(refused.is_ok() || refused.is_err_and(|refused| refused.code == Code::InvalidArgument));
}

#[tokio::test]
async fn a_header_bomb_is_refused_and_others_are_served() {
    let world = World::new().await;
    let (_civil, tax) = world.pair().await;
    let (bomber, other) = (
        world.system("tax", "assessment"),
        world.system("tax", "assessment"),
    );
    let asked = Asked::get(&Resident(7).key());
    for _ in 0..5 {
        let mut request = Request::new(pb::GetRecordRequest::default());
        for n in 0..64 {
            let name: tonic::metadata::MetadataKey<_> = format!("x-bomb-{n}").parse().unwrap();
            request
                .metadata_mut()
                .insert(name, "x".repeat(1_024).parse().unwrap());
        }
        bomber.client().get_record(request).await.err().unwrap();
    }
    let mut http2 = Http2::connect(&bomber.dial).await;
    http2.headers_without_end(GET, 200_000).await;
    http2.closed().await;
    other.ask(&asked).await.unwrap();
    assert!(tax.memory() < 200, "{} MiB", tax.memory());
}

#[tokio::test]
async fn a_rapid_reset_flood_ends_its_connection_and_others_are_served() {
    let world = World::new().await;
    let (_civil, tax) = world.pair().await;
    let (system, asked) = (
        world.system("tax", "assessment"),
        Asked::get(&Resident(7).key()),
    );
    system.ask(&asked).await.unwrap();
    let before = tax.memory();
    let mut http2 = Http2::connect(&system.dial).await;
    let flood = async {
        for _ in 0..100_000 {
            if http2.open_and_reset(GET).await.is_err() {
                return;
            }
        }
        http2.closed().await;
    };
    let (flooded, served) = tokio::join!(timeout(PATIENCE, flood), system.ask(&asked));
    flooded.expect("the flood went on");
    served.unwrap();
    system.ask(&asked).await.unwrap();
    assert!(
        tax.memory() < before + 64,
        "{} MiB, {before} MiB before",
        tax.memory()
    );
}

#[tokio::test]
async fn a_compressed_message_is_not_unpacked() {
    let world = World::new().await;
    let (_civil, tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    let asked = Asked::get(&Resident(7).key());
    system.ask(&asked).await.unwrap();
    let before = tax.memory();
    // Each would be a gibibyte, packed: gzip's header, then a block that says so, again and again.
    let bomb = [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..],
        &[0xed, 0xc1, 1, 1, 0, 0, 0, 0x80].repeat(10_000),
    ]
    .concat();
    for _ in 0..20 {
        let mut http2 = Http2::connect(&system.dial).await;
        http2.ask_compressed(GET, &bomb[..16_000]).await;
        http2.answered().await;
    }
    system.ask(&asked).await.unwrap();
    assert!(
        tax.memory() < before + 32,
        "{} MiB, {before} MiB before",
        tax.memory()
    );
    // Not even the attempt is an exchange.
    assert_eq!(world.journal("tax").of_case("CASE-1").len(), 2);
}

#[tokio::test]
async fn a_flood_of_pings_or_settings_is_cut_off_and_others_are_served() {
    let world = World::new().await;
    let (_civil, tax) = world.pair().await;
    let (system, asked) = (
        world.system("tax", "assessment"),
        Asked::get(&Resident(7).key()),
    );
    system.ask(&asked).await.unwrap();
    let before = tax.memory();
    let mut pinging = Http2::connect(&system.dial).await;
    let mut changing = Http2::connect(&system.dial).await;
    let flood = async {
        tokio::join!(
            timeout(Duration::from_secs(3), pinging.pings(300_000)),
            timeout(
                Duration::from_secs(3),
                changing.changes_of_settings(300_000)
            )
        )
    };
    let serve = async {
        for _ in 0..50 {
            system.ask(&asked).await.unwrap();
        }
    };
    let ((pinged, changed), ()) = tokio::join!(flood, serve);
    assert!(
        pinged.is_ok() && changed.is_ok(),
        "the floods went on: {pinged:?}, {changed:?}"
    );
    pinging.closed().await;
    changing.closed().await;
    let (_, metrics) = tax.page("/metrics").await;
    assert!(
        metrics.contains("landbridge_connections_flooded_total 2"),
        "{metrics}"
    );
    assert!(
        tax.memory() < before + 64,
        "{} MiB, {before} MiB before",
        tax.memory()
    );
}

#[tokio::test]
async fn a_window_of_zero_holds_bounded_memory_and_no_place_for_good() {
    let world = World::with_bulk(2_000).await;
    let (_civil, tax) = tokio::join!(
        world.start("civil"),
        world.start_with(
            "tax",
            &[
                ("LIMITS__STALL_DEADLINE", "1s"),
                ("LIMITS__MAX_STREAMED_ANSWERS", "2")
            ]
        )
    );
    let system = world.system("tax", "assessment");
    let Asked { grounds, .. } = Asked::query("").case("SHUT");
    let message = pb::QueryRecordsRequest {
        record_type: "civil.v1.Resident".to_owned(),
        grounds: Some(grounds),
        ..Default::default()
    };
    let mut shut = Vec::new();
    for _ in 0..2 {
        let mut http2 = Http2::connect(&system.dial).await;
        let query = "/landbridge.v1.ExchangeService/QueryRecords";
        http2
            .ask_with_no_window(query, &message.encode_to_vec())
            .await;
        shut.push(http2);
    }
    let journal = world.journal("tax");
    let stalled = journal.awaits(|entry| (entry.reason() == "CLIENT_STALLED").then_some(()));
    stalled.await;
    assert!(tax.memory() < 200, "{} MiB", tax.memory());
    // Both places are free again, though the connections are still there.
    let asked = Asked::query("").limit(5);
    let served = async {
        loop {
            match system.ask(&asked).await {
                Ok(answer) => return answer,
                Err(refused) => assert_eq!(refused.code, Code::ResourceExhausted, "{refused:?}"),
            }
        }
    };
    let answer = timeout(PATIENCE, served).await.unwrap();
    assert_eq!(answer.records.len(), 5);
    drop(shut);
}

#[tokio::test]
async fn half_a_request_and_then_silence_holds_nothing_for_long() {
    let world = World::new().await;
    let (_civil, _tax) = tokio::join!(
        world.start("civil"),
        world.start_with(
            "tax",
            &[
                ("LIMITS__REQUEST_DEADLINE", "1s"),
                ("LIMITS__MAX_REQUESTS", "4")
            ]
        )
    );
    let system = world.system("tax", "assessment");
    let mut silent = Vec::new();
    for _ in 0..8 {
        let mut http2 = Http2::connect(&system.dial).await;
        http2.half_a_request(GET).await;
        silent.push(http2);
    }
    // They hold no place among the four requests that may be under way.
    system.ask(&Asked::get(&Resident(7).key())).await.unwrap();
    let begun = Instant::now();
    for mut http2 in silent {
        http2.answered().await;
    }
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_and_takes_no_place_for_good() {
    let world = World::new().await;
    let (_civil, mut tax) = tokio::join!(
        world.start("civil"),
        world.start_with("tax", &[("LIMITS__MAX_HANDSHAKES", "3")])
    );
    let port = world.ports("tax").systems;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    assert_eq!(tax.told("connection refused").await["reason"], "DISPLACED");
    let (system, asked) = (
        world.system("tax", "assessment"),
        Asked::get(&Resident(7).key()),
    );
    system.ask(&asked).await.unwrap();

    let mut rest = Vec::new();
    for tcp in &mut silent {
        timeout(PATIENCE, tcp.read_to_end(&mut rest))
            .await
            .expect("a silent connection stays open")
            .ok();
    }
    // The system had the place of another.
    assert_eq!(tax.told("connection refused").await["reason"], "DISPLACED");
    let late = tax.told("connection refused").await;
    assert_eq!(late["reason"], "HANDSHAKE_TIMEOUT");
}

#[tokio::test]
async fn what_is_not_tls_is_dropped() {
    let world = World::new().await;
    let mut tax = world.start("tax").await;
    let mut tcp = TcpStream::connect(("127.0.0.1", world.ports("tax").systems))
        .await
        .unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut tcp, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, tcp.read_to_end(&mut rest))
        .await
        .unwrap()
        .ok();
    assert_eq!(
        tax.told("connection refused").await["reason"],
        "HANDSHAKE_FAILED"
    );
    assert_eq!(tax.page("/livez").await.0, 200);
}

#[tokio::test]
async fn beyond_the_requests_that_may_be_under_way_one_is_refused_at_once() {
    let world = World::with_bulk(3_000).await;
    let (_civil, _tax) = tokio::join!(
        world.start("civil"),
        world.start_with("tax", &[("LIMITS__MAX_REQUESTS", "1")])
    );
    let system = world.system("tax", "assessment");
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let system = system.clone();
        crowd.spawn(async move {
            system
                .ask(&Asked::get(&Resident(7).key()))
                .await
                .map(|_| ())
        });
    }
    let results = crowd.join_all().await;
    let refused: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(
        !refused.is_empty() && refused.len() < 64,
        "{} of 64",
        refused.len()
    );
    assert!(
        refused
            .iter()
            .all(|refused| refused.is(Code::Unavailable, "OVERLOADED") && refused.retry)
    );
}

#[tokio::test]
async fn a_peer_that_is_refused_without_end_fills_neither_journal_nor_log() {
    let world = World::new().await;
    let settings = [("LIMITS__REFUSALS_ON_RECORD", "20")];
    let mut civil = world.start_with("civil", &settings).await;
    let peer = world.peer("tax", "civil");
    let key = Resident(7).key();
    let asked = |fields: &[&str]| {
        let asked = Asked::get(&key).fields(fields).case("hostile");
        asked.relayed_for("assessment")
    };
    let mut untold = 0;
    for _ in 0..50 {
        let refused = peer.ask(&asked(&["phone"])).await.err().unwrap();
        if refused.is(Code::ResourceExhausted, "TOO_MANY_REFUSALS") {
            assert!(refused.retry, "{refused:?}");
            untold += 1;
        } else {
            assert!(
                refused.is(Code::PermissionDenied, "FIELD_NOT_GRANTED"),
                "{refused:?}"
            );
        }
    }
    // The turn of an hour would let 20 more have an entry.
    assert!(untold == 30 || untold == 10, "{untold}");
    peer.ask(&asked(&["full_name"])).await.unwrap();
    civil.stops().await;

    let journal = world.journal("civil");
    let entries = journal.of_case("hostile");
    let refused = entries
        .iter()
        .filter(|entry| entry.reason() == "FIELD_NOT_GRANTED");
    assert_eq!((refused.count(), entries.len()), (50 - untold, 51 - untold));
    let counted: Vec<_> = journal
        .entries()
        .into_iter()
        .filter_map(|entry| match entry.kind {
            Kind::Connection(record) => Some(record),
            _ => None,
        })
        .collect();
    let [counted] = counted.as_slice() else {
        panic!("{counted:?}");
    };
    assert!(counted.peer.ends_with("/department/tax"), "{counted:?}");
    assert_eq!(
        (&*counted.door, &*counted.reason, counted.times),
        ("peers", "TOO_MANY_REFUSALS", untold as u64)
    );
    let log = civil.log_text();
    let lines = log.lines().filter(|line| line.contains("refus"));
    assert!(lines.count() <= 50 - untold + 1, "{log}");
    journal.verified();
}
