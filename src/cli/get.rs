//! `get`: one record, by its key.

use std::io;

use clap::Args;

use super::ask;
use super::ask::Account;
use super::ask::AskOptions;
use super::exit::Exit;
use super::exit::Run;
use super::output::Format;
use super::output::OutputOptions;
use super::rows;
use super::rows::Rows;
use crate::pb;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge get civil.v1.Resident R0000000003 --purpose tax-assessment \\
      --profile clients/tax-assessment.toml
  landbridge get civil.v1.Resident - -p arrears --fields full_name,address.district < id.txt
  landbridge get market.v1.Business 91990001MA00000157 -p tax-assessment --json | jq .name

Exit codes: 0 there it is, 1 no such record or no answer, 2 denied, 64 bad usage.")]
pub(super) struct GetArgs {
    /// The full name of the record type, such as `civil.v1.Resident`; `landbridge catalog` lists them
    #[arg(value_name = "RECORD TYPE")]
    record: String,
    /// The record's key; `-` reads it from standard input, where other users of this machine cannot see it
    key: String,
    /// Only these fields, by their paths [default: all that the grant releases]
    #[arg(long, short = 'f', value_delimiter = ',', value_name = "A,B.C")]
    fields: Vec<String>,
    #[command(flatten)]
    ask: AskOptions,
}

impl GetArgs {
    pub(super) async fn run(self, output: OutputOptions) -> Run {
        let mut asking = self.ask.open(&self.record).await?;
        let request = asking.gateway.request(pb::GetRecordRequest {
            record_type: self.record.clone(),
            provider: self.ask.provider(),
            grounds: self.ask.grounds(),
            fields: ask::field_mask(&self.fields),
            key: ask::key(&self.key)?,
            relay: None,
        });
        let answer = asking.client.get_record(request).await;
        let answer = asking.gateway.answered(answer)?;
        let account = Account::of(answer.info);
        let message = asking.message(&self.record)?;
        let (fields, masked) = (&account.info.fields, &account.info.masked);
        match output.for_records() {
            Format::Table => rows::portrait(
                &message,
                fields,
                masked,
                &answer.record,
                &mut io::stdout().lock(),
            )?,
            format => {
                let mut rows = Rows::new(format, message, fields, masked, io::stdout())?;
                rows.row(&answer.record)?;
                rows.finish()?;
            }
        }
        account.print(&output)?;
        Ok(Exit::Done)
    }
}
