//! A TCP connection whose bytes are read in turn until its other end has shown who it is.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::identity::network::Network;
use crate::identity::turns::Turn;
use crate::identity::turns::Turns;
use crate::identity::turns::Waiting;

/// What TLS computes, it computes of what it has just read, and before it reads or writes again: so whoever holds a turn
/// from one such moment to the next computes in turn.
pub(super) struct Socket {
    tcp: TcpStream,
    gate: Option<Gate>,
}

struct Gate {
    turns: Arc<Turns>,
    network: Network,
    is_known: bool,
    waiting: Option<Waiting>,
    turn: Option<Turn>,
    had_one: bool,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self { tcp, gate: None }
    }

    pub(super) fn in_turn(
        tcp: TcpStream,
        turns: &Arc<Turns>,
        network: Network,
        is_known: bool,
    ) -> Self {
        let gate = Gate {
            turns: Arc::clone(turns),
            network,
            is_known,
            waiting: None,
            turn: None,
            had_one: false,
        };
        Self {
            tcp,
            gate: Some(gate),
        }
    }

    /// From now on it waits for nobody.
    pub(super) fn open(&mut self) {
        self.gate = None;
    }

    fn end_turn(&mut self) {
        if let Some(gate) = &mut self.gate {
            gate.turn = None;
        }
    }
}

impl Gate {
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let waiting = self
            .waiting
            .get_or_insert_with(|| self.turns.wait(self.network, self.is_known, self.had_one));
        self.turn = ready!(Pin::new(waiting).poll(context));
        self.waiting = None;
        self.had_one = true;
        Poll::Ready(())
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("tcp", &self.tcp)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { tcp, gate } = &mut *self;
        if let Some(gate) = gate {
            gate.turn = None;
            // Nobody takes a turn to wait in it.
            ready!(tcp.poll_read_ready(context))?;
            ready!(gate.poll_turn(context));
        }
        let read = Pin::new(tcp).poll_read(context, buffer);
        if read.is_pending() {
            self.end_turn();
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.end_turn();
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.end_turn();
        Pin::new(&mut self.tcp).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_turn();
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_turn();
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
