//! `verify`: whether given values are true of a record; none is disclosed.

use clap::Args;
use serde::Serialize;

use super::ask;
use super::ask::Account;
use super::ask::AskOptions;
use super::claim;
use super::claim::Claim;
use super::exit::Exit;
use super::exit::Failure;
use super::exit::Run;
use super::output;
use super::output::OutputOptions;
use crate::pb;
use crate::pb::VerdictOutcome;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge verify civil.v1.Resident R0000000003 -p tax-assessment --claim full_name=闫东强
  landbridge verify civil.v1.Resident - -p arrears --claim birth_date=1990-01-01 < id.txt

Each claim is a `match`, a `mismatch`, or `unknown`: the record has no value there, or there is no such record. Values \
that are not confirmed are counted, and after some tries a day the provider refuses.

Exit codes: 0 every claim is confirmed, 1 no answer, 2 denied, 3 a claim is not confirmed, 64 bad usage.")]
pub(super) struct VerifyArgs {
    /// The full name of the record type, such as `civil.v1.Resident`; `landbridge catalog` lists them
    #[arg(value_name = "RECORD TYPE")]
    record: String,
    /// The record's key; `-` reads it from standard input, where other users of this machine cannot see it
    key: String,
    /// A value held to be true; may be given several times
    #[arg(long = "claim", short = 'c', required = true, value_name = "FIELD=VALUE", value_parser = claim::parse)]
    claims: Vec<Claim>,
    #[command(flatten)]
    ask: AskOptions,
}

#[derive(Serialize)]
struct Verdict {
    field: String,
    verdict: &'static str,
}

impl VerifyArgs {
    pub(super) async fn run(self, output: OutputOptions) -> Run {
        let mut asking = self.ask.open(&self.record).await?;
        let schema = asking.schema.as_ref();
        let claims = self.claims.iter().map(|claim| claim.typed(schema));
        let claims = claims.collect::<Result<_, _>>().map_err(Failure::usage)?;
        let request = asking.gateway.request(pb::VerifyRecordRequest {
            record_type: self.record.clone(),
            provider: self.ask.provider(),
            grounds: self.ask.grounds(),
            key: ask::key(&self.key)?,
            claims,
            relay: None,
        });
        let answer = asking.client.verify_record(request).await;
        let answer = asking.gateway.answered(answer)?;

        let confirmed = answer
            .verdicts
            .iter()
            .all(|verdict| verdict.outcome() == VerdictOutcome::Match);
        let verdicts: Vec<_> = answer.verdicts.iter().map(Verdict::read).collect();
        output::list(
            output.for_lists(),
            &verdicts,
            &["field", "verdict"],
            |verdict| vec![verdict.field.clone(), verdict.verdict.to_owned()],
        )?;
        Account::of(answer.info).print(&output)?;
        Ok(if confirmed {
            Exit::Done
        } else {
            Exit::Unverified
        })
    }
}

impl Verdict {
    fn read(verdict: &pb::Verdict) -> Self {
        Self {
            field: verdict.field.clone(),
            verdict: match verdict.outcome() {
                VerdictOutcome::Match => "match",
                VerdictOutcome::Mismatch => "mismatch",
                VerdictOutcome::Unknown | VerdictOutcome::Unspecified => "unknown",
            },
        }
    }
}
