//! Notices that files changed, and asks for one reload when they have come to rest.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use notify::EventKind;
use notify::RecursiveMode;
use notify::Watcher;
use tokio::sync::mpsc;

/// An editor or a deployment writes several files: they are read once nothing has changed for so long.
const REST: Duration = Duration::from_millis(300);

/// Watches folders, so that files which are replaced by renaming stay watched.
#[derive(Debug)]
pub(super) struct Watch {
    // Dropping it ends the watch.
    _watcher: notify::RecommendedWatcher,
    changes: mpsc::Receiver<()>,
    /// A change was seen that no reload has followed yet.
    stirred: bool,
}

impl Watch {
    /// Watches the folders of the files given, and the folders given with all below them.
    pub(super) fn over(files: &[PathBuf], folders: &[PathBuf]) -> notify::Result<Self> {
        // One place: any number of changes is one reason to reload.
        let (changed, changes) = mpsc::channel(1);
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                // Our own reads are events too; to reload for them would never end.
                if event.is_ok_and(|event| is_change(event.kind)) {
                    // Full means that a reload is due already.
                    let _ = changed.try_send(());
                }
            })?;
        let parents: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
        for parent in parents {
            watcher.watch(parent, RecursiveMode::NonRecursive)?;
        }
        for folder in folders {
            watcher.watch(folder, RecursiveMode::Recursive)?;
        }
        Ok(Self {
            _watcher: watcher,
            changes,
            stirred: false,
        })
    }

    /// Waits until something has changed and then nothing more for a while. A wait that is given up loses no change.
    pub(super) async fn rested(&mut self) {
        if !self.stirred {
            if self.changes.recv().await.is_none() {
                return std::future::pending().await;
            }
            self.stirred = true;
        }
        while let Ok(Some(())) = tokio::time::timeout(REST, self.changes.recv()).await {}
        self.stirred = false;
    }
}

fn is_change(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_)
    )
}
