use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::*;
use crate::clock::Moment;
use crate::journal::expiry::ExpiredClass;
use crate::journal::retention::Keep;

fn expired() -> Expired {
    let class = ExpiredClass {
        keep: Keep::Years(3),
        records: 41,
        oldest: Moment::from_micros(1_700_000_000_000_000),
    };
    Expired {
        records: 41,
        classes: BTreeMap::from([("default".to_owned(), class)]),
        epochs: BTreeSet::from([646]),
    }
}

fn written(expired: &Expired, dry_run: bool) -> String {
    let mut out = Vec::new();
    write(expired, dry_run, UtcOffset::UTC, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_due_is_told_by_class() {
    assert_eq!(
        written(&expired(), true),
        " class    keep  records  oldest\n\
         ───────────────────────────────────────────────────────\n \
         default  3y    41       2023-11-14 22:13:20.000+00:00\n\
         41 records would be erased\n"
    );
    assert!(written(&expired(), false).ends_with("41 records erased\n"));
    assert_eq!(written(&Expired::default(), false), "no record is due\n");
}

#[test]
fn programs_read_the_same() {
    let told = to_json(&expired(), true, UtcOffset::UTC);
    let expected = serde_json::json!({
        "dry_run": true,
        "records": 41,
        "classes": [{ "class": "default", "keep": "3y", "records": 41, "oldest": "2023-11-14T22:13:20Z" }],
        "months_without_keys": [646],
    });
    assert_eq!(told, expected);
}
