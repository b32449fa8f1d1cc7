//! The demonstration's three gateways, each a process of its own.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use anyhow::anyhow;
use futures::future::try_join_all;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use tokio::fs::OpenOptions;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::ChildStderr;
use tokio::process::Command;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::task::TaskTracker;

use super::print;
use super::shown;
use crate::demo::federation::DEPARTMENTS;
use crate::demo::federation::Federation;

/// Running gateways; they end with the demonstration.
pub(super) struct Gateways(Vec<(&'static str, Child)>);

impl Gateways {
    /// Starts the gateways and waits until all are ready: each is a witness of the others, and ready with one of them.
    pub(super) async fn start(federation: &Federation) -> anyhow::Result<Self> {
        let (mut gateways, mut starting) = (Self(Vec::new()), Vec::new());
        print("Starting three gateways:")?;
        for (department, _) in DEPARTMENTS {
            let settings = federation.settings(department);
            print(&format!(
                "  $ landbridge serve --config {}",
                shown(&settings)
            ))?;
            let log = federation
                .folder
                .join("var")
                .join(department)
                .join("gateway.log");
            let (child, stderr) = start(&settings)?;
            gateways.0.push((department, child));
            starting
                .push(async move { ready(stderr, &log).await.with_context(|| shown(&settings)) });
        }
        try_join_all(starting).await?;
        Ok(gateways)
    }

    /// Returns at Ctrl-C or SIGTERM; fails when a gateway ends before.
    pub(super) async fn wait(&mut self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let ended =
            futures::future::select_all(self.0.iter_mut().map(|(department, child)| {
                Box::pin(async move { (*department, child.wait().await) })
            }));
        tokio::select! {
            _ = tokio::signal::ctrl_c() => Ok(()),
            _ = terminate.recv() => Ok(()),
            ((department, status), ..) = ended => {
                Err(anyhow!("the gateway of {department} ended: {}", status?))
            }
        }
    }

    /// Lets each finish what it has begun.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        print("Stopping the gateways.")?;
        for (_, child) in &self.0 {
            if let Some(pid) = child
                .id()
                .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            {
                // It may have ended by itself: Ctrl-C reaches it too.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for (department, child) in &mut self.0 {
            let status = child.wait().await?;
            if !status.success() {
                return Err(anyhow!("the gateway of {department} ended with {status}"));
            }
        }
        Ok(())
    }
}

fn start(settings: &Path) -> anyhow::Result<(Child, ChildStderr)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg("--config")
        .arg(settings)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("the gateway cannot be started")?;
    let stderr = child.stderr.take().context("the gateway has no log")?;
    Ok((child, stderr))
}

/// Reads the gateway's log until it says that it is ready; what follows goes to the file.
async fn ready(stderr: ChildStderr, log: &Path) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .await?;
    let mut lines = BufReader::new(stderr).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await? {
        file.write_all(format!("{line}\n").as_bytes()).await?;
        if line.contains(" ready ") {
            TaskTracker::new().spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    if file
                        .write_all(format!("{line}\n").as_bytes())
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            });
            return Ok(());
        }
        said = line;
    }
    Err(anyhow!("the gateway did not start: {said}"))
}
