use std::collections::BTreeMap;
use std::str::FromStr;

use super::BadRevision;
use super::Revision;
use super::shelf::Candidate;
use super::shelf::Shelf;
use crate::clock::Moment;
use crate::evidence::journals::Journals;
use crate::identity::directory::Directory;
use crate::name::Origin;
use crate::registry::revision::NoPackage;
use crate::registry::revision::PackageFiles;
use crate::tlog::key::JournalKey;

const TEXT: &str = "syntax = \"proto3\";\npackage civil.v1;\n";

fn files(text: &str) -> PackageFiles {
    let texts = [("civil/v1/a.proto".to_owned(), text.to_owned())];
    PackageFiles::new("civil.v1".parse().unwrap(), BTreeMap::from(texts)).unwrap()
}

fn revision(files: &PackageFiles, number: u64, previous: Option<[u8; 32]>) -> Revision {
    Revision {
        package: files.package().clone(),
        owner: "civil".parse().unwrap(),
        number,
        digest: *files.digest(),
        previous,
        at: Moment::from_micros(1_790_000_000_123_456),
    }
}

/// A key of civil's journal, and the journals of a directory that has it.
fn signer(folder: &std::path::Path) -> (JournalKey, Origin, Journals) {
    let key = JournalKey::create(&folder.join("journal.key")).unwrap();
    let origin: Origin = "gov.example/civil/1".parse().unwrap();
    let verifier = key.verifier(&origin.to_string()).unwrap();
    let department = |id: &str, keys: &str| {
        format!(
            "[[department]]\nid = \"{id}\"\nname = \"{id}\"\nname_zh = \"{id}\"\nendpoints = [\"localhost:1\"]\njournal = [{keys}]\n"
        )
    };
    let text = format!(
        "{}{}",
        department("civil", &format!("\"{verifier}\"")),
        department("tax", "")
    );
    let directory = Directory::parse("directory.toml", &text).unwrap();
    let domain = "gov.example".parse().unwrap();
    let journals = Journals::read("directory.toml", &directory, &domain).unwrap();
    (key, origin, journals)
}

fn candidate(files: PackageFiles, number: u64, previous: Option<[u8; 32]>) -> Candidate {
    let revision = revision(&files, number, previous);
    Candidate {
        note: format!("{revision}\n\u{2014} nobody AAAAAAAA\n"),
        revision,
        files,
    }
}

#[test]
fn what_is_stated_of_a_revision_reads_back_and_only_in_its_one_form() {
    let stated = revision(&files(TEXT), 3, Some([7; 32]));
    let text = stated.to_string();
    assert_eq!(text.parse(), Ok(stated));
    assert!(text.starts_with("landbridge registry revision\npackage civil.v1\n"));

    for (from, to, at) in [
        (
            "landbridge registry revision",
            "gov.example/civil/1",
            "title",
        ),
        ("package civil.v1", "package civil", "package"),
        ("number 3", "number 03", "end"),
        ("number 3", "number 0", "end"),
        ("previous 07", "previous 0G", "previous"),
        ("published 2026", "published in 2026", "published"),
        ("123456Z\n", "123456Z\nand more\n", "end"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let refused = Revision::from_str(&changed).unwrap_err();
        assert_eq!(refused, BadRevision::Statement(at), "{from} -> {to}");
    }
}

#[test]
fn only_what_the_owner_signed_is_a_revision_of_the_owner() {
    let folder = tempfile::tempdir().unwrap();
    let (key, origin, journals) = signer(folder.path());
    let (civil, tax) = ("civil".parse().unwrap(), "tax".parse().unwrap());
    let stated = revision(&files(TEXT), 1, None);
    let note = stated.sign(&key, &origin).unwrap();
    assert_eq!(Revision::open(&note, &civil, &journals), Ok(stated.clone()));

    let foreign = Revision::open(&note, &tax, &journals).unwrap_err();
    assert!(
        matches!(foreign, BadRevision::Signature { .. }),
        "{foreign}"
    );
    let altered = note.replacen("number 1", "number 2", 1);
    let altered = Revision::open(&altered, &civil, &journals).unwrap_err();
    assert!(
        matches!(altered, BadRevision::Signature { .. }),
        "{altered}"
    );

    // Signed by civil, but stated to be of tax.
    let mut of_tax = stated.clone();
    of_tax.owner = tax;
    let note = of_tax.sign(&key, &origin).unwrap();
    let refused = Revision::open(&note, &civil, &journals);
    assert_eq!(refused, Err(BadRevision::Foreign("tax".to_owned())));

    let other = files("syntax = \"proto3\";\npackage civil.v1;\n// More.\n");
    assert_eq!(stated.admit(other), Err(BadRevision::Altered));
    assert!(stated.admit(files(TEXT)).is_ok());
}

#[test]
fn a_file_whose_name_leads_out_of_its_package_is_refused() {
    let package: crate::name::PackageName = "civil.v1".parse().unwrap();
    for name in [
        "a.proto",
        "civil/v1/../../../etc/a.proto",
        "civil/v1/deeper/a.proto",
        "civil/v1/.proto",
        "civil/v1/.a.proto",
        "civil/v1/a\u{0}.proto",
        "/civil/v1/a.proto",
        "tax/v1/a.proto",
        "civil/v1/a.txt",
    ] {
        let texts = BTreeMap::from([(name.to_owned(), TEXT.to_owned())]);
        let refused = PackageFiles::new(package.clone(), texts).unwrap_err();
        assert!(matches!(refused, NoPackage::Misplaced { .. }), "{name}");
    }
    let none = PackageFiles::new(package.clone(), BTreeMap::new());
    assert_eq!(none, Err(NoPackage::Empty(package)));
}

#[test]
fn a_shelf_keeps_all_revisions_and_says_which_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::at(&folder.path().join("published"));
    assert_eq!(shelf.published().unwrap().lines().count(), 0);

    let first = candidate(files(TEXT), 1, None);
    let kept = shelf.keep(first.clone()).unwrap();
    assert_eq!(
        shelf.published().unwrap().lines().count(),
        0,
        "kept, not in force"
    );
    shelf.put_in_force(&kept).unwrap();

    let previous = Some(first.revision.digest);
    let second = candidate(files(&format!("{TEXT}// More.\n")), 2, previous);
    let kept = shelf.keep(second.clone()).unwrap();
    shelf.put_in_force(&kept).unwrap();

    let published = shelf.published().unwrap();
    let head = published.head("civil.v1").unwrap();
    assert_eq!(head.revision, second.revision);
    assert_eq!(head.files, second.files);
    let numbers: Vec<_> = shelf.all(&"civil.v1".parse().unwrap()).unwrap();
    let numbers: Vec<_> = numbers.iter().map(|kept| kept.revision.number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_revision_that_was_changed_on_the_shelf_is_a_fault_that_names_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::at(folder.path());
    let kept = shelf.keep(candidate(files(TEXT), 1, None)).unwrap();
    shelf.put_in_force(&kept).unwrap();
    std::fs::write(
        kept.place.join("civil/v1/a.proto"),
        "syntax = \"proto3\";\n",
    )
    .unwrap();
    let faults = shelf.published().unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].file, kept.place.display().to_string());
    assert!(faults[0].message.contains("restore"), "{}", faults[0]);
}
