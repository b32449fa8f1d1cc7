//! Limits: spent all or none, by many at once, over midnight and after a restart.

use std::thread;
use std::time::Duration;

use time::macros::datetime;

use super::Ledger;
use super::Spent;
use crate::clock::Moment;
use crate::policy::decision::Denial;
use crate::policy::decision::Permit;
use crate::policy::tests::AGREEMENT;
use crate::policy::tests::NOON;
use crate::policy::tests::What;
use crate::policy::tests::ask;
use crate::policy::tests::decide;
use crate::policy::tests::filtered;
use crate::policy::tests::moment;
use crate::policy::tests::policy;

const KEY: [u8; 16] = [1; 16];

/// 5 a second, 10 records a day, 3 tries.
fn permit() -> Permit {
    decide(&policy(&[AGREEMENT], &[]), &filtered("")).unwrap()
}

fn verification() -> Permit {
    let question = ask(What::Verify(vec!["full_name"]));
    decide(&policy(&[AGREEMENT], &[]), &question).unwrap()
}

fn ledger() -> Ledger {
    Ledger::new(NOON.offset())
}

fn after(micros: i64) -> Moment {
    Moment::from_micros(moment(NOON).micros() + micros)
}

fn reason(result: Result<(), Denial>) -> &'static str {
    result.map_or_else(|denial| denial.reason(), |()| "")
}

#[test]
fn a_second_holds_no_more_than_the_rate() {
    let (ledger, permit) = (ledger(), permit());
    for _ in 0..5 {
        assert_eq!(reason(ledger.admit(&permit, after(0))), "");
    }
    let denial = ledger.admit(&permit, after(0)).unwrap_err();
    assert_eq!(denial.retry(), Some(Duration::from_millis(200)));
    assert_eq!(
        reason(ledger.admit(&permit, after(199_999))),
        "RATE_LIMITED"
    );
    assert_eq!(reason(ledger.admit(&permit, after(200_000))), "");
    assert_eq!(
        reason(ledger.admit(&permit, after(200_000))),
        "RATE_LIMITED"
    );
}

#[test]
fn a_clock_that_goes_back_does_not_lock_a_grant() {
    let (ledger, permit) = (ledger(), permit());
    assert_eq!(reason(ledger.admit(&permit, after(3_600_000_000))), "");
    for _ in 0..5 {
        assert_eq!(reason(ledger.admit(&permit, after(0))), "");
    }
    assert_eq!(reason(ledger.admit(&permit, after(0))), "RATE_LIMITED");
}

#[test]
fn records_are_spent_all_or_none() {
    let (ledger, permit) = (ledger(), permit());
    assert_eq!(reason(ledger.spend(&permit, 7, after(0))), "");
    let denial = ledger.spend(&permit, 4, after(0)).unwrap_err();
    assert_eq!(denial.reason(), "QUOTA_EXHAUSTED");
    assert_eq!(denial.retry(), Some(Duration::from_secs(12 * 3600)));
    assert_eq!(reason(ledger.admit(&permit, after(0))), "");
    assert_eq!(reason(ledger.spend(&permit, 3, after(0))), "");
    assert_eq!(reason(ledger.admit(&permit, after(0))), "QUOTA_EXHAUSTED");
    assert_eq!(
        reason(ledger.spend(&permit, u64::MAX, after(0))),
        "QUOTA_EXHAUSTED"
    );
}

#[test]
fn a_day_begins_at_the_gateways_midnight() {
    let (ledger, permit) = (ledger(), permit());
    let spend = |at| reason(ledger.spend(&permit, 10, moment(at)));
    assert_eq!(spend(datetime!(2026-06-01 23:59:59 +8)), "");
    assert_eq!(spend(datetime!(2026-06-02 00:00 +8)), "");
    assert_eq!(spend(datetime!(2026-06-02 23:59 +8)), "QUOTA_EXHAUSTED");
    // A clock that goes back finds the later day's count.
    assert_eq!(spend(datetime!(2026-06-01 12:00 +8)), "QUOTA_EXHAUSTED");
}

#[test]
fn many_at_once_never_overspend() {
    let text = AGREEMENT.replace("daily       = 10", "daily = 1000");
    let permit = decide(&policy(&[&text], &[]), &filtered("")).unwrap();
    let ledger = ledger();
    let spent: u64 = thread::scope(|scope| {
        let spenders: Vec<_> = (1..=8)
            .map(|size| {
                let (ledger, permit) = (&ledger, &permit);
                scope.spawn(move || {
                    let spent = (0..400).filter(|_| ledger.spend(permit, size, after(0)).is_ok());
                    spent.count() as u64 * size
                })
            })
            .collect();
        spenders.into_iter().map(|s| s.join().unwrap()).sum()
    });
    // The greediest asked for 3200, and so was refused when less than 8 were left.
    assert!((993..=1000).contains(&spent), "{spent}");
}

#[test]
fn many_at_once_are_admitted_no_faster() {
    let (ledger, permit) = (ledger(), permit());
    let admitted: usize = thread::scope(|scope| {
        let askers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..50)
                        .filter(|_| ledger.admit(&permit, after(0)).is_ok())
                        .count()
                })
            })
            .collect();
        askers.into_iter().map(|a| a.join().unwrap()).sum()
    });
    assert_eq!(admitted, 5);
}

#[test]
fn tries_are_counted_for_each_record_and_day() {
    let (ledger, permit) = (ledger(), verification());
    for failed in [1, 0, 2] {
        assert_eq!(reason(ledger.may_verify(&permit, &KEY, after(0))), "");
        ledger.mismatched(&permit, &KEY, failed, after(0));
    }
    let denial = ledger.may_verify(&permit, &KEY, after(0)).unwrap_err();
    assert_eq!(denial.reason(), "TOO_MANY_TRIES");
    assert_eq!(denial.retry(), Some(Duration::from_secs(12 * 3600)));
    assert_eq!(reason(ledger.may_verify(&permit, &[2; 16], after(0))), "");
    assert_eq!(
        reason(ledger.may_verify(&permit, &KEY, after(12 * 3_600_000_000))),
        ""
    );
}

#[test]
fn verifications_side_by_side_share_the_tries() {
    let (ledger, permit) = (ledger(), verification());
    let let_in = (0..9).filter(|_| ledger.may_verify(&permit, &KEY, after(0)).is_ok());
    assert_eq!(let_in.count(), 3);
    ledger.mismatched(&permit, &KEY, 0, after(0));
    assert_eq!(reason(ledger.may_verify(&permit, &KEY, after(0))), "");
    assert_eq!(
        reason(ledger.may_verify(&permit, &KEY, after(0))),
        "TOO_MANY_TRIES"
    );
}

#[test]
fn what_the_journal_says_is_counted_again() {
    let (ledger, permit) = (ledger(), verification());
    let spent = |records, mismatches| Spent {
        agreement: permit.agreement().id.clone(),
        grant: permit.grant_number(),
        record: permit.query().schema.name().clone(),
        records,
        key_tag: Some(KEY),
        mismatches,
    };
    let day = 24 * 3_600_000_000;
    ledger.restore(&spent(10, 3), after(-day));
    assert_eq!(reason(ledger.spend(&permit, 1, after(0))), "");
    assert_eq!(reason(ledger.may_verify(&permit, &KEY, after(0))), "");
    ledger.mismatched(&permit, &KEY, 0, after(0));

    ledger.restore(&spent(9, 3), after(0));
    // Of a past day, told late.
    ledger.restore(&spent(9, 3), after(-day));
    assert_eq!(reason(ledger.admit(&permit, after(0))), "QUOTA_EXHAUSTED");
    assert_eq!(
        reason(ledger.may_verify(&permit, &KEY, after(0))),
        "TOO_MANY_TRIES"
    );
}

#[test]
fn counts_outlive_a_reload() {
    let ledger = ledger();
    assert_eq!(reason(ledger.spend(&permit(), 10, after(0))), "");
    assert_eq!(
        reason(ledger.spend(&permit(), 1, after(0))),
        "QUOTA_EXHAUSTED"
    );
}
