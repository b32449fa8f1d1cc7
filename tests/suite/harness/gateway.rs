//! One gateway as a process of its own, and what it tells on standard error.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::ChildStderr;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use landbridge::demo::federation::Ports;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::PATIENCE;

/// Killed when it is dropped.
pub(crate) struct Gateway {
    child: Child,
    ports: Ports,
    log: watch::Receiver<Log>,
    /// The lines that a test has waited for already.
    seen: usize,
}

/// An answer over plain HTTP.
pub(crate) struct Page {
    pub(crate) status: u16,
    /// The status line and the headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Page {
    /// What a header says, if it is there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    /// What a browser would send back of the cookies that are set.
    pub(crate) fn cookies(&self) -> String {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        let set = pairs.filter(|(key, _)| key.eq_ignore_ascii_case("set-cookie"));
        let cookies = set.filter_map(|(_, cookie)| Some(cookie.split_once(';')?.0));
        cookies.collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The lines so far; each is an object with a `message`.
#[derive(Default)]
struct Log {
    lines: Vec<Value>,
    ended: bool,
}

fn command(settings: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
    command.arg("serve").arg("--config").arg(settings);
    command
}

impl Gateway {
    /// Starts it with settings over those of its file, and with further words on its command line.
    pub(super) fn launch(
        settings: &Path,
        ports: Ports,
        overrides: &[(&str, &str)],
        words: &[&str],
    ) -> Self {
        let mut command = command(settings);
        command.args(words);
        for (key, value) in overrides {
            // What is no setting of ours is written in small letters, and means the variable itself.
            match key.strip_prefix("env:") {
                Some(variable) => command.env(variable, value),
                None => command.env(format!("LANDBRIDGE__{key}"), value),
            };
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, log) = watch::channel(Log::default());
        thread::spawn(move || follow(stderr, &sender));
        Self {
            child,
            ports,
            log,
            seen: 0,
        }
    }

    /// Waits until it is ready. What it told before that can still be waited for: its tasks do not wait for one another.
    pub(crate) async fn is_ready(&self) {
        self.line(0, "ready").await;
    }

    /// Waits for the next line with that message and gives it.
    pub(crate) async fn told(&mut self, message: &str) -> Value {
        let (at, line) = self.line(self.seen, message).await;
        self.seen = at + 1;
        line
    }

    /// Waits for the first line with that message after so many, and gives its place too.
    async fn line(&self, seen: usize, message: &str) -> (usize, Value) {
        let position = |log: &Log| {
            log.lines
                .iter()
                .skip(seen)
                .position(|line| line["message"] == message)
        };
        let mut told = self.log.clone();
        let waited = timeout(
            PATIENCE,
            told.wait_for(|log| log.ended || position(log).is_some()),
        )
        .await;
        let found = waited.ok().and_then(Result::ok).and_then(|log| {
            let at = seen + position(&log)?;
            Some((at, log.lines[at].clone()))
        });
        found.unwrap_or_else(|| panic!("the gateway did not say `{message}`:\n{}", self.log_text()))
    }

    /// All that it told so far.
    pub(crate) fn log_text(&self) -> String {
        let log = self.log.borrow();
        log.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Asks for a reload and waits until it is in place.
    pub(crate) async fn reload(&mut self) {
        self.signal("HUP");
        self.told("reloaded").await;
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.log.wait_for(|log| log.ended))
            .await
            .is_ok();
        assert!(ended, "the gateway did not end:\n{}", self.log_text());
        self.child.wait().unwrap()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Has it stop, which it must do cleanly.
    pub(crate) async fn stops(&mut self) {
        self.signal("TERM");
        assert!(self.ended().await.success());
    }

    /// Ends it as a lost machine would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A page of the operators' door: the status and the body.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        let page = self.fetch(path, &[]).await;
        (page.status, String::from_utf8(page.body).unwrap())
    }

    /// A page of the operators' door, asked for with those headers.
    pub(crate) async fn fetch(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        self.send("GET", path, headers, "").await
    }

    /// A form, sent to the operators' door.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Page {
        let length = form.len().to_string();
        let mut all = vec![
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", &length),
        ];
        all.extend_from_slice(headers);
        self.send("POST", path, &all, form).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
        let mut tcp = TcpStream::connect(("127.0.0.1", self.ports.operators))
            .await
            .unwrap();
        let is_named = headers.iter().any(|(name, _)| *name == "Host");
        let host = if is_named { "" } else { "Host: localhost\r\n" };
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let request =
            format!("{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n{headers}\r\n{body}");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, tcp.read_to_end(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        Page {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: answer[end + 4..].to_vec(),
        }
    }

    /// Waits until a page has that status.
    pub(crate) async fn becomes(&self, path: &str, status: u16) {
        let look = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            while self.page(path).await.0 != status {
                ticks.tick().await;
            }
        };
        assert!(
            timeout(PATIENCE, look).await.is_ok(),
            "{path} does not become {status}"
        );
    }

    /// The resident memory, in MiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!(
                "--- gateway at {}:\n{}",
                self.ports.systems,
                self.log_text()
            );
        }
    }
}

fn follow(stderr: ChildStderr, log: &watch::Sender<Log>) {
    for line in BufReader::new(stderr).lines() {
        let Ok(line) = line else { break };
        let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "message": line }));
        log.send_modify(|log| log.lines.push(line));
    }
    log.send_modify(|log| log.ended = true);
}
