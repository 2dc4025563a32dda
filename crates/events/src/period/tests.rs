use proptest::prelude::*;

use super::{DateRange, Grain};
use crate::{Day, Timestamp};

const GRAINS: [Grain; 4] = [Grain::Hour, Grain::Day, Grain::Week, Grain::Month];

fn range(start: &str, end: &str) -> DateRange {
    DateRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

/// The labels of the periods of a range, to the hour.
fn labels(start: &str, end: &str, grain: Grain) -> String {
    let periods = range(start, end).periods(grain);
    let labels = periods.map(|period| period.start.to_rfc3339_seconds().replace(":00:00Z", ""));
    labels.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_range_that_ends_before_it_starts_is_none() {
    let day = |text: &str| text.parse::<Day>().unwrap();
    assert_eq!(DateRange::new(day("2024-01-02"), day("2024-01-01")), None);
    assert!(DateRange::new(day("2024-01-01"), day("2024-01-01")).is_some());
}

#[test]
fn a_day_runs_from_midnight_to_its_last_millisecond() {
    let day = range("2024-02-29", "2024-02-29");
    assert!(!day.contains(at("2024-02-28T23:59:59.999Z")));
    assert!(day.contains(at("2024-02-29T00:00:00Z")));
    assert!(day.contains(at("2024-02-29T23:59:59.999Z")));
    assert!(!day.contains(at("2024-03-01T00:00:00Z")));
    assert_eq!(day.end_instant(), at("2024-03-01T00:00:00Z"));
}

#[test]
fn days_pass_over_leap_days_and_year_ends() {
    for (start, end, expected) in [
        (
            "2024-02-28",
            "2024-03-01",
            "2024-02-28T00 2024-02-29T00 2024-03-01T00",
        ),
        ("2023-02-28", "2023-03-01", "2023-02-28T00 2023-03-01T00"),
        ("2023-12-31", "2024-01-01", "2023-12-31T00 2024-01-01T00"),
    ] {
        assert_eq!(labels(start, end, Grain::Day), expected);
    }
    assert_eq!(range("2024-01-01", "2024-12-31").period_count(Grain::Day), 366);
    assert_eq!(range("2100-01-01", "2100-12-31").period_count(Grain::Day), 365);
}

#[test]
fn a_day_has_twenty_four_hours() {
    let expected: Vec<_> = (0..24).map(|hour| format!("2024-03-31T{hour:02}")).collect();
    assert_eq!(
        labels("2024-03-31", "2024-03-31", Grain::Hour),
        expected.join(" ")
    );
}

#[test]
fn a_week_begins_on_monday_and_may_precede_the_range() {
    for (start, end, expected) in [
        // 2024-01-01 is a Monday.
        ("2024-01-01", "2024-01-07", "2024-01-01T00"),
        ("2024-01-07", "2024-01-08", "2024-01-01T00 2024-01-08T00"),
        ("2023-01-01", "2023-01-01", "2022-12-26T00"),
        ("0001-01-01", "0001-01-07", "0001-01-01T00"),
        ("9999-12-31", "9999-12-31", "9999-12-27T00"),
    ] {
        assert_eq!(labels(start, end, Grain::Week), expected);
    }
}

#[test]
fn a_cut_week_holds_only_what_lies_in_the_range() {
    let cut = range("2024-01-03", "2024-01-09");
    for (instant, index) in [
        ("2024-01-02T23:59:59.999Z", None),
        ("2024-01-03T00:00:00Z", Some(0)),
        ("2024-01-07T23:59:59.999Z", Some(0)),
        ("2024-01-08T00:00:00Z", Some(1)),
        ("2024-01-09T23:59:59.999Z", Some(1)),
        ("2024-01-10T00:00:00Z", None),
    ] {
        assert_eq!(cut.period_index(Grain::Week, at(instant)), index, "{instant}");
    }
}

#[test]
fn a_month_is_one_of_the_calendar_and_may_precede_the_range() {
    for (start, end, expected) in [
        ("2024-02-29", "2024-02-29", "2024-02-01T00"),
        (
            "2023-12-31",
            "2024-02-01",
            "2023-12-01T00 2024-01-01T00 2024-02-01T00",
        ),
        ("0001-01-31", "0001-02-01", "0001-01-01T00 0001-02-01T00"),
        ("1969-12-31", "1970-01-01", "1969-12-01T00 1970-01-01T00"),
        ("9999-12-31", "9999-12-31", "9999-12-01T00"),
    ] {
        assert_eq!(labels(start, end, Grain::Month), expected);
    }
    let cut = range("2024-01-31", "2024-03-01");
    for (instant, index) in [
        ("2024-01-30T23:59:59.999Z", None),
        ("2024-01-31T00:00:00Z", Some(0)),
        ("2024-02-29T23:59:59.999Z", Some(1)),
        ("2024-03-01T23:59:59.999Z", Some(2)),
        ("2024-03-02T00:00:00Z", None),
    ] {
        assert_eq!(cut.period_index(Grain::Month, at(instant)), index, "{instant}");
    }
}

#[test]
fn the_first_and_the_last_years_do_not_overflow() {
    let all = range("0001-01-01", "9999-12-31");
    assert_eq!(all.period_count(Grain::Day), 3_652_059);
    assert_eq!(all.period_count(Grain::Week), 521_723);
    assert_eq!(all.period_count(Grain::Month), 9_999 * 12);
    assert_eq!(
        all.period_index(Grain::Day, at("9999-12-31T23:59:59.999Z")),
        Some(3_652_058)
    );
    assert_eq!(range("9999-12-31", "9999-12-31").periods(Grain::Hour).count(), 24);

    let widest = DateRange::new(Day::from_number(i32::MIN), Day::from_number(i32::MAX)).unwrap();
    for grain in GRAINS {
        assert!(widest.period_count(grain) > 0);
        assert!(widest.periods(grain).next().is_some());
    }
}

fn any_range() -> impl Strategy<Value = DateRange> {
    let years = Day::from_ymd(1, 1, 1).unwrap()..Day::from_ymd(9999, 11, 1).unwrap();
    (years.start.number()..years.end.number(), 0..60_i64).prop_map(|(first, length)| {
        let first = Day::from_number(first);
        DateRange::new(first, first + length).unwrap()
    })
}

proptest! {
    #[test]
    fn the_count_of_periods_is_how_many_there_are(range in any_range()) {
        for grain in GRAINS {
            prop_assert_eq!(range.period_count(grain), u64::try_from(range.periods(grain).count()).unwrap());
        }
    }

    #[test]
    fn an_instant_is_in_the_period_that_it_is_counted_in(range in any_range(), offset in -100_000_000..6_000_000_000_i64) {
        let instant = Timestamp::from_millis(range.first_instant().as_millis() + offset);
        for grain in GRAINS {
            match range.period_index(grain, instant) {
                None => prop_assert!(!range.contains(instant)),
                Some(index) => {
                    prop_assert!(range.contains(instant));
                    let index = i64::try_from(index).unwrap();
                    prop_assert!(range.period(grain, index).start <= instant);
                    prop_assert!(instant < range.period(grain, index + 1).start);
                }
            }
        }
    }
}
