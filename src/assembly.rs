//! From files to one state of the gateway, or to every fault in them: the same for a start, a reload and a check.

pub mod files;
pub mod impact;
pub mod policies;
pub mod restore;
pub mod witnesses;

use std::collections::BTreeSet;
use std::future::pending;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinError;
use tokio::task::spawn_blocking;

use crate::assembly::files::AGREEMENTS;
use crate::assembly::files::GUARDRAILS;
use crate::assembly::files::policy_files;
use crate::assembly::files::unreadable;
use crate::assembly::witnesses::Witnesses;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::retention::unknown_types;
use crate::config::subjects::unknown_schemes;
use crate::evidence::journals::Journals;
use crate::exchange::offers::Offers;
use crate::exchange::snapshot::Snapshot;
use crate::fault::Fault;
use crate::identity::End;
use crate::identity::connector::Connector;
use crate::identity::directory::Directory;
use crate::identity::material::Material;
use crate::identity::spiffe::SpiffeId;
use crate::mode;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::name::PackageName;
use crate::policy::PolicyInput;
use crate::policy::PolicySet;
use crate::publication::PublishedPackages;
use crate::publication::refused_revisions::RefusedRevisions;
use crate::publication::shelf::KeptRevision;
use crate::publication::shelf::Shelf;
use crate::redact::Redactions;
use crate::registry::Registry;
use crate::source::Sources;
use crate::source::goes_by_characters;
use crate::source::peer::channel::Peers;
use crate::source::service::ServiceSource;
use crate::source::sql::SqlSource;
use crate::text;

/// What a start or a reload puts in place: all of it, or none.
#[derive(Debug)]
pub struct Assembly {
    pub snapshot: Snapshot,
    /// What the systems door shows and trusts.
    pub systems: Material,
    /// What the peers door and outbound connections show and trust.
    pub peers: Material,
    /// Whom the own journal's checkpoints go to; none if the settings name no policy.
    pub witnesses: Option<Witnesses>,
}

/// What outlives reloads: pools of connections to databases and peers.
#[derive(Debug)]
pub struct Connections {
    pub databases: Vec<SqlSource>,
    pub services: Vec<ServiceSource>,
    pub peers: Arc<Peers>,
    pub connector: Arc<Connector>,
    /// Revisions that this gateway does not go by.
    pub refused: RefusedRevisions,
    /// What departments have told of what they can answer.
    pub offers: Offers,
}

/// The trust material of both doors and the directory, which connections to peers need before all else.
#[derive(Debug)]
pub struct TrustMaterial {
    pub systems: Material,
    pub peers: Material,
    pub directory: Arc<Directory>,
    pub journals: Arc<Journals>,
}

impl Assembly {
    /// What an administrator should know though nothing is refused for it: certificates that end, providers that
    /// cannot be asked because nobody could verify their receipts, and what the settings name that the registry does not have.
    pub fn warnings(&self, config: &Config) -> Vec<Fault> {
        let materials = [&self.systems, &self.peers].into_iter();
        let mut warnings: Vec<Fault> = materials.flat_map(Material::warnings).cloned().collect();
        warnings.extend(unnamed(config, &self.systems));
        warnings.extend(unknown_types(config, &self.snapshot.registry));
        warnings.extend(unknown_schemes(config, &self.snapshot.registry));
        warnings.extend(unpublished(config, &self.snapshot));
        warnings.extend(in_settings(config, self.snapshot.sources.warnings()));
        let consumed = self.snapshot.policy.agreements().filter(|agreement| {
            agreement.consumer == config.department && agreement.provider != config.department
        });
        let mut told = BTreeSet::new();
        for agreement in consumed {
            let provider = &agreement.provider;
            if !self.snapshot.journals.can_prove(provider) && told.insert(provider) {
                warnings.push(unproven(config, &agreement.id, provider));
            }
        }
        warnings
    }
}

/// Gateways go by the URI alone; the systems' clients do not.
fn unnamed(config: &Config, systems: &Material) -> Option<Fault> {
    let address = config.systems.listen.ip();
    // Of a door at every address it cannot be known by which it is dialled.
    let is_named = address.is_unspecified() || systems.is_named(address);
    (!is_named).then(|| Fault {
        file: config.systems.material.certificate.display().to_string(),
        ..Fault::of_setting(
            "",
            "the certificate has no DNS name and no address of the systems door, so that ordinary gRPC clients refuse it: have it issued with the names by which systems dial this gateway",
        )
    })
}

/// The department's own drafts, which change nothing until they are published.
fn unpublished(config: &Config, snapshot: &Snapshot) -> impl Iterator<Item = Fault> {
    let is_own = |package: &&PackageName| {
        let head = snapshot.published.head(package.as_str());
        head.is_some_and(|head| head.revision.owner == config.department)
    };
    let drafts = snapshot.registry.drafts().iter().filter(is_own);
    let folder = config.registry.display().to_string();
    drafts.map(move |package| Fault {
        file: folder.clone(),
        line: 0,
        column: 0,
        key: package.to_string(),
        message: format!(
            "is not what is published of it, and changes nothing; `landbridge registry publish {package} --config <settings>` puts it in force"
        ),
    })
}

fn unproven(config: &Config, agreement: &AgreementId, provider: &DepartmentId) -> Fault {
    Fault {
        file: config.directory.display().to_string(),
        line: 0,
        column: 0,
        key: format!("department[{provider}].journal"),
        message: format!(
            "has no key, so that `{provider}` is not asked for what {agreement} grants; add the line that `landbridge audit key --config <settings>` prints there"
        ),
    }
}

impl TrustMaterial {
    /// Loads certificates, keys, CA bundles, CRLs and the directory.
    pub fn load(config: &Config, clock: &Clock) -> Result<Self, Vec<Fault>> {
        let id = SpiffeId::department_of(config.trust_domain.clone(), config.department.clone());
        let now = clock.now();
        let systems = Material::load_as(&id, &config.systems.material, &[End::Server], now);
        // The others' gateways dial it, and it dials them.
        let ends = [End::Server, End::Client];
        let peers = Material::load_as(&id, &config.peers.material, &ends, now);
        let directory = members(config);
        match (systems, peers, directory) {
            (Ok(systems), Ok(peers), Ok((directory, journals))) => Ok(Self {
                systems,
                peers,
                directory: Arc::new(directory),
                journals: Arc::new(journals),
            }),
            (systems, peers, directory) => Err([systems.err(), peers.err(), directory.err()]
                .into_iter()
                .flatten()
                .flatten()
                .collect()),
        }
    }
}

impl Connections {
    pub fn open(
        config: &Config,
        trusted: &TrustMaterial,
        clock: &Clock,
    ) -> Result<Self, Vec<Fault>> {
        let (mut databases, mut faults) = (Vec::new(), Vec::new());
        for source in &config.sources {
            match SqlSource::open(source.settings.clone(), source.url.as_str()) {
                Ok(database) => databases.push(database),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(in_settings(config, faults));
        }
        let connector = Arc::new(Connector::to_peers(
            trusted.peers.clone(),
            trusted.directory.clone(),
            clock.clone(),
        ));
        Ok(Self {
            databases,
            services: config
                .services
                .iter()
                .cloned()
                .map(ServiceSource::open)
                .collect(),
            peers: Arc::new(Peers::new(connector.clone())),
            connector,
            refused: RefusedRevisions::default(),
            offers: Offers::default(),
        })
    }
}

/// Reads and checks everything; reports every fault at once, also where one file keeps others from being judged. What
/// has not changed since `before` is taken over. The candidates are taken to be in force.
pub async fn assemble(
    config: &Config,
    trusted: Result<TrustMaterial, Vec<Fault>>,
    reach: Result<&Connections, Vec<Fault>>,
    before: Option<Arc<Snapshot>>,
    candidates: Vec<KeptRevision>,
) -> Result<Assembly, Vec<Fault>> {
    let own = config.clone();
    // Thousands of files take a while: not on a thread that serves.
    let files =
        run_blocking(move || Files::read(&own, trusted, before.as_deref(), candidates)).await;
    let mut faults = Vec::new();
    let (files, reach) = (keep(files, &mut faults), keep(reach, &mut faults));
    let Some(files) = files else {
        return Err(faults);
    };
    faults.extend(files.faults);
    let (registry, trusted) = (files.registry, files.trusted);
    let sources = match reach {
        Some(reach) => {
            let sources = keep(
                sources(config, &registry, &trusted, reach).await,
                &mut faults,
            );
            sources.map(|sources| (sources, reach.refused.clone(), reach.offers.clone()))
        }
        None => None,
    };
    if let (Some(policy), Some((sources, ..))) = (&files.policy, &sources) {
        faults.extend(rows_without_order(config, policy, sources));
    }
    match (files.policy, sources, files.witnesses) {
        (Some(policy), Some((sources, refused, offers)), Some(witnesses)) if faults.is_empty() => {
            Ok(Assembly {
                snapshot: Snapshot {
                    registry,
                    published: files.published,
                    refused_revisions: refused,
                    offers,
                    policy,
                    directory: trusted.directory,
                    journals: trusted.journals,
                    sources,
                    redactions: Redactions::default(),
                },
                systems: trusted.systems,
                peers: trusted.peers,
                witnesses,
            })
        }
        _ => Err(faults),
    }
}

/// The row rules of this department's own records that ask an order which a field has not in its database.
fn rows_without_order(config: &Config, policy: &PolicySet, sources: &Sources) -> Vec<Fault> {
    let mut faults = Vec::new();
    let own = policy
        .agreements()
        .filter(|agreement| agreement.provider == config.department);
    for agreement in own {
        for (number, grant) in agreement.grants.iter().enumerate() {
            let rows = grant.rows.as_ref();
            let path = rows.and_then(|rows| sources.unordered(grant.schema.name(), rows));
            faults.extend(path.map(|path| Fault {
                file: agreement.file.clone(),
                ..Fault::of_setting(format!("grant[{number}].rows"), goes_by_characters(&path))
            }));
        }
    }
    faults
}

/// What comes of files alone, as far as it does.
struct Files {
    registry: Arc<Registry>,
    published: PublishedPackages,
    trusted: TrustMaterial,
    policy: Option<PolicySet>,
    witnesses: Option<Option<Witnesses>>,
    faults: Vec<Fault>,
}

impl Files {
    fn read(
        config: &Config,
        trusted: Result<TrustMaterial, Vec<Fault>>,
        before: Option<&Snapshot>,
        candidates: Vec<KeptRevision>,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let known = before.map(|before| &before.registry);
        let registry = keep(registry(config, known, candidates), &mut faults);
        let trusted = keep(trusted, &mut faults);
        let (Some((registry, published)), Some(trusted)) = (registry, trusted) else {
            return Err(faults);
        };
        let departments: Vec<DepartmentId> = trusted.directory.ids().cloned().collect();
        if !departments.contains(&config.department) {
            faults.push(not_a_member(config));
        }
        let witnesses = keep(Witnesses::read(config, &trusted.directory), &mut faults);
        let known = before.map(|before| &before.policy);
        let policy = keep(policy(config, &departments, &registry, known), &mut faults);
        Ok(Self {
            registry,
            published,
            trusted,
            policy,
            witnesses,
            faults,
        })
    }
}

/// The registry that the gateway goes by: the tree with the published revisions, the candidates before those on the shelf.
pub fn registry(
    config: &Config,
    known: Option<&Arc<Registry>>,
    candidates: Vec<KeptRevision>,
) -> Result<(Arc<Registry>, PublishedPackages), Vec<Fault>> {
    mode::check(&config.registry).map_err(|fault| vec![fault])?;
    let published = Shelf::at(&config.publication.path).published()?;
    let published = published.with(candidates);
    let overlays: Vec<_> = published.lines().map(|line| line.head.overlay()).collect();
    let registry = Registry::compile_published(&config.registry, &overlays, known)?;
    Ok((registry, published))
}

/// Does what takes long on a thread of its own.
pub(crate) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    match spawn_blocking(work)
        .await
        .map_err(JoinError::try_into_panic)
    {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime ends, and whoever waits with it.
        Err(Err(_)) => pending().await,
    }
}

/// What a start puts in place, or every reason why it would be refused. Opens no door and touches no journal.
pub async fn load_all(
    config: &Config,
    clock: &Clock,
) -> Result<(Assembly, Connections), Vec<Fault>> {
    let trusted = match TrustMaterial::load(config, clock) {
        Ok(trusted) => trusted,
        Err(faults) => {
            return Err(also(
                assemble(config, Err(faults), Err(Vec::new()), None, Vec::new()).await,
            ));
        }
    };
    match Connections::open(config, &trusted, clock) {
        Ok(reach) => Ok((
            assemble(config, Ok(trusted), Ok(&reach), None, Vec::new()).await?,
            reach,
        )),
        Err(faults) => {
            let rest = assemble(config, Ok(trusted), Err(faults), None, Vec::new());
            Err(also(rest.await))
        }
    }
}

/// The faults of a state that cannot be whole.
fn also(assembled: Result<Assembly, Vec<Fault>>) -> Vec<Fault> {
    assembled.err().unwrap_or_default()
}

fn keep<T>(outcome: Result<T, Vec<Fault>>, faults: &mut Vec<Fault>) -> Option<T> {
    outcome.map_err(|found| faults.extend(found)).ok()
}

async fn sources(
    config: &Config,
    registry: &Registry,
    trusted: &TrustMaterial,
    reach: &Connections,
) -> Result<Sources, Vec<Fault>> {
    let peers = reach.peers.clone();
    let directory = trusted.directory.clone();
    let bound = Sources::bind(
        registry,
        &reach.databases,
        &reach.services,
        peers,
        directory,
    );
    let sources = bound.map_err(|found| in_settings(config, found))?;
    let (faults, unasked) = sources.check().await;
    for (source, error) in unasked {
        // A source that is down is no fault of the settings: it may come back, and the gateway need not.
        let error = crate::fault::chain(&error);
        tracing::warn!(source, error, "a source could not be checked");
    }
    if faults.is_empty() {
        Ok(sources)
    } else {
        Err(in_settings(config, faults))
    }
}

/// Reads the federation's directory.
pub fn directory(path: &Path) -> Result<Directory, Vec<Fault>> {
    mode::check(path).map_err(|fault| vec![fault])?;
    let text = text::read(path).map_err(|error| vec![unreadable(path, &error)])?;
    Directory::parse(&path.display().to_string(), &text)
}

/// The directory, and whose keys sign the journals of its departments.
fn members(config: &Config) -> Result<(Directory, Journals), Vec<Fault>> {
    let directory = directory(&config.directory)?;
    let file = config.directory.display().to_string();
    let journals = Journals::read(&file, &directory, &config.trust_domain)?;
    Ok((directory, journals))
}

/// Compiles the policy's files against a registry. Agreements that have not changed since `before` are taken over.
pub fn policy(
    config: &Config,
    departments: &[DepartmentId],
    registry: &Registry,
    before: Option<&PolicySet>,
) -> Result<PolicySet, Vec<Fault>> {
    let agreements = policy_files(&config.agreements, AGREEMENTS);
    let guardrails = policy_files(&config.guardrails, GUARDRAILS);
    let (agreements, guardrails) = match (agreements, guardrails) {
        (Ok(agreements), Ok(guardrails)) => (agreements, guardrails),
        (agreements, guardrails) => {
            return Err([agreements.err(), guardrails.err()]
                .into_iter()
                .flatten()
                .collect());
        }
    };
    PolicySet::compile(&PolicyInput {
        department: &config.department,
        departments,
        registry,
        agreements: &agreements,
        guardrails: &guardrails,
        offset: config.offset,
        before,
    })
}

fn not_a_member(config: &Config) -> Fault {
    let file = |path: &Path| path.display().to_string();
    Fault {
        file: file(&config.file),
        line: 0,
        column: 0,
        key: "department".to_owned(),
        message: format!(
            "`{}` is not in the directory {}; add a [[department]] with this id there",
            config.department,
            file(&config.directory)
        ),
    }
}

/// Faults of sources know their key, not their file.
pub(super) fn in_settings(config: &Config, faults: Vec<Fault>) -> Vec<Fault> {
    let file = config.file.display().to_string();
    faults
        .into_iter()
        .map(|fault| Fault {
            file: file.clone(),
            ..fault
        })
        .collect()
}
