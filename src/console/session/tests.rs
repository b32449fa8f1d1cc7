use super::*;

const MINUTE: i64 = 60;

fn at(seconds: i64) -> Moment {
    Moment::from_micros((1_700_000_000 + seconds) * 1_000_000)
}

fn proven(step: u64) -> ProvenCredentials {
    ProvenCredentials {
        name: "lin".parse().unwrap(),
        role: Role::Auditor,
        step,
    }
}

fn lin() -> User {
    User {
        name: "lin".parse().unwrap(),
        role: Role::Auditor,
        means: SignInMethod::Account,
    }
}

#[test]
fn a_session_ends_when_it_is_idle_when_it_is_old_and_when_it_is_ended() {
    let sessions = Sessions::default();
    let shown = sessions.begin(lin(), at(0)).unwrap();
    assert_eq!(sessions.of(&shown, at(14 * MINUTE)), Some(lin()));
    assert_eq!(sessions.of(&shown, at(28 * MINUTE)), Some(lin()));
    assert_eq!(sessions.of(&shown, at(43 * MINUTE)), None);
    assert_eq!(sessions.of(&shown, at(28 * MINUTE)), None);

    let shown = sessions.begin(lin(), at(0)).unwrap();
    let looks = (0..8 * 60)
        .step_by(10)
        .map(|minute| sessions.of(&shown, at(minute * MINUTE)));
    assert!(looks.into_iter().all(|who| who == Some(lin())));
    assert_eq!(sessions.of(&shown, at(8 * 60 * MINUTE)), None);

    let shown = sessions.begin(lin(), at(0)).unwrap();
    sessions.end(&shown);
    assert_eq!(sessions.of(&shown, at(1)), None);
    assert_eq!(sessions.of("", at(1)), None);
}

#[test]
fn one_person_has_few_sessions_and_the_oldest_gives_way() {
    let sessions = Sessions::default();
    let shown: Vec<_> = (0..6)
        .map(|n| sessions.begin(lin(), at(n)).unwrap())
        .collect();
    let live: Vec<_> = shown
        .iter()
        .map(|shown| sessions.of(shown, at(10)).is_some())
        .collect();
    assert_eq!(live, [false, false, true, true, true, true]);
}

#[test]
fn a_code_works_once() {
    let sessions = Sessions::default();
    assert_eq!(sessions.accept(&proven(7)), Ok(lin()));
    assert_eq!(sessions.accept(&proven(7)), Err(CodeUsed));
    assert_eq!(sessions.accept(&proven(6)), Err(CodeUsed));
    assert_eq!(sessions.accept(&proven(8)), Ok(lin()));
}
