//! What taxpayers earn and owe, year by year. Amounts are in fen.

use super::random::Random;

/// One closed year of a taxpayer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Year {
    pub(super) year: i32,
    pub(super) income: i64,
    pub(super) due: i64,
    pub(super) paid: i64,
}

impl Year {
    pub(super) fn settled(&self) -> bool {
        self.paid >= self.due
    }
}

/// The closed years, the latest first.
pub(super) fn years(
    random: &mut Random,
    years: impl DoubleEndedIterator<Item = i32>,
    mut income: i64,
    tax: fn(i64) -> i64,
) -> Vec<Year> {
    years
        .rev()
        .map(|year| {
            let due = tax(income);
            let paid = if random.chance(95) {
                due
            } else {
                due / 10 * i64::from(random.within(0..=9))
            };
            let closed = Year {
                year,
                income,
                due,
                paid,
            };
            // Backwards in time, most incomes shrink.
            income = income / 100 * i64::from(random.within(85..=103));
            closed
        })
        .collect()
}

/// A person's comprehensive income of a year, most often modest.
pub(super) fn personal_income(random: &mut Random) -> i64 {
    let (least, greatest) = random.weighted(
        &[
            (18_000, 60_000),
            (60_000, 120_000),
            (120_000, 300_000),
            (300_000, 1_500_000),
        ],
        &[46, 37, 14, 3],
    );
    yuan(random.within(least..=greatest).into())
}

/// The yearly tax on comprehensive income: rates and quick deductions of the Individual Income Tax Law (2018), table 1,
/// after the basic allowance of 60,000 yuan.
pub(super) fn personal_income_tax(income: i64) -> i64 {
    // Taxable income up to so many yuan, percent, quick deduction in yuan.
    const BRACKETS: [(i64, i64, i64); 7] = [
        (36_000, 3, 0),
        (144_000, 10, 2_520),
        (300_000, 20, 16_920),
        (420_000, 25, 31_920),
        (660_000, 30, 52_920),
        (960_000, 35, 85_920),
        (i64::MAX / 100, 45, 181_920),
    ];
    let taxable = (income - yuan(60_000)).max(0);
    BRACKETS
        .iter()
        .find(|(limit, _, _)| taxable <= yuan(*limit))
        .map_or(0, |(_, percent, deduction)| {
            taxable * percent / 100 - yuan(*deduction)
        })
}

/// Enterprise income tax: a quarter, and a twentieth for those who earn up to 3,000,000 yuan.
pub(super) fn enterprise_income_tax(income: i64) -> i64 {
    let percent = if income <= yuan(3_000_000) { 5 } else { 25 };
    income.max(0) * percent / 100
}

pub(super) const fn yuan(amount: i64) -> i64 {
    amount * 100
}
