use super::*;

fn ask<P: FromQuery>(query: &str) -> Result<P, ParameterError> {
    P::from_query(&Query::parse(query))
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// The parameters that both endpoints with periods require, for January 2024.
const JANUARY: &str = "start_date=2024-01-01&end_date=2024-01-31";

fn transcripts(query: &str) -> Result<TranscriptFilter, ParameterError> {
    ask::<Transcripts>(query).map(|asked| asked.filter)
}

#[test]
fn parameters_have_defaults() {
    let range = DateRange::new(day("2024-01-01"), day("2024-01-31")).unwrap();
    let grain = Grain::Day;
    assert_eq!(ask(JANUARY), Ok(UsageSummary { range, grain }));
    let cohorts = UserCohorts {
        range,
        grain,
        new_users_by: NewUsersBy::Registration,
        mentor: None,
    };
    assert_eq!(ask(JANUARY), Ok(cohorts));
    assert_eq!(transcripts(""), Ok(TranscriptFilter::default()));
    let part = |query| ask::<Transcripts>(query).map(|asked| asked.part);
    assert_eq!(part(""), Ok(Part::Whole));
    for (query, number, size) in [
        ("page=3", 3, 100),
        ("page_size=7", 1, 7),
        // A page too large to be held is merely past the end.
        ("page=99999999999999999999999999", u64::MAX, 100),
    ] {
        assert_eq!(part(query), Ok(Part::Page(Page { number, size })), "{query}");
    }
    assert_eq!(part("cursor=*"), Ok(Part::After(Cursor(None), 100)));
    assert_eq!(
        part("cursor=*&page_size=7&page="),
        Ok(Part::After(Cursor(None), 7))
    );
    assert_eq!(part("cursor=**"), Err(ParameterError::NotACursor));
    assert_eq!(part("cursor=*&page=1"), Err(ParameterError::PageAndCursor));
}

#[test]
fn grains_have_two_names_each() {
    for (names, grain) in [
        (["day", "daily"], Grain::Day),
        (["hour", "hourly"], Grain::Hour),
        (["week", "weekly"], Grain::Week),
        (["month", "monthly"], Grain::Month),
    ] {
        for name in names {
            let usage: UsageSummary = ask(&format!("{JANUARY}&group_by={name}")).unwrap();
            let cohorts: UserCohorts = ask(&format!("{JANUARY}&aggregation={name}")).unwrap();
            assert_eq!((usage.grain, cohorts.grain), (grain, grain), "{name}");
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
fn topics_are_trimmed_folded_and_not_repeated() {
    let topics =
        transcripts("topics=%20Math%20,,math,+Stra%C3%9Fe,%C3%84pfel+und+Birnen,").map(|asked| asked.topics);
    assert_eq!(
        topics,
        Ok(["math", "strasse", "äpfel und birnen"]
            .map(str::to_owned)
            .to_vec())
    );
    let topics = transcripts("topics=b&topics=&topics=%22x,+Y%22,a&topics=%C2%A0").map(|asked| asked.topics);
    assert_eq!(topics, Ok(["", "a", "b", "x, y"].map(str::to_owned).to_vec()));
    assert_eq!(transcripts("topics=,%20,"), Err(ParameterError::Blank("topics")));
}

#[test]
fn spaces_are_no_mentor_but_other_white_space_is_one() {
    for (value, mentor) in [
        ("", None),
        ("%20", None),
        ("+%20", None),
        ("%20m", Some(" m")),
        ("%C2%A0", Some("\u{a0}")),
        ("%09", Some("\t")),
    ] {
        let asked: UserCohorts = ask(&format!("{JANUARY}&mentor_id=m&mentor_id={value}")).unwrap();
        assert_eq!(asked.mentor.as_deref(), mentor, "{value}");
        let asked = transcripts(&format!("mentor=m&mentor={value}")).unwrap();
        assert_eq!(asked.mentor.as_deref(), mentor, "{value}");
    }
}

#[test]
fn a_blank_optional_parameter_is_absent() {
    let blank = "start_date=&end_date=%20&mentor=&topics=+&page=&page_size=%20%20&cursor=&startDate&endDate=";
    let absent = Transcripts {
        filter: TranscriptFilter::default(),
        part: Part::Whole,
    };
    assert_eq!(ask(blank), Ok(absent));
    let blank = format!("{JANUARY}&group_by=&aggregation=%20&new_users_by");
    assert_eq!(ask::<UsageSummary>(&blank), ask(JANUARY));
    assert_eq!(ask::<UserCohorts>(&blank), ask(JANUARY));
}

#[test]
fn the_dates_of_the_web_client_are_read_where_the_others_are_absent() {
    for query in [
        "startDate=2024-01-01&endDate=2024-01-31",
        "startDate=2024-01-01&endDate=2024-01-31&start_date=&end_date=%20",
        "startDate=x&endDate=x&start_date=2024-01-01&end_date=2024-01-31",
    ] {
        assert_eq!(ask::<UsageSummary>(query), ask(JANUARY), "{query}");
        assert_eq!(ask::<UserCohorts>(query), ask(JANUARY), "{query}");
        assert_eq!(transcripts(query), transcripts(JANUARY), "{query}");
    }
    assert_eq!(
        ask::<UsageSummary>("startDate=x&endDate=2024-01-31"),
        Err(ParameterError::NotADate("startDate"))
    );
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced() {
    let mentor = transcripts("mentor=a%ffb%zz%").unwrap().mentor;
    assert_eq!(mentor.as_deref(), Some("a\u{fffd}b%zz%"));
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
fn a_hundred_topics_are_the_most_and_none_counts_twice() {
    let topics = |count: u32| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let read = |list: &str| transcripts(&format!("topics={list}")).map(|asked| asked.topics.len());
    assert_eq!(read(&topics(100)), Ok(100));
    assert_eq!(read(&format!("{0},{0}", topics(100))), Ok(100));
    let error = read(&topics(101)).unwrap_err().to_string();
    assert_eq!(error, "topics names 101 topics; at most 100 are taken");
    let long = |count: u32| {
        (10..10 + count)
            .map(|n| n.to_string().repeat(300))
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(read(&long(90)), Ok(90));
    // Folded, this letter takes three times as many bytes.
    let more = ["a", "b", "c", "d", "e"].map(|first| format!("{first}{}", "\u{390}".repeat(255)));
    let error = read(&format!("{},{}", long(90), more.join(",")))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "topics is too long; at most 60000 bytes are taken");
}

#[test]
fn a_name_longer_than_any_of_an_event_is_cut_but_stays_longer() {
    let mentor = |name: &str| transcripts(&format!("mentor={name}")).unwrap().mentor;
    let topics = |name: &str| transcripts(&format!("topics={name}")).unwrap().topics;
    // Folded, this letter becomes three.
    let longest = "\u{390}".repeat(255);
    assert_eq!(topics(&longest), ["\u{3b9}\u{308}\u{301}".repeat(255)]);
    assert_eq!(topics(&longest.repeat(9))[0].chars().count(), 766);
    assert_eq!(mentor(&longest), Some(longest.clone()));
    assert_eq!(mentor(&longest.repeat(9)).unwrap().chars().count(), 256);
}
