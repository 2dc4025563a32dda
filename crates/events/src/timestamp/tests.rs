use super::Timestamp;
use crate::Day;

fn written(text: &str) -> Option<String> {
    Timestamp::parse_rfc3339(text).map(Timestamp::to_rfc3339)
}

#[test]
fn what_rfc_3339_writes_is_read_to_the_millisecond() {
    let cases = [
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000Z"),
        ("2024-02-29T23:59:59.9Z", "2024-02-29T23:59:59.900Z"),
        ("2024-02-29T23:59:59.98Z", "2024-02-29T23:59:59.980Z"),
        (
            "2024-02-29T23:59:59.999999999999999999999Z",
            "2024-02-29T23:59:59.999Z",
        ),
        ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
        ("2024-02-29t23:59:59z", "2024-02-29T23:59:59.000Z"),
        ("2024-02-29 23:59:59Z", "2024-02-29T23:59:59.000Z"),
        ("2024-03-01T01:29:59+01:30", "2024-02-29T23:59:59.000Z"),
        ("2024-02-29T00:00:00-23:59", "2024-02-29T23:59:00.000Z"),
        ("2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ];
    for (text, expected) in cases {
        assert_eq!(written(text).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn an_offset_may_lead_out_of_the_years_of_four_digits() {
    assert!(Timestamp::parse_rfc3339("0000-01-01T00:00:00+23:59").is_some());
    assert!(Timestamp::parse_rfc3339("9999-12-31T23:59:59-23:59").is_some());
}

#[test]
fn a_leap_second_is_the_second_after_it() {
    let cases = [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500Z"),
        ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00.000Z"),
        ("2015-07-01T05:29:60.25+05:30", "2015-07-01T00:00:00.250Z"),
    ];
    for (text, expected) in cases {
        assert_eq!(written(text).as_deref(), Some(expected), "{text}");
    }
    for text in [
        "2016-12-31T23:58:60Z",
        "2016-12-30T23:59:60Z",
        "2016-12-31T23:59:60-08:00",
        "2016-12-31T23:59:61Z",
    ] {
        assert_eq!(written(text), None, "{text}");
    }
}

#[test]
fn what_rfc_3339_does_not_write_is_refused() {
    let cases = [
        "",
        "2024-02-29",
        "2024-02-29T23:59Z",
        "2024-02-29T23:59:59",
        "2024-02-29T23:59:59.Z",
        "2024-02-29T23:59:59,5Z",
        "2024-02-29T23:59:59.5",
        "2023-02-29T23:59:59Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-32T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:61Z",
        "2024-1-1T00:00:00Z",
        "20240101T000000Z",
        "2024-01-01_00:00:00Z",
        "2024-01-01  00:00:00Z",
        " 2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00Z ",
        "2024-01-01T00:00:00 Z",
        "2024-01-01T00:00:00+0000",
        "2024-01-01T00:00:00+00",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+00:60",
        "2024-01-01T00:00:00\u{2212}01:00",
        "2024-01-01T00:00:00UTC",
        "+2024-01-01T00:00:00Z",
        "-2024-01-01T00:00:00Z",
        "12024-01-01T00:00:00Z",
        "\u{0662}024-01-01T00:00:00Z",
        "2024-W01-1T00:00:00Z",
        "1704067200",
    ];
    for text in cases {
        assert_eq!(written(text), None, "{text}");
    }
}

#[test]
fn every_instant_can_be_written() {
    for millis in [i64::MIN, -1, 0, i64::MAX] {
        assert!(!Timestamp::from_millis(millis).to_rfc3339().is_empty());
    }
    assert_eq!(
        Timestamp::from_millis(-1).to_rfc3339(),
        "1969-12-31T23:59:59.999Z"
    );
    assert_eq!(
        Timestamp::from_millis(999).to_rfc3339_seconds(),
        "1970-01-01T00:00:00Z"
    );
}

#[test]
fn an_instant_falls_on_the_day_between_whose_ends_it_lies() {
    let at = |text| Timestamp::parse_rfc3339(text).unwrap();
    let leap_day: Day = "2024-02-29".parse().unwrap();
    assert_eq!(Timestamp::start_of(leap_day), at("2024-02-29T00:00:00Z"));
    assert_eq!(Timestamp::end_of(leap_day), at("2024-03-01T00:00:00Z"));
    assert_eq!(at("2024-02-29T00:00:00Z").day(), leap_day);
    assert_eq!(at("2024-02-29T23:59:59.999Z").day(), leap_day);
    assert_eq!(at("2024-03-01T00:00:00Z").day(), leap_day + 1);
    assert_eq!(at("1969-12-31T23:59:59.999Z").day().to_string(), "1969-12-31");
    for number in [i32::MIN, i32::MAX] {
        let day = Day::from_number(number);
        assert_eq!(Timestamp::start_of(day).day(), day);
    }
    assert_eq!(Timestamp::from_millis(i64::MIN).day(), Day::from_number(i32::MIN));
    assert_eq!(Timestamp::from_millis(i64::MAX).day(), Day::from_number(i32::MAX));
}
