//! `query`: the records that a filter selects, as they come.

mod progress;

use std::io;
use std::io::Stdout;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;

use super::ask;
use super::ask::Account;
use super::ask::AskOptions;
use super::ask::AskSession;
use super::exit::Exit;
use super::exit::Failure;
use super::exit::Run;
use super::output::OutputOptions;
use super::rows::Rows;
use crate::pb;
use crate::pb::query_records_response::Part;
use crate::text::visible;
pub(super) use progress::Progress;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge query civil.v1.Resident -p tax-assessment --filter 'address.district == \"Nanming\"' \\
      --limit 20
  landbridge query civil.v1.Resident -p arrears --fields resident_id,full_name \\
      --order-by resident_id --all -o csv > residents.csv
  landbridge query market.v1.Business -p tax-assessment \\
      --filter 'status == BUSINESS_STATUS_ACTIVE && registered_capital > 1000000' \\
      --json

A filter is written in CEL and may use only fields that are released unmasked, or, by equality, those that are open to \
look-up: `landbridge catalog show <record type>` says which. Every page of `--all` is an exchange of its own in both \
journals. Where the gateway says that it is asked too often, `--all` waits as long as it says, up to a minute at a time. \
When it stops before the end, by Ctrl-C too, it says on the standard error output with which `--cursor` to go on.

Exit codes: 0 the answer is whole, 1 it is not, 2 denied, 64 bad usage, 130 interrupted.")]
pub(super) struct QueryArgs {
    /// The full name of the record type, such as `civil.v1.Resident`; `landbridge catalog` lists them
    #[arg(value_name = "RECORD TYPE")]
    record: String,
    /// Which records, in CEL [default: all that the grant covers]
    #[arg(long, value_name = "CEL")]
    filter: Option<String>,
    /// Only these fields, by their paths [default: all that the grant releases]
    #[arg(long, short = 'f', value_delimiter = ',', value_name = "A,B.C")]
    fields: Vec<String>,
    /// Field paths, each with an optional ` desc`, separated by commas [default: by key]
    #[arg(long, value_name = "PATHS")]
    order_by: Option<String>,
    /// The most records of one exchange [default: the grant's own limit]
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Goes on where an earlier answer to the same question stopped
    #[arg(long, value_name = "BASE64", value_parser = cursor)]
    cursor: Option<Bytes>,
    /// Asks on until there are no more
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    ask: AskOptions,
}

fn cursor(text: &str) -> Result<Bytes, String> {
    let cursor = STANDARD.decode(text.trim());
    cursor
        .map(Bytes::from)
        .map_err(|_| "not base64: copy the cursor whole".to_owned())
}

/// The longest that is waited because the gateway says so: a quota that is spent until tomorrow ends the answer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often people are told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// One question after another, to one output.
struct Pages {
    progress: Progress,
    told: Instant,
    asking: AskSession,
    args: QueryArgs,
    output: OutputOptions,
    /// Begun with the first header.
    rows: Option<Rows<Stdout>>,
}

impl QueryArgs {
    pub(super) async fn run(self, output: OutputOptions, progress: Progress) -> Run {
        let asking = self.ask.open(&self.record).await?;
        let cursor = self.cursor.clone().unwrap_or_default();
        let mut pages = Pages {
            progress,
            told: Instant::now(),
            asking,
            args: self,
            output,
            rows: None,
        };
        let ended = pages.all(cursor).await;
        // What came before a failure was released, and is in both journals.
        pages.finish()?;
        if ended.is_err() {
            pages.progress.print();
        }
        ended?.print(&pages.output)?;
        Ok(Exit::Done)
    }
}

impl Pages {
    /// Asks on as far as it is wanted. The account is that of the last exchange, its number of records that of all.
    async fn all(&mut self, mut cursor: Bytes) -> Result<Account, Failure> {
        let (mut exchanges, mut records) = (0, 0);
        loop {
            let is_json = self.output.is_json();
            self.progress.page(records, cursor.clone(), is_json);
            let account = self.page_in_time(&cursor).await?;
            exchanges += 1;
            records += account.records.unwrap_or(0);
            if !self.args.all || account.next_cursor.is_empty() {
                return Ok(Account {
                    exchanges,
                    records: Some(records),
                    ..account
                });
            }
            if account.next_cursor == cursor {
                let again = "the gateway gives the same cursor again: the answer would never end";
                return Err(anyhow::anyhow!(again).into());
            }
            if is_json {
                account.print(&self.output)?;
            } else if self.told.elapsed() >= TOLD_EVERY {
                self.told = Instant::now();
                writeln!(
                    io::stderr(),
                    "{records} records so far, in {exchanges} exchanges"
                )?;
            }
            cursor = account.next_cursor;
        }
    }

    /// A page; with `--all`, as soon as the gateway lets it be asked for.
    async fn page_in_time(&mut self, cursor: &Bytes) -> Result<Account, Failure> {
        loop {
            let refused = match self.page(cursor.clone()).await {
                Err(Failure::Refused(refused)) if self.args.all => refused,
                ended => return ended,
            };
            let Some(wait) = refused.retry().filter(|&wait| wait <= LONGEST_WAIT) else {
                return Err(Failure::Refused(refused));
            };
            if wait >= Duration::from_secs(1) && !self.output.is_json() {
                let (reason, seconds) = (visible(refused.reason()), wait.as_secs());
                writeln!(
                    io::stderr(),
                    "{reason}: waiting {seconds} s, as the gateway says"
                )?;
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn page(&mut self, cursor: Bytes) -> Result<Account, Failure> {
        let args = &self.args;
        let request = self.asking.gateway.request(pb::QueryRecordsRequest {
            record_type: args.record.clone(),
            provider: args.ask.provider(),
            grounds: args.ask.grounds(),
            fields: ask::field_mask(&args.fields),
            filter: args.filter.clone().unwrap_or_default(),
            order_by: args.order_by.clone().unwrap_or_default(),
            limit: args.limit.unwrap_or(0),
            cursor,
            relay: None,
        });
        let asked = self.asking.client.query_records(request).await;
        let mut stream = self.asking.gateway.answered(asked)?;
        let mut account = Account::default();
        loop {
            let part = stream
                .message()
                .await
                .map_err(|status| self.asking.gateway.failed(&status))?;
            match part.and_then(|part| part.part) {
                Some(Part::Header(info)) => {
                    self.begin(&info)?;
                    account = Account::of(Some(info));
                }
                Some(Part::Batch(batch)) => self.print(&batch)?,
                Some(Part::Trailer(trailer)) => {
                    account.records = Some(trailer.records);
                    account.closed = trailer.receipt;
                    account.next_cursor = trailer.next_cursor;
                    // Read to its end: a stream that is dropped before is reset, and whoever resets many is cut off.
                    let more = stream.message().await;
                    if more
                        .map_err(|status| self.asking.gateway.failed(&status))?
                        .is_some()
                    {
                        let more = "the stream went on after its trailer: the answer is not to be relied on";
                        return Err(anyhow::anyhow!(more).into());
                    }
                    return Ok(account);
                }
                None => {
                    return Err(anyhow::anyhow!(
                        "the stream ended before its trailer: the answer is not whole"
                    )
                    .into());
                }
            }
        }
    }

    fn begin(&mut self, info: &pb::ExchangeInfo) -> Result<(), Failure> {
        if self.rows.is_none() {
            let message = self.asking.message(&self.args.record)?;
            let format = self.output.for_records();
            self.rows = Some(Rows::new(
                format,
                message,
                &info.fields,
                &info.masked,
                io::stdout(),
            )?);
        }
        Ok(())
    }

    fn print(&mut self, batch: &pb::RecordBatch) -> Result<(), Failure> {
        let Some(rows) = &mut self.rows else {
            return Err(anyhow::anyhow!("the stream began without a header").into());
        };
        for record in &batch.records {
            rows.row(record)?;
        }
        rows.flush()?;
        self.progress.printed(rows.printed());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(rows) = self.rows.take() else {
            return Ok(());
        };
        self.progress.printed(rows.finish()?);
        Ok(())
    }
}
