//! The line between two gateways: it can be slow, silent, or cut.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::World;
use super::edit;

/// What becomes of bytes on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Sound,
    /// Each piece takes so long.
    Slow(Duration),
    /// Nothing comes through, and nobody is told: connections stay half open.
    Silent,
    /// What is connected is cut; new connections are cut, too.
    Cut,
}

/// Stands in the directory in the place of a department's gateway.
pub(crate) struct Link(watch::Sender<Line>);

impl Link {
    /// To be called before any gateway reads the directory.
    pub(crate) async fn to(world: &World, department: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, gateway) = (
            listener.local_addr().unwrap().port(),
            world.ports(department).peers,
        );
        edit(
            &world.path("config/directory.toml"),
            &format!(":{gateway}\""),
            &format!(":{port}\""),
        );
        let (sender, line) = watch::channel(Line::Sound);
        let tasks = TaskTracker::new();
        let connections = tasks.clone();
        tasks.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(connect(near, gateway, line.clone()));
            }
        });
        Self(sender)
    }

    pub(crate) fn becomes(&self, line: Line) {
        self.0.send_replace(line);
    }
}

async fn connect(near: TcpStream, gateway: u16, line: watch::Receiver<Line>) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", gateway)).await else {
        return;
    };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        () = carry(near_in, far_out, line.clone()) => {}
        () = carry(far_in, near_out, line) => {}
    }
}

/// Carries bytes one way until either end closes, or the line is cut.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let now = *line.borrow_and_update();
        match now {
            Line::Cut => return,
            Line::Silent => {
                if line.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Line::Sound | Line::Slow(_) => {}
        }
        let read = tokio::select! {
            read = from.read(&mut piece) => read,
            _ = line.changed() => continue,
        };
        let Ok(length @ 1..) = read else {
            return;
        };
        if let Line::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
