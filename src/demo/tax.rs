//! The records of the tax office about people and businesses.

use serde_json::Value;
use serde_json::json;
use time::Date;
use time::Month;

use super::Draft;
use super::accounts;
use super::accounts::Year;
use super::businesses::Business;
use super::businesses::BusinessStatus;
use super::businesses::Form;
use super::calendar::TODAY;
use super::calendar::days_after;
use super::calendar::office_time;
use super::calendar::years_after;
use super::city::District;
use super::people::Household;
use super::people::Person;
use super::people::Status;
use super::random::Random;

/// Registers taxpayers and takes their payments.
#[derive(Debug)]
pub(super) struct TaxOffice {
    random: Random,
    taxpayers: u32,
    payments: u64,
}

/// What is entered of a taxpayer, whoever that is.
struct Entry<'a> {
    identity: &'a str,
    name: &'a str,
    kind: &'static str,
    rating: &'static str,
    small_scale: bool,
    since: Date,
    district: District,
    tax: &'static str,
    years: Vec<Year>,
}

/// How many closed years are kept.
const KEPT: i32 = 3;

impl TaxOffice {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            taxpayers: 0,
            payments: 0,
        }
    }

    pub(super) fn people(&mut self, household: &Household) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for person in household.people() {
            let earns = (20..66).contains(&person.age()) && person.status != Status::Cancelled;
            if earns && self.random.chance(82) {
                drafts.extend(self.person(person, household));
            }
        }
        drafts
    }

    fn person(&mut self, person: &Person, household: &Household) -> Vec<Draft> {
        let since =
            days_after(years_after(person.birth, 19), self.random.within(0..=2500)).min(TODAY);
        let income = accounts::personal_income(&mut self.random);
        let years = self.years(since, income, accounts::personal_income_tax);
        self.enter(&Entry {
            identity: &person.national_id,
            name: &person.name,
            kind: "TAXPAYER_KIND_PERSON",
            rating: "CREDIT_RATING_UNSPECIFIED",
            small_scale: false,
            since,
            district: household.address.district,
            tax: "TAX_KIND_PERSONAL_INCOME",
            years,
        })
    }

    pub(super) fn business(&mut self, business: &Business) -> Vec<Draft> {
        let since = days_after(business.founded, self.random.within(0..=30)).min(TODAY);
        let sole_trader = business.form == Form::SoleTrader;
        let income = business.capital / 100 * i64::from(self.random.within(2..=60));
        let years = self.years(since, income, accounts::enterprise_income_tax);
        let rating = self.rating(business, &years);
        self.enter(&Entry {
            identity: &business.credit_code,
            name: &business.name,
            kind: if sole_trader {
                "TAXPAYER_KIND_SOLE_TRADER"
            } else {
                "TAXPAYER_KIND_ORGANISATION"
            },
            rating,
            small_scale: sole_trader || business.employees.is_some_and(|employees| employees < 10),
            since,
            district: business.address.district,
            tax: if sole_trader {
                "TAX_KIND_PERSONAL_INCOME"
            } else {
                "TAX_KIND_ENTERPRISE_INCOME"
            },
            years,
        })
    }

    fn years(&mut self, since: Date, income: i64, tax: fn(i64) -> i64) -> Vec<Year> {
        let first = since.year().max(TODAY.year() - KEPT);
        accounts::years(&mut self.random, first..TODAY.year(), income, tax)
    }

    fn rating(&mut self, business: &Business, years: &[Year]) -> &'static str {
        if business.form == Form::SoleTrader {
            return "CREDIT_RATING_UNSPECIFIED";
        }
        if business.standing == BusinessStatus::Revoked {
            return "CREDIT_RATING_D";
        }
        match years {
            [] => "CREDIT_RATING_M",
            _ if !years.iter().all(Year::settled) => "CREDIT_RATING_C",
            _ => self
                .random
                .weighted(&["CREDIT_RATING_A", "CREDIT_RATING_B"], &[30, 70]),
        }
    }

    fn enter(&mut self, entry: &Entry<'_>) -> Vec<Draft> {
        self.taxpayers += 1;
        // A business's credit code is its taxpayer number. A person's would be the identity number: it is kept apart.
        let tax_id = match entry.kind {
            "TAXPAYER_KIND_PERSON" => format!("T{:010}", self.taxpayers),
            _ => entry.identity.to_owned(),
        };
        let mut drafts = vec![self.taxpayer(&tax_id, entry)];
        for year in entry.years.iter().filter(|year| year.paid > 0) {
            drafts.push(self.payment(&tax_id, entry, year));
        }
        drafts
    }

    fn taxpayer(&mut self, tax_id: &str, entry: &Entry<'_>) -> Draft {
        let last = entry.years.first();
        let arrears: i64 = entry.years.iter().map(|year| year.due - year.paid).sum();
        let assessments: Vec<Value> = entry
            .years
            .iter()
            .map(|year| {
                json!({
                    "year": year.year,
                    "income": year.income,
                    "tax_due": year.due,
                    "settled": year.settled(),
                })
            })
            .collect();
        let record = json!({
            "tax_id": tax_id,
            "identity_number": entry.identity,
            "name": entry.name,
            "kind": entry.kind,
            "credit_rating": entry.rating,
            "assessed_income": last.map_or(0, |year| year.income),
            "arrears": arrears,
            "effective_rate": last.and_then(effective_rate),
            "small_scale": entry.small_scale,
            "assessments": assessments,
            "registered_at": office_time(entry.since, &mut self.random),
            "tax_office": format!("{} Tax Office", entry.district.name),
        });
        ("tax.v1.Taxpayer", record)
    }

    /// The yearly settlement, between March and June; now and then a refund.
    fn payment(&mut self, tax_id: &str, entry: &Entry<'_>, year: &Year) -> Draft {
        self.payments += 1;
        let opening = Date::from_calendar_date(year.year + 1, Month::March, 1).unwrap_or(TODAY);
        let day = days_after(opening, self.random.within(0..=120));
        let amount = if self.random.chance(4) {
            -year.paid / 20
        } else {
            year.paid
        };
        let mut record = json!({
            "payment_number": self.payments + 520_000_000_000,
            "tax_id": tax_id,
            "identity_number": entry.identity,
            "tax_kind": entry.tax,
            "amount": amount,
            "period": format!("{0}-01-01/{0}-12-31", year.year),
            "paid_at": office_time(day, &mut self.random),
        });
        let (channel, name) = self.channel();
        if let Some(fields) = record.as_object_mut() {
            fields.insert(channel.to_owned(), json!(name));
        }
        ("tax.v1.PaymentRecord", record)
    }

    fn channel(&mut self) -> (&'static str, &'static str) {
        self.random.weighted(
            &[
                ("bank", "Example Bank of Commerce"),
                ("bank", "Example Rural Bank"),
                ("counter", "Counter 1"),
                ("counter", "Counter 7"),
            ],
            &[55, 30, 10, 5],
        )
    }
}

/// To four digits, as a fraction of 1.
fn effective_rate(year: &Year) -> Option<f64> {
    let basis_points = (year.due * 10_000).checked_div(year.income)?;
    Some(basis_points as f64 / 10_000.0)
}
