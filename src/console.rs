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
mod device;
mod difference;
mod provider_sign_in;
mod entry;
mod exchanges;
mod explain;
mod export;
mod extractors;
mod fields;
mod flow;
mod flow_picture;
mod histogram;
mod judges;
mod merkle_path;
mod overview;
mod page;
mod peers;
mod period;
mod plots;
mod policy;
mod propose;
mod refusals;
mod rehearsal;
mod session;
mod sign_in;
mod subjects;
mod tries;
mod page_error;
mod visitor;
mod words;

use std::error::Error;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::Uri;
use axum::http::header::HOST;
use axum::http::header::ORIGIN;
use axum::middleware;
use axum::response::Redirect;
use axum::routing::get;
use axum::routing::post;

use crate::door::operators::hosts;
use crate::evidence::criteria::Criteria;
use crate::evidence::reconcile::overdue::OverdueComparisons;
use crate::evidence::search::Page as Listed;
use crate::evidence::search::SearchResult;
use crate::evidence::witness_states::WitnessStates;
use crate::fault::Fault;
use crate::fault::chain;
use crate::identity::acceptor::Acceptor;
use crate::journal::Kind;
use crate::reading::desk::Action;
use crate::reading::desk::OnRecord;
use crate::reading::desk::Reading;
use crate::reading::desk::ReadingDesk;
use crate::reading::error::ReadingError;
use crate::reading::lookup;
use crate::reading::reader::ReadGrant;
use account::Accounts;
use device::Devices;
use judges::Judges;
use openid::OpenId;
use openid::OpenIdConfig;
use page_error::PageError;
use refusals::Refusals;
use session::Sessions;
use session::User;
use tries::Tries;
use visitor::Cookies;

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
    desk: Arc<ReadingDesk>,
    neighbours: Neighbours,
    sessions: Sessions,
    cookies: Cookies,
    devices: Devices,
    tries: Tries,
    judges: Judges,
    refusals: Refusals,
    openid: Option<OpenId>,
}

/// What the console tells of beside the journal: who is at the doors, when their certificates end, how the witnesses do, whose journals
/// are not compared.
#[derive(Debug)]
pub struct Neighbours {
    pub systems: Arc<Acceptor>,
    pub peers: Arc<Acceptor>,
    pub witnesses: WitnessStates,
    pub overdue: OverdueComparisons,
}

impl ConsoleConfig {
    /// The host that browsers have before `/console`.
    pub fn host(&self) -> Option<String> {
        let origin: Uri = self.origin.parse().ok()?;
        origin.host().map(str::to_owned)
    }

    /// What keeps people from signing in, and is seen only when they try. Accounts may be made later.
    pub fn faults(&self) -> Vec<Fault> {
        let accounts = self.accounts.iter().filter(|path| path.exists());
        let accounts = accounts.filter_map(|path| {
            Accounts::load(path)
                .err()
                .map(|error| of_file(path, &error))
        });
        let secrets = self
            .openid
            .iter()
            .filter_map(|openid| openid.client_secret.as_ref());
        let secrets =
            secrets.filter_map(|path| private::read(path).err().map(|error| of_file(path, &error)));
        accounts.chain(secrets).collect()
    }
}

fn of_file(path: &Path, error: &dyn Error) -> Fault {
    Fault {
        file: path.display().to_string(),
        ..Fault::of_setting("", chain(error))
    }
}

impl Console {
    /// `name` tells this console from others that the same browser goes to.
    pub fn new(
        config: ConsoleConfig,
        name: &str,
        desk: Arc<ReadingDesk>,
        neighbours: Neighbours,
    ) -> Self {
        let openid = config.openid.clone().map(|provider| {
            let back = format!("{}{}", config.origin, provider_sign_in::BACK);
            OpenId::new(provider, back)
        });
        Self {
            openid,
            cookies: Cookies::of(name),
            devices: Devices::new(desk.exchange.device_key()),
            config,
            desk,
            neighbours,
            sessions: Sessions::default(),
            tries: Tries::default(),
            judges: Judges::default(),
            refusals: Refusals::default(),
        }
    }

    /// Everything below `/console`.
    pub fn routes(self: Arc<Self>) -> Router {
        let pages = Router::new()
            .route("/", get(overview::show))
            .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
            .route("/sign-in/openid", get(provider_sign_in::begin))
            .route("/sign-in/openid/back", get(provider_sign_in::finish))
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
            .fallback(page_error::no_such_page)
            .layer(middleware::from_fn_with_state(
                self.clone(),
                refusals::watch,
            ))
            .with_state(self);
        Router::new()
            .nest(PATH, pages)
            .route("/console/", get(|| async { Redirect::permanent(PATH) }))
    }

    /// As they are now. A small file: it does not wait behind what is looked up in the journal.
    async fn accounts(&self) -> Result<Accounts, ReadingError> {
        let Some(path) = self.config.accounts.clone() else {
            return Ok(Accounts::default());
        };
        let read = tokio::task::spawn_blocking(move || Accounts::load(&path));
        read.await
            .map_err(ReadingError::failed)?
            .map_err(ReadingError::failed)
    }

    /// Goes on only where a page of this console has sent a form.
    fn check_own_page(&self, headers: &HeaderMap) -> Result<(), PageError> {
        match self.is_own(headers) {
            true => Ok(()),
            false => Err(PageError::elsewhere(self, headers)),
        }
    }

    /// Whether a page of this console asks, and not one from elsewhere that the browser has open. The door has looked at
    /// the host already: it is a name of this gateway's.
    fn is_own(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(origin) = text(ORIGIN) else {
            return false;
        };
        origin == self.config.origin
            || text(HOST).is_some_and(|host| {
                let scheme = if hosts::is_loopback(host) {
                    "http"
                } else {
                    "https"
                };
                origin.split_once("://") == Some((scheme, host))
            })
    }

    /// The newest entries of a kind.
    async fn newest(&self, kind: Kind, limit: usize) -> Result<SearchResult, ReadingError> {
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
    async fn view(&self, who: &User, page: &str) -> Result<OnRecord, ReadingError> {
        self.record(who, Action::View, page.to_owned(), 0, String::new())
            .await
    }

    async fn record(
        &self,
        who: &User,
        action: Action,
        query: String,
        entries: u64,
        mandate: String,
    ) -> Result<OnRecord, ReadingError> {
        let reading = Reading {
            action,
            query,
            entries,
            sha256: None,
            mandate,
        };
        self.desk
            .record(&ReadGrant::signed_in(&who.name), reading)
            .await
    }
}
