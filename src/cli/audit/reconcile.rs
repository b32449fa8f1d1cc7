//! `audit reconcile`: compares what two journals say of the exchanges between them.

use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use clap::Args;
use serde_json::json;
use time::UtcOffset;

use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::cli::table::Table;
use crate::digest::hex;
use crate::evidence::reconcile::Class;
use crate::evidence::reconcile::Difference;
use crate::evidence::reconcile::mirror::Comparison;
use crate::evidence::reconcile::mirror::Mirror;
use crate::evidence::reconcile::mirror::MirrorError;
use crate::tlog::note::VerifierKey;

/// A gateway that runs publishes every second.
const PUBLISHES_WITHIN: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Streams may stay open for long.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge audit reconcile var/civil/journal var/tax/journal --vkey \"$(landbridge audit key \\
      --config config/civil.toml)\" --vkey \"$(landbridge audit key --config config/tax.toml)\"
  landbridge audit reconcile civil-log var/tax/journal --vkey \"$(landbridge audit key \\
      --config config/civil.toml)\" --vkey \"$(landbridge audit key --config config/tax.toml)\" \\
      --json

It reads leaves only, which hold no personal data. Each difference is of a class:
  altered         both have the exchange, and not as the same: an alarm
  missing         the asker holds the other's receipt, and the other has no such entry: an alarm
  answer-lost     the other answered, and the asker has no answer on record: a time-out or a crash
  no-answer       the asker got no answer, and the other has no entry; it may have asked a third department
  denied-locally  the asker's gateway refused it by itself
  pending         one side's entry lies beyond what the other has published: it cannot be told yet

Of journals whose gateways run it waits for what is published within some seconds. What stays pending needs a newer copy
of the journal that ends before; if its department has none, the journal was cut back.

Exit codes: 0 nothing is alarming, 1 it cannot be read, 3 an alarm, or a journal that does not hold, 4 exchanges are pending,
64 bad usage.")]
pub(super) struct ReconcileArgs {
    /// One journal: its folder, or an exported tlog-tiles directory
    #[arg(value_name = "A")]
    first: PathBuf,
    /// The other one
    #[arg(value_name = "B")]
    second: PathBuf,
}

/// The exchanges in which one department asked the other.
struct Direction<'a> {
    consumer: &'a Mirror,
    provider: &'a Mirror,
    comparison: Comparison,
}

impl ReconcileArgs {
    pub(super) fn run(self, trusted: &[VerifierKey], output: &OutputOptions) -> Run {
        let json = output.for_one()?;
        if trusted.is_empty() {
            let failure = Failure::usage("no keys to verify the journals with");
            return Err(failure.hint(
                "give each department's public key with `--vkey`: the directory lists them",
            ));
        }
        let (first, second) = self.settled(trusted).map_err(unreliable)?;
        let directions = between(&first, &second);
        let mut out = io::stdout().lock();
        if json {
            let directions: Vec<_> = directions.iter().map(Direction::json).collect();
            writeln!(out, "{}", json!({ "directions": directions }))?;
        } else {
            for direction in &directions {
                direction.write(&mut out)?;
            }
        }
        out.flush()?;
        Ok(match &directions {
            found if found.iter().any(|d| d.alarms() > 0) => Exit::Unverified,
            found if are_pending(found) => Exit::Pending,
            _ => Exit::Done,
        })
    }

    /// Both journals. The one is read before the other, and gateways go on meanwhile: what only one of them has yet is waited
    /// for as long as something comes.
    fn settled(&self, trusted: &[VerifierKey]) -> Result<(Mirror, Mirror), MirrorError> {
        let mut first = Mirror::open(&self.first, trusted)?;
        let mut second = Mirror::open(&self.second, trusted)?;
        let (begun, mut grown) = (Instant::now(), Instant::now());
        while are_pending(&between(&first, &second))
            && grown.elapsed() < PUBLISHES_WITHIN
            && begun.elapsed() < PATIENCE
        {
            thread::sleep(LOOK_AGAIN);
            // Both, whatever the first one did.
            if first.follow(trusted)? | second.follow(trusted)? {
                grown = Instant::now();
            }
        }
        Ok((first, second))
    }
}

fn between<'a>(first: &'a Mirror, second: &'a Mirror) -> [Direction<'a>; 2] {
    [Direction::of(first, second), Direction::of(second, first)]
}

fn are_pending(directions: &[Direction<'_>]) -> bool {
    directions.iter().any(|d| d.count(Class::Pending) > 0)
}

/// Leaves that do not hold are evidence; files that cannot be read are none.
fn unreliable(error: MirrorError) -> Failure {
    let exit = match &error {
        MirrorError::Checkpoint { .. }
        | MirrorError::Bundle(_)
        | MirrorError::Leaf { .. }
        | MirrorError::OtherRoot { .. } => Exit::Unverified,
        MirrorError::NoLog(_)
        | MirrorError::Unreadable { .. }
        | MirrorError::Journal(_)
        | MirrorError::Tile { .. } => Exit::Failed,
    };
    Failure::Error {
        exit,
        error: error.into(),
        hint: None,
    }
}

impl<'a> Direction<'a> {
    fn of(consumer: &'a Mirror, provider: &'a Mirror) -> Self {
        Self {
            consumer,
            provider,
            comparison: consumer.against(provider),
        }
    }

    fn count(&self, class: Class) -> usize {
        let differences = self.comparison.differences.iter();
        differences.filter(|d| d.class == class).count()
    }

    fn alarms(&self) -> usize {
        let differences = self.comparison.differences.iter();
        differences.filter(|d| d.class.is_alarm()).count()
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        writeln!(
            to,
            "{} ({} entries) asked {} ({} entries)",
            self.consumer.origin(),
            self.consumer.size(),
            self.provider.origin(),
            self.provider.size()
        )?;
        let mut counts = vec![("agreed", self.comparison.agreed.to_string())];
        for class in Class::ALL {
            counts.push((class.as_str(), self.count(class).to_string()));
        }
        writeln!(to, "{}", Table::of_pairs(counts))?;
        let alarms = self.comparison.differences.iter();
        for difference in alarms.filter(|d| d.class.is_alarm()) {
            writeln!(
                to,
                "ALARM: exchange {} is {}",
                difference.exchange,
                difference.class.as_str()
            )?;
        }
        if self.count(Class::Pending) > 0 {
            for mirror in [self.consumer, self.provider] {
                let until = mirror.until().at(UtcOffset::UTC);
                writeln!(to, "{} ends at {until}", mirror.origin())?;
            }
            writeln!(
                to,
                "hint: compare a newer copy of the journal that ends before"
            )?;
        }
        writeln!(to)
    }

    fn json(&self) -> serde_json::Value {
        let log = |mirror: &Mirror| json!({ "origin": mirror.origin(), "size": mirror.size() });
        let differences = self.comparison.differences.iter();
        json!({
            "consumer": log(self.consumer),
            "provider": log(self.provider),
            "agreed": self.comparison.agreed,
            "alarms": self.alarms(),
            "pending": self.count(Class::Pending),
            "differences": differences.map(difference).collect::<Vec<_>>(),
        })
    }
}

fn difference(difference: &Difference) -> serde_json::Value {
    json!({
        "exchange": difference.exchange.to_string(),
        "class": difference.class.as_str(),
        "alarm": difference.class.is_alarm(),
        "consumer": difference.consumer.map(|digest| hex(&digest)),
        "provider": difference.provider.map(|digest| hex(&digest)),
    })
}
