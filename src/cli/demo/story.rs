//! What the demonstration shows: each step is a command that anyone can type.

use std::fs;
use std::process::Stdio;

use anyhow::Context;
use anyhow::anyhow;
use tokio::process::Command;

use super::print;
use super::shown;
use crate::cli::exit::Exit;
use crate::cli::exit::Run;
use crate::demo::federation::DEPARTMENTS;
use crate::demo::federation::Federation;

/// Words of a command, as they are typed.
type Words = Vec<String>;

struct Step {
    title: &'static str,
    why: &'static str,
    /// Whose connection the command uses; none for the auditor's.
    system: Option<(&'static str, &'static str)>,
    words: Words,
    ends: Exit,
}

/// Writes a profile for each system, so that its commands need no certificate paths.
pub(super) fn profiles(federation: &Federation) -> anyhow::Result<()> {
    let folder = federation.folder.join("clients");
    fs::create_dir_all(&folder)?;
    for (department, systems) in DEPARTMENTS {
        let port = federation
            .ports_of(department)
            .context("a department without ports")?
            .systems;
        for system in systems {
            let text = format!(
                "# How the system `{system}` of `{department}` reaches its own gateway.\n\
                 gateway = \"127.0.0.1:{port}\"\n\
                 ca      = \"../certs/{department}/ca.pem\"\n\
                 cert    = \"../certs/{department}/systems/{system}.pem\"\n\
                 key     = \"../certs/{department}/systems/{system}.key\"\n"
            );
            fs::write(folder.join(format!("{department}-{system}.toml")), text)?;
        }
    }
    Ok(())
}

/// Tells the story, and fails at the first step that does not end as told.
pub(super) async fn run(federation: &Federation) -> Run {
    let resident = somebody(federation).await?;
    for (number, step) in steps(federation, &resident).iter().enumerate() {
        print(&format!(
            "\n{}. {}\n   {}",
            number + 1,
            step.title,
            step.why
        ))?;
        if let Some((department, system)) = step.system {
            print(&format!(
                "   $ export LANDBRIDGE_PROFILE={}",
                shown(&profile(federation, department, system))
            ))?;
        }
        print(&format!("   $ landbridge {}\n", quoted(&step.words)))?;
        let status = command(federation, step).status().await?;
        if status.code() != Some(i32::from(step.ends.code())) {
            let ended = anyhow!(
                "this step ended with {status} instead of exit code {}",
                step.ends.code()
            );
            return Err(ended.into());
        }
    }
    Ok(Exit::Done)
}

/// What to try while the gateways run.
pub(super) fn what_next(federation: &Federation) -> anyhow::Result<()> {
    let folder = shown(&federation.folder);
    let tax = federation
        .ports_of("tax")
        .context("a department without ports")?;
    let certs = format!("{folder}/certs/tax");
    print(&format!(
        "
The gateways go on running. To try next, in another terminal:

  export LANDBRIDGE_PROFILE={folder}/clients/tax-assessment.toml
  landbridge catalog list
  landbridge catalog show civil.v1.Resident
  landbridge query market.v1.Business --purpose tax-assessment --limit 5
  landbridge audit tail -f --config {folder}/config/civil.toml

  # Change an agreement while it runs: the gateways reload by themselves, and refuse what has a fault.
  $EDITOR {folder}/config/agreements/CIV-TAX-2026-01.toml
  landbridge check --config {folder}/config/civil.toml

  # Any gRPC client does; the gateway describes itself by reflection.
  grpcurl -cacert {certs}/ca.pem -cert {certs}/systems/assessment.pem -key {certs}/systems/assessment.key \\
    localhost:{port} list
  buf curl --cacert {certs}/ca.pem --cert {certs}/systems/assessment.pem --key {certs}/systems/assessment.key \\
    --protocol grpc https://localhost:{port} --list-methods
  python3 tests/clients/python/client.py --address localhost:{port} --ca {certs}/ca.pem \\
    --cert {certs}/systems/assessment.pem --key {certs}/systems/assessment.key

  curl http://127.0.0.1:{operators}/metrics

  # The console, in a browser: give yourself an account. Its codes come from an authenticator app, or from
  # `oathtool --totp --base32 <secret>`.
  landbridge account me --role auditor --accounts {folder}/var/tax/accounts.toml
  xdg-open http://127.0.0.1:{operators}/console

Ctrl-C stops them.",
        port = tax.systems,
        operators = tax.operators,
    ))?;
    Ok(())
}

/// A resident whom the agreement covers: key and name, as the gateway gives them.
struct Resident {
    key: String,
    name: String,
}

async fn somebody(federation: &Federation) -> anyhow::Result<Resident> {
    let words = [
        "query",
        "civil.v1.Resident",
        "--purpose",
        "tax-assessment",
        "--limit",
        "1",
        "--json",
    ];
    let output = Command::new(std::env::current_exe()?)
        .args(words)
        .env(
            "LANDBRIDGE_PROFILE",
            profile(federation, "tax", "assessment"),
        )
        .stderr(Stdio::inherit())
        .output()
        .await?;
    let record: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("the first query brought no resident")?;
    let text = |field: &str| {
        record
            .get(field)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    Ok(Resident {
        key: text("resident_id").context("a resident without a key")?,
        name: text("full_name").context("a resident without a name")?,
    })
}

fn steps(federation: &Federation, resident: &Resident) -> Vec<Step> {
    let assessment = Some(("tax", "assessment"));
    let journal = |department: &str| shown(&federation.settings(department));
    let words = |text: &str, more: &[&str]| -> Words {
        text.split(' ')
            .chain(more.iter().copied())
            .map(str::to_owned)
            .collect()
    };
    let key = resident.key.as_str();
    let claim = format!("full_name={}", resident.name);
    vec![
        Step {
            title: "A permitted look-up",
            why: "Tax asks for a resident. The agreement releases five fields, two of them masked.",
            system: assessment,
            words: words(
                "get civil.v1.Resident",
                &[key, "--purpose", "tax-assessment", "--output", "table"],
            ),
            ends: Exit::Done,
        },
        Step {
            title: "A permitted query",
            why: "Only active residents of one district are covered; the filter asks within them.",
            system: None,
            words: words(
                "query civil.v1.Resident --purpose arrears --filter",
                &[
                    "full_name.startsWith(\"王\")",
                    "--limit",
                    "5",
                    "--output",
                    "table",
                ],
            ),
            ends: Exit::Done,
        },
        Step {
            title: "A verification",
            why: "Values are confirmed or not; none is disclosed.",
            system: None,
            words: words(
                "verify civil.v1.Resident",
                &[
                    key,
                    "--purpose",
                    "tax-assessment",
                    "--claim",
                    &claim,
                    "--claim",
                    "birth_date=1900-01-01",
                    "--output",
                    "table",
                ],
            ),
            ends: Exit::Unverified,
        },
        Step {
            title: "A field that the agreement does not release",
            why: "Refused by its name, at Tax's own gateway: the request never leaves the house.",
            system: None,
            words: words(
                "get civil.v1.Resident",
                &[key, "--purpose", "tax-assessment", "--fields", "phone"],
            ),
            ends: Exit::Denied,
        },
        Step {
            title: "A purpose that the agreement does not name",
            why: "Every request declares why it is made.",
            system: None,
            words: words("get civil.v1.Resident", &[key, "--purpose", "marketing"]),
            ends: Exit::Denied,
        },
        Step {
            title: "An attack by filter",
            why: "Who may not see a birth date may not narrow it down by asking either.",
            system: None,
            words: words(
                "query civil.v1.Resident --purpose tax-assessment --filter",
                &["birth_date < \"1980-01-01\""],
            ),
            ends: Exit::Denied,
        },
        Step {
            title: "A department without an agreement",
            why: "Market Supervision has none about tax payments.",
            system: Some(("market", "register")),
            words: words("query tax.v1.PaymentRecord --purpose deregistration", &[]),
            ends: Exit::Denied,
        },
        Step {
            title: "The journal of Tax",
            why: "Every exchange and every refusal is in it, under its exchange id.",
            system: None,
            words: words(
                "audit search --limit 9 --output table --config",
                &[&journal("tax")],
            ),
            ends: Exit::Done,
        },
        Step {
            title: "The journal of Civil Affairs",
            why: "The other side of the same exchanges; what Tax refused never came here.",
            system: None,
            words: words(
                "audit search --limit 9 --output table --config",
                &[&journal("civil")],
            ),
            ends: Exit::Done,
        },
        Step {
            title: "Proof of the journal of Tax",
            why: "Nothing in it was altered or removed: every entry, the Merkle tree, the signed checkpoint.",
            system: None,
            words: words("audit verify --config", &[&journal("tax")]),
            ends: Exit::Done,
        },
        Step {
            title: "Proof of the journal of Civil Affairs",
            why: "Likewise.",
            system: None,
            words: words("audit verify --config", &[&journal("civil")]),
            ends: Exit::Done,
        },
    ]
}

fn profile(federation: &Federation, department: &str, system: &str) -> std::path::PathBuf {
    federation
        .folder
        .join(format!("clients/{department}-{system}.toml"))
}

fn command(federation: &Federation, step: &Step) -> Command {
    // The last export holds until the next, as in a shell.
    let (department, system) = step.system.unwrap_or(("tax", "assessment"));
    let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "landbridge".into()));
    command
        .args(&step.words)
        .env(
            "LANDBRIDGE_PROFILE",
            profile(federation, department, system),
        )
        .stdin(Stdio::null());
    command
}

fn quoted(words: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=,".contains(c);
    let quote = |word: &String| {
        if word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{word}'")
        }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}
