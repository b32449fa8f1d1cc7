//! The businesses of the city, each founded by a household.

use time::Date;

use super::calendar::TODAY;
use super::calendar::days_after;
use super::calendar::days_before;
use super::calendar::years_after;
use super::city::Address;
use super::codes;
use super::people::Household;
use super::people::Person;
use super::people::Role;
use super::people::Status;
use super::random::Random;

#[derive(Debug)]
pub(super) struct Business {
    pub(super) serial: u32,
    pub(super) credit_code: String,
    pub(super) name: String,
    pub(super) form: Form,
    pub(super) standing: BusinessStatus,
    pub(super) industry: Industry,
    pub(super) representative: Representative,
    /// Other members of the household who hold shares.
    pub(super) partners: Vec<String>,
    pub(super) address: Address,
    pub(super) founded: Date,
    /// In fen.
    pub(super) capital: i64,
    pub(super) employees: Option<u32>,
}

#[derive(Debug, Clone)]
pub(super) struct Representative {
    pub(super) name: String,
    pub(super) national_id: String,
    pub(super) phone: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    LimitedCompany,
    JointStockCompany,
    Partnership,
    SoleTrader,
    FarmersCooperative,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BusinessStatus {
    Active,
    Suspended,
    Revoked,
    Dissolved,
}

/// What a business does: its code of GB/T 4754, and its word in the name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Industry {
    pub(super) code: &'static str,
    word: &'static str,
    /// What it needs a licence for.
    pub(super) licence: Option<&'static str>,
}

const INDUSTRIES: [Industry; 10] = [
    industry("5211", "百货", None),
    industry("6210", "餐饮", Some("餐饮服务")),
    industry("6513", "软件", None),
    industry("4710", "建筑工程", Some("建筑施工")),
    industry("5430", "物流", Some("道路货物运输")),
    industry("5221", "食品", Some("食品销售")),
    industry("8391", "教育咨询", None),
    industry("7011", "置业", None),
    industry("8042", "美容", Some("公共场所卫生")),
    industry("0111", "种植", None),
];

/// How usual each of them is, in percent.
const USUAL: [u32; 10] = [20, 18, 8, 9, 9, 14, 6, 5, 7, 4];

const fn industry(
    code: &'static str,
    word: &'static str,
    licence: Option<&'static str>,
) -> Industry {
    Industry {
        code,
        word,
        licence,
    }
}

/// Founds businesses and gives out their codes.
#[derive(Debug)]
pub(super) struct Founders {
    random: Random,
    businesses: u32,
}

impl Founders {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            businesses: 0,
        }
    }

    /// The business of a household's head, where there is one.
    pub(super) fn business_of(&mut self, household: &Household) -> Option<Business> {
        let head = &household.head;
        let may = (24..75).contains(&head.age()) && head.status == Status::Active;
        (may && self.random.chance(24)).then(|| self.found(household))
    }

    fn found(&mut self, household: &Household) -> Business {
        self.businesses += 1;
        let head = &household.head;
        let form = self.form();
        let industry = self.random.weighted(&INDUSTRIES, &USUAL);
        let kind = match form {
            Form::SoleTrader => "92",
            Form::FarmersCooperative => "93",
            Form::LimitedCompany | Form::JointStockCompany | Form::Partnership => "91",
        };
        let region = household.address.district.region;
        Business {
            serial: self.businesses,
            credit_code: codes::credit_code(kind, region, self.businesses),
            name: self.name(form, industry, head),
            form,
            standing: self.random.weighted(
                &[
                    BusinessStatus::Active,
                    BusinessStatus::Suspended,
                    BusinessStatus::Revoked,
                    BusinessStatus::Dissolved,
                ],
                &[84, 4, 5, 7],
            ),
            industry,
            representative: Representative {
                name: head.name.clone(),
                national_id: head.national_id.clone(),
                phone: head.phone.clone(),
            },
            partners: partners(form, household),
            address: household.address.clone(),
            founded: self.founded(head),
            capital: self.capital(form),
            employees: self.employees(form),
        }
    }

    fn form(&mut self) -> Form {
        self.random.weighted(
            &[
                Form::LimitedCompany,
                Form::JointStockCompany,
                Form::Partnership,
                Form::SoleTrader,
                Form::FarmersCooperative,
            ],
            &[38, 1, 4, 54, 3],
        )
    }

    /// Where a real name has its city, these say "example", so that they are no real company's.
    fn name(&mut self, form: Form, industry: Industry, head: &Person) -> String {
        const FIRST: &str = "黔筑鑫恒瑞盛华宏泰嘉兴隆永安金诚信达源佳";
        const SECOND: &str = "源达丰盛泰和通宇腾辉顺昌业邦润成洋峰康联";
        let word = industry.word;
        if form == Form::SoleTrader {
            return format!("示例{}{word}店", head.name);
        }
        let first = self.random.character(FIRST);
        let second = self.random.character(SECOND);
        let ending = match form {
            Form::LimitedCompany => "有限公司",
            Form::JointStockCompany => "股份有限公司",
            Form::Partnership => "合伙企业(普通合伙)",
            Form::FarmersCooperative => "农民专业合作社",
            Form::SoleTrader => "店",
        };
        format!("示例{first}{second}{word}{ending}")
    }

    fn founded(&mut self, head: &Person) -> Date {
        let earliest = years_after(head.birth, 20);
        let day = days_before(TODAY, self.random.within(1..=7000));
        day.max(days_after(earliest, 1))
    }

    fn capital(&mut self, form: Form) -> i64 {
        let ten_thousands = match form {
            Form::SoleTrader => self.random.within(1..=30),
            Form::JointStockCompany => self.random.within(1000..=20_000),
            Form::LimitedCompany | Form::Partnership | Form::FarmersCooperative => self
                .random
                .pick(&[10, 30, 50, 100, 100, 200, 300, 500, 1000, 5000]),
        };
        i64::from(ten_thousands) * 1_000_000
    }

    fn employees(&mut self, form: Form) -> Option<u32> {
        if self.random.chance(15) {
            return None;
        }
        Some(match form {
            Form::SoleTrader => self.random.within(1..=6),
            Form::JointStockCompany => self.random.within(80..=900),
            Form::LimitedCompany | Form::Partnership | Form::FarmersCooperative => {
                self.random.within(2..=60)
            }
        })
    }
}

fn partners(form: Form, household: &Household) -> Vec<String> {
    if form == Form::SoleTrader {
        return Vec::new();
    }
    household
        .people()
        .filter(|person| person.role != Role::Head && person.age() >= 18)
        .map(|person| person.name.clone())
        .collect()
}
