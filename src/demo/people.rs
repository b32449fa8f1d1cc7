//! The residents of the city, who live in households.

use std::iter;

use time::Date;

use super::calendar;
use super::city::Address;
use super::names::Gender;

#[derive(Debug)]
pub(super) struct Household {
    pub(super) serial: u32,
    pub(super) kind: Kind,
    pub(super) address: Address,
    pub(super) established: Date,
    pub(super) head: Person,
    pub(super) marriage: Option<Marriage>,
    pub(super) others: Vec<Person>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Family,
    Collective,
    /// People whom no household has taken in.
    None,
}

#[derive(Debug)]
pub(super) struct Person {
    pub(super) serial: u32,
    pub(super) role: Role,
    pub(super) surname: String,
    /// Surname and given name.
    pub(super) name: String,
    pub(super) gender: Gender,
    pub(super) birth: Date,
    pub(super) national_id: String,
    pub(super) status: Status,
    pub(super) phone: Option<String>,
    /// The day on which the person joined the household.
    pub(super) joined: Date,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Head,
    Spouse,
    Child,
    Parent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Moved,
    Deceased,
    Cancelled,
}

/// The head's marriage.
#[derive(Debug)]
pub(super) struct Marriage {
    pub(super) serial: u32,
    pub(super) spouse: Person,
    pub(super) registered: Date,
    pub(super) divorced: Option<Date>,
}

impl Household {
    /// All members, the head first.
    pub(super) fn people(&self) -> impl Iterator<Item = &Person> {
        let spouse = self.marriage.iter().map(|marriage| &marriage.spouse);
        iter::once(&self.head).chain(spouse).chain(&self.others)
    }
}

impl Person {
    pub(super) fn age(&self) -> u32 {
        calendar::age(self.birth)
    }
}
