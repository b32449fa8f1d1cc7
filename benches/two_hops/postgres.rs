//! A PostgreSQL server on a socket of its own in a folder of its own, gone when it is dropped.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::ensure;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use tempfile::TempDir;

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Server {
    /// With the settings that the package brings, but for `fsync`: nothing of it outlives the measurement.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let programs = newest(Path::new("/usr/lib/postgresql"))?;
        // A socket's path has at most 107 characters.
        let folder = tempfile::Builder::new().prefix("lb-").tempdir_in("/tmp")?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
        let path = folder.path().display().to_string();
        let data = format!("{path}/data");
        let made = unprivileged(&programs.join("initdb"))?
            .args(["--pgdata", &data, "--no-sync", "--auth=trust"])
            .args(["--username=postgres", "--encoding=UTF8"])
            // An order of its own, as most installations have.
            .args([
                "--locale-provider=icu",
                "--icu-locale=und",
                "--locale=C.UTF-8",
            ])
            .output()?;
        ensure!(made.status.success(), "initdb failed: {made:?}");
        let child = unprivileged(&programs.join("postgres"))?
            .args(["-D", &data, "-k", &path])
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let url = format!("postgres://postgres@localhost/postgres?host={path}");
        let server = Self {
            child,
            url,
            _folder: folder,
        };
        wait_until_ready(&programs.join("pg_isready"), &path)?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Stops at once, without a recovery to come: the folder goes, too.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, Signal::QUIT);
        }
        let _reaped = self.child.wait();
    }
}

/// The server refuses to run as root; its package brings a user of its own.
fn unprivileged(program: &Path) -> anyhow::Result<Command> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .args(["--pdeathsig", "KILL"])
        .arg(program);
    Ok(command)
}

fn newest(versions: &Path) -> anyhow::Result<PathBuf> {
    let found = fs::read_dir(versions)
        .context("`apt-get install postgresql` gives a server")?
        .filter_map(|entry| Some(entry.ok()?.path()));
    let newest = found
        .max()
        .context("no version of PostgreSQL is installed")?;
    Ok(newest.join("bin"))
}

fn wait_until_ready(probe: &Path, socket: &str) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let ready = Command::new(probe).args(["-q", "-h", socket]).status()?;
        if ready.success() {
            return Ok(());
        }
        ensure!(Instant::now() < until, "PostgreSQL did not start");
    }
}
