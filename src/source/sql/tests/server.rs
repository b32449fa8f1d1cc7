//! Real database servers for tests: each on a socket of its own in a folder of its own, gone when it is dropped.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::Database;
use sqlx::Executor;
use tempfile::TempDir;

/// A running server, or for SQLite the folder of its file.
pub(crate) struct Server {
    child: Option<Child>,
    folder: TempDir,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/test.sqlite", folder.path().display());
        Self {
            child: None,
            folder,
            url,
        }
    }

    /// Ends a PostgreSQL server without ceremony, as a crash would, and starts it again.
    pub(crate) fn restart(&mut self) {
        self.quit();
        let path = self.folder.path().to_str().unwrap();
        self.child = Some(start_postgres(path, &[]));
    }

    /// Lets PostgreSQL also listen on a port of the loopback address, with a certificate for `localhost` of the X.509
    /// version, signed by the CA in `ca.pem` of its folder. Returns the port.
    pub(crate) fn serve_over_tls(&mut self, version: u8) -> u16 {
        let folder = self.folder().to_owned();
        let openssl = |line: &str| {
            let output = unprivileged("postgres", "openssl")
                .args(line.split(' '))
                .current_dir(&folder)
                .output()
                .expect("`apt-get install openssl` gives it");
            assert!(output.status.success(), "{line}: {output:?}");
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(&format!(
            "req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca -days 30"
        ));
        openssl(&format!(
            "req -new {key} -keyout server.key -out server.csr -subj /CN=localhost"
        ));
        fs::write(folder.join("names"), "subjectAltName = DNS:localhost\n").unwrap();
        let names = match version {
            1 => "",
            _ => " -extfile names",
        };
        openssl(&format!(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 30{names}"
        ));
        // The listener is gone before the server comes: it would hold the port.
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let file = |name: &str| folder.join(name).display().to_string();
        self.quit();
        self.child = Some(start_postgres(
            folder.to_str().unwrap(),
            &[
                "listen_addresses=127.0.0.1",
                &format!("port={port}"),
                "ssl=on",
                &format!("ssl_cert_file={}", file("server.pem")),
                &format!("ssl_key_file={}", file("server.key")),
            ],
        ));
        port
    }

    pub(crate) fn postgres() -> Self {
        let bin = newest("/usr/lib/postgresql");
        let folder = open_folder();
        let path = folder.path().to_str().unwrap().to_owned();
        let data = format!("{path}/data");
        let initdb = format!("{bin}/initdb");
        let output = unprivileged("postgres", &initdb)
            .args(["--pgdata", &data, "--no-sync", "--auth=trust"])
            .args(["--username=postgres", "--encoding=UTF8"])
            // An order of its own, as most installations have.
            .args([
                "--locale-provider=icu",
                "--icu-locale=und",
                "--locale=C.UTF-8",
            ])
            .output()
            .expect("`apt-get install postgresql` gives initdb");
        assert!(output.status.success(), "initdb: {output:?}");
        Self {
            child: Some(start_postgres(&path, &[])),
            url: format!("postgres://postgres@localhost/postgres?host={path}"),
            folder,
        }
    }

    pub(crate) fn mariadb() -> Self {
        let folder = open_folder();
        let path = folder.path().to_str().unwrap().to_owned();
        let data = format!("--datadir={path}/data");
        let output = unprivileged("mysql", "mariadb-install-db")
            .args(["--no-defaults", &data, "--skip-test-db"])
            .args(["--auth-root-authentication-method=normal"])
            .output()
            .expect("`apt-get install mariadb-server` gives mariadb-install-db");
        assert!(output.status.success(), "mariadb-install-db: {output:?}");
        let socket = format!("{path}/socket");
        let child = unprivileged("mysql", "/usr/sbin/mariadbd")
            .args(["--no-defaults", &data, "--skip-networking"])
            // A server that starts clears away the temporary tables in its folder, whosever they are.
            .arg(format!("--tmpdir={path}"))
            .arg(format!("--socket={socket}"))
            .arg("--innodb-flush-log-at-trx-commit=0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(|| Path::new(&socket).exists());
        let made = Command::new("mariadb")
            .args(["--no-defaults", "--user=root", "--socket", &socket])
            .args(["-e", "CREATE DATABASE registry CHARACTER SET utf8mb4"])
            .output()
            .unwrap();
        assert!(made.status.success(), "create database: {made:?}");
        Self {
            child: Some(child),
            url: format!("mysql://root@localhost/registry?socket={socket}"),
            folder,
        }
    }

    /// A pooler before a PostgreSQL server, which has three connections for all that come to it.
    pub(crate) fn behind_pgbouncer(&self, pool_mode: &str) -> Self {
        let folder = open_folder();
        let path = folder.path().to_str().unwrap().to_owned();
        let settings = format!("{path}/pgbouncer.ini");
        let server = self.folder().display();
        let text = format!(
            "[databases]\npostgres = user=postgres host={server}\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = {path}\n\
             auth_type = any\npool_mode = {pool_mode}\ndefault_pool_size = 3\n\
             ignore_startup_parameters = options, extra_float_digits\n"
        );
        fs::write(&settings, text).unwrap();
        let child = unprivileged("postgres", "/usr/sbin/pgbouncer")
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`apt-get install pgbouncer` gives it");
        wait_for(|| Path::new(&format!("{path}/.s.PGSQL.6432")).exists());
        Self {
            child: Some(child),
            url: format!("postgres://postgres@localhost:6432/postgres?host={path}"),
            folder,
        }
    }

    /// Closes every connection to a MariaDB server, as `wait_timeout` does.
    pub(crate) fn kill_mysql_clients(&self) {
        let socket = self.folder().join("socket").display().to_string();
        let query = |sql: &str| {
            let output = Command::new("mariadb")
                .args(["--no-defaults", "--user=root", "--socket", &socket])
                .args(["--skip-column-names", "-e", sql])
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let kill = "SELECT CONCAT('KILL ', ID, ';') FROM information_schema.PROCESSLIST
                    WHERE DB = 'registry' AND ID <> CONNECTION_ID()";
        let kill = query(kill);
        assert!(kill.contains("KILL"), "nobody is connected");
        query(&kill);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs statements with all rights.
    pub(crate) async fn run<DB: Database>(&self, sql: impl Into<String>)
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        let url = match self.child {
            Some(_) => self.url.clone(),
            None => format!("{}?mode=rwc", self.url),
        };
        Self::run_at::<DB>(&url, sql).await;
    }

    /// Runs statements in another database than the first.
    pub(crate) async fn run_at<DB: Database>(url: &str, sql: impl Into<String>)
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        let mut connection = DB::Connection::connect(url).await.unwrap();
        let statements = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        (&mut connection).execute(statements).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Server {
    fn quit(&mut self) {
        if let Some(child) = &mut self.child {
            let pid = child.id().to_string();
            // Both servers stop at once on it, without a recovery to come: their folder goes, too.
            let _stopped = Command::new("kill").args(["-QUIT", &pid]).status();
            let until = Instant::now() + Duration::from_secs(2);
            while Instant::now() < until {
                if child.try_wait().is_ok_and(|status| status.is_some()) {
                    return;
                }
                std::thread::yield_now();
            }
            let _killed = child.kill();
            let _reaped = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.quit();
    }
}

/// On the data and with its socket in that folder.
fn start_postgres(path: &str, settings: &[&str]) -> Child {
    let bin = newest("/usr/lib/postgresql");
    let mut server = unprivileged("postgres", &format!("{bin}/postgres"));
    server.args(["-D", &format!("{path}/data"), "-k", path]);
    for setting in ["listen_addresses=", "fsync=off"].iter().chain(settings) {
        server.args(["-c", setting]);
    }
    let port = settings.iter().find_map(|s| s.strip_prefix("port="));
    let child = server
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(|| {
        Command::new(format!("{bin}/pg_isready"))
            .args(["-q", "-h", path, "-p", port.unwrap_or("5432")])
            .status()
            .is_ok_and(|status| status.success())
    });
    child
}

/// Servers refuse to run as root; their packages bring a user of their own.
fn unprivileged(user: &str, program: &str) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={user}"))
        .args(["--clear-groups", "--pdeathsig", "KILL", program]);
    command
}

/// A folder in which another user may write.
fn open_folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::Builder::new()
        .prefix("lb-")
        .tempdir_in("/tmp")
        .unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

fn newest(versions: &str) -> String {
    let mut found: Vec<PathBuf> = fs::read_dir(versions)
        .expect("`apt-get install postgresql` gives a server")
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    found.pop().unwrap().join("bin").display().to_string()
}

fn wait_for(ready: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !ready() {
        assert!(Instant::now() < until, "the server did not start");
        std::thread::yield_now();
    }
}
