//! Processes that serve, and what they cost: CPU and memory as the kernel counts them.

use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::ensure;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;

/// The kernel counts CPU time in hundredths of a second, on every platform that Linux has today.
const TICKS: f64 = 100.0;
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is tried whether a server listens.
const TRY: Duration = Duration::from_millis(20);

/// A running server with the processes that it started; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// From its start until it said that it is ready.
    pub(crate) start_up: Duration,
}

/// Resident memory in MiB, of all its processes together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: f64,
    /// Since it was last forgotten.
    pub(crate) peak: f64,
}

impl Process {
    /// Starts a server and waits until its log says `ready`. The log goes to the file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| log.display().to_string())?;
        let begun = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = child.stderr.take().context("a child without a log")?;
        let (tell, ready) = mpsc::channel();
        thread::spawn(move || follow(said, file, &tell));
        let ready = ready.recv_timeout(PATIENCE);
        let process = Self {
            child,
            start_up: begun.elapsed(),
        };
        ready.with_context(|| not_ready(log))?;
        Ok(process)
    }

    /// Starts a server of others and waits until it listens at the port. What it says goes to the file.
    pub(crate) fn start_listening(
        command: &mut Command,
        log: &Path,
        port: u16,
    ) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| log.display().to_string())?;
        let begun = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{:?}", command.get_program()))?;
        let mut process = Self {
            child,
            start_up: Duration::ZERO,
        };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = process.child.try_wait()?.is_some();
            ensure!(!ended && begun.elapsed() < PATIENCE, not_ready(log));
            thread::sleep(TRY);
        }
        process.start_up = begun.elapsed();
        Ok(process)
    }

    /// Seconds of CPU so far, in user and kernel mode.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        let spent = self.tree().into_iter().map(cpu_of);
        spent.sum()
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let mut all = Memory {
            now: 0.0,
            peak: 0.0,
        };
        for pid in self.tree() {
            let one = memory_of(pid)?;
            all.now += one.now;
            all.peak += one.peak;
        }
        Ok(all)
    }

    /// Begins a new peak of memory: proc_pid_clear_refs(5).
    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        for pid in self.tree() {
            fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
        }
        Ok(())
    }

    /// Lets it finish, as an operator would.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id())?;
        kill_process(Pid::from_raw(pid).context("a process id")?, Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    /// The process with its children and theirs.
    fn tree(&self) -> Vec<u32> {
        let mut tree = vec![self.child.id()];
        let mut seen = 0;
        while let Some(&pid) = tree.get(seen) {
            tree.extend(children(pid));
            seen += 1;
        }
        tree
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for pid in self.tree() {
            // It may have ended by itself.
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let _ended = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
        let _reaped = self.child.wait();
    }
}

fn not_ready(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    format!("it did not become ready:\n{said}")
}

/// Of all threads of a process: a child belongs to the thread that started it.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|pids| Vec::from_iter(pids.split_whitespace().flat_map(str::parse)))
        .collect()
}

/// Seconds that a process has spent so far. The kernel counts in hundredths.
pub(crate) fn cpu_of(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // After the name, which may hold anything: proc_pid_stat(5), from field 3 on.
    let (_, fields) = stat.rsplit_once(')').context("/proc/<pid>/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Vec<f64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
    ensure!(ticks.len() == 2, "/proc/<pid>/stat is short");
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

fn memory_of(pid: u32) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok::<_, anyhow::Error>(kib.with_context(|| name.to_owned())? / 1024.0)
    };
    Ok(Memory {
        now: value("VmRSS:")?,
        peak: value("VmHWM:")?,
    })
}

fn follow(said: impl Read, mut file: File, tell: &Sender<()>) {
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        if line.contains(" ready") {
            // Whoever waited may have given up.
            let _told = tell.send(());
        }
        if writeln!(file, "{line}").is_err() {
            return;
        }
    }
}
