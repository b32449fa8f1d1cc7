//! What always holds, whatever is granted and asked.

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;

const FIELDS: [&str; 16] = [
    "resident_id",
    "full_name",
    "national_id",
    "gender",
    "birth_date",
    "ethnic_group",
    "status",
    "address",
    "address.city",
    "address.house",
    "household_id",
    "former_names",
    "phone",
    "height_cm",
    "registered_at",
    "attributes",
];
const TEXTS: [&str; 7] = [
    "resident_id",
    "full_name",
    "national_id",
    "birth_date",
    "address.city",
    "address.house",
    "phone",
];
const TESTS: [&str; 6] = [
    "F == 'x'",
    "F in ['x']",
    "F != 'x'",
    "F > 'x'",
    "!(F == 'x')",
    "has(F)",
];

fn quoted(fields: &[&str]) -> String {
    format!("{fields:?}")
}

prop_compose! {
    /// Any grant whose lists agree with one another.
    fn any_grant()(
        fields in subsequence(&FIELDS[..], 1..FIELDS.len()),
        unmasked in subsequence(&FIELDS[..], 0..FIELDS.len()),
        masked in subsequence(&TEXTS[..], 0..3),
        lookup in subsequence(&TEXTS[..], 0..3),
    ) -> String {
        let whole = fields.contains(&"address");
        let fields: Vec<_> = fields.into_iter().filter(|f| !(whole && f.starts_with("address."))).collect();
        let granted = |f: &&str| fields.contains(f) || whole && f.starts_with("address.");
        let dropped = |f: &&&str| ["ethnic_group", "address.house"].contains(*f);
        let mut unmasked: Vec<_> = unmasked.into_iter().filter(granted).collect();
        let needed: Vec<_> = fields.iter().filter(dropped).copied().collect();
        unmasked.extend(needed.iter().filter(|f| !unmasked.contains(f)).copied().collect::<Vec<_>>());
        let clashes = |m: &str| unmasked.iter().any(|u| m.starts_with(u));
        let masks: Vec<_> = masked.into_iter().filter(granted).filter(|m| !clashes(m))
            .map(|m| format!("'{m}' = 'keep-first:2'")).collect();
        format!(
            "[[grant]]\nrecord = 'civil.v1.Resident'\nmodes = ['query', 'count']\nfields = {}\nunmasked = {}\nmask = {{ {} }}\nlookup = {}\n",
            quoted(&fields), quoted(&unmasked), masks.join(", "), quoted(&lookup),
        )
    }
}

prop_compose! {
    fn any_question()(
        fields in subsequence(&FIELDS[..], 0..3),
        filters in proptest::collection::vec((0..TESTS.len(), 0..TEXTS.len()), 0..3),
    ) -> Question {
        let filters: Vec<_> = filters.into_iter().map(|(t, f)| TESTS[t].replace('F', TEXTS[f])).collect();
        filtered(&filters.join(" && ")).fields(&fields)
    }
}

fn header() -> &'static str {
    AGREEMENT.split("[[grant]]").next().unwrap()
}

proptest! {
    #[test]
    fn what_is_released_was_granted_and_keeps_its_masks(grant in any_grant(), question in any_question()) {
        let policy = policy(&[&format!("{}{grant}", header())], &[]);
        let Ok(permit) = decide(&policy, &question) else { return Ok(()) };
        let line = permit.grant();
        let table: toml::Table = toml::from_str(&grant).unwrap();
        let unmasked = table["grant"][0]["unmasked"].as_array().unwrap();
        for (n, released) in permit.released().iter().enumerate() {
            let path = released.field.path();
            prop_assert!(line.fields.iter().any(|f| path.within(f.path())), "{path} was not granted");
            prop_assert!(permit.released().iter().skip(n + 1).all(|r| !r.field.path().within(path) && !path.within(r.field.path())));
            for leaf in line.schema.leaves_of(&released.field) {
                let cleared = unmasked.iter().any(|u| leaf.path().within(&u.as_str().unwrap().parse().unwrap()));
                if leaf.default_mask().is_some() && !cleared {
                    prop_assert!(released.mask.is_some(), "{} lost its mask", leaf.path());
                }
            }
        }
    }

    #[test]
    fn a_permitted_filter_tests_only_what_is_told_or_known(grant in any_grant(), question in any_question()) {
        let policy = policy(&[&format!("{}{grant}", header())], &[]);
        let count = Question { what: match &question.what {
            What::Query { filter, .. } => What::Count(filter.clone()),
            other => other.clone(),
        }, ..question.clone() };
        for question in [question, count] {
            let Ok(permit) = decide(&policy, &question) else { continue };
            let clear: Vec<_> = permit.grant().released.iter().filter(|r| r.mask.is_none()).collect();
            let uses = permit.query().selection.filter().map(|f| f.uses()).unwrap_or_default();
            let counts = permit.query().selection.mode() == Mode::Count;
            let mut looked_up = Vec::new();
            for tested in uses {
                let told = clear.iter().any(|r| tested.field.path().within(r.field.path()));
                let known = tested.is_one_value && !counts && permit.grant().lookup.contains(&tested.field);
                prop_assert!(told || known, "{:?} is tested", tested.field);
                if !told {
                    prop_assert!(!looked_up.contains(&tested.field), "{:?} is looked up twice", tested.field);
                    looked_up.push(tested.field);
                }
            }
            prop_assert_eq!(permit.guesses(), u32::from(!looked_up.is_empty()));
        }
    }

}

proptest! {
    // Each case compiles a Cedar schema.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_guardrail_beats_every_grant(grant in any_grant(), question in any_question()) {
        let all = "@id(\"all\") @reason(\"Nothing\") forbid(principal, action, resource);";
        let agreement = format!("{}{grant}", header());
        let denial = decide(&policy(&[&agreement], &[all]), &question).unwrap_err();
        match decide(&policy(&[&agreement], &[]), &question) {
            Ok(_) => prop_assert_eq!(denial.reason(), "GUARDRAIL"),
            Err(without) => prop_assert_eq!(denial, without),
        }
    }

    #[test]
    fn without_an_agreement_there_is_no_access(question in any_question()) {
        let denial = decide(&policy(&[], &[]), &question).unwrap_err();
        prop_assert_eq!(denial.reason(), "NO_AGREEMENT");
    }
}
