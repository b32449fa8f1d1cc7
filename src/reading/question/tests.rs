use super::*;

fn why<T>(outcome: Result<T, ReadingError>) -> String {
    outcome.err().unwrap().to_string()
}

#[test]
fn what_is_left_empty_is_left_open_and_not_told() {
    let mut told = QueryWords::default();
    let open = criteria(&pb::SearchRequest::default(), &mut told).unwrap();
    assert_eq!(told.to_string(), "");
    assert!(open.kind.is_none() && open.peer.is_none() && open.exchange.is_none());
    assert_eq!(open.min_records, 0);
}

#[test]
fn a_question_is_told_in_words_that_name_nobody() {
    let asked = pb::SearchRequest {
        kind: "exchange".to_owned(),
        side: "provider".to_owned(),
        officer: "Li Wei".to_owned(),
        case_reference: "CASE 7\nkind=x".to_owned(),
        outcome: "denied".to_owned(),
        since: Some(Timestamp {
            seconds: 1,
            nanos: 500_000_000,
        }),
        min_records: 500,
        ..Default::default()
    };
    let mut told = QueryWords::default();
    let criteria = criteria(&asked, &mut told).unwrap();
    assert_eq!(criteria.officer.as_deref(), Some("Li Wei"));
    assert_eq!(criteria.since, Some(Moment::from_micros(1_500_000)));
    assert_eq!(
        told.to_string(),
        "kind=exchange side=provider officer=… case_reference=CASE_7_kind=x outcome=denied \
         since=1970-01-01T00:00:01.5Z min_records=500"
    );
}

#[test]
fn what_is_no_time_no_word_or_too_long_is_refused_by_its_field() {
    let refused = |asked: pb::SearchRequest| why(criteria(&asked, &mut QueryWords::default()));
    let time = |seconds, nanos| pb::SearchRequest {
        until: Some(Timestamp { seconds, nanos }),
        ..Default::default()
    };
    assert_eq!(refused(time(i64::MAX, 0)), "until: not a time");
    assert_eq!(refused(time(0, -1)), "until: not a time");
    assert_eq!(refused(time(0, 1_000_000_000)), "until: not a time");
    let mode = pb::SearchRequest {
        mode: "guess".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        refused(mode),
        "mode: expected one of get, query, verify, count"
    );
    let astray = pb::SearchRequest {
        reason: "990101199001011234".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        refused(astray),
        "reason: has other letters than it can have"
    );
    let reason = pb::SearchRequest {
        reason: "R".repeat(513),
        ..Default::default()
    };
    assert_eq!(refused(reason), "reason: longer than 512 bytes");
}

#[test]
fn a_page_has_a_limit_and_goes_on_where_the_last_one_ended() {
    assert_eq!(limit(0).unwrap(), 100);
    assert_eq!(limit(1_000).unwrap(), 1_000);
    assert_eq!(
        why(limit(1_001)),
        "limit: at most 1000 to a page; follow the cursor"
    );
    assert_eq!(cursor(&[]).unwrap(), None);
    assert_eq!(cursor(&7_u64.to_be_bytes()).unwrap(), Some(7));
    assert_eq!(
        why(cursor(&[0; 7])),
        "cursor: not from the trailer of a page"
    );
}
