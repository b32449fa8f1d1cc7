//! The parts of an exchange alone: `cargo bench --bench micro [-- <part of a name>]`.

mod catalogue;
mod ground;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use criterion::Criterion;
use futures::future::join_all;
use landbridge::clock::Clock;
use landbridge::journal::Entry;
use landbridge::journal::Journal;
use landbridge::journal::JournalKeys;
use landbridge::journal::JournalSettings;
use landbridge::redact::PseudonymKey;
use landbridge::redact::Redactions;
use landbridge::registry::Registry;
use landbridge::registry::filter::Filter;
use landbridge::registry::query::Query;
use landbridge::registry::rules::FieldSet;

use ground::Ground;

const FILTER: &str = "status == STATUS_ACTIVE && address.district in [\"Nanming\", \"Yunyan\"] \
                      && !full_name.startsWith(\"李\")";

fn main() -> anyhow::Result<()> {
    let ground = Ground::of_the_sample()?;
    let mut criterion = Criterion::default()
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    decision(&mut criterion, &ground)?;
    filter(&mut criterion, &ground)?;
    redaction(&mut criterion, &ground)?;
    registry(&mut criterion, &ground.root);
    search(&mut criterion)?;
    journal(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// Words that find one in a thousand of 20,000 record types, and words that find them all.
fn search(criterion: &mut Criterion) -> anyhow::Result<()> {
    let registry = catalogue::compile()?;
    let searches = [
        ("rare", "permit 许可证 district 17"),
        ("common", "number 登记"),
    ];
    for (name, words) in searches {
        criterion.bench_function(
            &format!("search 20,000 record types, {name} words"),
            |bench| {
                bench.iter(|| registry.search(black_box(words)).count());
            },
        );
    }
    Ok(())
}

/// From the words of a look-up to a permit, and that of one by the words checked already.
fn decision(criterion: &mut Criterion, ground: &Ground) -> anyhow::Result<()> {
    let schema = ground.resident()?;
    criterion.bench_function("check a question", |bench| {
        bench.iter(|| Query::check(schema, black_box(&ground::LOOK_UP)));
    });
    let (query, caller) = (Query::check(schema, &ground::LOOK_UP)?, Ground::caller()?);
    criterion.bench_function("decide", |bench| {
        bench.iter(|| {
            ground
                .policy
                .decide(&caller, query.clone(), ground::NOON)
                .is_ok()
        });
    });
    Ok(())
}

fn filter(criterion: &mut Criterion, ground: &Ground) -> anyhow::Result<()> {
    let schema = ground.resident()?;
    criterion.bench_function("compile a filter", |bench| {
        bench.iter(|| Filter::parse(black_box(FILTER), schema));
    });
    let (filter, record) = (Filter::parse(FILTER, schema)?, ground.record()?);
    criterion.bench_function("run a filter on a record", |bench| {
        bench.iter(|| filter.matches(black_box(&record)));
    });
    Ok(())
}

/// With the grant's gate, at the provider: some fields go, and two are masked. And where nothing is to go.
fn redaction(criterion: &mut Criterion, ground: &Ground) -> anyhow::Result<()> {
    let (record, key) = (ground.record()?, PseudonymKey::from_secret(&[7; 32]));
    let permit = ground.permit()?;
    let redaction = Redactions::default().of(&permit, &key);
    criterion.bench_function("redact a record", |bench| {
        bench.iter(|| redaction.apply(black_box(&record)));
    });
    let rules = ground.resident()?.rules().context("no rules")?;
    criterion.bench_function("hold a record against the registry's rules", |bench| {
        bench.iter(|| rules.violation(black_box(&record), &FieldSet::All));
    });
    let released: Bytes = redaction
        .apply(&record)?
        .context("the gate is shut")?
        .into_bytes();
    let consumer = Redactions::default().of(&ground.permit_of_the_consumer()?, &key);
    criterion.bench_function("redact what was redacted", |bench| {
        bench.iter(|| consumer.apply(black_box(&released)));
    });
    Ok(())
}

fn registry(criterion: &mut Criterion, root: &Path) {
    criterion.bench_function("compile the sample registry", |bench| {
        bench.iter(|| Registry::compile(&root.join("proto/registry")).is_ok());
    });
}

/// Each waits for its receipt: alone, and among 128.
fn journal(criterion: &mut Criterion) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = folder.path();
    let (keys, _) = JournalKeys::load_or_create(&path.join("key"), &path.join("key-pq"))?;
    let settings = JournalSettings {
        dir: path.join("journal"),
        origin: "gov.example/civil/1".to_owned(),
        linger: Duration::from_millis(1),
        segment_bytes: 64 << 20,
        max_unpublished_age: Duration::from_secs(60),
    };
    let (journal, _) = Journal::open(settings, keys, Clock::System)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let append = || journal.append(Entry::lifecycle("measured", "1"));
    criterion.bench_function("a durable entry alone", |bench| {
        bench.iter(|| runtime.block_on(append()).is_ok());
    });
    criterion.bench_function("128 durable entries", |bench| {
        bench.iter(|| runtime.block_on(join_all((0..128).map(|_| append()))));
    });
    journal.close();
    Ok(())
}
