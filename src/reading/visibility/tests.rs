use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn rule(purposes: &[&str], consumers: &[&str], until: Option<Duration>, reason: &str) -> Rule {
    Rule {
        purposes: purposes.iter().map(|p| p.parse().unwrap()).collect(),
        consumers: consumers.iter().map(|c| c.parse().unwrap()).collect(),
        record_types: Vec::new(),
        until,
        reason: reason.to_owned(),
    }
}

fn used<'a>(purpose: &'a str, consumer: &'a str) -> Disclosure<'a> {
    Disclosure {
        at: Moment::from_micros(0),
        purpose,
        consumer,
        record_type: "civil.v1.Resident",
    }
}

fn after(days: i64) -> Moment {
    Moment::from_micros(days * 86_400_000_000)
}

#[test]
fn a_rule_hides_what_fits_each_of_its_lists_and_nothing_else() {
    let visibility = Visibility {
        rules: vec![rule(&["investigation"], &["police"], None, "art. 1")],
        ..Visibility::default()
    };
    let hides = |purpose, consumer| {
        visibility
            .hides(&used(purpose, consumer), after(9_999))
            .map(|hidden| hidden.reason)
    };
    assert_eq!(hides("investigation", "police"), Some("art. 1"));
    assert_eq!(hides("investigation", "tax"), None);
    assert_eq!(hides("licence", "police"), None);
}

#[test]
fn what_is_delayed_shows_when_its_time_has_come() {
    let visibility = Visibility {
        rules: vec![rule(&["arrears"], &[], Some(90 * DAY), "art. 2")],
        ..Visibility::default()
    };
    let hidden = |days| visibility.hides(&used("arrears", "tax"), after(days));
    let until = HidingRule {
        reason: "art. 2",
        until: Some(after(90)),
    };
    assert_eq!(hidden(0), Some(until));
    assert_eq!(hidden(89), Some(until));
    assert_eq!(hidden(90), None);
}

#[test]
fn of_several_rules_the_longest_counts() {
    let visibility = Visibility {
        rules: vec![
            rule(&["arrears"], &[], Some(DAY), "short"),
            rule(&[], &["tax"], None, "for good"),
            rule(&["arrears"], &["tax"], Some(30 * DAY), "long"),
        ],
        ..Visibility::default()
    };
    let reason = |purpose, consumer| {
        visibility
            .hides(&used(purpose, consumer), after(0))
            .map(|hidden| hidden.reason)
    };
    assert_eq!(reason("arrears", "tax"), Some("for good"));
    assert_eq!(reason("arrears", "market"), Some("short"));
    assert_eq!(reason("other", "market"), None);
}
