//! Enters people in the register, and gives out the numbers that must be unique.

use std::collections::HashMap;

use time::Date;

use super::calendar;
use super::city;
use super::city::Address;
use super::codes;
use super::names;
use super::names::Gender;
use super::people::Person;
use super::people::Role;
use super::people::Status;
use super::random::Random;

#[derive(Debug)]
pub(super) struct Registrar {
    random: Random,
    residents: u32,
    /// How many numbers have been given out for a region, birth date and gender.
    given: HashMap<(u32, Date, Gender), u32>,
}

impl Registrar {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            residents: 0,
            given: HashMap::new(),
        }
    }

    pub(super) fn enter(
        &mut self,
        role: Role,
        surname: &str,
        gender: Gender,
        birth: Date,
        address: &Address,
    ) -> Person {
        self.residents += 1;
        let given_name = names::given_name(&mut self.random, gender, birth.year());
        let age = calendar::age(birth);
        Person {
            serial: self.residents,
            role,
            surname: surname.to_owned(),
            name: format!("{surname}{given_name}"),
            gender,
            birth,
            national_id: self.national_id(gender, birth, address),
            status: self.status(age),
            phone: self.phone(age),
            joined: birth,
        }
    }

    fn national_id(&mut self, gender: Gender, birth: Date, address: &Address) -> String {
        // The number keeps the district in which its holder was first entered.
        let district = if self.random.chance(80) {
            address.district
        } else {
            city::any_district(&mut self.random)
        };
        let given = self
            .given
            .entry((district.region, birth, gender))
            .or_insert(0);
        *given += 1;
        let sequence = match gender {
            Gender::Male => *given * 2 - 1,
            Gender::Female => *given * 2,
        };
        codes::national_id(district.region, birth, sequence)
    }

    fn status(&mut self, age: u32) -> Status {
        let deceased = if age > 75 { 150 } else { 5 };
        self.random.weighted(
            &[
                Status::Active,
                Status::Moved,
                Status::Deceased,
                Status::Cancelled,
            ],
            &[955 - deceased, 40, deceased, 5],
        )
    }

    /// Mobile numbers begin with 13 to 19: those that begin with 10 are nobody's.
    fn phone(&mut self, age: u32) -> Option<String> {
        let usual = match age {
            0..12 => 5,
            12..70 => 92,
            _ => 60,
        };
        self.random
            .chance(usual)
            .then(|| format!("100{:08}", self.random.within(0..=99_999_999)))
    }
}
