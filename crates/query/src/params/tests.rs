use super::*;

fn ask<P: FromQuery>(query: &str) -> Result<P, ParameterError> {
    P::from_query(&Query::parse(query))
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

#[test]
fn parameters_have_defaults() {
    let range = DateRange::new(day("2024-01-01"), day("2024-01-31")).unwrap();
    let query = "start_date=2024-01-01&end_date=2024-01-31";
    assert_eq!(
        ask(query),
        Ok(UsageSummary {
            range,
            grain: Grain::Day
        })
    );
    let cohorts = UserCohorts {
        range,
        grain: Grain::Day,
        new_users_by: NewUsersBy::Registration,
        mentor: None,
    };
    assert_eq!(ask(query), Ok(cohorts));
    assert_eq!(
        ask(""),
        Ok(Transcripts {
            filter: TranscriptFilter::default(),
            page: None
        })
    );
    let page = |query| ask::<Transcripts>(query).unwrap().page;
    assert_eq!(page("page=3"), Some(Page { number: 3, size: 100 }));
    assert_eq!(page("page_size=7"), Some(Page { number: 1, size: 7 }));
}

#[test]
fn grains_have_two_names_each() {
    let usage = |grain| {
        ask::<UsageSummary>(&format!(
            "start_date=2024-01-01&end_date=2024-01-31&group_by={grain}"
        ))
        .unwrap()
        .grain
    };
    let cohorts = |grain| {
        ask::<UserCohorts>(&format!(
            "start_date=2024-01-01&end_date=2024-01-31&aggregation={grain}"
        ))
        .unwrap()
        .grain
    };
    for (names, grain) in [
        (["day", "daily"], Grain::Day),
        (["hour", "hourly"], Grain::Hour),
        (["week", "weekly"], Grain::Week),
    ] {
        for name in names {
            assert_eq!((usage(name), cohorts(name)), (grain, grain), "{name}");
        }
    }
}

#[test]
fn the_last_of_a_repeated_parameter_holds_and_unknown_ones_are_ignored() {
    let query =
        "start_date=x&start_date=2024-01-01&group_by=day&org=other&end_date=2024-01-31&group_by=week&page=0";
    let asked: UsageSummary = ask(query).unwrap();
    assert_eq!(asked.range.start(), day("2024-01-01"));
    assert_eq!(asked.grain, Grain::Week);
    assert_eq!(
        ask::<UsageSummary>("start_date=2024-01-01&start_date=x"),
        Err(ParameterError::NotADate("start_date"))
    );
}

#[test]
fn topics_are_trimmed_lowercased_and_not_repeated() {
    let topics = |query| ask::<Transcripts>(query).map(|asked| asked.filter.topics);
    assert_eq!(
        topics("topics=%20Math%20,,math,+Stra%C3%9Fe,%C3%84pfel+und+Birnen,"),
        {
            Ok(vec![
                "math".to_owned(),
                "straße".to_owned(),
                "äpfel und birnen".to_owned(),
            ])
        }
    );
    assert_eq!(topics("topics=,%20,"), Err(ParameterError::Blank("topics")));
}

#[test]
fn an_empty_mentor_id_is_no_filter_but_whitespace_is_one() {
    let mentor = |query: &str| {
        ask::<UserCohorts>(&format!("start_date=2024-01-01&end_date=2024-01-31&{query}"))
            .unwrap()
            .mentor
    };
    assert_eq!(mentor("mentor_id="), None);
    assert_eq!(mentor("mentor_id=m&mentor_id="), None);
    assert_eq!(mentor("mentor_id=%20"), Some(" ".to_owned()));
    assert_eq!(mentor("mentor_id=%20m"), Some(" m".to_owned()));
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced() {
    assert_eq!(
        ask::<Transcripts>("mentor=a%ffb%zz%").unwrap().filter.mentor,
        Some("a\u{fffd}b%zz%".to_owned())
    );
}

#[test]
fn a_range_of_ten_thousand_periods_is_the_longest() {
    let usage = |end, grain| {
        ask::<UsageSummary>(&format!("start_date=2000-01-01&end_date={end}&group_by={grain}"))
            .map_err(|error| error.to_string())
    };
    assert!(usage("2027-05-18", "day").is_ok());
    let expected = "the range from start_date to end_date has 10,001 periods; at most 10,000 are answered";
    assert_eq!(usage("2027-05-19", "day").unwrap_err(), expected);
    assert!(usage("2027-05-19", "week").is_ok());
    let expected = "the range from start_date to end_date has 10,008 periods; at most 10,000 are answered";
    assert_eq!(usage("2001-02-20", "hour").unwrap_err(), expected);
    assert!(usage("2001-02-19", "hour").is_ok());
}

#[test]
fn a_page_too_large_to_be_held_is_merely_past_the_end() {
    let page = ask::<Transcripts>("page=99999999999999999999999999")
        .unwrap()
        .page;
    assert_eq!(
        page,
        Some(Page {
            number: u64::MAX,
            size: 100
        })
    );
}

#[test]
fn a_hundred_topics_are_the_most_and_none_counts_twice() {
    let topics = |count: u32| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let read =
        |list: &str| ask::<Transcripts>(&format!("topics={list}")).map(|asked| asked.filter.topics.len());
    assert_eq!(read(&topics(100)), Ok(100));
    assert_eq!(read(&format!("{0},{0}", topics(100))), Ok(100));
    let error = read(&topics(101)).unwrap_err().to_string();
    assert_eq!(error, "topics names 101 topics; at most 100 are taken");
}

#[test]
fn a_name_longer_than_any_of_an_event_is_cut_but_stays_longer() {
    let mentor = |name: &str| {
        ask::<Transcripts>(&format!("mentor={name}"))
            .unwrap()
            .filter
            .mentor
    };
    // In lower case this letter becomes two.
    let longest = "\u{130}".repeat(255);
    let topics = |name: &str| {
        ask::<Transcripts>(&format!("topics={name}"))
            .unwrap()
            .filter
            .topics
    };
    assert_eq!(topics(&longest), [longest.to_lowercase()]);
    assert_eq!(topics(&longest.repeat(9))[0].chars().count(), 511);
    assert_eq!(mentor(&longest), Some(longest.clone()));
    assert_eq!(mentor(&longest.repeat(9)).unwrap().chars().count(), 511);
}
