//! What a system of the consumer does, at its own gateway.

use std::io;
use std::io::Write;

use clap::Args;
use serde_json::json;
use time::UtcOffset;
use tonic::transport::Channel;

use super::row::CORRECTIONS;
use super::row::CorrectionRow;
use super::row::NOTICES;
use super::row::NoticeRow;
use crate::cli::ask;
use crate::cli::client::ClientOptions;
use crate::cli::client::Gateway;
use crate::cli::client::MAX_MESSAGE;
use crate::cli::exit::Failure;
use crate::cli::output;
use crate::cli::output::OutputOptions;
use crate::clock::Clock;
use crate::pb;
use crate::pb::correction_service_client::CorrectionServiceClient;

#[derive(Args)]
pub(super) struct FileArgs {
    /// The id of the exchange in which the record was received, as its receipt has it
    exchange: String,
    /// The record's key; `-` reads it from standard input, where other users of this machine cannot see it
    key: String,
    /// The path of the field that is wrong, such as `address.district`
    field: String,
    /// What is wrong, and what is right
    #[arg(long, value_name = "TEXT")]
    statement: String,
    /// What proves it
    #[arg(long, value_name = "TEXT", default_value = "")]
    evidence: String,
    /// The officer on whose behalf it is filed
    #[arg(long, value_name = "NAME", default_value = "")]
    officer: String,
}

impl FileArgs {
    pub(super) async fn run(
        self,
        client: &ClientOptions,
        output: &OutputOptions,
    ) -> Result<(), Failure> {
        let (gateway, mut client) = open(client)?;
        let request = gateway.request(pb::FileCorrectionRequest {
            exchange_id: self.exchange,
            key: ask::key(&self.key)?,
            field: self.field,
            statement: self.statement,
            evidence: self.evidence,
            officer: self.officer,
        });
        let answer = client.file_correction(request).await;
        let id = gateway.answered(answer)?.correction_id;
        let mut out = io::stdout().lock();
        match output.for_one()? {
            true => writeln!(out, "{}", json!({ "correction": id }))?,
            false => writeln!(
                out,
                "{id} is filed; `landbridge correction list` tells what becomes of it"
            )?,
        }
        Ok(())
    }
}

pub(super) async fn list(
    open_only: bool,
    client: &ClientOptions,
    output: &OutputOptions,
) -> Result<(), Failure> {
    let (gateway, mut client) = open(client)?;
    let request = gateway.request(pb::ListCorrectionsRequest { open: open_only });
    let answer = client.list_corrections(request).await;
    let answer = gateway.answered(answer)?;
    let rows: Vec<_> = answer
        .corrections
        .iter()
        .map(|correction| CorrectionRow::of(correction, UtcOffset::UTC))
        .collect();
    output::list(
        output.for_lists(),
        &rows,
        &CORRECTIONS,
        CorrectionRow::cells,
    )
}

pub(super) async fn notices(client: &ClientOptions, output: &OutputOptions) -> Result<(), Failure> {
    let (gateway, mut client) = open(client)?;
    let request = gateway.request(pb::ListChangeNoticesRequest {});
    let answer = client.list_change_notices(request).await;
    let answer = gateway.answered(answer)?;
    let notices = answer.notices.into_iter();
    let rows: Vec<_> = notices
        .map(|notice| NoticeRow::of(notice, UtcOffset::UTC))
        .collect();
    output::list(output.for_lists(), &rows, &NOTICES, NoticeRow::cells)
}

fn open(options: &ClientOptions) -> Result<(Gateway, CorrectionServiceClient<Channel>), Failure> {
    let gateway = options.gateway(Clock::System)?;
    let client = CorrectionServiceClient::new(gateway.channel.clone())
        .max_decoding_message_size(MAX_MESSAGE);
    Ok((gateway, client))
}
