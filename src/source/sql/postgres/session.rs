//! A session with a PostgreSQL server, and the messages that go over it.
//!
//! Each answer's columns are compared with those that were asked for before a byte of it is used. A statement is kept
//! prepared under a name that is made of its text: wherever that name is known it means this statement.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::DataRowBody;
use postgres_protocol::message::backend::ErrorResponseBody;
use postgres_protocol::message::backend::Header;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::backend::RowDescriptionBody;
use postgres_protocol::message::frontend;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::ReadBuf;
use tokio::time::timeout;

use super::value;
use crate::source::SourceError;
use crate::source::sql::error::DriverFault;
use crate::source::sql::error::Foreign;
use crate::source::sql::error::STATEMENT_POOLING;
use crate::source::sql::error::Unreachable;
use crate::source::sql::error::refused;
use crate::source::sql::plan::Output;
use crate::source::sql::pool::LIVENESS;
use crate::source::sql::statement::Arg;

/// Statements that a session keeps prepared.
const STATEMENTS: usize = 100;
/// The largest message that is read; a row has at most a few MiB.
const MAX_MESSAGE: i32 = 64 << 20;

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) type Link = Box<dyn Stream>;

/// A name that can mean one statement only: of its text and the types of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name([u8; 16]);

pub(in crate::source::sql) struct Session {
    link: Link,
    inbound: BytesMut,
    outbound: BytesMut,
    timeout: Duration,
    /// The server's main version.
    version: u32,
    /// The number of the server's process, as it was told at the login.
    process: i32,
    /// What the gateway has set in the session, if it is its own.
    mark: Option<Arc<str>>,
    /// How many answers have not come to their end.
    owed: usize,
    status: u8,
    /// Whether it has waited in the pool and has not shown since that its server is there.
    is_unproven: bool,
    /// Whether the end of a transaction that was left is still owed.
    has_left: bool,
    /// Whether it has given the answer of another question.
    is_over: bool,
    prepared: VecDeque<Name>,
    /// What is to be prepared by what went out last.
    parsing: Option<Name>,
}

/// What ended an answer early.
pub(super) enum SessionError {
    /// The server refused, by this code; the session may go on.
    Refused(String),
    /// The session cannot go on.
    Lost(SourceError),
}

impl From<SourceError> for SessionError {
    fn from(error: SourceError) -> Self {
        Self::Lost(error)
    }
}

/// An answer on its way: what it must look like, and what has come of it.
pub(super) struct Answer<'o> {
    outputs: &'o [Arc<Output>],
    is_described: bool,
    refusal: Option<String>,
    /// Where the values of the present row are.
    cells: Vec<Option<Range<usize>>>,
}

/// A row on the wire, in the binary format.
pub(super) struct PgRow<'a> {
    bytes: Bytes,
    cells: &'a [Option<Range<usize>>],
}

impl<'o> Answer<'o> {
    pub(super) fn to(outputs: &'o [Arc<Output>]) -> Self {
        Self {
            outputs,
            is_described: false,
            refusal: None,
            cells: Vec::new(),
        }
    }

    fn divide(&mut self, row: &DataRowBody) -> io::Result<()> {
        self.cells.clear();
        let mut ranges = row.ranges();
        while let Some(range) = ranges.next()? {
            self.cells.push(range);
        }
        Ok(())
    }
}

impl PgRow<'_> {
    /// The bytes of a value; `None` for NULL.
    pub(super) fn value(&self, index: usize) -> Option<Option<&[u8]>> {
        match self.cells.get(index)? {
            Some(range) => self.bytes.get(range.clone()).map(Some),
            None => Some(None),
        }
    }

    pub(super) fn text(&self, index: usize) -> Option<String> {
        let bytes = self.value(index)??;
        String::from_utf8(bytes.to_vec()).ok()
    }

    pub(super) fn is_true(&self, index: usize) -> bool {
        self.value(index).flatten() == Some(&[1])
    }
}

impl Name {
    pub(super) fn of(sql: &str, args: &[Arg]) -> Self {
        let mut text = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        text.update(sql.as_bytes());
        for arg in args {
            text.update(&value::oid(arg).to_be_bytes());
        }
        let digest = text.finish();
        Self(digest.as_ref().first_chunk().copied().unwrap_or_default())
    }

    fn shown(self) -> String {
        format!("landbridge_{:032x}", u128::from_be_bytes(self.0))
    }
}

impl Session {
    pub(super) fn new(link: Link, timeout: Duration) -> Self {
        Self {
            link,
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            timeout,
            version: 0,
            process: 0,
            mark: None,
            owed: 1,
            status: b'?',
            is_unproven: false,
            has_left: false,
            is_over: false,
            prepared: VecDeque::new(),
            parsing: None,
        }
    }

    pub(super) fn outbound(&mut self) -> &mut BytesMut {
        &mut self.outbound
    }

    pub(super) fn version(&self) -> u32 {
        self.version
    }

    pub(super) fn take_version(&mut self, text: &str) {
        let end = text.find(|c: char| !c.is_ascii_digit());
        let major = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
        self.version = major.parse().unwrap_or(0);
    }

    pub(super) fn process(&self) -> i32 {
        self.process
    }

    pub(super) fn take_process(&mut self, process: i32) {
        self.process = process;
    }

    pub(super) fn mark(&self) -> Option<Arc<str>> {
        self.mark.clone()
    }

    pub(super) fn take_mark(&mut self, mark: Arc<str>) {
        self.mark = Some(mark);
    }

    pub(super) fn is_unproven(&self) -> bool {
        self.is_unproven
    }

    pub(super) fn take_status(&mut self, status: u8) {
        self.status = status;
        self.owed = self.owed.saturating_sub(1);
    }

    /// Puts simple statements at the end of what goes out.
    pub(super) fn put(&mut self, sql: &str) -> Result<(), SourceError> {
        self.owed += 1;
        frontend::query(sql, &mut self.outbound).map_err(|_| Self::unbound())
    }

    /// Puts a statement at the end of what goes out. Under a name it is prepared only once in a session.
    pub(super) fn ask(
        &mut self,
        sql: &str,
        args: &[Arg],
        name: Option<Name>,
    ) -> Result<(), SourceError> {
        let shown = name.map(Name::shown).unwrap_or_default();
        let out = &mut self.outbound;
        let mut put = || -> Result<(), frontend::BindError> {
            self.parsing = None;
            if name.is_none_or(|name| !self.prepared.contains(&name)) {
                self.parsing = name;
                if name.is_some()
                    && self.prepared.len() >= STATEMENTS
                    && let Some(oldest) = self.prepared.pop_front()
                {
                    frontend::close(b'S', &oldest.shown(), out)?;
                }
                frontend::parse(&shown, sql, args.iter().map(value::oid), out)?;
            }
            frontend::bind("", &shown, [1], args, value::put, [1], out)?;
            frontend::describe(b'P', "", out)?;
            frontend::execute("", 0, out)?;
            frontend::sync(out);
            Ok(())
        };
        put().map_err(|_| Self::unbound())?;
        self.owed += 1;
        Ok(())
    }

    fn unbound() -> SourceError {
        SourceError::Failed(Box::new(DriverFault("bind a value")))
    }

    /// Forgets a statement, here and at the server, with what goes out next.
    pub(super) fn close(&mut self, name: Name) -> Result<(), SourceError> {
        self.prepared.retain(|other| *other != name);
        frontend::close(b'S', &name.shown(), &mut self.outbound).map_err(|_| Self::unbound())
    }

    pub(super) async fn flush(&mut self) -> Result<(), SourceError> {
        let sent = async {
            self.link.write_all_buf(&mut self.outbound).await?;
            self.link.flush().await
        };
        sent.await.map_err(Unreachable::broken)
    }

    /// The next message that is of an answer or of a login.
    pub(super) async fn message(&mut self) -> Result<Message, SourceError> {
        loop {
            let parsed = self.next_message().map_err(Unreachable::broken)?;
            match parsed {
                Some(Message::NoticeResponse(_) | Message::NotificationResponse(_)) => {}
                Some(message) => return Ok(message),
                None => {
                    self.inbound.reserve(8 * 1024);
                    let read = self.link.read_buf(&mut self.inbound).await;
                    if read.map_err(Unreachable::broken)? == 0 {
                        return Err(Unreachable::lost());
                    }
                }
            }
        }
    }

    fn next_message(&mut self) -> io::Result<Option<Message>> {
        let header = Header::parse(&self.inbound)?;
        if header.is_some_and(|header| header.len() > MAX_MESSAGE) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Message::parse(&mut self.inbound)
    }

    pub(super) fn refused(&self, error: &ErrorResponseBody) -> SourceError {
        refused(code(error), self.timeout)
    }

    /// Reads the answer of what began a transaction.
    pub(super) async fn begun(&mut self) -> Result<(), SessionError> {
        self.check_mark().await?;
        if self.status == b'T' {
            Ok(())
        } else {
            Err(self.foreign(Foreign::Transaction))
        }
    }

    /// Reads the answer of what went out first. What has waited must show soon that its server is still there.
    pub(super) async fn check_mark(&mut self) -> Result<(), SessionError> {
        if self.is_unproven {
            let first = timeout(LIVENESS, self.left_and_first()).await;
            first.map_err(|_| Unreachable::lost())??;
            self.is_unproven = false;
            Ok(())
        } else {
            self.left_and_first().await
        }
    }

    async fn left_and_first(&mut self) -> Result<(), SessionError> {
        if std::mem::take(&mut self.has_left) {
            self.wait_for_ready().await?;
        }
        self.wait_for_ready().await
    }

    /// Reads an answer that has no rows to its end.
    pub(super) async fn wait_for_ready(&mut self) -> Result<(), SessionError> {
        let mut answer = Answer::to(&[]);
        match self.next(&mut answer).await? {
            Some(_) => Err(self.foreign(Foreign::Columns)),
            None => Ok(()),
        }
    }

    /// The next row of an answer, if it has the columns that were asked for; `None` once it has come to its end.
    pub(super) async fn next<'a>(
        &mut self,
        answer: &'a mut Answer<'_>,
    ) -> Result<Option<PgRow<'a>>, SessionError> {
        loop {
            let message = match (self.message().await, answer.refusal.take()) {
                (Ok(Message::ErrorResponse(error)), None) => {
                    answer.refusal = Some(code(&error));
                    continue;
                }
                (Ok(message), refusal) => {
                    answer.refusal = refusal;
                    message
                }
                // The server hangs up after its last word.
                (Err(_), Some(code)) => {
                    return Err(SessionError::Lost(refused(code, self.timeout)));
                }
                (Err(error), None) => return Err(SessionError::Lost(error)),
            };
            match message {
                Message::ParseComplete => self.prepared.extend(self.parsing.take()),
                Message::RowDescription(described) => {
                    answer.is_described = fits(&described, answer.outputs);
                    if !answer.is_described {
                        return Err(self.foreign(Foreign::Columns));
                    }
                }
                Message::DataRow(row) => {
                    answer.divide(&row).map_err(Unreachable::broken)?;
                    if !answer.is_described || answer.outputs.len() != answer.cells.len() {
                        return Err(self.foreign(Foreign::Columns));
                    }
                    let bytes = row.buffer_bytes().clone();
                    let cells = &answer.cells;
                    return Ok(Some(PgRow { bytes, cells }));
                }
                Message::ReadyForQuery(ready) => {
                    self.take_status(ready.status());
                    return match answer.refusal.take() {
                        Some(code) => Err(SessionError::Refused(code)),
                        None if answer.is_described || answer.outputs.is_empty() => Ok(None),
                        None => Err(self.foreign(Foreign::Columns)),
                    };
                }
                _ => {}
            }
        }
    }

    /// An answer that is not the one to the question ends the session.
    pub(super) fn foreign(&mut self, found: Foreign) -> SessionError {
        self.is_over = true;
        SessionError::Lost(SourceError::Failed(Box::new(found)))
    }

    /// Whether nothing but silence has come since it was put into the pool: a server that closes says so.
    pub(super) async fn is_silent(&mut self) -> bool {
        self.is_unproven = true;
        if self.has_left {
            return true;
        }
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let link = &mut self.link;
        poll_fn(|cx| Poll::Ready(Pin::new(&mut *link).poll_read(cx, &mut buffer).is_pending()))
            .await
    }

    /// Ends a transaction without waiting. `false` where an answer is under way, or the server cannot be told at once.
    pub(super) fn leave(&mut self) -> bool {
        if self.is_over || self.owed > 0 || !self.inbound.is_empty() || !self.outbound.is_empty() {
            return false;
        }
        if self.status == b'I' {
            return true;
        }
        if self.put("ROLLBACK").is_err() {
            return false;
        }
        let mut cx = Context::from_waker(Waker::noop());
        let mut link = Pin::new(&mut self.link);
        let sent = link.as_mut().poll_write(&mut cx, &self.outbound);
        let is_sent = matches!(sent, Poll::Ready(Ok(length)) if length == self.outbound.len())
            && matches!(link.poll_flush(&mut cx), Poll::Ready(Ok(())));
        self.outbound.clear();
        self.has_left = true;
        is_sent
    }
}

/// By number, name, type and format.
fn fits(described: &RowDescriptionBody, outputs: &[Arc<Output>]) -> bool {
    let mut fields = described.fields();
    let mut outputs = outputs.iter();
    loop {
        match (fields.next(), outputs.next()) {
            (Ok(Some(field)), Some(output)) => {
                let is_same = field.name() == output.name
                    && field.format() == 1
                    && value::is_read_by(field.type_oid(), &output.codec);
                if !is_same {
                    return false;
                }
            }
            (Ok(None), None) => return true,
            _ => return false,
        }
    }
}

/// The SQLSTATE of a refusal; its text may quote a value. Poolers have one for all that they say themselves.
fn code(error: &ErrorResponseBody) -> String {
    let (mut code, mut is_of_mode) = (String::new(), false);
    let mut fields = error.fields();
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes());
        match field.type_() {
            b'C' => code = value.into_owned(),
            b'M' => is_of_mode = value.contains("statement pooling mode"),
            _ => {}
        }
    }
    if code == "08P01" && is_of_mode {
        code.push_str(STATEMENT_POOLING);
    }
    code
}
