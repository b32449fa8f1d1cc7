//! What the console refused: sign-ins that failed, and pages that were not for who asked; each is on record and in the log.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use tokio_util::sync::CancellationToken;

use super::Console;
use super::PATH;
use crate::door::tally::RepeatedEvent;
use crate::door::tally::Tally;
use crate::identity::network::Network;
use crate::name::ReaderName;

/// The first few of a kind are told one by one, the others together after so long.
const COUNT_EVERY: Duration = Duration::from_secs(600);
/// Who it was, where that is no account's name: what was typed may be a password.
const NOBODY: &str = "nobody";
/// What proxies say of where a request comes from, to the one before this gateway.
const FORWARDED: &str = "x-forwarded-for";

/// Among the extensions of an answer that refuses something.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// The journal's word for it.
    pub(super) why: &'static str,
    /// The account that it was about, if there is one.
    pub(super) who: Option<ReaderName>,
    /// For the log.
    pub(super) error: String,
}

/// What was refused since it was last counted.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// By why alone: that something goes on record by itself takes time, and must not tell whether there is such an account.
    tally: Tally<&'static str>,
    /// What did not go on record by itself, and whom it was about.
    untold: Mutex<BTreeMap<(&'static str, Option<ReaderName>), u64>>,
}

/// Puts what was refused on record, before the answer leaves.
pub(super) async fn watch(
    State(console): State<Arc<Console>>,
    request: Request,
    next: Next,
) -> Response {
    // Within the console's routes its own part is taken off.
    let path = format!("{PATH}{}", request.uri().path().trim_end_matches('/'));
    let network = request.extensions().get::<Network>().copied();
    let forwarded = forwarded(request.headers());
    let answer = next.run(request).await;
    let Some(Refusal { why, who, error }) = answer.extensions().get().cloned() else {
        return answer;
    };
    metrics::counter!("landbridge_console_refusals_total", "why" => why).increment(1);
    // The door has put the network there.
    let from = network.unwrap_or(Network::of(IpAddr::from([127, 0, 0, 1])));
    if console.refusals.tally.add(why, from) {
        let name = who.as_ref().map_or(NOBODY, ReaderName::as_str);
        tracing::warn!(%from, forwarded, why, who = name, path, error, "refused at the console");
        console.record_refusal(who, format!("{why} {path}")).await;
    } else {
        *console.refusals.untold().entry((why, who)).or_default() += 1;
    }
    answer
}

impl Refusals {
    fn untold(&self) -> MutexGuard<'_, BTreeMap<(&'static str, Option<ReaderName>), u64>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Console {
    /// Counts what was not told one by one, until the gateway stops.
    pub async fn count_refusals(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(COUNT_EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.sum_up().await;
        }
        self.sum_up().await;
    }

    async fn sum_up(&self) {
        for repeated in self.refusals.tally.count() {
            let RepeatedEvent {
                kind: why,
                times,
                networks,
                most_from,
            } = repeated;
            let most_from = most_from.map(|network| network.to_string());
            tracing::warn!(
                why,
                times,
                networks,
                most_from,
                "more refused at the console"
            );
        }
        let untold = std::mem::take(&mut *self.refusals.untold());
        for ((why, who), times) in untold {
            self.record_refusal(who, format!("{why} times={times}"))
                .await;
        }
    }

    async fn record_refusal(&self, who: Option<ReaderName>, what: String) {
        let who = who.map_or_else(|| NOBODY.to_owned(), |who| who.to_string());
        if let Err(unread) = self.desk.record_refusal(who, what).await {
            unread.log("console");
        }
    }
}

/// The addresses in the header, if they are addresses. Who sends it may write what they like.
fn forwarded(headers: &HeaderMap) -> Option<String> {
    const MOST: usize = 8;
    let text = headers.get(FORWARDED)?.to_str().ok()?;
    let addresses = text
        .split(',')
        .take(MOST)
        .map(|one| one.trim().parse::<IpAddr>());
    let addresses: Result<Vec<_>, _> = addresses.collect();
    let texts: Vec<_> = addresses.ok()?.iter().map(ToString::to_string).collect();
    Some(texts.join(", "))
}
