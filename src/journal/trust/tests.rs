use std::path::Path;

use super::*;
use crate::clock::Clock;
use crate::journal::AppendError;
use crate::journal::Kind;
use crate::journal::reader::Reader;
use crate::journal::testing::Flaky;
use crate::journal::testing::NOON;
use crate::journal::testing::Publish;
use crate::journal::testing::copy;
use crate::journal::testing::exchange;
use crate::journal::testing::keys;
use crate::journal::testing::open;
use crate::journal::testing::settings;
use crate::journal::testing::temporary;

fn held(dir: &Path) -> HeldJournal {
    let (held, _) = Journal::open_held(settings(dir, 4_096), keys(), Clock::fixed(NOON)).unwrap();
    held
}

fn kinds(dir: &Path) -> Vec<Kind> {
    let stored = Reader::open(dir).forward(0).unwrap();
    stored.map(|stored| stored.unwrap().leaf.kind).collect()
}

#[tokio::test]
async fn a_held_journal_takes_nothing_until_it_is_released() {
    let dir = temporary();
    let held = held(dir.path());
    let journal = held.journal().clone();
    journal.set_trust(JournalTrust::Good);
    let refused = journal.append(exchange(1)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unconfirmed), "{refused}");
    assert!(journal.begin(exchange(2)).await.is_err());
    assert_eq!(journal.checkpoint().size(), 0);

    held.release().unwrap();
    assert_eq!(*journal.trust(), JournalTrust::Good);
    assert_eq!(journal.append(exchange(1)).await.unwrap().index(), 0);
    // Nothing but a start holds it again.
    let why = "a witness".to_owned();
    journal.set_trust(JournalTrust::Unconfirmed { why: why.clone() });
    assert_eq!(*journal.trust(), JournalTrust::Good);
    let since = NOON;
    journal.set_trust(JournalTrust::Unwitnessed { since, why });
    assert_eq!(journal.append(exchange(3)).await.unwrap().index(), 1);
    journal.close();
}

#[tokio::test]
async fn not_even_the_end_of_an_interrupted_stream_is_written_to_a_held_journal() {
    let (dir, crashed) = (temporary(), temporary());
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Always).unwrap();
    let stream = journal.begin(exchange(1)).await.unwrap();
    copy(dir.path(), crashed.path());
    drop(stream);
    journal.close();

    let unasked = held(crashed.path());
    unasked.journal().close();
    assert_eq!(kinds(crashed.path()), [Kind::Intent]);
    drop(unasked);
    let journal = held(crashed.path()).release().unwrap();
    journal.append(exchange(2)).await.unwrap();
    journal.close();
    let expected = [Kind::Intent, Kind::StreamEnd, Kind::Exchange];
    assert_eq!(kinds(crashed.path()), expected);
}
