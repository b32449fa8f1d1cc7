use super::*;

fn account() -> Account {
    let receipt = |index| pb::Receipt {
        origin: "gov.example/tax/1".to_owned(),
        index,
        ..Default::default()
    };
    Account {
        info: pb::ExchangeInfo {
            exchange_id: "0198".to_owned(),
            agreement: "CIV-TAX".to_owned(),
            masked: vec!["full_name".to_owned()],
            receipt: Some(receipt(4)),
            ..Default::default()
        },
        closed: Some(receipt(6)),
        records: Some(1),
        next_cursor: Bytes::from_static(&[0, 1]),
        exchanges: 1,
    }
}

#[test]
fn the_account_names_exchange_agreement_and_journal() {
    assert_eq!(
        account().line(),
        "1 record · exchange 0198 · agreement CIV-TAX · journal gov.example/tax/1 #4, closed by #6 · masked full_name\n\
         there are more: `--cursor AAE=`, or `--all`"
    );
}

#[test]
fn programs_get_the_account_as_json() {
    let json = account().json();
    assert_eq!(
        json["journal"],
        serde_json::json!({ "origin": "gov.example/tax/1", "index": 4 })
    );
    assert_eq!(json["next_cursor"], "AAE=");
}

#[test]
fn no_field_asked_for_is_no_mask() {
    assert!(field_mask(&[]).is_none());
    assert!(field_mask(&[" ".to_owned()]).is_none());
    let mask = field_mask(&["a".to_owned(), " b.c".to_owned()]);
    assert_eq!(
        mask.map(|mask| mask.paths),
        Some(vec!["a".to_owned(), "b.c".to_owned()])
    );
}

#[test]
fn of_a_query_that_was_asked_on_the_last_exchange_is_named() {
    let account = Account {
        exchanges: 3,
        next_cursor: Bytes::new(),
        ..account()
    };
    assert!(
        account
            .line()
            .starts_with("1 record · 3 exchanges, the last 0198 · "),
        "{}",
        account.line()
    );
}
