//! The records of market supervision about a business.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::Date;
use time::Month;

use super::Draft;
use super::businesses::Business;
use super::businesses::BusinessStatus;
use super::businesses::Form;
use super::calendar::TODAY;
use super::calendar::days_after;
use super::calendar::iso;
use super::calendar::office_time;
use super::calendar::years_after;
use super::city;
use super::random::Random;

pub(super) fn records(business: &Business, random: &mut Random) -> Vec<Draft> {
    let mut drafts = vec![register_entry(business, random)];
    if business.form != Form::SoleTrader {
        let first = business.founded.year().max(TODAY.year() - 3);
        drafts.extend((first..TODAY.year()).map(|year| annual_report(business, year, random)));
    }
    drafts
}

fn register_entry(business: &Business, random: &mut Random) -> Draft {
    let address = &business.address;
    let founder = &business.representative;
    let changed = days_after(business.founded, random.within(0..=2500)).min(TODAY);
    let record = json!({
        "credit_code": business.credit_code,
        "name": business.name,
        "kind": match business.form {
            Form::LimitedCompany => "BUSINESS_KIND_LIMITED_COMPANY",
            Form::JointStockCompany => "BUSINESS_KIND_JOINT_STOCK_COMPANY",
            Form::Partnership => "BUSINESS_KIND_PARTNERSHIP",
            Form::SoleTrader => "BUSINESS_KIND_SOLE_TRADER",
            Form::FarmersCooperative => "BUSINESS_KIND_FARMERS_COOPERATIVE",
        },
        "status": match business.standing {
            BusinessStatus::Active => "BUSINESS_STATUS_ACTIVE",
            BusinessStatus::Suspended => "BUSINESS_STATUS_SUSPENDED",
            BusinessStatus::Revoked => "BUSINESS_STATUS_REVOKED",
            BusinessStatus::Dissolved => "BUSINESS_STATUS_DISSOLVED",
        },
        "legal_representative": {
            "full_name": founder.name,
            "national_id": founder.national_id,
            "phone": founder.phone,
        },
        "registered_capital": business.capital,
        "industry_codes": industry_codes(business, random),
        "address": format!(
            "{} {} {} {} {}",
            city::PROVINCE, city::CITY, address.district.name, address.street, address.house
        ),
        "district": address.district.name,
        "founded_on": iso(business.founded),
        "employees": business.employees,
        "licences": licences(business, random),
        "shareholdings": shareholdings(business),
        "updated_at": office_time(changed, random),
    });
    ("market.v1.Business", record)
}

fn industry_codes(business: &Business, random: &mut Random) -> Vec<&'static str> {
    let mut codes = vec![business.industry.code];
    if random.chance(30) {
        codes.push(random.pick(&["5296", "7299", "6490", "7249"]));
    }
    codes
}

fn licences(business: &Business, random: &mut Random) -> Vec<Value> {
    let Some(scope) = business.industry.licence else {
        return Vec::new();
    };
    let issued = days_after(business.founded, random.within(10..=90)).min(TODAY);
    // One in ten has no end.
    let expires = random
        .chance(90)
        .then(|| office_time(years_after(issued, 5), random));
    vec![json!({
        "number": format!("XK{}{:06}", business.address.district.region, business.serial),
        "scope": scope,
        "issued_at": office_time(issued, random),
        "expires_at": expires,
    })]
}

/// The founder holds what the partners do not: each of them a tenth.
fn shareholdings(business: &Business) -> Map<String, Value> {
    let mut holdings = Map::new();
    if business.form == Form::SoleTrader {
        return holdings;
    }
    for partner in &business.partners {
        holdings.insert(partner.clone(), json!(1_000));
    }
    holdings.remove(&business.representative.name);
    let founder = 10_000 - 1_000 * holdings.len();
    holdings.insert(business.representative.name.clone(), json!(founder));
    holdings
}

fn annual_report(business: &Business, year: i32, random: &mut Random) -> Draft {
    // Due between January and June of the following year.
    let opening = Date::from_calendar_date(year + 1, Month::January, 1).unwrap_or(TODAY);
    let submitted = days_after(opening, random.within(0..=180));
    let insured = business.employees.unwrap_or(0) * random.within(60..=100) / 100;
    let record = json!({
        "report_id": format!("{}-{year}", business.credit_code),
        "credit_code": business.credit_code,
        "year": year,
        "submitted_at": office_time(submitted, random),
        "figures": figures(business, random),
        "insured": {
            "pension": insured,
            "medical": insured,
            "unemployment": insured.saturating_sub(1),
        },
        "web_sites": web_sites(business, random),
    });
    ("market.v1.AnnualReport", record)
}

/// Some businesses keep their figures to themselves.
fn figures(business: &Business, random: &mut Random) -> Option<Value> {
    if random.chance(25) {
        return None;
    }
    let revenue = business.capital / 100 * i64::from(random.within(20..=400));
    let net_profit = revenue / 100 * (i64::from(random.within(0..=30)) - 12);
    Some(json!({
        "total_assets": business.capital / 100 * i64::from(random.within(80..=300)),
        "revenue": revenue,
        "net_profit": net_profit,
        "tax_paid": revenue / 100 * 3 + net_profit.max(0) / 4,
    }))
}

fn web_sites(business: &Business, random: &mut Random) -> Vec<String> {
    // `.example` is nobody's: RFC 2606.
    let sites = random.weighted(&[0, 1, 2], &[75, 20, 5]);
    (1..=sites)
        .map(|n| format!("https://shop{n}.b{:06}.example", business.serial))
        .collect()
}
