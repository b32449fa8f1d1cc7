//! Makes households of people whose ages, names and marriages go together.

use time::Date;

use super::calendar::TODAY;
use super::calendar::born;
use super::calendar::days_after;
use super::calendar::days_before;
use super::calendar::years_after;
use super::calendar::years_before;
use super::city;
use super::names;
use super::names::Gender;
use super::people::Household;
use super::people::Kind;
use super::people::Marriage;
use super::people::Person;
use super::people::Role;
use super::random::Random;
use super::registrar::Registrar;

/// Households one after the other, until they have exactly so many residents.
#[derive(Debug)]
pub(super) struct Population {
    random: Random,
    registrar: Registrar,
    households: u32,
    marriages: u32,
    /// How many residents are still wanted.
    wanted: u32,
}

/// Who lives together.
#[derive(Debug, Clone, Copy)]
struct Shape {
    partner: bool,
    children: u32,
    parent: bool,
    /// The head's least and greatest age, in years.
    ages: (u32, u32),
}

const SHAPES: [Shape; 7] = [
    shape(false, 0, false, (20, 92)),
    shape(true, 0, false, (25, 88)),
    shape(true, 1, false, (27, 62)),
    shape(true, 2, false, (29, 62)),
    shape(true, 3, false, (33, 58)),
    shape(false, 1, false, (27, 55)),
    shape(true, 1, true, (30, 58)),
];

/// How usual each of them is, in percent.
const USUAL: [u32; 7] = [24, 25, 22, 13, 3, 5, 8];

const fn shape(partner: bool, children: u32, parent: bool, ages: (u32, u32)) -> Shape {
    Shape {
        partner,
        children,
        parent,
        ages,
    }
}

impl Iterator for Population {
    type Item = Household;

    fn next(&mut self) -> Option<Household> {
        if self.wanted == 0 {
            return None;
        }
        let shape = self.random.weighted(&SHAPES, &USUAL);
        let mut household = self.settle(shape);
        if shape.partner && self.wanted > 1 {
            household.marriage = Some(self.marry(&household));
        }
        for elder in 0..shape.children {
            household.others.extend(self.child(&household, elder));
        }
        if shape.parent {
            household.others.push(self.parent(&household));
        }
        let places = self.wanted - 1 - household.marriage.iter().count() as u32;
        household.others.truncate(places as usize);
        self.wanted = places - household.others.len() as u32;
        Some(household)
    }
}

impl Population {
    pub(super) fn new(seed: u64, residents: u32) -> Self {
        Self {
            random: Random::branch(seed, 1),
            registrar: Registrar::new(Random::branch(seed, 2)),
            households: 0,
            marriages: 0,
            wanted: residents,
        }
    }

    /// A household of its head alone.
    fn settle(&mut self, shape: Shape) -> Household {
        self.households += 1;
        let address = city::any_address(&mut self.random);
        let (least, greatest) = shape.ages;
        let age = self.random.within(least..=greatest);
        let birth = born(age, &mut self.random);
        let gender = self
            .random
            .weighted(&[Gender::Male, Gender::Female], &[65, 35]);
        let surname = names::surname(&mut self.random);
        let mut head = self
            .registrar
            .enter(Role::Head, surname, gender, birth, &address);
        head.joined = self.when_grown(birth);
        Household {
            serial: self.households,
            kind: self.kind(shape),
            address,
            established: head.joined,
            head,
            marriage: None,
            others: Vec::new(),
        }
    }

    fn kind(&mut self, shape: Shape) -> Kind {
        if shape.partner || shape.children > 0 {
            return Kind::Family;
        }
        self.random
            .weighted(&[Kind::Family, Kind::Collective, Kind::None], &[86, 10, 4])
    }

    fn marry(&mut self, household: &Household) -> Marriage {
        self.marriages += 1;
        let head = &household.head;
        let elder = days_before(head.birth, 1500);
        let birth = days_after(elder, self.random.within(0..=3000)).min(years_before(TODAY, 23));
        let surname = names::surname(&mut self.random);
        let mut spouse = self.registrar.enter(
            Role::Spouse,
            surname,
            head.gender.other(),
            birth,
            &household.address,
        );
        let registered = self.when_grown(birth.max(head.birth));
        spouse.joined = registered.max(household.established);
        Marriage {
            serial: self.marriages,
            spouse,
            registered,
            divorced: self.divorced(registered),
        }
    }

    fn divorced(&mut self, registered: Date) -> Option<Date> {
        let divorced = days_after(registered, self.random.within(200..=9000));
        (self.random.chance(10) && divorced < TODAY).then_some(divorced)
    }

    /// A child, if there has been time for one more.
    fn child(&mut self, household: &Household, elder: u32) -> Option<Person> {
        let since = match &household.marriage {
            Some(marriage) => marriage.registered,
            None => years_after(household.head.birth, 23),
        };
        let birth = days_after(since, 300 + elder * 1000 + self.random.within(0..=700));
        if birth > TODAY {
            return None;
        }
        let gender = self
            .random
            .weighted(&[Gender::Male, Gender::Female], &[52, 48]);
        let surname = &self.family_name(household);
        let address = &household.address;
        let mut child = self
            .registrar
            .enter(Role::Child, surname, gender, birth, address);
        child.joined = birth.max(household.established);
        Some(child)
    }

    /// Mostly the father's.
    fn family_name(&mut self, household: &Household) -> String {
        let head = &household.head;
        let parents_differ = head.gender == Gender::Female || self.random.chance(4);
        match &household.marriage {
            Some(marriage) if parents_differ => marriage.spouse.surname.clone(),
            _ => head.surname.clone(),
        }
    }

    /// The head's father or mother.
    fn parent(&mut self, household: &Household) -> Person {
        let head = &household.head;
        let birth = days_before(head.birth, self.random.within(8_400..=11_500));
        let address = &household.address;
        let (gender, surname) = if self.random.chance(40) {
            (Gender::Male, head.surname.as_str())
        } else {
            (Gender::Female, names::surname(&mut self.random))
        };
        let mut parent = self
            .registrar
            .enter(Role::Parent, surname, gender, birth, address);
        parent.joined = household.established;
        parent
    }

    /// A day soon after coming of age for marriage, which is 22 at most.
    fn when_grown(&mut self, birth: Date) -> Date {
        days_after(years_after(birth, 22), self.random.within(1..=2200)).min(TODAY)
    }
}
