//! Fetches what other departments have published, and takes up what this one is to publish.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use futures::StreamExt;
use futures::stream;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::Interval;
use tokio::time::MissedTickBehavior;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::Status;

use super::proposal::Objection;
use super::proposal::Proposal;
use super::proposal::check_order;
use super::proposal::check_owner;
use super::proposal::record;
use crate::assembly::run_blocking;
use crate::digest::Digest;
use crate::exchange::Exchange;
use crate::exchange::snapshot::Snapshot;
use crate::fault::Fault;
use crate::fault::chain;
use crate::identity::directory::Other;
use crate::journal::Entry;
use crate::name::DepartmentId;
use crate::name::PackageName;
use crate::pb;
use crate::pb::RegistryEvent;
use crate::pb::peer_service_client::PeerServiceClient;
use crate::publication::BadRevision;
use crate::publication::Revision;
use crate::publication::RevisionName;
use crate::publication::refused_revisions::RefusedRevisions;
use crate::publication::shelf::Candidate;
use crate::publication::shelf::KeptRevision;
use crate::publication::shelf::Shelf;
use crate::registry::revision::MAX_BYTES;
use crate::registry::revision::PackageFiles;
use crate::source::channel::Channel;
use crate::source::peer::channel::Peers;

/// A revision with its names and its statement.
const MAX_ANSWER: usize = 2 * MAX_BYTES;
/// Packages of one department; what is beyond is not looked at.
const MAX_PACKAGES: usize = 1_000;
/// Revisions between ours and a department's newest.
const MAX_BEHIND: usize = 1_000;
/// Departments that are asked at a time.
const AT_ONCE: usize = 8;
/// What is fetched of one department in a day, in bytes: far more than anybody writes, and less than fills a disk.
const MAX_A_DAY: usize = 256 << 20;
const DAY: i64 = 86_400;
/// Objections that are remembered as told.
const MAX_TOLD: usize = 10_000;
/// How long one department may take in one round; what is left goes on in the next.
/// How often what was left to be published is looked for.
const POLL_EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);
/// Rounds that nobody waited for come no closer together.
const APART: Duration = Duration::from_secs(1);

/// Owns what is known of the others' publications and not in force here.
pub(crate) struct Synchroniser {
    exchange: Arc<Exchange>,
    peers: Arc<Peers>,
    shelf: Shelf,
    refused: RefusedRevisions,
    proposals: mpsc::Sender<Proposal>,
    every: Duration,
    /// Those that were refused, and the registry that they do not fit.
    objections: BTreeMap<PackageName, RefusedRevision>,
    /// Objections that have been told and logged already, so that they are not each round.
    told: BTreeSet<String>,
    /// Those of whom it has been told already that they do not answer.
    late: BTreeSet<DepartmentId>,
    /// What was fetched of each department, and on which day since 1970.
    fetched: Mutex<BTreeMap<DepartmentId, (i64, usize)>>,
}

/// A newest revision that is not in force here.
struct RefusedRevision {
    theirs: RevisionName,
    /// Of the registry that it was refused by: it is looked at again once that changes.
    by: Digest,
    objection: Objection,
}

/// Why a department's revisions could not be had.
#[derive(Debug, thiserror::Error)]
enum NotFetched {
    #[error("the peer does not answer: {}", .0.message())]
    Peer(Box<Status>),
    #[error("the peer takes too long")]
    Late,
    #[error("the peer's list makes no sense")]
    Garbled,
    #[error(transparent)]
    Objection(#[from] Objection),
    #[error("the shelf cannot be read")]
    Unread(#[from] Fault),
    #[error("the shelf cannot be written")]
    Unwritten(#[source] std::io::Error),
}

impl From<Status> for NotFetched {
    fn from(status: Status) -> Self {
        Self::Peer(Box::new(status))
    }
}

/// What a department has of one package that is newer than ours, or why it cannot be had.
type News = (PackageName, RevisionName, Result<KeptRevision, NotFetched>);

impl Synchroniser {
    pub(crate) fn new(
        exchange: Arc<Exchange>,
        peers: Arc<Peers>,
        shelf: &Path,
        refused: RefusedRevisions,
        every: Duration,
        proposals: mpsc::Sender<Proposal>,
    ) -> Self {
        Self {
            exchange,
            peers,
            shelf: Shelf::at(shelf),
            refused,
            proposals,
            every,
            objections: BTreeMap::new(),
            told: BTreeSet::new(),
            late: BTreeSet::new(),
            fetched: Mutex::default(),
        }
    }

    /// Runs until the gateway stops.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut inbox = self.open_inbox();
        let mut round = tokio::time::interval(self.every);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let refused = self.refused.clone();
        loop {
            let is_round = tokio::select! {
                () = stop.cancelled() => return,
                () = inbox.wait_for_request() => false,
                _ = round.tick() => true,
                () = refused.stale() => {
                    tokio::time::sleep(APART).await;
                    true
                }
            };
            let work = async {
                self.publish().await;
                if is_round {
                    self.round().await;
                }
            };
            if stop.run_until_cancelled(work).await.is_none() {
                return;
            }
        }
    }

    /// For whoever runs the command line under another name, the gateway makes the folder.
    fn open_inbox(&self) -> Inbox {
        let inbox = self.shelf.inbox();
        if let Err(error) = fs::create_dir_all(&inbox) {
            tracing::warn!(%error, inbox = %inbox.display(), "nothing can be published: the folder where it is left cannot be made");
        }
        Inbox::at(inbox)
    }

    /// Takes up what the command line has left.
    async fn publish(&mut self) {
        let shelf = self.shelf.clone();
        let left = match run_blocking(move || shelf.left()).await {
            Ok(left) => left,
            Err(error) => {
                tracing::error!(%error, "what is to be published cannot be read");
                return;
            }
        };
        for (place, candidate) in left {
            let published = match candidate {
                Ok(candidate) => self.publish_one(candidate).await,
                Err(fault) => Err(fault.to_string()),
            };
            if let Err(why) = &published {
                tracing::error!(place = %place.display(), why, "a revision was not published");
            }
            let shelf = self.shelf.clone();
            let done = run_blocking(move || shelf.take_away(&place, published.err())).await;
            if let Err(error) = done {
                tracing::error!(%error, "what was published still lies in the inbox");
            }
        }
    }

    async fn publish_one(&mut self, candidate: Candidate) -> Result<(), String> {
        let snapshot = self.exchange.snapshot();
        let own = self.exchange.department();
        // Whoever may write the folder need not have the key.
        let signed = Revision::open(&candidate.note, own, &snapshot.journals);
        let revision = signed.map_err(|bad| chain(&bad))?;
        let head = snapshot.published.head(revision.package.as_str());
        if head.is_some_and(|head| revision.previous != Some(head.revision.digest)) {
            return Err("another revision has come into force meanwhile; publish again".to_owned());
        }
        let kept = self
            .keep(candidate)
            .await
            .map_err(|error| error.to_string())?;
        match self.propose(vec![kept]).await.pop_first() {
            None => Ok(()),
            Some((_, objection)) => {
                self.log(&revision, &snapshot, objection.to_string()).await;
                Err(objection.to_string())
            }
        }
    }

    /// Asks every department for what it has published.
    async fn round(&mut self) {
        let snapshot = self.exchange.snapshot();
        let own = self.exchange.department();
        let others = snapshot.directory.others(own);
        let others: Vec<_> = others
            .map(|other| self.take_heads(other, &snapshot))
            .collect();
        let asked = stream::iter(others).buffer_unordered(AT_ONCE);
        let heard: Vec<_> = asked.collect().await;

        let mut candidates = Vec::new();
        for (department, news) in heard {
            match news {
                Ok(news) => {
                    self.late.remove(&department);
                    for (package, theirs, fetched) in news {
                        match fetched {
                            Ok(kept) => candidates.push(kept),
                            Err(NotFetched::Objection(objection)) => {
                                self.object(&department, package, theirs, objection, &snapshot)
                                    .await;
                            }
                            Err(error) => self.log_not_fetched(&department, &error),
                        }
                    }
                }
                Err(error) => self.log_not_fetched(&department, &error),
            }
        }
        if !candidates.is_empty() {
            self.consider(candidates, &snapshot).await;
        }
        self.settle();
    }

    async fn consider(&mut self, candidates: Vec<KeptRevision>, snapshot: &Snapshot) {
        let objections = self.propose(candidates.clone()).await;
        for candidate in candidates {
            let Revision { package, owner, .. } = &candidate.revision;
            match objections.get(package) {
                None => _ = self.objections.remove(package),
                Some(objection) => {
                    let (owner, package) = (owner.clone(), package.clone());
                    let theirs = candidate.named();
                    self.object(&owner, package, theirs, objection.clone(), snapshot)
                        .await;
                }
            }
        }
    }

    /// Hands revisions to the gateway, which owns what is in force.
    async fn propose(&self, candidates: Vec<KeptRevision>) -> BTreeMap<PackageName, Objection> {
        let (answer, answered) = oneshot::channel();
        let all: Vec<_> = candidates
            .iter()
            .map(|candidate| candidate.revision.package.clone())
            .collect();
        let proposal = Proposal { candidates, answer };
        let objections = match self.proposals.send(proposal).await {
            Ok(()) => answered.await.ok(),
            Err(_) => None,
        };
        let stopping = || Objection::NotNow("the gateway is stopping".to_owned());
        objections.unwrap_or_else(|| all.into_iter().map(|p| (p, stopping())).collect())
    }

    async fn take_heads(
        &self,
        department: Other<'_>,
        snapshot: &Snapshot,
    ) -> (DepartmentId, Result<Vec<News>, NotFetched>) {
        let news = timeout(PATIENCE, self.news(department, snapshot)).await;
        (department.id.clone(), news.unwrap_or(Err(NotFetched::Late)))
    }

    /// What a department has that is newer than ours.
    async fn news(
        &self,
        department: Other<'_>,
        snapshot: &Snapshot,
    ) -> Result<Vec<News>, NotFetched> {
        let channel = self.peers.channel(department);
        let mut client = PeerServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER);
        let listed = match client.list_revisions(pb::ListRevisionsRequest {}).await {
            Ok(listed) => listed.into_inner(),
            // A gateway of an earlier version.
            Err(status) if status.code() == Code::Unimplemented => return Ok(Vec::new()),
            Err(status) => return Err(status.into()),
        };
        let mut news = Vec::new();
        for head in listed.heads.into_iter().take(MAX_PACKAGES) {
            let package: PackageName = head.package.parse().map_err(|_| NotFetched::Garbled)?;
            let digest = Digest::try_from(head.digest.as_ref());
            let theirs = RevisionName {
                number: Some(head.number),
                digest: digest.map_err(|_| NotFetched::Garbled)?,
            };
            if self.is_known(&package, theirs, snapshot) {
                continue;
            }
            let fetched = self
                .follow(&mut client, &department.id, &package, theirs, snapshot)
                .await;
            news.push((package, theirs, fetched));
        }
        Ok(news)
    }

    /// Whether it is in force, or was refused already by what is in force.
    fn is_known(&self, package: &PackageName, theirs: RevisionName, snapshot: &Snapshot) -> bool {
        let head = snapshot.published.head(package.as_str());
        if head.is_some_and(|head| head.revision.digest == theirs.digest) {
            return true;
        }
        self.objections.get(package).is_some_and(|standing| {
            let is_same = standing.theirs == theirs && standing.by == *snapshot.registry.digest();
            is_same && !standing.objection.may_pass()
        })
    }

    /// Fetches a department's newest revision and those before it, back to ours.
    async fn follow(
        &self,
        client: &mut PeerServiceClient<Channel>,
        owner: &DepartmentId,
        package: &PackageName,
        theirs: RevisionName,
        snapshot: &Snapshot,
    ) -> Result<KeptRevision, NotFetched> {
        check_owner(owner, package, &snapshot.registry, &snapshot.directory)?;
        let newest = self
            .fetch(client, owner, package, theirs.digest, snapshot)
            .await?;
        check_order(&newest.revision, snapshot)?;
        let Some(ours) = snapshot.published.head(package.as_str()) else {
            self.fetch_all_before(client, &newest.revision, None, snapshot)
                .await?;
            return Ok(newest);
        };
        let until = Some(ours.revision.digest);
        let reached = self
            .fetch_all_before(client, &newest.revision, until, snapshot)
            .await?;
        if reached {
            return Ok(newest);
        }
        Err(NotFetched::Objection(Objection::Forked {
            package: package.clone(),
            number: ours.revision.number,
        }))
    }

    /// Keeps what came before a revision, and tells whether that leads to a certain one.
    async fn fetch_all_before(
        &self,
        client: &mut PeerServiceClient<Channel>,
        newest: &Revision,
        until: Option<Digest>,
        snapshot: &Snapshot,
    ) -> Result<bool, NotFetched> {
        let Revision { owner, package, .. } = newest;
        let (mut previous, mut number) = (newest.previous, newest.number);
        for _ in 0..MAX_BEHIND {
            let Some(digest) = previous else {
                return Ok(false);
            };
            if Some(digest) == until {
                return Ok(true);
            }
            // What came before the first was never published.
            if number <= 1 {
                return Ok(false);
            }
            let kept = self.fetch(client, owner, package, digest, snapshot).await?;
            if kept.revision.number >= number {
                return Err(NotFetched::Garbled);
            }
            (previous, number) = (kept.revision.previous, kept.revision.number);
        }
        Ok(false)
    }

    /// A revision from the shelf, or else from its owner, whose signature is verified before it is kept.
    async fn fetch(
        &self,
        client: &mut PeerServiceClient<Channel>,
        owner: &DepartmentId,
        package: &PackageName,
        digest: Digest,
        snapshot: &Snapshot,
    ) -> Result<KeptRevision, NotFetched> {
        let (shelf, name) = (self.shelf.clone(), package.clone());
        if let Some(kept) = run_blocking(move || shelf.kept(&name, &digest)).await?
            && kept.revision.owner == *owner
        {
            return Ok(kept);
        }
        let asked = pb::FetchRevisionRequest {
            package: package.to_string(),
            digest: digest.to_vec().into(),
        };
        let response = client.fetch_revision(asked).await?.into_inner();
        self.count(owner, response.encoded_len())?;
        let bad = |bad: BadRevision| Objection::Unproven(chain(&bad));
        let revision = Revision::open(&response.note, owner, &snapshot.journals).map_err(bad)?;
        let texts = response
            .files
            .into_iter()
            .map(|file| (file.name, file.text));
        let files = PackageFiles::new(package.clone(), texts.collect());
        let files = files.map_err(|error| Objection::Unproven(error.to_string()))?;
        let files = revision.admit(files).map_err(bad)?;
        if revision.digest != digest {
            return Err(bad(BadRevision::Altered).into());
        }
        let candidate = Candidate {
            revision,
            note: response.note,
            files,
        };
        self.keep(candidate).await.map_err(NotFetched::Unwritten)
    }

    /// Nobody fills this department's disk with revisions.
    fn count(&self, owner: &DepartmentId, bytes: usize) -> Result<(), Objection> {
        let today = self.exchange.clock().now().seconds().div_euclid(DAY);
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let (day, sum) = fetched.entry(owner.clone()).or_default();
        if *day != today {
            (*day, *sum) = (today, 0);
        }
        *sum = sum.saturating_add(bytes);
        if *sum <= MAX_A_DAY {
            return Ok(());
        }
        let most = MAX_A_DAY >> 20;
        Err(Objection::NotNow(format!(
            "`{owner}` has published more than {most} MiB today; the rest comes tomorrow"
        )))
    }

    async fn keep(&self, candidate: Candidate) -> std::io::Result<KeptRevision> {
        let shelf = self.shelf.clone();
        run_blocking(move || shelf.keep(candidate)).await
    }

    /// Notes that a revision is not taken over. It is told, and stands in the journal, once.
    async fn object(
        &mut self,
        owner: &DepartmentId,
        package: PackageName,
        theirs: RevisionName,
        objection: Objection,
        snapshot: &Snapshot,
    ) {
        let standing = RefusedRevision {
            theirs,
            by: *snapshot.registry.digest(),
            objection: objection.clone(),
        };
        self.objections.insert(package.clone(), standing);
        // Before it is told: who hears of it finds it so.
        self.settle();
        if self.told.len() > MAX_TOLD {
            self.told.clear();
        }
        let line = format!("{owner} {package} {theirs}: {objection}");
        if self.told.insert(line) {
            tracing::warn!(peer = %owner, %package, revision = %theirs, %objection, "a published revision is not taken over: the one before stays in force");
            let revision = Revision {
                package: package.clone(),
                owner: owner.clone(),
                number: theirs.number.unwrap_or_default(),
                digest: theirs.digest,
                previous: None,
                at: self.exchange.clock().now(),
            };
            self.log(&revision, snapshot, objection.to_string()).await;
        }
    }

    async fn log(&self, revision: &Revision, snapshot: &Snapshot, why: String) {
        let entry = Entry::registry(record(RegistryEvent::Refused, revision, snapshot, why));
        if let Err(error) = self.exchange.journal().append(entry).await {
            tracing::error!(%error, "a refused revision is not on record");
        }
    }

    fn log_not_fetched(&mut self, department: &DepartmentId, error: &NotFetched) {
        if self.late.insert(department.clone()) {
            let error = chain(error);
            tracing::warn!(peer = %department, error, "published revisions are not fetched yet");
        }
    }

    /// Exchanges are refused where the owner goes by what cannot be read here.
    fn settle(&mut self) {
        let snapshot = self.exchange.snapshot();
        self.objections.retain(|package, standing| {
            let head = snapshot.published.head(package.as_str());
            head.is_none_or(|head| head.revision.digest != standing.theirs.digest)
        });
        let unread = self.objections.iter().filter(|(_, standing)| {
            let objection = &standing.objection;
            matches!(objection, Objection::Breaking(_) | Objection::Forked { .. })
        });
        let unread = unread.map(|(package, standing)| (package.clone(), standing.theirs));
        self.refused.replace(unread.collect());
    }
}

/// Where the command line leaves what is to be published.
struct Inbox {
    path: PathBuf,
    looks: Interval,
    /// What tells one state of the folder from another: what is left is put there whole.
    seen: Option<(SystemTime, u64)>,
}

impl Inbox {
    fn at(path: PathBuf) -> Self {
        Self {
            path,
            looks: tokio::time::interval(POLL_EVERY),
            seen: None,
        }
    }

    /// Waits until something was left or taken away since the last time.
    async fn wait_for_request(&mut self) {
        loop {
            self.looks.tick().await;
            let path = self.path.clone();
            let now = run_blocking(move || {
                let folder = fs::metadata(path).ok()?;
                Some((folder.modified().ok()?, folder.nlink()))
            })
            .await;
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}
