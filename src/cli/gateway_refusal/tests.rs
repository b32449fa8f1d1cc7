use std::collections::HashMap;

use tonic_types::ErrorDetails;

use super::*;

fn refused(code: Code, reason: &str, metadata: &[(&str, &str)]) -> GatewayRefusal {
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut details = ErrorDetails::with_error_info(reason, "landbridge", metadata);
    details.set_retry_info(Some(Duration::from_secs(3)));
    GatewayRefusal::read(&Status::with_error_details(code, "no", details)).unwrap()
}

#[test]
fn what_policy_forbids_is_denied_and_the_rest_has_failed() {
    let rows = [
        (Code::PermissionDenied, "FIELD_NOT_GRANTED", Exit::Denied),
        (Code::ResourceExhausted, "QUOTA_EXHAUSTED", Exit::Denied),
        (Code::Unavailable, "OVERLOADED", Exit::Failed),
        (Code::ResourceExhausted, "OVER_FAIR_SHARE", Exit::Failed),
        (Code::InvalidArgument, "FILTER_INVALID", Exit::Failed),
        (Code::NotFound, "NOT_FOUND", Exit::Failed),
        (Code::Unavailable, "JOURNAL_UNAVAILABLE", Exit::Failed),
    ];
    for (code, reason, exit) in rows {
        assert_eq!(refused(code, reason, &[]).exit(), exit, "{reason}");
    }
}

#[test]
fn a_refusal_names_reason_field_exchange_and_when_to_try_again() {
    let metadata = [("field", "phone"), ("exchange_id", "0198-7")];
    let mut out = Vec::new();
    refused(Code::PermissionDenied, "FIELD_NOT_GRANTED", &metadata)
        .write(&mut out)
        .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "denied: FIELD_NOT_GRANTED: no\n exchange     0198-7\n field        phone\n retry after  3 s\n"
    );
}

#[test]
fn programs_get_a_refusal_as_json() {
    let json = refused(
        Code::PermissionDenied,
        "FIELD_NOT_GRANTED",
        &[("field", "phone")],
    )
    .to_json();
    assert_eq!(
        json.to_string(),
        r#"{"refused":{"code":"PermissionDenied","reason":"FIELD_NOT_GRANTED","message":"no","location":null,"metadata":{"field":"phone"},"retry_after_seconds":3.0}}"#
    );
}

#[test]
fn a_status_that_no_gateway_made_is_no_refusal() {
    assert_eq!(
        GatewayRefusal::read(&Status::unknown("transport error")),
        None
    );
}
