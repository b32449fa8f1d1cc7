//! A client that speaks HTTP/2 frame by frame, and may break its rules: RFC 9113.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::PATIENCE;
use super::client::Dial;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const INITIAL_WINDOW_SIZE: u8 = 4;

pub(crate) struct Http2 {
    tls: TlsStream<TcpStream>,
    next_stream: u32,
}

impl Http2 {
    pub(crate) async fn connect(dial: &Dial) -> Self {
        let mut http2 = Self {
            tls: dial.connect().await.unwrap(),
            next_stream: 1,
        };
        http2
            .tls
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        http2.frame(SETTINGS, 0, 0, &[]).await.unwrap();
        http2.frame(SETTINGS, ACK, 0, &[]).await.unwrap();
        http2
    }

    /// Opens a stream and takes it back at once.
    pub(crate) async fn open_and_reset(&mut self, path: &str) -> io::Result<()> {
        let stream = self.stream();
        self.frame(HEADERS, END_HEADERS, stream, &request_headers(path))
            .await?;
        self.frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()).await
    }

    /// The head of a request and the first bytes of its body.
    pub(crate) async fn half_a_request(&mut self, path: &str) {
        let stream = self.stream();
        self.frame(HEADERS, END_HEADERS, stream, &request_headers(path))
            .await
            .unwrap();
        // The prefix of a gRPC message of 1,000 bytes, and three of them.
        self.frame(DATA, 0, stream, &[0, 0, 0, 3, 232, 1, 2, 3])
            .await
            .unwrap();
    }

    /// A block of headers that goes on in frame after frame. The other end may close in the midst of it.
    pub(crate) async fn headers_without_end(&mut self, path: &str, frames: usize) {
        let stream = self.stream();
        self.frame(HEADERS, 0, stream, &request_headers(path))
            .await
            .unwrap();
        let mut more = Vec::new();
        literal(&mut more, "x-more", &"x".repeat(100));
        for _ in 0..frames {
            if self.frame(CONTINUATION, 0, stream, &more).await.is_err() {
                return;
            }
        }
    }

    /// Asks again and again whether the other end is there, and never reads what it says. It may close meanwhile.
    pub(crate) async fn pings(&mut self, pings: usize) {
        for n in 0..pings as u64 {
            if self.frame(PING, 0, 0, &n.to_be_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// Changes the settings again and again, each of which is to be acknowledged.
    pub(crate) async fn changes_of_settings(&mut self, changes: usize) {
        for n in 0..changes as u32 {
            let window = [
                &[0, INITIAL_WINDOW_SIZE],
                &(65_535 - n % 2).to_be_bytes()[..],
            ]
            .concat();
            if self.frame(SETTINGS, 0, 0, &window).await.is_err() {
                return;
            }
        }
    }

    /// Asks with a whole message, and takes nothing of the answer: its window stays shut.
    pub(crate) async fn ask_with_no_window(&mut self, path: &str, message: &[u8]) {
        let shut = [&[0, INITIAL_WINDOW_SIZE], &[0; 4][..]].concat();
        self.frame(SETTINGS, 0, 0, &shut).await.unwrap();
        let stream = self.stream();
        self.frame(HEADERS, END_HEADERS, stream, &request_headers(path))
            .await
            .unwrap();
        let length = u32::try_from(message.len()).unwrap();
        let framed = [&[0], &length.to_be_bytes()[..], message].concat();
        self.frame(DATA, END_STREAM, stream, &framed).await.unwrap();
    }

    /// Asks with a message that says it is compressed, and that the other end has not offered to take.
    pub(crate) async fn ask_compressed(&mut self, path: &str, message: &[u8]) {
        let stream = self.stream();
        let mut headers = request_headers(path);
        literal(&mut headers, "grpc-encoding", "gzip");
        self.frame(HEADERS, END_HEADERS, stream, &headers)
            .await
            .unwrap();
        let length = u32::try_from(message.len()).unwrap();
        let framed = [&[1], &length.to_be_bytes()[..], message].concat();
        self.frame(DATA, END_STREAM, stream, &framed).await.unwrap();
    }

    /// Waits until the other end has answered a stream or reset it, or has closed the connection.
    pub(crate) async fn answered(&mut self) {
        let answer = async {
            while let Ok((kind, _)) = self.read().await {
                if [HEADERS, RST_STREAM, GOAWAY].contains(&kind) {
                    return;
                }
            }
        };
        timeout(PATIENCE, answer).await.expect("no answer came");
    }

    /// Waits until the other end has closed the connection.
    pub(crate) async fn closed(&mut self) {
        let end = async { while self.read().await.is_ok() {} };
        timeout(PATIENCE, end)
            .await
            .expect("the connection stays open");
    }

    fn stream(&mut self) -> u32 {
        self.next_stream += 2;
        self.next_stream - 2
    }

    async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.tls.write_all(&frame).await
    }

    /// The kind and the payload of the next frame.
    async fn read(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.tls.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.tls.read_exact(&mut payload).await?;
        Ok((head[3], payload))
    }
}

/// In HPACK without compression: RFC 7541, 6.2.2.
fn request_headers(path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "gateway.invalid"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        literal(&mut block, name, value);
    }
    block
}

fn literal(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [name, value] {
        assert!(text.len() < 127, "longer texts need a longer prefix");
        block.push(text.len() as u8);
        block.extend(text.as_bytes());
    }
}
