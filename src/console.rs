//! Pages for auditors and administrators, at the operators' door.
//!
//! Rendered here, whole without a script; what little script there is makes a search answer as one types, and verifies
//! proofs in the reader's own browser. Nothing is fetched from anywhere else.

pub mod account;
pub mod openid;
pub mod private;
pub mod role;

mod agreements;
mod alarms;
mod assets;
mod candidate;
mod difference;
mod elsewhere;
mod entry;
mod exchanges;
mod explain;
mod export;
mod fields;
mod flow;
mod flow_picture;
mod histogram;
mod merkle_path;
mod overview;
mod page;
mod peers;
mod period;
mod plots;
mod policy;
mod propose;
mod session;
mod sign_in;
mod subjects;
mod unseen;
mod visitor;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Redirect;
use axum::routing::get;
use axum::routing::post;

use crate::audit::Kind;
use crate::audit::reconcile::overdue::Overdue;
use crate::audit::search::Criteria;
use crate::audit::search::Found;
use crate::audit::search::Page as Listed;
use crate::audit::witness_states::WitnessStates;
use crate::door::operators::desk::Action;
use crate::door::operators::desk::Desk;
use crate::door::operators::desk::OnRecord;
use crate::door::operators::desk::Reading;
use crate::door::operators::lookup;
use crate::door::operators::reader::Granted;
use crate::door::operators::unread::Unread;
use crate::identity::acceptor::Acceptor;
use account::Accounts;
use openid::OpenId;
use openid::OpenIdConfig;
use session::Sessions;
use session::SignedIn;
use unseen::Unseen;

/// Where the console is on the operators' door.
const PATH: &str = "/console";

/// How the console is reached, and by whom.
#[derive(Debug, Clone)]
pub struct ConsoleConfig {
    /// The file of local accounts; none where people sign in by the provider alone.
    pub accounts: Option<PathBuf>,
    pub openid: Option<OpenIdConfig>,
    /// What browsers have before `/console`, e.g. `https://audit.civil.gov.example`: only pages from there may act.
    pub origin: String,
}

/// The console of one gateway.
#[derive(Debug)]
pub struct Console {
    config: ConsoleConfig,
    desk: Arc<Desk>,
    neighbours: Neighbours,
    sessions: Sessions,
    openid: Option<OpenId>,
}

/// What the console tells of beside the journal: who is at the doors, when their certificates end, how the witnesses do, whose journals
/// are not compared.
#[derive(Debug)]
pub struct Neighbours {
    pub systems: Arc<Acceptor>,
    pub peers: Arc<Acceptor>,
    pub witnesses: WitnessStates,
    pub overdue: Overdue,
}

impl Console {
    pub fn new(config: ConsoleConfig, desk: Arc<Desk>, neighbours: Neighbours) -> Self {
        let openid = config.openid.clone().map(|provider| {
            let back = format!("{}{}", config.origin, elsewhere::BACK);
            OpenId::new(provider, back)
        });
        Self {
            openid,
            config,
            desk,
            neighbours,
            sessions: Sessions::default(),
        }
    }

    /// Everything below `/console`.
    pub fn routes(self) -> Router {
        let pages = Router::new()
            .route("/", get(overview::show))
            .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
            .route("/sign-in/openid", get(elsewhere::begin))
            .route("/sign-in/openid/back", get(elsewhere::finish))
            .route("/sign-out", post(sign_in::sign_out))
            .route("/exchanges", get(exchanges::show))
            .route("/entries/{index}", get(entry::show))
            .route("/entries/{index}/proof", get(entry::proof))
            .route("/entries/{index}/entry", get(entry::json))
            .route("/entries/{index}/bundle", get(export::bundle))
            .route("/export", get(export::show))
            .route("/export/file", get(export::file))
            .route("/agreements", get(agreements::show))
            .route("/explain", get(explain::show))
            .route("/policy", get(policy::show))
            .route("/policy/changes/{index}", get(policy::changes))
            .route("/policy/texts/{digest}", get(policy::text))
            .route("/propose", get(propose::show).post(propose::check))
            .route("/propose/patch", post(propose::patch))
            .route("/peers", get(peers::show))
            .route("/subjects", get(subjects::show).post(subjects::search))
            .route("/alarms", get(alarms::show))
            .route("/flow", get(flow::show))
            .route("/flow.csv", get(flow::csv))
            .route("/assets/{name}", get(assets::show))
            .fallback(unseen::no_such_page)
            .with_state(Arc::new(self));
        Router::new()
            .nest(PATH, pages)
            .route("/console/", get(|| async { Redirect::permanent(PATH) }))
    }

    /// As they are now. A small file: it does not wait behind what is looked up in the journal.
    async fn accounts(&self) -> Result<Accounts, Unread> {
        let Some(path) = self.config.accounts.clone() else {
            return Ok(Accounts::default());
        };
        let read = tokio::task::spawn_blocking(move || Accounts::load(&path));
        read.await.map_err(Unread::failed)?.map_err(Unread::failed)
    }

    /// Goes on only where a page of this console has sent a form.
    fn check_own_page(&self, headers: &HeaderMap) -> Result<(), Unseen> {
        match sign_in::is_own(headers, &self.config.origin) {
            true => Ok(()),
            false => Err(Unseen::Elsewhere),
        }
    }

    /// The newest entries of a kind.
    async fn newest(&self, kind: Kind, limit: usize) -> Result<Found, Unread> {
        let journal = self.desk.journal.clone();
        let criteria = Criteria {
            kind: Some(kind),
            ..Criteria::default()
        };
        self.desk
            .look_up(move || lookup::entries(&journal, &criteria, Listed::newest(limit)))
            .await
    }

    /// Puts on record that somebody looks at a page that has no entries.
    async fn view(&self, who: &SignedIn, page: &str) -> Result<OnRecord, Unread> {
        self.record(who, Action::View, page.to_owned(), 0, String::new())
            .await
    }

    async fn record(
        &self,
        who: &SignedIn,
        action: Action,
        query: String,
        entries: u64,
        mandate: String,
    ) -> Result<OnRecord, Unread> {
        let reading = Reading {
            action,
            query,
            entries,
            sha256: None,
            mandate,
        };
        self.desk
            .record(&Granted::signed_in(&who.name), reading)
            .await
    }
}
