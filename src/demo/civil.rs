//! The records of civil affairs about a household.

use serde_json::Value;
use serde_json::json;

use super::Draft;
use super::calendar::TODAY;
use super::calendar::days_after;
use super::calendar::days_before;
use super::calendar::iso;
use super::calendar::office_time;
use super::city;
use super::city::Address;
use super::names;
use super::names::Gender;
use super::people::Household;
use super::people::Kind;
use super::people::Marriage;
use super::people::Person;
use super::people::Role;
use super::people::Status;
use super::random::Random;

#[derive(Debug)]
pub(super) struct CivilAffairs {
    random: Random,
}

/// Codes of GB/T 3304, with how many of a thousand people in Guizhou belong to each group, roughly.
const ETHNIC_GROUPS: [&str; 9] = ["HA", "MH", "BY", "TJ", "DO", "YI", "GL", "SH", "HU"];
const OF_A_THOUSAND: [u32; 9] = [640, 120, 80, 45, 45, 25, 20, 15, 10];

impl CivilAffairs {
    pub(super) fn new(random: Random) -> Self {
        Self { random }
    }

    pub(super) fn records(&mut self, household: &Household) -> Vec<Draft> {
        let mut drafts: Vec<Draft> = household
            .people()
            .map(|person| self.resident(person, household))
            .collect();
        if household.kind != Kind::None {
            drafts.push(self.household(household));
        }
        if let Some(marriage) = &household.marriage {
            drafts.push(self.marriage(household, marriage));
            drafts.extend(self.adoptions(household, marriage));
        }
        drafts
    }

    fn resident(&mut self, person: &Person, household: &Household) -> Draft {
        let district = household.address.district;
        let entered = days_after(person.birth, self.random.within(5..=60)).min(TODAY);
        let measured = person.age() >= 16 && self.random.chance(60);
        let mut attributes = serde_json::Map::new();
        if self.random.chance(70) {
            let cell = self.random.within(1..=240);
            attributes.insert(
                "grid".to_owned(),
                json!(format!("{}-{cell:03}", district.region)),
            );
        }
        let record = json!({
            "resident_id": resident_id(person),
            "full_name": person.name,
            "national_id": person.national_id,
            "gender": match person.gender {
                Gender::Male => "GENDER_MALE",
                Gender::Female => "GENDER_FEMALE",
            },
            "birth_date": iso(person.birth),
            "ethnic_group": self.random.weighted(&ETHNIC_GROUPS, &OF_A_THOUSAND),
            "status": match person.status {
                Status::Active => "STATUS_ACTIVE",
                Status::Moved => "STATUS_MOVED",
                Status::Deceased => "STATUS_DECEASED",
                Status::Cancelled => "STATUS_CANCELLED",
            },
            "address": address(&household.address),
            "household_id": (household.kind != Kind::None).then(|| household_id(household)),
            "former_names": self.former_names(person),
            "phone": person.phone,
            "height_cm": measured.then(|| self.height(person.gender)),
            "registered_at": office_time(entered, &mut self.random),
            "attributes": attributes,
        });
        ("civil.v1.Resident", record)
    }

    fn former_names(&mut self, person: &Person) -> Vec<String> {
        let names = self.random.weighted(&[0, 1, 2], &[965, 32, 3]);
        (0..names)
            .map(|_| names::given_name(&mut self.random, person.gender, person.birth.year()))
            .map(|given| format!("{}{given}", person.surname))
            .collect()
    }

    fn height(&mut self, gender: Gender) -> u32 {
        // The sum of three dice is near enough to how heights are spread.
        let above: u32 = (0..3).map(|_| self.random.within(0..=11)).sum();
        match gender {
            Gender::Male => 153 + above,
            Gender::Female => 142 + above,
        }
    }

    fn household(&mut self, household: &Household) -> Draft {
        let members: Vec<Value> = household
            .people()
            .map(|person| {
                json!({
                    "resident_id": resident_id(person),
                    "full_name": person.name,
                    "relation": match person.role {
                        Role::Head => "HOUSEHOLD_RELATION_HEAD",
                        Role::Spouse => "HOUSEHOLD_RELATION_SPOUSE",
                        Role::Child => "HOUSEHOLD_RELATION_CHILD",
                        Role::Parent => "HOUSEHOLD_RELATION_PARENT",
                    },
                    "joined_on": iso(person.joined),
                })
            })
            .collect();
        let record = json!({
            "household_id": household_id(household),
            "head_national_id": household.head.national_id,
            "kind": match household.kind {
                Kind::Family | Kind::None => "HOUSEHOLD_KIND_FAMILY",
                Kind::Collective => "HOUSEHOLD_KIND_COLLECTIVE",
            },
            "address": address(&household.address),
            "members": members,
            "established_at": office_time(household.established, &mut self.random),
        });
        ("civil.v1.Household", record)
    }

    fn marriage(&mut self, household: &Household, marriage: &Marriage) -> Draft {
        let district = household.address.district;
        let year = marriage.registered.year();
        let number = format!("J{}-{year}-{:06}", district.region, marriage.serial);
        let (status, ended) = self.outcome(household, marriage);
        let spouse = |person: &Person| json!({ "full_name": person.name, "national_id": person.national_id });
        let record = json!({
            "certificate_number": number,
            "first_spouse": spouse(&household.head),
            "second_spouse": spouse(&marriage.spouse),
            "status": status,
            "registered_at": office_time(marriage.registered, &mut self.random),
            "ended_at": ended.map(|date| office_time(date, &mut self.random)),
            "registry_office": format!("{} Marriage Registry", district.name),
        });
        ("civil.v1.MarriageRecord", record)
    }

    fn outcome(
        &mut self,
        household: &Household,
        marriage: &Marriage,
    ) -> (&'static str, Option<time::Date>) {
        if let Some(date) = marriage.divorced {
            return ("MARRIAGE_STATUS_DIVORCED", Some(date));
        }
        let dead = |person: &Person| person.status == Status::Deceased;
        if dead(&household.head) || dead(&marriage.spouse) {
            let death = days_before(TODAY, self.random.within(1..=4000));
            return (
                "MARRIAGE_STATUS_WIDOWED",
                Some(death.max(marriage.registered)),
            );
        }
        ("MARRIAGE_STATUS_MARRIED", None)
    }

    /// Few, but there must be some: no agreement may release them.
    fn adoptions(&mut self, household: &Household, marriage: &Marriage) -> Vec<Draft> {
        let children = household
            .others
            .iter()
            .filter(|person| person.role == Role::Child);
        let mut drafts = Vec::new();
        for child in children {
            if !self.random.chance(1) {
                continue;
            }
            let day = days_after(child.birth, self.random.within(90..=1500)).min(TODAY);
            let record = json!({
                "adoption_id": format!("A{}{:08}", day.year(), child.serial),
                "child_national_id": child.national_id,
                "parent_national_ids": [household.head.national_id, marriage.spouse.national_id],
                "registered_at": office_time(day, &mut self.random),
            });
            drafts.push(("civil.v1.AdoptionRecord", record));
        }
        drafts
    }
}

fn resident_id(person: &Person) -> String {
    format!("R{:010}", person.serial)
}

fn household_id(household: &Household) -> String {
    format!("H{:09}", household.serial)
}

fn address(address: &Address) -> Value {
    json!({
        "province": city::PROVINCE,
        "city": city::CITY,
        "district": address.district.name,
        "street": address.street,
        "house": address.house,
        "postal_code": address.district.postal_code,
    })
}
