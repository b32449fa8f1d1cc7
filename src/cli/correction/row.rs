//! A correction and a notice, as rows.

use serde::Serialize;
use time::UtcOffset;

use crate::cli::time_arg;
use crate::correction::answer;
use crate::correction::digest;
use crate::correction::moment;
use crate::digest::hex;
use crate::pb;
use crate::pb::CorrectionState;
use crate::text::visible;

pub(super) const CORRECTIONS: [&str; 7] = [
    "correction",
    "due",
    "state",
    "from",
    "record",
    "field",
    "statement",
];

pub(super) const NOTICES: [&str; 5] = ["corrected", "owner", "record", "field", "exchange"];

#[derive(Serialize)]
pub(super) struct CorrectionRow {
    correction: String,
    pub(super) state: &'static str,
    pub(super) due: String,
    consumer: String,
    system: String,
    officer: String,
    provider: String,
    record_type: String,
    key: String,
    field: String,
    statement: String,
    evidence: String,
    exchange: String,
    filed: String,
    reply: String,
    answered: String,
    /// As the journal has it.
    digest: String,
}

impl CorrectionRow {
    pub(super) fn of(correction: &pb::Correction, offset: UtcOffset) -> Self {
        let at = |time: &Option<prost_types::Timestamp>| {
            let time = time
                .as_ref()
                .map(|time| time_arg::shown(moment(time), offset));
            time.unwrap_or_default()
        };
        Self {
            correction: correction.correction_id.clone(),
            state: state(correction.state()),
            due: correction.due.clone(),
            consumer: correction.consumer.clone(),
            system: correction.system.clone(),
            officer: correction.officer.clone(),
            provider: correction.provider.clone(),
            record_type: correction.record_type.clone(),
            key: correction.key.clone(),
            field: correction.field.clone(),
            statement: correction.statement.clone(),
            evidence: correction.evidence.clone(),
            exchange: correction.exchange_id.clone(),
            filed: at(&correction.filed_at),
            reply: correction.reply.clone(),
            answered: at(&correction.answered_at),
            digest: hex(&digest(correction)),
        }
    }

    pub(super) fn cells(&self) -> Vec<String> {
        let statement: String = self.statement.chars().take(40).collect();
        [
            &self.correction,
            &self.due,
            self.state,
            &format!("{}/{}", self.consumer, self.system),
            &format!("{} {}", self.record_type, self.key),
            &self.field,
            &statement,
        ]
        .map(|cell| visible(cell).into_owned())
        .to_vec()
    }

    /// Each value with its name.
    pub(super) fn portrait(&self) -> Vec<(&'static str, String)> {
        let filed_by = format!("{}/{} {}", self.consumer, self.system, self.officer);
        [
            ("correction", &self.correction),
            ("state", &self.state.to_owned()),
            ("due", &self.due),
            ("filed by", &filed_by),
            ("filed", &self.filed),
            ("record", &format!("{} {}", self.record_type, self.key)),
            ("owner", &self.provider),
            ("field", &self.field),
            ("exchange", &self.exchange),
            ("statement", &self.statement),
            ("evidence", &self.evidence),
            ("reply", &self.reply),
            ("answered", &self.answered),
            ("digest", &self.digest),
        ]
        .map(|(name, value)| (name, visible(value).into_owned()))
        .to_vec()
    }
}

#[derive(Serialize)]
pub(super) struct NoticeRow {
    notice: String,
    provider: String,
    record_type: String,
    /// Empty: it may have been among the records of the exchange.
    key: String,
    field: String,
    exchange: String,
    corrected: String,
}

impl NoticeRow {
    pub(super) fn of(notice: pb::ChangeNotice, offset: UtcOffset) -> Self {
        let at = notice.corrected_at.as_ref();
        Self {
            corrected: at
                .map(|time| time_arg::shown(moment(time), offset))
                .unwrap_or_default(),
            notice: notice.notice_id,
            provider: notice.provider,
            record_type: notice.record_type,
            key: notice.key,
            field: notice.field,
            exchange: notice.exchange_id,
        }
    }

    pub(super) fn cells(&self) -> Vec<String> {
        let key = match self.key.as_str() {
            "" => "one of those received, perhaps",
            key => key,
        };
        [
            &self.corrected,
            &self.provider,
            &format!("{} {key}", self.record_type),
            &self.field,
            &self.exchange,
        ]
        .map(|cell| visible(cell).into_owned())
        .to_vec()
    }
}

fn state(state: CorrectionState) -> &'static str {
    match state {
        CorrectionState::Unspecified => "",
        CorrectionState::Filed => "filed",
        CorrectionState::Open => "open",
        CorrectionState::Corrected | CorrectionState::Upheld | CorrectionState::Refused => {
            answer(state)
        }
    }
}
