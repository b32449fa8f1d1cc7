//! What `check` tells of files that would turn somebody away later, with the way out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::World;
use crate::harness::edit;

const NAME: &str = "subjectAltName=URI:spiffe://gov.example/department/civil\n";
const BOTH: &str = "extendedKeyUsage=serverAuth,clientAuth\n";

/// The certificates of civil, remade by `openssl`.
struct Scene {
    world: World,
}

impl Scene {
    async fn new() -> Self {
        Self {
            world: World::new().await,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.world.federation.certificate(name)
    }

    /// Runs `openssl` in the folder of civil's certificates, by words without blanks in them.
    fn openssl(&self, words: &str) {
        let output = Command::new("openssl")
            .args(words.split_whitespace())
            .current_dir(self.file("civil"))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {told}");
    }

    /// Gives civil's gateway a key of that kind, and a certificate by the federation's CA with these extensions.
    fn peers(&self, key: &str, extensions: &str, days: u32) {
        self.issue("peers", "../federation/ca", key, extensions, days);
    }

    fn issue(&self, name: &str, ca: &str, key: &str, extensions: &str, days: u32) {
        fs::write(self.file("civil/extensions"), extensions).unwrap();
        let extensions = match extensions {
            "" => "",
            _ => "-extfile extensions",
        };
        self.openssl(&format!("genpkey {key} -out {name}.key"));
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(self.file(&format!("civil/{name}.key")), private).unwrap();
        self.openssl(&format!(
            "req -new -key {name}.key -subj /CN=civil -out request"
        ));
        self.openssl(&format!(
            "x509 -req -in request -CA {ca}.pem -CAkey {ca}.key -set_serial 4711 -days {days} {extensions} \
             -out {name}.pem"
        ));
    }

    fn sound_peers(&self) {
        self.peers(EC, &format!("{NAME}{BOTH}"), 300);
    }

    /// The exit code of `check`, and all that it says.
    fn check(&self) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
            .args(["check", "--config"])
            .arg(self.world.federation.settings("civil"))
            .output()
            .unwrap();
        let told = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(told).unwrap(),
        )
    }

    fn is_sound(&self, what: &str) {
        let (code, told) = self.check();
        assert_eq!(code, 0, "{what}: {told}");
        assert!(!told.contains("peers.pem"), "{what}: {told}");
    }

    fn is_warned_of(&self, what: &str, words: &str) {
        let (code, told) = self.check();
        assert_eq!(code, 0, "{what}: {told}");
        assert!(told.contains(words), "{what}: {told}");
    }

    fn is_refused(&self, what: &str, words: &str) {
        let (code, told) = self.check();
        assert_eq!(code, 64, "{what}: {told}");
        assert!(told.contains(words), "{what}: {told}");
    }
}

const EC: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";

#[tokio::test]
async fn a_peers_certificate_is_judged_for_both_ends_of_a_connection() {
    let scene = Scene::new().await;
    let purpose = "have it issued for server and client authentication";
    for (what, extensions, refused) in [
        ("both purposes", format!("{NAME}{BOTH}"), None),
        ("no purpose is named", NAME.to_owned(), None),
        (
            "for servers only",
            format!("{NAME}extendedKeyUsage=serverAuth\n"),
            Some(purpose),
        ),
        (
            "for clients only",
            format!("{NAME}extendedKeyUsage=clientAuth\n"),
            Some(purpose),
        ),
        (
            "a CA's",
            format!("{NAME}{BOTH}basicConstraints=critical,CA:TRUE\n"),
            Some("have one issued for the gateway itself"),
        ),
        ("of version 1", String::new(), Some("is of version 1")),
    ] {
        scene.peers(EC, &extensions, 300);
        match refused {
            None => scene.is_sound(what),
            Some(words) => scene.is_refused(what, words),
        }
    }
}

#[tokio::test]
async fn a_systems_certificate_that_clients_cannot_dial_by_name_is_warned_of() {
    let scene = Scene::new().await;
    let words = "ordinary gRPC clients refuse it";
    let purpose = "extendedKeyUsage=serverAuth\n";
    scene.issue("systems", "ca", EC, &format!("{NAME}{purpose}"), 300);
    scene.is_warned_of("no name", words);
    for name in ["DNS:gateway.civil.gov.example", "IP:127.0.0.1"] {
        let names = NAME.replace('\n', &format!(",{name}\n"));
        scene.issue("systems", "ca", EC, &format!("{names}{purpose}"), 300);
        let (code, told) = scene.check();
        assert_eq!((code, told.contains(words)), (0, false), "{name}: {told}");
    }
}

#[tokio::test]
async fn keys_of_every_kind_are_taken_or_refused_by_name() {
    let scene = Scene::new().await;
    let extensions = format!("{NAME}{BOTH}");
    for kind in [
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
        "-algorithm ED25519",
        "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
    ] {
        scene.peers(kind, &extensions, 300);
        scene.is_sound(kind);
    }
    for kind in [
        "-algorithm ED448",
        "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
        "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
    ] {
        scene.peers(kind, &extensions, 300);
        scene.is_refused(kind, "the private key's kind is not supported: use ECDSA");
    }
}

#[tokio::test]
async fn what_ends_within_a_month_is_told_with_the_days_that_are_left() {
    let scene = Scene::new().await;
    scene.peers(EC, &format!("{NAME}{BOTH}"), 120);
    scene.is_sound("120 days are left");
    fs::write(scene.file("civil/extensions"), format!("{NAME}{BOTH}")).unwrap();
    // Twelve days are left of a year.
    scene.openssl("req -new -key peers.key -subj /CN=civil -out request");
    let (from, until) = (hours(-353 * 24), hours(12 * 24 + 1));
    fs::write(scene.file("civil/index"), "").unwrap();
    fs::write(
        scene.file("civil/ca.conf"),
        "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n",
    )
    .unwrap();
    scene.openssl(&format!(
        "ca -batch -notext -config ca.conf -cert ../federation/ca.pem -keyfile ../federation/ca.key \
         -startdate {from} -enddate {until} -extfile extensions -in request -out peers.pem"
    ));
    scene.is_warned_of("12 days are left", "the certificate ends on");
    scene.is_warned_of("12 days are left", "in 12 days");
}

/// So many hours from now, as `openssl` has it.
fn hours(hours: i64) -> String {
    let output = Command::new("date")
        .args(["-u", "-d", &format!("{hours} hours"), "+%Y%m%d%H%M%SZ"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn pem_in_other_guises_is_read_and_what_is_no_pem_is_told_with_the_way_to_it() {
    let scene = Scene::new().await;
    scene.sound_peers();
    let files = [
        "civil/peers.pem",
        "civil/peers.key",
        "federation/ca.pem",
        "federation/crl.pem",
    ];
    let texts = files.map(|file| fs::read_to_string(scene.file(file)).unwrap());
    let dress = |how: fn(&str) -> String| {
        for (file, text) in files.iter().zip(&texts) {
            fs::write(scene.file(file), how(text)).unwrap();
        }
    };
    type Guise = (&'static str, fn(&str) -> String);
    let guises: [Guise; 4] = [
        ("CRLF", |text| text.replace('\n', "\r\n")),
        ("a byte order mark", |text| format!("\u{feff}{text}")),
        ("both", |text| {
            format!("\u{feff}{}", text.replace('\n', "\r\n"))
        }),
        ("text around it", |text| {
            format!("Bag Attributes\n    friendlyName: 民政\n{text}\nthe end\n")
        }),
    ];
    for (what, how) in guises {
        dress(how);
        scene.is_sound(what);
    }
    dress(|text| text.to_owned());
    // The keys of older tools.
    scene.openssl("ec -in peers.key -out peers.key");
    let text = fs::read_to_string(scene.file("civil/peers.key")).unwrap();
    assert!(text.contains("BEGIN EC PRIVATE KEY"), "{text}");
    scene.is_sound("SEC 1");

    scene.openssl(
        "pkcs12 -export -in peers.pem -inkey peers.key -passout pass:secret -out both.p12",
    );
    scene.openssl("pkey -in peers.key -aes256 -passout pass:secret -out encrypted.key");
    scene.openssl("ec -in peers.key -aes256 -passout pass:secret -out encrypted-ec.key");
    scene.openssl("pkey -in peers.key -outform der -out der.key");
    scene.openssl("x509 -in peers.pem -outform der -out der.pem");
    for (from, at, words) in [
        (
            "der.pem",
            0,
            "this is DER: convert it with `openssl x509 -inform der",
        ),
        (
            "both.p12",
            0,
            "this is PKCS #12: take it apart with `openssl pkcs12",
        ),
        ("peers.key", 0, "no certificate in this file"),
        ("encrypted.key", 1, "the private key is encrypted"),
        ("encrypted-ec.key", 1, "the private key is encrypted"),
        (
            "der.key",
            1,
            "this is DER: convert it with `openssl pkey -inform der",
        ),
        ("both.p12", 1, "this is PKCS #12"),
        ("peers.pem", 2, "is not a CA's"),
        ("der.pem", 2, "this is DER"),
        ("peers.pem", 3, "no revocation list in this file"),
    ] {
        let file = scene.file(files[at]);
        let before = fs::read(&file).unwrap();
        fs::write(
            &file,
            fs::read(scene.file(&format!("civil/{from}"))).unwrap(),
        )
        .unwrap();
        scene.is_refused(&format!("{from} for {}", files[at]), words);
        fs::write(&file, before).unwrap();
    }
    scene.is_sound("all is back");
}

#[tokio::test]
async fn cas_that_could_vouch_for_nobody_are_told_with_the_way_out() {
    let scene = Scene::new().await;
    for (what, extensions, words) in [
        (
            "URIs are constrained",
            "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;URI:gov.example\n",
            "CA certificate 1 constrains names",
        ),
        (
            "directory names are constrained",
            "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;dirName:org\n[org]\nO=Gov\n",
            "CA certificate 1 constrains names",
        ),
        ("version 1", "", "certificate 1 is of version 1"),
        (
            "no CA",
            "basicConstraints=critical,CA:FALSE\n",
            "certificate 1 is not a CA's",
        ),
    ] {
        fs::write(scene.file("civil/extensions"), extensions).unwrap();
        let extensions = if extensions.is_empty() {
            ""
        } else {
            "-extfile extensions"
        };
        scene.openssl(&format!("genpkey {EC} -out root.key"));
        scene.openssl("req -new -key root.key -subj /CN=Root -out request");
        scene.openssl(&format!(
            "x509 -req -in request -signkey root.key -days 300 {extensions} -out ../federation/ca.pem"
        ));
        scene.is_refused(what, words);
    }
}

#[tokio::test]
async fn names_that_a_ca_may_constrain_are_constrained() {
    let scene = Scene::new().await;
    let extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
                      nameConstraints=critical,permitted;DNS:gov.example\n";
    fs::write(scene.file("civil/extensions"), extensions).unwrap();
    // The same name and key: what the CA has signed is good under the new certificate.
    scene.openssl(
        "x509 -in ../federation/ca.pem -x509toreq -signkey ../federation/ca.key -out request",
    );
    scene.openssl(
        "x509 -req -in request -signkey ../federation/ca.key -days 300 -extfile extensions -out ../federation/ca.pem",
    );
    scene.peers(
        EC,
        &format!(
            "subjectAltName=URI:spiffe://gov.example/department/civil,DNS:gw.gov.example\n{BOTH}"
        ),
        300,
    );
    scene.is_sound("a name that the CA may vouch for");
    scene.peers(
        EC,
        &format!("subjectAltName=URI:spiffe://gov.example/department/civil,DNS:localhost\n{BOTH}"),
        300,
    );
    scene.is_refused("another name", "its CA is constrained to names");
}

#[tokio::test]
async fn agreements_that_have_ended_open_password_files_and_shared_ports_are_told() {
    let scene = Scene::new().await;
    let agreement = scene.world.path("config/agreements/CIV-TAX-2026-01.toml");
    let text = fs::read_to_string(&agreement).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    for line in &mut lines {
        if line.starts_with("valid_from") {
            *line = "valid_from = 2020-01-01".to_owned();
        }
        if line.starts_with("valid_until") {
            *line = "valid_until = 2020-12-31".to_owned();
        }
    }
    fs::write(&agreement, lines.join("\n")).unwrap();
    scene.is_warned_of(
        "an agreement",
        "CIV-TAX-2026-01: ended on 2020-12-31 and grants nothing any more",
    );

    let accounts = scene.world.path("var/civil/accounts.toml");
    fs::write(&accounts, "").unwrap();
    fs::set_permissions(&accounts, fs::Permissions::from_mode(0o644)).unwrap();
    scene.is_refused("accounts", "others than its owner may read");
    fs::set_permissions(&accounts, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(scene.check().0, 0);

    let ports = scene.world.ports("civil");
    let settings = scene.world.federation.settings("civil");
    edit(
        &settings,
        &format!(":{}\"", ports.peers),
        &format!(":{}\"", ports.systems),
    );
    scene.is_refused("one port", "peers.listen: has the port of `systems.listen`");
}
