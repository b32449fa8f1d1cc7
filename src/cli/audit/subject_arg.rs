//! Whom a question is about, and what its answer does not tell.

use std::io;
use std::io::Write;
use std::sync::Arc;

use super::Place;
use super::criteria::Identifier;
use super::criteria::KeysArgs;
use crate::assembly;
use crate::cli::exit::Exit;
use crate::cli::exit::Failure;
use crate::cli::exit::Run;
use crate::clock::Clock;
use crate::clock::Moment;
use crate::config::Config;
use crate::evidence::index::Index;
use crate::evidence::person::Person;
use crate::evidence::person::PersonError;
use crate::journal::subject::SubjectKeys;
use crate::registry::Registry;

const UNCHECKED: &str = "cannot be said without the registry: whether that is the name of a field that identifies, and which records have it as their key; it is read by the gateway's settings, `--config FILE`";

pub(super) struct SubjectArg {
    pub(super) person: Person,
    keys: SubjectKeys,
    /// Without it, names of fields are taken as they are.
    registry: Option<Arc<Registry>>,
}

impl SubjectArg {
    pub(super) fn find(
        who: &[Identifier],
        (since, until): (Option<Moment>, Option<Moment>),
        keys: &KeysArgs,
        place: &Place,
    ) -> Result<Self, Failure> {
        let keys = keys.open(place)?;
        let registry = registry(place.config.as_ref())?;
        let mut person = Person::between(since, until);
        for Identifier { scheme, id } in who {
            person
                .add(&keys, registry.as_deref(), scheme, id)
                .map_err(not_found)?;
        }
        Ok(Self {
            person,
            keys,
            registry,
        })
    }

    pub(super) fn registry(&self) -> Option<&Registry> {
        self.registry.as_deref()
    }

    /// Says what the answer does not tell. Where nothing was found, that is no answer while something cannot be told.
    pub(super) fn print_gaps(&self, is_nothing: bool, index: Option<&Index>, place: &Place) -> Run {
        let (reader, registry) = (place.reader(), self.registry.as_deref());
        let now = Clock::System.now();
        let gaps = self
            .person
            .gaps(&reader, index, &self.keys, registry, now)?;
        let mut told = gaps.warnings();
        if is_nothing && registry.is_none() {
            told.push(UNCHECKED.to_owned());
        }
        let mut err = io::stderr().lock();
        match (is_nothing, told.is_empty()) {
            (true, true) => writeln!(err, "nothing is on record under that identifier")?,
            (true, false) => writeln!(err, "nothing was found, but that is not all:")?,
            (false, _) => {}
        }
        for told in told {
            writeln!(err, "{told}")?;
        }
        match gaps.is_unanswerable() || is_nothing && registry.is_none() {
            true => Ok(Exit::Unverified),
            false => Ok(Exit::Done),
        }
    }

    /// There is no key for the time that is asked for.
    pub(super) fn no_key(&self, place: &Place) -> Failure {
        let folder = place.config.as_ref().map(|config| &config.journal.subjects);
        let hint = match folder {
            Some(folder) => format!(
                "`{}` has one file a month, such as `2026-11.key`",
                folder.display()
            ),
            None => "the folder of the keys has one file a month, such as `2026-11.key`".to_owned(),
        };
        Failure::usage("there is no key for any month of that time").hint(format!(
            "{hint}; a month whose records were erased has none"
        ))
    }
}

/// The registry of the settings, if there are settings. What is broken there does not hide the journal.
fn registry(config: Option<&Config>) -> io::Result<Option<Arc<Registry>>> {
    match config.map(|config| assembly::registry(config, None, Vec::new())) {
        None => Ok(None),
        Some(Ok((registry, _))) => Ok(Some(registry)),
        Some(Err(faults)) => {
            let faults = faults.len();
            writeln!(
                io::stderr(),
                "note: without the registry, which has faults ({faults}): see `landbridge check`"
            )?;
            Ok(None)
        }
    }
}

fn not_found(error: PersonError) -> Failure {
    match error {
        PersonError::UnknownScheme { .. } | PersonError::NoIdentifier => Failure::usage(error),
        PersonError::Keys(error) => error.into(),
    }
}
