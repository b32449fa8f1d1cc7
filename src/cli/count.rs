//! `count`: how many records a filter selects.

use std::io;
use std::io::Write;

use clap::Args;

use super::ask::Account;
use super::ask::AskOptions;
use super::exit::Exit;
use super::exit::Run;
use super::output::OutputOptions;
use crate::pb;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge count civil.v1.Resident -p tax-assessment
  landbridge count civil.v1.Resident -p tax-assessment --filter 'address.district == \"Nanming\"' \\
      --json

A count below the grant's smallest group is suppressed: it would speak of single people. Where records may be counted but
not queried, a count is rounded to a multiple of at least that group, up or down by chance but always the same way for the
same filter, and only so many different filters are answered in a day. A count's filter tests fields that are released
unmasked, never a look-up.

Exit codes: 0 done, 1 no answer, 2 denied, 64 bad usage.")]
pub(super) struct CountArgs {
    /// The full name of the record type, such as `civil.v1.Resident`; `landbridge catalog` lists them
    #[arg(value_name = "RECORD TYPE")]
    record: String,
    /// Which records, in CEL [default: all that the grant covers]
    #[arg(long, value_name = "CEL")]
    filter: Option<String>,
    #[command(flatten)]
    ask: AskOptions,
}

impl CountArgs {
    pub(super) async fn run(self, output: OutputOptions) -> Run {
        let json = output.for_one()?;
        let mut asking = self.ask.open(&self.record).await?;
        let request = asking.gateway.request(pb::CountRecordsRequest {
            record_type: self.record,
            provider: self.ask.provider(),
            grounds: self.ask.grounds(),
            filter: self.filter.unwrap_or_default(),
            relay: None,
        });
        let answer = asking.client.count_records(request).await;
        let answer = asking.gateway.answered(answer)?;
        write(&answer, json, &mut io::stdout().lock())?;
        Account::of(answer.info).print(&output)?;
        Ok(Exit::Done)
    }
}

fn write(answer: &pb::CountRecordsResponse, json: bool, to: &mut impl Write) -> io::Result<()> {
    if json {
        let count = (!answer.suppressed).then_some(answer.count);
        let report = serde_json::json!({
            "count": count,
            "suppressed": answer.suppressed,
            "smallest_group": answer.smallest_group,
            "count_step": answer.count_step,
        });
        return writeln!(to, "{report}");
    }
    if answer.suppressed {
        return writeln!(to, "fewer than {}", answer.smallest_group);
    }
    match answer.count_step {
        0 | 1 => writeln!(to, "{}", answer.count),
        step => writeln!(to, "about {} (to a multiple of {step})", answer.count),
    }
}
