//! Runs a gateway until it is told to stop, and reloads it when it is told to or when its files change.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use super::Gateway;
use super::watch::Watch;
use crate::config::DoorConfig;

/// Trust that only time takes away, such as a certificate's end, is judged again so often.
const REJUDGE: Duration = Duration::from_secs(60);

impl Gateway {
    /// Returns after SIGTERM or SIGINT, when everything that was let in has been answered.
    pub async fn run(self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut watch = self.watch();
        let mut rejudge = tokio::time::interval(REJUDGE);
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => self.reload_and_tell("SIGHUP").await,
                () = changed(&mut watch) => self.reload_and_tell("files changed").await,
                _ = rejudge.tick() => self.rejudge(),
            }
        }
        self.stop().await;
        Ok(())
    }

    async fn reload_and_tell(&self, why: &'static str) {
        match self.reload().await {
            Ok(()) => tracing::info!(why, "reloaded"),
            Err(faults) => {
                for fault in &faults {
                    tracing::error!(why, %fault, "not reloaded: the old state stays");
                }
            }
        }
    }

    fn watch(&self) -> Option<Watch> {
        let config = self.config();
        let mut files = vec![config.directory.clone()];
        files.extend(material(&config.systems));
        files.extend(material(&config.peers));
        let folders = [
            config.agreements.clone(),
            config.guardrails.clone(),
            config.registry.clone(),
        ];
        match Watch::over(&files, &folders) {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!(%error, "files cannot be watched; send SIGHUP after a change");
                None
            }
        }
    }
}

fn material(door: &DoorConfig) -> Vec<PathBuf> {
    let material = &door.material;
    [&material.certificate, &material.key, &material.ca]
        .into_iter()
        .chain(&material.crls)
        .cloned()
        .collect()
}

async fn changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.rested().await,
        None => std::future::pending().await,
    }
}
