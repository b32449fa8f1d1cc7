//! A relay before a database that can fall silent as a firewall does that has forgotten its connections: it keeps them
//! open, and lets nothing through. New ones go through.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Ends with all its connections when it is dropped.
pub(super) struct Relay {
    silences: watch::Sender<usize>,
    _work: JoinSet<()>,
}

/// What a relay does with what comes from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Plain,
    /// As poolers of MySQL do between transactions: the session is made as new before each statement.
    ResetBeforeStatements,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    async fn accept(&self) -> Box<dyn Stream> {
        match self {
            Self::Unix(listener) => Box::new(listener.accept().await.unwrap().0),
            Self::Tcp(listener) => Box::new(listener.accept().await.unwrap().0),
        }
    }
}

impl Relay {
    /// From one socket to another.
    pub(super) fn between(from: &Path, to: &Path, manner: Manner) -> Self {
        Self::start(
            Listener::Unix(UnixListener::bind(from).unwrap()),
            to,
            manner,
        )
    }

    /// From a port of the IPv6 loopback address, which is returned.
    pub(super) async fn from_ipv6(to: &Path) -> (Self, u16) {
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (
            Self::start(Listener::Tcp(listener), to, Manner::Plain),
            port,
        )
    }

    fn start(listener: Listener, to: &Path, manner: Manner) -> Self {
        let (silences, silent) = watch::channel(0);
        let (to, mut work) = (PathBuf::from(to), JoinSet::new());
        work.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let mut client = listener.accept().await;
                let mut server = UnixStream::connect(&to).await.unwrap();
                let mut silent = silent.clone();
                let born = *silent.borrow_and_update();
                connections.spawn(async move {
                    let is_silent = silent.wait_for(move |silences| *silences > born);
                    let ended = tokio::select! {
                        biased;
                        _ = is_silent => false,
                        _ = pass(&mut client, &mut server, manner) => true,
                    };
                    if !ended {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self {
            silences,
            _work: work,
        }
    }

    /// Lets nothing through any more on the connections that there are.
    pub(super) fn fall_silent(&self) {
        self.silences.send_modify(|silences| *silences += 1);
    }
}

async fn pass(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    server: &mut UnixStream,
    manner: Manner,
) -> io::Result<()> {
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    loop {
        let read = tokio::select! {
            read = server.read_buf(&mut down) => read?,
            read = client.read_buf(&mut up) => read?,
        };
        if read == 0 {
            return Ok(());
        }
        client.write_all_buf(&mut down).await?;
        if manner == Manner::Plain {
            server.write_all_buf(&mut up).await?;
        }
        while let Some(packet) = whole_packet(&mut up) {
            if packet.get(3..5) == Some(PREPARE.as_slice()) {
                reset(server).await?;
            }
            server.write_all(&packet).await?;
        }
    }
}

/// The first packet of a request of MySQL that prepares a statement: its number, and the command.
const PREPARE: [u8; 2] = [0, 0x16];
/// COM_RESET_CONNECTION.
const RESET: [u8; 5] = [1, 0, 0, 0, 0x1f];

/// A packet of MySQL: three bytes of length and one of its number, then what it says.
fn whole_packet(bytes: &mut BytesMut) -> Option<BytesMut> {
    let length = bytes.first_chunk::<3>()?;
    let length = u32::from_le_bytes([length[0], length[1], length[2], 0]) as usize + 4;
    (bytes.len() >= length).then(|| bytes.split_to(length))
}

/// The client has read all of the last answer when it asks again, so the next packet is the answer to the reset.
async fn reset(server: &mut UnixStream) -> io::Result<()> {
    server.write_all(&RESET).await?;
    let mut answer = BytesMut::new();
    while whole_packet(&mut answer).is_none() {
        server.read_buf(&mut answer).await?;
    }
    Ok(())
}
