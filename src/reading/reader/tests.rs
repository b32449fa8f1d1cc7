use super::token::BadTokenDigest;
use super::*;

fn reader(name: &str, token: &Token, rights: &[Right]) -> Reader {
    Reader {
        name: name.parse().unwrap(),
        token: token.digest(),
        rights: rights.iter().copied().collect(),
    }
}

fn header(token: &Token) -> Vec<u8> {
    format!("Bearer {}", token.reveal()).into_bytes()
}

#[test]
fn a_reader_is_known_by_the_token_and_may_what_the_settings_say() {
    let (lin, wei) = (Token::fresh().unwrap(), Token::fresh().unwrap());
    let readers = Readers::new(vec![
        reader("lin.auditor", &lin, &[Right::Tiles, Right::Search]),
        reader("wei", &wei, &[Right::Subjects]),
    ]);

    let header = header(&lin);
    let known = readers.know(Some(&header)).unwrap();
    let granted = known.may(Right::Search).unwrap();
    assert_eq!(granted.reader().as_str(), "lin.auditor");
    let refused = known.may(Right::Subjects).unwrap_err();
    assert_eq!(refused.reason(), "RIGHT_MISSING");
    assert_eq!(
        refused.to_string(),
        "`lin.auditor` does not have the right `subjects`; it is given under [[operators.reader]]"
    );
}

#[test]
fn what_is_no_token_or_nobodys_is_not_known() {
    let (lin, other) = (Token::fresh().unwrap(), Token::fresh().unwrap());
    let readers = Readers::new(vec![reader("lin", &lin, &Right::ALL)]);
    let know = |text: &str| readers.know(Some(text.as_bytes())).err();

    assert_eq!(readers.know(None).err(), Some(NotGranted::NoToken));
    for text in [
        "",
        "Bearer",
        "Bearer ",
        "Basic bGluOmxpbg==",
        lin.reveal(),
        &format!("Bearer lbr_{}", "a".repeat(300)),
    ] {
        assert_eq!(know(text), Some(NotGranted::NoToken), "{text}");
    }
    let shown = format!("Bearer {}", lin.reveal());
    for text in [
        format!("Bearer {}", other.reveal()),
        format!("{shown}a"),
        shown.strip_suffix(|_: char| true).unwrap().to_owned(),
    ] {
        assert_eq!(know(&text), Some(NotGranted::UnknownToken));
    }
    assert_eq!(know(&shown), None);
    assert_eq!(know(&shown.replace("Bearer", "bearer")), None);
    assert_eq!(
        Readers::default().know(Some(shown.as_bytes())).err(),
        Some(NotGranted::UnknownToken)
    );
}

#[test]
fn a_token_is_32_random_bytes_and_its_digest_that_of_its_text() {
    let token = Token::fresh().unwrap();
    assert_eq!(token.reveal().len(), 4 + 43);
    assert_ne!(token.reveal(), Token::fresh().unwrap().reveal());
    assert_eq!(format!("{token:?}"), "Token(..)");
    assert_eq!(
        TokenDigest::of(b"abc").to_string(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    let digest = token.digest();
    assert_eq!(digest.to_string().parse(), Ok(digest));
    assert_eq!(digest.to_string().to_uppercase().parse(), Ok(digest));
    for text in ["", "ab", &"a".repeat(63), &"g".repeat(64), &"+1".repeat(32)] {
        assert_eq!(text.parse::<TokenDigest>(), Err(BadTokenDigest), "{text}");
    }
}
