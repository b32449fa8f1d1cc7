//! Forgeries of what a gateway wrote last, by somebody who has its files and not its key.

use std::fs;
use std::path::Path;

use landbridge::fault::chain;
use landbridge::journal::reader::Reader;

use super::forge;
use super::forge::Forged;
use super::forge::Mark;
use super::scene::landbridge;
use super::scene::text;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::records::Resident;

const REFUSALS: usize = 32;
const CASE: &str = "C-32";

fn verify(world: &World, dir: &Path) -> (i32, String) {
    let vkey = world.journal("civil").vkey().to_string();
    let said = landbridge(&["audit", "verify", "--journal", text(dir), "--vkey", &vkey]);
    (said.code, said.told)
}

fn published(dir: &Path) -> usize {
    let note = Reader::open(dir).published().unwrap().unwrap();
    note.lines().nth(1).unwrap().parse().unwrap()
}

/// Refuses what its own system asks for, and is killed before a checkpoint of all of it is published.
async fn killed(world: &World) {
    let gateway = world.start("civil").await;
    let system = world.system("civil", "counter");
    let asked = Asked::get(&Resident(7).key())
        .purpose("no-such-purpose")
        .case(CASE);
    system.ask(&asked).await.err().unwrap();
    world.journal("civil").published().await;
    for _ in 1..REFUSALS {
        system.ask(&asked).await.err().unwrap();
    }
    gateway.kill();
}

#[tokio::test]
async fn what_was_written_last_cannot_be_forged_without_the_key() {
    let world = World::new().await;
    killed(&world).await;
    let dir = world.journal("civil").dir().to_owned();
    let genuine = fs::read(forge::segment(&dir)).unwrap();
    let entries = forge::entries(&world, "civil");
    let signed = published(&dir);
    assert!(
        signed < entries.len(),
        "{signed} of {} are published",
        entries.len()
    );
    let (code, told) = verify(&world, &dir);
    assert_eq!(code, 0, "{told}");
    let unpublished = format!("{} of them", entries.len() - signed);
    assert!(told.contains(&unpublished), "{told}");

    // Digests, commitments, checksums and roots are right; only a signature is not.
    let forged: Vec<Forged> = (0..)
        .zip(entries)
        .map(|(index, mut entry)| {
            if index >= signed {
                entry.tell(|record| record.officer = "somebody.else".to_owned());
                entry.restate();
                entry.bind();
            }
            entry
        })
        .collect();
    for (mark, why) in [
        (Mark::Rubbish, "its signature is not by the journal's key"),
        (Mark::Unsigned, "it bears no signature"),
    ] {
        forge::lay(&dir, &forged, &mark);
        let before = fs::read(forge::segment(&dir)).unwrap();
        let (code, told) = verify(&world, &dir);
        assert!(code == 3 && told.contains(why), "{told}");
        let told = chain(&forge::open(&world, "civil", &dir).err().unwrap());
        assert!(told.contains(why), "{told}");
        let mut gateway = world.launch("civil", &[]);
        assert!(!gateway.ended().await.success());
        let log = gateway.log_text();
        assert!(log.contains(why) && log.contains("as evidence"), "{log}");
        // Nothing is signed over it, and nothing of it is lost.
        assert_eq!(published(&dir), signed);
        assert_eq!(fs::read(forge::segment(&dir)).unwrap(), before);
    }

    fs::write(forge::segment(&dir), genuine).unwrap();
    let gateway = world.start("civil").await;
    assert_eq!(world.journal("civil").of_case(CASE).len(), REFUSALS);
    gateway.kill();
}
