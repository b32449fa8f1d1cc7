use super::*;

fn read(journal: &[String]) -> Result<Journals, Vec<Fault>> {
    let text = format!(
        "[[department]]\nid = \"civil\"\nname = \"Civil Affairs\"\nendpoints = [\"localhost:1\"]\njournal = {journal:?}\n"
    );
    let directory = Directory::parse("directory.toml", &text).unwrap();
    Journals::read(
        "directory.toml",
        &directory,
        &"gov.example".parse().unwrap(),
    )
}

fn key(origin: &str) -> String {
    VerifierKey::new(origin, [7; 32]).unwrap().to_string()
}

#[test]
fn a_department_s_journals_are_known_by_their_keys() {
    let journals = read(&[key("gov.example/civil/1"), key("gov.example/civil/2")]).unwrap();
    let civil = "civil".parse().unwrap();
    assert_eq!(journals.of(&civil).len(), 2);
    let second = "gov.example/civil/2".parse().unwrap();
    let names: Vec<_> = journals.keys(&second).map(VerifierKey::name).collect();
    assert_eq!(names, ["gov.example/civil/2"]);
    assert!(journals.of(&"tax".parse().unwrap()).is_empty());
}

#[test]
fn a_key_speaks_for_no_other_department_and_no_other_federation() {
    let no_key = key("gov.example/civil/1").replace("+A", "+B");
    let keys = [
        key("gov.example/tax/1"),
        key("gov.other/civil/1"),
        key("gov.example/civil"),
        key("gov.example/civil/01"),
        no_key,
    ];
    let faults = read(&keys).unwrap_err();
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), keys.len(), "{told:#?}");
    for (number, fault) in told.iter().enumerate() {
        assert!(
            fault.starts_with(&format!(
                "directory.toml: department[civil].journal[{number}]: "
            )),
            "{fault}"
        );
        assert!(fault.contains("`landbridge audit key"), "{fault}");
    }
    assert!(
        told[0].contains(
            "is the key of `gov.example/tax/1`, which is no journal of `gov.example/civil`"
        ),
        "{}",
        told[0]
    );
}
