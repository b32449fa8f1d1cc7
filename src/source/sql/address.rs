//! The address of a database out of its URL, which may say where the database is and nothing about how it reads.

use std::fmt;
use std::path::PathBuf;

use super::Dialect;

/// Where a database is, and as whom the gateway comes. Holds a password: no `Debug` shows it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) dialect: Dialect,
    pub(super) place: Place,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: Option<String>,
    pub(super) application: Option<String>,
    pub(super) tls: TlsOptions,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Host {
        name: String,
        port: u16,
    },
    /// A socket of this machine.
    Socket(PathBuf),
    /// A file of SQLite.
    File(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsOptions {
    pub(super) mode: TlsMode,
    /// PEM: the CAs that sign the server's certificate.
    pub(super) roots: Option<PathBuf>,
    /// PEM: what the server may ask of the gateway.
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// What is demanded of the way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsMode {
    Disable,
    /// TLS where the server offers it; its certificate is not checked.
    Prefer,
    /// TLS; its certificate is not checked.
    Require,
    VerifyCa,
    VerifyFull,
}

/// What is wrong with a URL. Shows no part of it but the name of an option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadAddress {
    #[error("this is not a database URL such as `postgres://reader@host/name`")]
    NotAUrl,
    #[error("a source's URL begins with `postgres:`, `mysql:`, `mariadb:` or `sqlite:`")]
    UnknownScheme,
    #[error(
        "the URL has a character that divides it where none is expected: within a user, password or database `%`, `/`, `?`, `#`, `@`, `[` and `]` are written `%25`, `%2F`, `%3F`, `%23`, `%40`, `%5B` and `%5D`"
    )]
    Unescaped,
    #[error("the URL names no user; write `{0}://reader@host/name`")]
    NoUser(&'static str),
    #[error(
        "the URL's option `{name}` may change what is read, or is unknown: take it out; {known} may stand there"
    )]
    Option { name: String, known: &'static str },
    #[error("its file now holds the URL of another kind of database")]
    OtherDatabase,
    #[error("the value of the URL's option `{0}` is none that it can have")]
    OptionValue(&'static str),
}

const POSTGRES_OPTIONS: &str = "`host`, `port`, `user`, `password`, `dbname`, `application_name`, `sslmode`, `sslrootcert`, `sslcert` and `sslkey`";
const MYSQL_OPTIONS: &str = "`socket`, `ssl-mode`, `ssl-ca`, `ssl-cert` and `ssl-key`";
const SQLITE_OPTIONS: &str = "`mode=ro`";

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, BadAddress> {
        let (scheme, rest) = url.split_once(':').ok_or(BadAddress::NotAUrl)?;
        match scheme {
            "postgres" | "postgresql" => server(Dialect::Postgres, rest),
            "mysql" | "mariadb" => server(Dialect::MySql, rest),
            "sqlite" => file(rest),
            _ => Err(BadAddress::UnknownScheme),
        }
    }
}

/// For messages: without user and password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { name, port } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Host { name, port } => write!(f, "{name}:{port}"),
            Self::Socket(path) | Self::File(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

fn file(rest: &str) -> Result<Address, BadAddress> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
    for (name, value) in pairs(options) {
        if (name, value) != ("mode", "ro") {
            return Err(unknown(name, SQLITE_OPTIONS));
        }
    }
    Ok(Address {
        dialect: Dialect::Sqlite,
        place: Place::File(decoded(path)?.into()),
        user: String::new(),
        password: None,
        database: None,
        application: None,
        tls: TlsOptions::default(),
    })
}

fn server(dialect: Dialect, rest: &str) -> Result<Address, BadAddress> {
    let rest = rest.strip_prefix("//").ok_or(BadAddress::NotAUrl)?;
    // What follows a `#` would be thrown away without a word.
    if rest.contains('#') {
        return Err(BadAddress::Unescaped);
    }
    let (before, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = before.split_once('/').unwrap_or((before, ""));
    // A password with such a character would end early, and its rest be taken for a host.
    if authority.matches('@').count() > 1
        || [database, options].iter().any(|part| part.contains('@'))
    {
        return Err(BadAddress::Unescaped);
    }
    let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password)?)),
        None => (login, None),
    };
    let mut address = Address {
        dialect,
        place: place(dialect, host)?,
        user: decoded(user)?,
        password,
        database: (!database.is_empty()).then_some(decoded(database)?),
        application: None,
        tls: TlsOptions::default(),
    };
    for (name, value) in pairs(options) {
        let value = decoded(value)?;
        match dialect {
            Dialect::Postgres => address.take_postgres(name, value)?,
            Dialect::MySql | Dialect::Sqlite => address.take_mysql(name, value)?,
        }
    }
    if let (Dialect::Postgres, Place::Socket(folder)) = (dialect, &address.place) {
        // The server's port is part of its socket's name.
        if !folder.to_string_lossy().contains(".s.PGSQL.") {
            address.place = Place::Socket(folder.join(".s.PGSQL.5432"));
        }
    }
    if address.user.is_empty() {
        let scheme = match dialect {
            Dialect::Postgres => "postgres",
            Dialect::MySql | Dialect::Sqlite => "mysql",
        };
        return Err(BadAddress::NoUser(scheme));
    }
    Ok(address)
}

fn place(dialect: Dialect, text: &str) -> Result<Place, BadAddress> {
    let default = match dialect {
        Dialect::Postgres => 5432,
        Dialect::MySql | Dialect::Sqlite => 3306,
    };
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']').ok_or(BadAddress::NotAUrl)?;
            name.parse::<std::net::Ipv6Addr>()
                .map_err(|_| BadAddress::NotAUrl)?;
            (name.to_owned(), port)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (name, port) = text.split_at_checked(end).ok_or(BadAddress::NotAUrl)?;
            (decoded(name)?, port)
        }
    };
    let port = match port.strip_prefix(':') {
        None | Some("") if port.len() <= 1 => default,
        Some(port) => port.parse().map_err(|_| BadAddress::NotAUrl)?,
        None => return Err(BadAddress::NotAUrl),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
    match name.as_str() {
        "" => Ok(Place::Host {
            name: "localhost".to_owned(),
            port,
        }),
        path if path.starts_with('/') => Ok(socket(dialect, path, port)),
        host if host.chars().all(is_plain) => Ok(Place::Host { name, port }),
        _ => Err(BadAddress::NotAUrl),
    }
}

fn socket(dialect: Dialect, path: &str, port: u16) -> Place {
    Place::Socket(match dialect {
        Dialect::Postgres => PathBuf::from(path).join(format!(".s.PGSQL.{port}")),
        Dialect::MySql | Dialect::Sqlite => path.into(),
    })
}

impl Address {
    fn take_postgres(&mut self, name: &str, value: String) -> Result<(), BadAddress> {
        let port = match &self.place {
            Place::Host { port, .. } => *port,
            Place::Socket(_) | Place::File(_) => 5432,
        };
        match name {
            "host" if value.starts_with('/') => {
                self.place = socket(Dialect::Postgres, &value, port);
            }
            "host" => self.place = Place::Host { name: value, port },
            "port" => {
                let port = value.parse().map_err(|_| BadAddress::OptionValue("port"))?;
                self.place = match &self.place {
                    Place::Host { name, .. } => Place::Host {
                        name: name.clone(),
                        port,
                    },
                    Place::Socket(path) | Place::File(path) => {
                        Place::Socket(path.with_file_name(format!(".s.PGSQL.{port}")))
                    }
                };
            }
            "user" => self.user = value,
            "password" => self.password = Some(value),
            "dbname" => self.database = Some(value),
            "application_name" => self.application = Some(value),
            "sslmode" | "ssl-mode" => {
                self.tls.mode = match value.as_str() {
                    "disable" => TlsMode::Disable,
                    "prefer" => TlsMode::Prefer,
                    "require" => TlsMode::Require,
                    "verify-ca" => TlsMode::VerifyCa,
                    "verify-full" => TlsMode::VerifyFull,
                    _ => return Err(BadAddress::OptionValue("sslmode")),
                };
            }
            "sslrootcert" | "ssl-ca" => self.tls.roots = Some(value.into()),
            "sslcert" | "ssl-cert" => self.tls.certificate = Some(value.into()),
            "sslkey" | "ssl-key" => self.tls.key = Some(value.into()),
            name => return Err(unknown(name, POSTGRES_OPTIONS)),
        }
        Ok(())
    }

    fn take_mysql(&mut self, name: &str, value: String) -> Result<(), BadAddress> {
        match name {
            "socket" => self.place = Place::Socket(value.into()),
            "ssl-mode" | "sslmode" => {
                self.tls.mode = match value.to_ascii_uppercase().as_str() {
                    "DISABLED" => TlsMode::Disable,
                    "PREFERRED" => TlsMode::Prefer,
                    "REQUIRED" => TlsMode::Require,
                    "VERIFY_CA" => TlsMode::VerifyCa,
                    "VERIFY_IDENTITY" => TlsMode::VerifyFull,
                    _ => return Err(BadAddress::OptionValue("ssl-mode")),
                };
            }
            "ssl-ca" | "sslca" => self.tls.roots = Some(value.into()),
            "ssl-cert" | "sslcert" => self.tls.certificate = Some(value.into()),
            "ssl-key" | "sslkey" => self.tls.key = Some(value.into()),
            name => return Err(unknown(name, MYSQL_OPTIONS)),
        }
        Ok(())
    }
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            mode: TlsMode::Prefer,
            roots: None,
            certificate: None,
            key: None,
        }
    }
}

fn pairs(options: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = options.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// What does not look like an option's name may be a part of a password.
fn unknown(name: &str, known: &'static str) -> BadAddress {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    if name.is_empty() || name.len() > 40 || !name.chars().all(is_name) {
        return BadAddress::Unescaped;
    }
    BadAddress::Option {
        name: name.to_owned(),
        known,
    }
}

/// Percent-decoded.
fn decoded(text: &str) -> Result<String, BadAddress> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(BadAddress::Unescaped)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(BadAddress::Unescaped);
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| BadAddress::Unescaped)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| BadAddress::Unescaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Address {
        Address::parse(url).unwrap()
    }

    #[test]
    fn a_url_names_a_place_and_a_login() {
        let address = parse(
            "postgres://reader:p%40ss%2Fw%23rd%E5%AF%86@[::1]:5433/population?sslmode=verify-full&sslrootcert=%2Fca.pem",
        );
        assert_eq!(address.place.to_string(), "[::1]:5433");
        assert_eq!(address.user, "reader");
        assert_eq!(address.password.as_deref(), Some("p@ss/w#rd密"));
        assert_eq!(address.database.as_deref(), Some("population"));
        assert_eq!(address.tls.mode, TlsMode::VerifyFull);
        assert_eq!(address.tls.roots, Some("/ca.pem".into()));

        for (url, place) in [
            ("postgres://a@db", "db:5432"),
            ("postgres://a@db:/x", "db:5432"),
            ("postgres://a@/x", "localhost:5432"),
            ("postgres://a@h/x?host=/run", "/run/.s.PGSQL.5432"),
            ("postgres://a@h:6/x?host=/run", "/run/.s.PGSQL.6"),
            ("postgres://a@%2Frun:7/x", "/run/.s.PGSQL.7"),
            ("postgres://a@h/x?host=/run&port=8", "/run/.s.PGSQL.8"),
            ("mysql://a@[fe80::1]/x", "[fe80::1]:3306"),
            ("mariadb://a:b:c@db:33/x?socket=/s", "/s"),
            ("sqlite:a%20b.sqlite?mode=ro", "a b.sqlite"),
            ("sqlite:///a/b", "/a/b"),
        ] {
            assert_eq!(parse(url).place.to_string(), place, "{url}");
        }
    }

    #[test]
    fn characters_that_divide_a_url_are_not_guessed_at() {
        for url in [
            "postgres://a:p@ss@db/x",
            "postgres://a:p/ss@db/x",
            "postgres://a:p?ss@db/x",
            "postgres://a:p#ss@db/x",
            "postgres://a:p@ss/w@db/x",
            "postgres://a:100%@db/x",
            "postgres://a:%zz@db/x",
            "mysql://a:p@db?secret/1=2",
        ] {
            assert_eq!(Address::parse(url), Err(BadAddress::Unescaped), "{url}");
        }
    }

    #[test]
    fn an_option_that_may_change_what_is_read_is_refused_by_name() {
        for (url, option) in [
            ("mysql://a@db/x?timezone=%2B08:00", "timezone"),
            ("mysql://a@db/x?charset=gbk", "charset"),
            ("mysql://a@db/x?collation=utf8mb4_bin", "collation"),
            (
                "mysql://a@db/x?statement-cache-capacity=0",
                "statement-cache-capacity",
            ),
            ("postgres://a@db/x?options=-csearch_path%3Dold", "options"),
            (
                "postgres://a@db/x?options[search_path]=old",
                "options[search_path]",
            ),
            (
                "postgres://a@db/x?client_encoding=latin1",
                "client_encoding",
            ),
            ("sqlite:x?immutable=1", "immutable"),
            ("sqlite:x?cache=shared", "cache"),
            ("sqlite:x?mode=rwc", "mode"),
            ("sqlite:x?vfs=unix-none", "vfs"),
        ] {
            match Address::parse(url) {
                Err(BadAddress::Option { name, .. }) => assert_eq!(name, option),
                other => panic!("{url}: {other:?}"),
            }
        }
        let unknown = Address::parse("postgres://a@db/x?sslmode=sometimes");
        assert_eq!(unknown, Err(BadAddress::OptionValue("sslmode")));
    }
}
