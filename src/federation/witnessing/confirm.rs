//! Before the first entry: is what lies here the journal's newest state, as far as its witnesses know?

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::EVERY;
use super::LocatedWitness;
use super::WitnessError;
use super::Witnesses;
use super::WitnessingTask;
use super::client;
use crate::journal::HeldJournal;
use crate::journal::JournalTrust;
use crate::journal::tiles::TileError;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// A witness shows, under this journal's own signature, that something is missing here or was changed.
#[derive(Debug, thiserror::Error)]
pub enum Contradiction {
    #[error(
        "the journal has {found} entries, but `{witness}` has cosigned {cosigned}: it was restored from an older copy. To \
         go on from here would fork it. Put its newest copy in place; if there is none, set `journal.path` to an empty \
         folder and `journal.replica` to the next number, so that a new journal begins, and keep this one"
    )]
    CutBack {
        witness: String,
        cosigned: u64,
        found: u64,
    },
    #[error(
        "the first {cosigned} entries of the journal are not those that `{witness}` has cosigned: it was rewritten. Put its \
         true copy in place; if there is none, set `journal.path` to an empty folder and `journal.replica` to the next \
         number, so that a new journal begins, and keep this one"
    )]
    Rewritten { witness: String, cosigned: u64 },
    #[error("the journal's tree cannot be held against what its witnesses have cosigned")]
    Unread(#[from] TileError),
}

impl WitnessingTask {
    /// Asks the witnesses until as many have answered as the quorum needs. One that contradicts is enough to refuse.
    pub(super) async fn confirm(&self, held: &HeldJournal) -> Result<(), Contradiction> {
        let mut answered = BTreeSet::new();
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            let Some(witnesses) = self.witnesses.load_full() else {
                return Ok(());
            };
            self.ask_all(&witnesses, held, &mut answered).await?;
            let has = |name: &str| answered.contains(name);
            if witnesses.policy.is_met(|witness| has(witness.key.name())) {
                return Ok(());
            }
            let why = self.states.why(&witnesses.all);
            if let JournalTrust::Unconfirmed { why: former } = &*held.journal().trust()
                && *former != why
            {
                tracing::warn!(
                    why,
                    "exchanges are refused until the journal's witnesses have answered"
                );
            }
            held.journal().set_trust(JournalTrust::Unconfirmed { why });
        }
    }

    async fn ask_all(
        &self,
        witnesses: &Witnesses,
        held: &HeldJournal,
        answered: &mut BTreeSet<String>,
    ) -> Result<(), Contradiction> {
        let left = witnesses
            .all
            .iter()
            .filter(|reached| !answered.contains(reached.witness.key.name()));
        let mut asked: FuturesUnordered<_> = left
            .map(|reached| async move { (reached, self.last(reached).await) })
            .collect();
        let found = held.journal().checkpoint().size();
        let mut heard = Vec::new();
        while let Some((reached, last)) = asked.next().await {
            match last {
                Ok(last) => {
                    let size = last.as_ref().map_or(0, SignedCheckpoint::size);
                    if let Some(last) = last {
                        self.hold_against(reached, &last, found).await?;
                    }
                    self.states.set_answer(reached, size, None);
                    heard.push(reached.witness.key.name().to_owned());
                }
                Err(trouble) => self.states.set_failure(reached, &trouble),
            }
        }
        drop(asked);
        answered.extend(heard);
        Ok(())
    }

    /// What the witness cosigned last, if one of this journal's keys has signed it.
    pub(super) async fn last(
        &self,
        reached: &LocatedWitness,
    ) -> Result<Option<SignedCheckpoint>, WitnessError> {
        let Some(note) = client::last(self.channel(reached)?, &self.origin.to_string()).await?
        else {
            return Ok(None);
        };
        // Older keys of the journal speak as well, as long as the directory has them.
        let journals = self.exchange.snapshot().journals.clone();
        let mut keys: Vec<VerifierKey> = journals.keys(&self.origin).cloned().collect();
        if !keys.contains(&self.key) {
            keys.push(self.key.clone());
        }
        match SignedCheckpoint::open(&note, &keys) {
            Ok(checkpoint) if checkpoint.origin() == self.origin.to_string() => {
                Ok(Some(checkpoint))
            }
            Ok(_) | Err(_) => Err(WitnessError::Garbled(
                "a checkpoint that this journal's key has not signed",
            )),
        }
    }

    pub(super) async fn hold_against(
        &self,
        reached: &LocatedWitness,
        last: &SignedCheckpoint,
        found: u64,
    ) -> Result<(), Contradiction> {
        let (witness, cosigned) = (reached.witness.key.name().to_owned(), last.size());
        if cosigned > found {
            return Err(Contradiction::CutBack {
                witness,
                cosigned,
                found,
            });
        }
        let tiles = self.tiles.clone();
        let root = tokio::task::spawn_blocking(move || tiles.root(cosigned)).await;
        // A task that is not run to its end has read nothing.
        match root.unwrap_or(Err(TileError::Beyond))? {
            root if root == *last.root() => Ok(()),
            _ => Err(Contradiction::Rewritten { witness, cosigned }),
        }
    }
}
