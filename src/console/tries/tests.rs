use super::*;

fn at(seconds: i64) -> Moment {
    Moment::from_micros((1_700_000_000 + seconds) * 1_000_000)
}

fn key(name: &str) -> Key {
    Key::of(name, None)
}

#[test]
fn five_tries_at_once_and_one_more_for_each_minute() {
    let tries = Tries::default();
    for _ in 0..5 {
        assert_eq!(tries.take(key("lin"), at(0)), Ok(()));
    }
    let wait = |seconds| Err(NoTryLeft { seconds, who: None });
    assert_eq!(tries.take(key("lin"), at(10)), wait(50));
    assert_eq!(tries.take(key("wei"), at(10)), Ok(()));
    assert_eq!(tries.take(key("lin"), at(60)), Ok(()));
    assert_eq!(tries.take(key("lin"), at(61)), wait(59));
    // After five minutes of quiet all are there again.
    for _ in 0..5 {
        assert_eq!(tries.take(key("lin"), at(360)), Ok(()));
    }
    assert_eq!(tries.take(key("lin"), at(360)), wait(60));
}

#[test]
fn one_wrong_try_locks_nobody_out_and_a_right_one_wipes_all() {
    let tries = Tries::default();
    for _ in 0..4 {
        assert_eq!(tries.take(key("lin"), at(0)), Ok(()));
    }
    tries.learn(key("lin"), &"lin".parse().unwrap());
    assert_eq!(tries.take(key("lin"), at(0)), Ok(()));
    let who = tries.take(key("lin"), at(0)).unwrap_err().who;
    assert_eq!(who, Some("lin".parse().unwrap()));
    tries.give_back(key("lin"));
    assert_eq!(tries.take(key("lin"), at(0)), Ok(()));
    tries.forget(key("lin"));
    for _ in 0..5 {
        assert_eq!(tries.take(key("lin"), at(1)), Ok(()));
    }
}

#[test]
fn who_knows_the_name_alone_uses_up_no_tries_of_a_browser_that_has_signed_in() {
    let tries = Tries::default();
    let device = [7; 16];
    while tries.take(key("lin"), at(0)).is_ok() {}
    assert_eq!(tries.take(Key::of("lin", Some(&device)), at(0)), Ok(()));
    assert_ne!(Key::of("lin", Some(&device)), Key::of("wei", Some(&device)));
}

#[test]
fn names_that_are_made_up_take_no_memory_without_end() {
    let tries = Tries::default();
    for n in 0..MAX_KEYS as i64 + 100 {
        assert_eq!(tries.take(key(&n.to_string()), at(n / 1_000)), Ok(()));
    }
    assert_eq!(tries.keys().len(), MAX_KEYS);
    tries.take(key("lin"), at(3_600)).unwrap();
    assert_eq!(tries.keys().len(), 1);
}
