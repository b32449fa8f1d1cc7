//! The daemon: builds its parts, runs them, reloads what may change, and stops without losing a request.

mod adopt;
mod doors;
mod inputs;
mod life_cycle;
pub mod losses;
mod operators;
mod reload;
mod run;
mod upkeep;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Mutex;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::assembly::Assembly;
use crate::assembly::Connections;
use crate::assembly::load_all;
use crate::assembly::policies::NewPolicy;
use crate::assembly::run_blocking;
use crate::assembly::witnesses::Witnesses;
use crate::clock::Clock;
use crate::config::Config;
use crate::correction::desk::CorrectionDesk;
use crate::correction::store::Store;
use crate::correction::store::StoreError;
use crate::evidence::index::IndexError;
use crate::evidence::index::IndexFollower;
use crate::evidence::journals::Journals;
use crate::evidence::reconcile::books::Books;
use crate::evidence::reconcile::overdue::OverdueComparisons;
use crate::evidence::witness::Witness;
use crate::evidence::witness::WitnessError;
use crate::evidence::witness_states::WitnessStates;
use crate::exchange::Exchange;
use crate::exchange::PeerHistory;
use crate::exchange::refusals::Refusals;
use crate::exchange::secret::Secrets;
use crate::fault::Fault;
use crate::federation::corrections::Courier;
use crate::federation::offers::Surveyor;
use crate::federation::proposal::Proposal;
use crate::federation::reconcile::Reconciler;
use crate::federation::synchronise::Synchroniser;
pub use crate::federation::witnessing::Contradiction;
use crate::federation::witnessing::NotReleased;
use crate::federation::witnessing::WitnessingTask;
use crate::identity::CutConnection;
use crate::identity::Door;
use crate::identity::RejudgeScope;
use crate::identity::acceptor::Acceptor;
use crate::journal::AppendError;
use crate::journal::Entry;
use crate::journal::HeldJournal;
use crate::journal::Journal;
use crate::journal::JournalError;
use crate::journal::JournalKeys;
use crate::journal::JournalSettings;
use crate::journal::expiry::Expiry;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::journal::subject::SubjectKeyError;
use crate::journal::subject::SubjectKeys;
use crate::journal::tiles::Tiles;
use crate::name::DepartmentId;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::key_file::KeyError;
use crate::tlog::note::VerifierKey;
use doors::Doors;
use doors::acceptor;
use inputs::Inputs;
use life_cycle::LifeCycle;
use run::Orders;
use watch::Watch;

/// One running gateway.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    clock: Clock,
    exchange: Arc<Exchange>,
    reach: Connections,
    /// Cosigns the journals of others.
    witness: Witness,
    /// Cosign the own journal. Swapped whole at a reload.
    witnesses: Arc<ArcSwapOption<Witnesses>>,
    states: WitnessStates,
    overdue: OverdueComparisons,
    /// Tells when the own journal takes entries, or why it never may.
    confirmed: oneshot::Receiver<Result<(), NotReleased>>,
    systems: Arc<Acceptor>,
    peers: Arc<Acceptor>,
    addresses: Addresses,
    /// Keeps the search index behind the journal.
    index: IndexFollower,
    life: LifeCycle,
    orders: Orders,
    /// What may change while it runs.
    inputs: Arc<Inputs>,
    /// To the task that runs the gateway: revisions that may come into force.
    proposals: mpsc::Sender<Proposal>,
    desk: Arc<CorrectionDesk>,
    /// One reload at a time.
    reloading: Mutex<()>,
    /// The secrets that were lost, for the entry of the start.
    lost: Vec<String>,
}

/// Where the doors listen: what the settings say, with the ports that the system chose for 0.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub systems: SocketAddr,
    pub peers: SocketAddr,
    pub operators: SocketAddr,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the settings have faults")]
    Faults(Vec<Fault>),
    #[error("{path} cannot be read or made")]
    Key {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    JournalKey(#[from] KeyError),
    #[error(
        "the journal has entries, and the key that signs it, `{path}`, is missing: restore it from its backup. If there is none, \
         set `journal.path` to an empty folder and `journal.replica` to the next number, so that a new journal begins, and \
         keep this one"
    )]
    JournalKeyLost { path: PathBuf },
    #[error(
        "the journal has entries that show that these were there, and they are missing: {}. Restore them from their backup. If \
         there is none, `serve --accept-lost-secrets` makes new ones and puts the loss on record",
        .0.join(", ")
    )]
    SecretsLost(Vec<String>),
    #[error("the journal cannot be read")]
    Quotas(#[from] ReadError),
    #[error("the journal cannot be opened")]
    Journal(#[from] JournalError),
    #[error("the monthly keys of subjects are not to be had; see `journal.subjects`")]
    SubjectKeys(#[from] SubjectKeyError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the journal is not the one that its witnesses know")]
    Contradicted(#[from] Contradiction),
    #[error(transparent)]
    Corrections(#[from] StoreError),
    #[error("the witness cannot be opened")]
    Witness(#[from] WitnessError),
    #[error("the task that asks the witnesses has ended")]
    NotConfirmed,
    #[error("the system gives no random bytes")]
    NoRandomness(#[from] crate::exchange::secret::NoRandomness),
    #[error(
        "the {door} door cannot listen on {address}; stop what listens there, or set another `{door}.listen`"
    )]
    Listen {
        door: &'static str,
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("signals cannot be received")]
    Signals(#[source] io::Error),
    #[error("the gateway's own descriptors are broken")]
    Descriptors(#[from] prost_reflect::DescriptorError),
}

impl From<NotReleased> for StartError {
    fn from(refused: NotReleased) -> Self {
        match refused {
            NotReleased::Contradicted(contradiction) => Self::Contradicted(contradiction),
            NotReleased::Journal(error) => Self::Journal(error),
        }
    }
}

impl From<Vec<Fault>> for StartError {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Faults(faults)
    }
}

impl Gateway {
    /// Builds every part, then opens the doors: whoever gets in finds all of it ready.
    pub async fn start(
        config: Config,
        clock: Clock,
        metrics: PrometheusHandle,
    ) -> Result<Self, StartError> {
        // One place: what proposes waits for its answer.
        let (proposals, proposed) = mpsc::channel(1);
        // One place: what files say now is what matters.
        let (changed, changes) = mpsc::channel(1);
        let orders = Orders::listen(changes, proposed).map_err(StartError::Signals)?;
        let inputs = Arc::new(Inputs::of(&config));
        // Before they are read: a change that falls in between is seen afterwards.
        inputs.mark_read(inputs.contents_blocking().await);
        let (assembled, reach) = load_all(&config, &clock).await?;
        log_warnings(&assembled, &config);
        let Assembly {
            snapshot,
            systems,
            peers,
            witnesses,
        } = assembled;
        let doors = Doors::bind(&config)?;

        let subjects = SubjectKeys::open(&config.journal.subjects)?;
        let lost = losses::find(&config, &subjects)?;
        if !lost.is_empty() && !config.journal.accept_lost {
            return Err(StartError::SecretsLost(lost));
        }
        losses::accept(&config, &subjects)?;
        let secret = crate::assembly::files::secret(&config.journal.secret).map_err(|source| {
            StartError::Key {
                path: config.journal.secret.clone(),
                source,
            }
        })?;
        // Made now rather than in the first exchange, where a folder that cannot be written would be found too late.
        subjects.month(clock.now())?;
        let (held, key) = open_journal(&config, &clock)?;
        warn_if_unverifiable(held.journal(), &snapshot.journals, &config.department);
        let witness = open_witness(&config, snapshot.journals.clone(), &clock)?;
        let ledger =
            crate::assembly::restore::ledger(&config.journal.path, clock.now(), config.offset)?;
        let index = follow(&config, held.journal())?;
        let seen = crate::assembly::restore::seen(&config.journal.path, clock.now())?;
        let directory = snapshot.directory.clone();
        let exchange = Arc::new(Exchange::new(
            config.department.clone(),
            Arc::new(snapshot),
            ledger,
            PeerHistory {
                seen,
                refusals: Refusals::new(config.limits.refusals_on_record),
            },
            held.journal().clone(),
            Secrets::new(&secret, subjects.clone())?,
            clock.clone(),
        ));

        let corrections = &config.corrections;
        let desk = Arc::new(CorrectionDesk::new(
            exchange.clone(),
            Store::open(&corrections.path)?,
            config.journal.path.clone(),
            corrections.calendar.clone(),
            config.offset,
        ));
        let expiry = Expiry::new(exchange.journal(), config.retention.clone(), subjects);
        let (confirm, confirmed) = oneshot::channel();
        let gateway = Self {
            systems: acceptor(Door::Systems, systems, directory.clone(), &config, &clock),
            peers: acceptor(Door::Peers, peers, directory, &config, &clock),
            addresses: doors.addresses(),
            index,
            config,
            clock,
            exchange,
            reach,
            witness,
            witnesses: Arc::new(ArcSwapOption::new(witnesses.map(Arc::new))),
            states: WitnessStates::default(),
            overdue: OverdueComparisons::default(),
            confirmed,
            life: LifeCycle::default(),
            orders,
            inputs,
            proposals,
            desk,
            reloading: Mutex::new(()),
            lost,
        };
        let mut policy = Some(
            NewPolicy::of_start(&gateway.config.journal.path, gateway.exchange.snapshot()).await,
        );
        let held = gateway.release_unless_witnessed(held, &mut policy).await?;
        gateway.open(doors, metrics).await?;
        // After the doors: gateways that start together are one another's witnesses.
        gateway
            .life
            .tasks
            .spawn(
                gateway
                    .witnessing(key, policy)
                    .run(held, confirm, gateway.life.stop.clone()),
            );
        gateway.start_upkeep(expiry);
        let watch = Watch::new(gateway.inputs.clone(), changed);
        gateway
            .life
            .tasks
            .spawn(watch.run(gateway.life.stop.clone()));
        Ok(gateway)
    }

    /// Without witnesses nobody is waited for.
    async fn release_unless_witnessed(
        &self,
        held: HeldJournal,
        policy: &mut Option<NewPolicy>,
    ) -> Result<Option<HeldJournal>, StartError> {
        let has_witnesses = self.witnesses.load().is_some();
        if has_witnesses && self.config.witness.demanded {
            return Ok(Some(held));
        }
        let journal = held.release()?;
        if has_witnesses {
            tracing::warn!(
                "started without witnesses, as the command line has it: nobody has confirmed that the journal is its \
                 newest state, and exchanges are answered though nobody witnesses them"
            );
            let event = "started without witnesses";
            crate::federation::witnessing::started(
                &journal,
                event,
                policy.take(),
                self.lost.clone(),
            )
            .await;
        } else {
            crate::federation::witnessing::started(
                &journal,
                "started",
                policy.take(),
                self.lost.clone(),
            )
            .await;
        }
        Ok(None)
    }

    fn witnessing(&self, key: VerifierKey, policy: Option<NewPolicy>) -> WitnessingTask {
        let journal = &self.config.journal.path;
        WitnessingTask {
            exchange: self.exchange.clone(),
            peers: self.reach.peers.clone(),
            witnesses: self.witnesses.clone(),
            states: self.states.clone(),
            origin: self.config.origin(),
            key,
            tiles: Tiles::open(journal),
            reader: Reader::open(journal),
            max_age: self.config.witness.max_unwitnessed_age,
            demanded: self.config.witness.demanded,
            policy,
            lost: self.lost.clone(),
        }
    }

    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Judges live connections again: certificates end while connections last.
    fn rejudge(&self, whom: RejudgeScope) {
        log_cut(&self.systems.rejudge(whom));
        log_cut(&self.peers.rejudge(whom));
        log_cut(&self.reach.connector.rejudge(whom));
    }

    /// Lets in no more, finishes what is under way, closes the journal.
    pub async fn stop(self) {
        tracing::info!("stopping: finishing what is under way");
        self.life.drain(self.config.limits.drain).await;
        self.record(Entry::lifecycle("stopped", env!("CARGO_PKG_VERSION")))
            .await;
        let (journal, index) = (self.exchange.journal().clone(), self.index);
        let close = move || {
            journal.close();
            index.close();
        };
        // It waits for their threads, which an async task must not.
        if let Err(error) = tokio::task::spawn_blocking(close).await {
            tracing::error!(%error, "the journal was not closed");
        }
        self.life.end().await;
        tracing::info!("stopped");
    }

    fn books(&self) -> Books {
        Books::new(self.exchange.journal().clone(), &self.config.journal.path)
    }

    fn synchroniser(&self) -> Synchroniser {
        let publication = &self.config.publication;
        Synchroniser::new(
            self.exchange.clone(),
            self.reach.peers.clone(),
            &publication.path,
            self.reach.refused.clone(),
            publication.sync,
            self.proposals.clone(),
        )
    }

    fn surveyor(&self) -> Surveyor {
        let every = self.config.publication.sync;
        Surveyor::new(self.exchange.clone(), self.reach.peers.clone(), every)
    }

    fn courier(&self) -> Courier {
        let peers = self.reach.peers.clone();
        let keep = self.config.corrections.keep;
        Courier::new(self.exchange.clone(), peers, self.desk.clone(), keep)
    }

    fn reconciler(&self) -> Reconciler {
        Reconciler::new(
            self.exchange.clone(),
            self.reach.peers.clone(),
            self.books(),
            self.config.reconciliation,
            self.overdue.clone(),
        )
    }

    async fn record(&self, entry: Entry) {
        match self.exchange.journal().append(entry).await {
            // A journal that may be a copy made earlier takes not even this.
            Ok(_) | Err(AppendError::Unconfirmed) => {}
            Err(error) => tracing::error!(%error, "an event of the gateway is not on record"),
        }
    }
}

/// What ends, and what keeps departments from being asked: operators see it coming.
fn log_warnings(assembled: &Assembly, config: &Config) {
    for warning in assembled.warnings(config) {
        tracing::warn!(%warning, "something needs attention");
    }
    for material in [&assembled.systems, &assembled.peers] {
        for expiry in material.expiries() {
            let at = expiry.at.seconds() as f64;
            metrics::gauge!("landbridge_expires_timestamp_seconds", "file" => expiry.file.clone(), "what" => expiry.what)
                .set(at);
        }
    }
}

/// Others do not ask a department whose receipts they cannot verify.
fn warn_if_unverifiable(journal: &Journal, journals: &Journals, department: &DepartmentId) {
    if let Err(error) = journals.checkpoint(department, journal.checkpoint().note()) {
        let origin = journal.origin();
        tracing::warn!(%error, origin, "others cannot verify this journal: its key is not in the directory; add what `landbridge audit key` prints");
    }
}

fn log_cut(cut: &[CutConnection]) {
    for cut in cut {
        let (peer, reason) = (cut.peer.id(), cut.refusal.reason());
        tracing::warn!(%peer, reason, "connection closed: no longer trusted");
    }
}

/// What is durable is indexed, and nothing else.
fn follow(config: &Config, journal: &Journal) -> Result<IndexFollower, IndexError> {
    let journal = journal.clone();
    IndexFollower::start(&config.journal.path, move || journal.checkpoint().size())
}

/// The journal, and the public half of the key that signs it. Makes its keys if there are none.
pub fn open_journal(
    config: &Config,
    clock: &Clock,
) -> Result<(HeldJournal, VerifierKey), StartError> {
    let (settings, origin) = (&config.journal, config.origin().to_string());
    let (keys, _) = JournalKeys::load_or_create(&settings.key, &settings.post_quantum_key)?;
    let [key, _] = keys.verifiers(&origin).map_err(JournalError::Origin)?;
    let (held, recovery) = Journal::open_held(
        JournalSettings {
            dir: settings.path.clone(),
            origin,
            linger: settings.linger,
            segment_bytes: settings.segment_bytes,
            max_unpublished_age: settings.max_unpublished_age,
        },
        keys,
        clock.clone(),
    )?;
    if recovery.cut_bytes > 0 {
        tracing::warn!(
            entries = recovery.entries,
            cut_bytes = recovery.cut_bytes,
            "the journal ended in an unfinished commit, which was cut off; no answer had left with it"
        );
    }
    Ok((held, key))
}

/// The witness of the others' journals, and its key, which is made at the first start.
fn open_witness(
    config: &Config,
    journals: Arc<Journals>,
    clock: &Clock,
) -> Result<Witness, StartError> {
    let (settings, name) = (&config.witness, config.witness_name());
    let (key, _) = CosignerKey::load_or_create(&settings.key, &name)?;
    let own = config.department.clone();
    Ok(Witness::open(
        &settings.state,
        key,
        own,
        journals,
        clock.clone(),
    )?)
}
