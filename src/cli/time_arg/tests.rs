use time::macros::offset as at;

use super::*;

const NOW: Moment = Moment::from_micros(1_777_629_600_000_000);

#[test]
fn times_are_read_at_the_offset_unless_they_have_their_own() {
    let rows = [
        ("2026-05-01T10:00:00Z", "2026-05-01 18:00:00.000+08:00"),
        ("2026-05-01T10:00:00+08:00", "2026-05-01 10:00:00.000+08:00"),
        ("2026-05-01T10:00:30", "2026-05-01 10:00:30.000+08:00"),
        ("2026-05-01T10:00", "2026-05-01 10:00:00.000+08:00"),
        ("2026-05-01", "2026-05-01 00:00:00.000+08:00"),
        ("30m", "2026-05-01 17:30:00.000+08:00"),
        ("7d", "2026-04-24 18:00:00.000+08:00"),
    ];
    for (text, expected) in rows {
        let moment = parse(text).unwrap().moment(at!(+8), NOW);
        assert_eq!(shown(moment, at!(+8)), expected, "{text}");
    }
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "d",
        "x",
        "2026-13-01",
        "10y",
        "-1d",
        "2026-05-01 10:00",
        "7天",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn offsets_are_read() {
    assert_eq!(offset("+08:00"), Ok(at!(+8)));
    assert_eq!(offset("-03:30"), Ok(at!(-3:30)));
    assert_eq!(offset("Z"), Ok(UtcOffset::UTC));
    assert!(offset("8").is_err());
}
