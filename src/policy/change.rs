//! What a change of the policy does to what it grants: line by line, each judged.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Display;

use super::PolicySet;
use super::agreement::Agreement;
use super::agreement::Grant;
use super::agreement::ReleasedField;
use crate::name::AgreementId;
use crate::registry::field::Field;
use crate::registry::filter::Filter;
use crate::registry::mask::Mask;
use crate::registry::query::Mode;

/// What a line does to what may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// More may leave, to more who ask, more often or for longer.
    Widens,
    /// It is another: which of the two lets more leave is not for a program to say.
    Alters,
    Narrows,
}

/// One line of what changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub effect: Effect,
    /// Where, e.g. `CIV-TAX-2026-01, civil.v1.Resident`.
    pub place: String,
    /// The key of the agreement's or the grant's form, or `guardrail`.
    pub key: &'static str,
    /// As it is; empty where there is nothing.
    pub before: String,
    /// As it would be.
    pub after: String,
}

/// What is unlimited where nothing is said.
const UNLIMITED: &str = "-";

/// Everything that changes from the one policy to the other, what widens first. Empty where both grant the same.
pub fn changes(before: &PolicySet, after: &PolicySet) -> Vec<Change> {
    let mut found = ChangeList::default();
    let (old, new) = (by_id(before), by_id(after));
    for id in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        match (old.get(id), new.get(id)) {
            (Some(old), Some(new)) => found.compare_agreement(old, new),
            (Some(old), None) => {
                old.grants
                    .iter()
                    .for_each(|grant| found.grant_gone(old, grant));
            }
            (None, Some(new)) => {
                new.grants
                    .iter()
                    .for_each(|grant| found.grant_came(new, grant));
            }
            (None, None) => {}
        }
    }
    found.guardrails(before, after);
    found.changes.sort_by(|one, other| {
        (one.effect, &one.place, one.key).cmp(&(other.effect, &other.place, other.key))
    });
    found.changes
}

fn by_id(policy: &PolicySet) -> BTreeMap<&AgreementId, &Agreement> {
    policy
        .agreements()
        .map(|agreement| (&agreement.id, &**agreement))
        .collect()
}

#[derive(Default)]
struct ChangeList {
    changes: Vec<Change>,
}

/// Where a line stands, and what it is of.
struct Line<'a> {
    place: &'a str,
    key: &'static str,
}

impl ChangeList {
    fn add(&mut self, effect: Effect, line: &Line<'_>, before: impl Display, after: impl Display) {
        self.changes.push(Change {
            effect,
            place: line.place.to_owned(),
            key: line.key,
            before: before.to_string(),
            after: after.to_string(),
        });
    }

    /// Every part of both is named: a new one is judged, or this does not compile.
    fn compare_agreement(&mut self, old: &Agreement, new: &Agreement) {
        let Agreement {
            id,
            file: _,
            title,
            provider,
            consumer,
            legal_basis,
            accountable,
            valid_from,
            valid_until,
            purposes,
            grants,
            digest: _,
        } = old;
        let place = id.as_str();
        for (key, before, after) in [
            ("title", title, &new.title),
            ("legal_basis", legal_basis, &new.legal_basis),
            ("accountable", accountable, &new.accountable),
        ] {
            self.differs(Effect::Alters, &Line { place, key }, before, after);
        }
        // Somebody else gets what was agreed with the one, or gives it.
        let key = "provider";
        self.differs(
            Effect::Widens,
            &Line { place, key },
            provider,
            &new.provider,
        );
        let key = "consumer";
        self.differs(
            Effect::Widens,
            &Line { place, key },
            consumer,
            &new.consumer,
        );
        let line = &Line {
            place,
            key: "valid_from",
        };
        self.more(
            line,
            valid_from,
            &new.valid_from,
            valid_from > &new.valid_from,
        );
        let line = &Line {
            place,
            key: "valid_until",
        };
        self.more(
            line,
            valid_until,
            &new.valid_until,
            valid_until < &new.valid_until,
        );
        let line = &Line {
            place,
            key: "purposes",
        };
        self.set(line, &names(purposes), &names(&new.purposes));
        self.grants(old, grants, new);
    }

    /// Grants of one record type are compared in their order.
    fn grants(&mut self, old: &Agreement, grants: &[Grant], new: &Agreement) {
        let records = grants.iter().chain(&new.grants);
        let records: BTreeSet<_> = records.map(|grant| grant.schema.name()).collect();
        for record in records {
            let of = |grant: &&Grant| grant.schema.name() == record;
            let mut before = grants.iter().filter(of);
            let mut after = new.grants.iter().filter(of);
            loop {
                match (before.next(), after.next()) {
                    (Some(before), Some(after)) => self.compare_grant(new, before, after),
                    (Some(gone), None) => self.grant_gone(old, gone),
                    (None, Some(came)) => self.grant_came(new, came),
                    (None, None) => break,
                }
            }
        }
    }

    fn compare_grant(&mut self, agreement: &Agreement, old: &Grant, new: &Grant) {
        let Grant {
            schema: _,
            modes,
            fields,
            released,
            lookup,
            rows,
            systems,
            max_records,
            rate,
            daily,
            smallest_group,
            count_step,
            distinct_counts,
            verify_tries,
            lookup_misses,
        } = old;
        let place = &place(agreement, old);
        let line = |key| Line { place, key };
        let words = |grant: &[Mode]| {
            grant
                .iter()
                .map(|mode| mode.as_str().to_owned())
                .collect::<BTreeSet<_>>()
        };
        self.set(&line("modes"), &words(modes), &words(&new.modes));
        self.compare_released(place, released, &new.released);
        let paths = |fields: &[Field]| {
            fields
                .iter()
                .map(|field| field.path().to_string())
                .collect::<BTreeSet<_>>()
        };
        if paths(fields) != paths(&new.fields) && is_same(released, &new.released) {
            // The same is released under other names: which of them may be asked for whole is another matter.
            let (before, after) = (paths(fields), paths(&new.fields));
            self.differs(
                Effect::Alters,
                &line("fields"),
                &list(&before),
                &list(&after),
            );
        }
        self.set(&line("lookup"), &paths(lookup), &paths(&new.lookup));
        let text = |rows: &Option<Filter>| rows.as_ref().map(|rows| rows.text().to_owned());
        self.rows(&line("rows"), text(rows), text(&new.rows));
        self.systems(&line("systems"), &names(systems), &names(&new.systems));
        self.limit(
            &line("max_records"),
            Some(*max_records),
            Some(new.max_records),
        );
        self.limit(&line("rate"), *rate, new.rate);
        self.limit(&line("daily"), *daily, new.daily);
        let (before, after) = (smallest_group, new.smallest_group);
        self.more(&line("smallest_group"), before, &after, after < *before);
        self.limit(
            &line("verify_tries"),
            Some(*verify_tries),
            Some(new.verify_tries),
        );
        let (before, after) = (count_step, new.count_step);
        self.more(&line("count_step"), before, &after, after < *before);
        self.limit(
            &line("distinct_counts"),
            *distinct_counts,
            new.distinct_counts,
        );
        self.limit(
            &line("lookup_misses"),
            Some(*lookup_misses),
            Some(new.lookup_misses),
        );
    }

    fn grant_came(&mut self, agreement: &Agreement, grant: &Grant) {
        let place = place(agreement, grant);
        let line = Line {
            place: &place,
            key: "grant",
        };
        self.add(Effect::Widens, &line, "", whole(grant));
    }

    fn grant_gone(&mut self, agreement: &Agreement, grant: &Grant) {
        let place = place(agreement, grant);
        let line = Line {
            place: &place,
            key: "grant",
        };
        self.add(Effect::Narrows, &line, whole(grant), "");
    }

    fn compare_released(&mut self, place: &str, old: &[ReleasedField], new: &[ReleasedField]) {
        let masks = |released: &[ReleasedField]| -> BTreeMap<String, Option<Mask>> {
            let masks = released
                .iter()
                .map(|one| (one.field.path().to_string(), one.mask));
            masks.collect()
        };
        let (old, new) = (masks(old), masks(new));
        for path in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let line = |key| Line { place, key };
            match (old.get(path), new.get(path)) {
                (None, Some(mask)) => {
                    self.add(Effect::Widens, &line("fields"), "", shown(path, mask));
                }
                (Some(mask), None) => {
                    self.add(Effect::Narrows, &line("fields"), shown(path, mask), "");
                }
                (Some(before), Some(after)) if before != after => {
                    let key = match after {
                        None => "unmasked",
                        Some(_) => "mask",
                    };
                    let (was, is) = (shown(path, before), shown(path, after));
                    self.add(unmasking(*before, *after), &line(key), was, is);
                }
                _ => {}
            }
        }
    }

    fn rows(&mut self, line: &Line<'_>, old: Option<String>, new: Option<String>) {
        let effect = match (&old, &new) {
            (Some(_), None) => Effect::Widens,
            (None, Some(_)) => Effect::Narrows,
            (Some(_), Some(_)) | (None, None) => Effect::Alters,
        };
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        self.differs(effect, line, &old, &new);
    }

    /// No name means everybody.
    fn systems(&mut self, line: &Line<'_>, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        match (old.is_empty(), new.is_empty()) {
            (false, true) => self.add(Effect::Widens, line, list(old), UNLIMITED),
            (true, false) => self.add(Effect::Narrows, line, UNLIMITED, list(new)),
            _ => self.set(line, old, new),
        }
    }

    fn set(&mut self, line: &Line<'_>, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        for came in new.difference(old) {
            self.add(Effect::Widens, line, "", came);
        }
        for gone in old.difference(new) {
            self.add(Effect::Narrows, line, gone, "");
        }
    }

    /// No limit is above all limits.
    fn limit<T: Copy + Ord + Display>(&mut self, line: &Line<'_>, old: Option<T>, new: Option<T>) {
        let is_more = match (old, new) {
            (Some(old), Some(new)) => new > old,
            (old, new) => old.is_some() && new.is_none(),
        };
        let text = |limit: Option<T>| limit.map_or(UNLIMITED.to_owned(), |n| n.to_string());
        self.more(line, &text(old), &text(new), is_more);
    }

    fn more<T: PartialEq + Display>(&mut self, line: &Line<'_>, old: &T, new: &T, is_more: bool) {
        let effect = match is_more {
            true => Effect::Widens,
            false => Effect::Narrows,
        };
        self.differs(effect, line, old, new);
    }

    fn differs<T: PartialEq + Display>(
        &mut self,
        effect: Effect,
        line: &Line<'_>,
        old: &T,
        new: &T,
    ) {
        if old != new {
            self.add(effect, line, old, new);
        }
    }

    /// A guardrail forbids: without one, more is allowed.
    fn guardrails(&mut self, before: &PolicySet, after: &PolicySet) {
        let (old, new) = (before.meanings(), after.meanings());
        for id in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let line = Line {
                place: id,
                key: "guardrail",
            };
            let text = |meanings: &BTreeMap<String, (String, String)>| {
                meanings.get(id).map(|(reason, _)| reason.clone())
            };
            let effect = match (old.get(id), new.get(id)) {
                (Some(old), Some(new)) if old == new => continue,
                (Some(_), Some(_)) | (None, None) => Effect::Alters,
                (Some(_), None) => Effect::Widens,
                (None, Some(_)) => Effect::Narrows,
            };
            let (was, is) = (text(old).unwrap_or_default(), text(new).unwrap_or_default());
            self.add(effect, &line, was, is);
        }
    }
}

fn place(agreement: &Agreement, grant: &Grant) -> String {
    format!("{}, {}", agreement.id, grant.schema.name())
}

/// What a grant gives, in a line.
fn whole(grant: &Grant) -> String {
    let modes: Vec<_> = grant.modes.iter().map(|mode| mode.as_str()).collect();
    let fields = grant
        .released
        .iter()
        .map(|one| shown(one.field.path().as_str(), &one.mask));
    format!(
        "{}: {}",
        modes.join(", "),
        fields.collect::<Vec<_>>().join(", ")
    )
}

fn shown(path: &str, mask: &Option<Mask>) -> String {
    match mask {
        None => path.to_owned(),
        Some(mask) => format!("{path} ({mask})"),
    }
}

fn names<T: Display>(names: &[T]) -> BTreeSet<String> {
    names.iter().map(T::to_string).collect()
}

fn list(names: &BTreeSet<String>) -> String {
    names
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

fn is_same(old: &[ReleasedField], new: &[ReleasedField]) -> bool {
    let same = |one: &ReleasedField, other: &ReleasedField| {
        one.field == other.field && one.mask == other.mask
    };
    old.len() == new.len()
        && old
            .iter()
            .all(|one| new.iter().any(|other| same(one, other)))
}

/// What another mask does: of two that keep parts of the same kind, the one that keeps more widens.
fn unmasking(before: Option<Mask>, after: Option<Mask>) -> Effect {
    let wider = |is_more: bool| match is_more {
        true => Effect::Widens,
        false => Effect::Narrows,
    };
    match (before, after) {
        (_, None) | (Some(Mask::Drop), _) | (Some(Mask::Year), Some(Mask::Month)) => Effect::Widens,
        (None, _) | (_, Some(Mask::Drop)) | (Some(Mask::Month), Some(Mask::Year)) => {
            Effect::Narrows
        }
        (Some(Mask::KeepFirst(old)), Some(Mask::KeepFirst(new)))
        | (Some(Mask::KeepLast(old)), Some(Mask::KeepLast(new))) => wider(new > old),
        (Some(Mask::Round(old)), Some(Mask::Round(new))) if old % new == 0 => Effect::Widens,
        (Some(Mask::Round(old)), Some(Mask::Round(new))) if new % old == 0 => Effect::Narrows,
        (Some(_), Some(_)) => Effect::Alters,
    }
}

#[cfg(test)]
mod tests;
