//! Values that a store might take for something else than a value.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::world::World;

const DAYS: &str = "start_date=2024-01-01&end_date=2024-01-02";

/// In percent-encoding, each unlike all names of events.
fn values() -> Vec<String> {
    let mut values: Vec<String> = [
        "%00",
        "a%00b",
        "%5C",
        "%5CN",
        "%5Ct",
        "a%09b",
        "a%0Ab",
        "a%0Db",
        "a%0D%0Ab",
        "%1A",
        "'",
        "''",
        "%22",
        "%60",
        "')%20OR%201=1--",
        "%3F",
        "%3F%3F",
        "%3Ffields",
        "{org:String}",
        "%7Bmentor:String%7D",
        "%24%7Bwhere%7D",
        "NULL",
        "%25",
        "%2500",
        "%zz",
        "%",
        "%ff%fe",
        "%ED%A0%80",
        "%F0%9F%A6%80",
        "a%CC%81",
        "%E2%80%AE",
        "--",
        "/*",
        "%23",
        "%3B",
        "%26",
        "0",
        "-1",
        "1e999",
        "[]",
        "['a']",
        "%C4%B0",
    ]
    .map(str::to_owned)
    .into();
    for (part, times) in [
        ("a", 60_000),
        ("%F0%9F%A6%80", 5_000),
        ("'", 20_000),
        ("%5C", 20_000),
        ("%00", 20_000),
    ] {
        values.push(part.repeat(times));
    }
    values
}

#[tokio::test]
async fn no_value_of_a_filter_is_more_than_a_name_that_nobody_has() {
    let service = World::default()
        .active("2024-01-01T10:00:00Z", "ada", "euclid")
        .annotate(1_000, &["Geometry"])
        .serve("hostile_names")
        .await;
    for value in values() {
        // No address is longer than 64 KiB, so a long value stands there once.
        let mentor = if value.len() > 1_000 { "x" } else { &value };
        for path_and_query in [
            format!("transcripts/?mentor={value}"),
            format!("transcripts/?topics={value}"),
            format!("transcripts/?page=1&topics={value}&mentor={mentor}"),
        ] {
            assert_eq!(
                service.ask(&path_and_query).await,
                serde_json::json!([]),
                "{path_and_query:.80}"
            );
        }
        let cohorts = service
            .ask(&format!("user-cohorts-over-time/?{DAYS}&mentor_id={value}"))
            .await;
        assert_eq!(cohorts["veteran_users"], serde_json::json!([0, 0]), "{value:.80}");
        assert_eq!(cohorts["new_users"], serde_json::json!([0, 0]), "{value:.80}");
    }
}

#[tokio::test]
async fn names_that_look_like_something_else_are_found() {
    let names = [
        "\\N",
        "\\",
        "a\tb",
        "a\nb",
        "a\rb",
        "'",
        "''",
        "\"",
        "?",
        "{org:String}",
        "NULL",
        "\u{1f980}",
        "\u{0}",
        "a\u{0}b",
        " x ",
    ];
    let mut world = World::default();
    for (conversation, name) in (0..).zip(names) {
        world = world
            .say(
                conversation,
                "2024-01-01T10:00:00Z",
                events::Role::User,
                "ada",
                name,
            )
            .annotate(conversation, &[name]);
    }
    let service = world.serve("hostile_found").await;
    for name in names {
        let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC);
        for path_and_query in [
            format!("transcripts/?mentor={encoded}"),
            format!("transcripts/?topics={encoded}"),
            format!("transcripts/?page=1&topics={encoded}&mentor={encoded}"),
        ] {
            let list = service.ask(&path_and_query).await;
            let topics: Vec<_> = list
                .as_array()
                .unwrap()
                .iter()
                .map(|item| &item["topics"][0]["name"])
                .collect();
            assert_eq!(topics, [name], "{path_and_query}");
        }
    }
}

#[tokio::test]
async fn ranges_far_from_any_event_are_empty() {
    let service = World::default()
        .active("2024-01-01T10:00:00Z", "ada", "euclid")
        .serve("hostile_ranges")
        .await;
    for (start, end) in [
        ("0001-01-01", "0001-01-02"),
        ("1899-12-31", "1900-01-01"),
        ("1969-12-31", "1970-01-01"),
        ("2106-02-07", "2106-02-08"),
        ("2149-06-06", "2149-06-07"),
        ("2299-12-31", "2300-01-01"),
        ("9999-12-30", "9999-12-31"),
    ] {
        let days = format!("start_date={start}&end_date={end}");
        assert_eq!(
            service.ask(&format!("transcripts/?{days}")).await,
            serde_json::json!([]),
            "{days}"
        );
        assert_eq!(
            service.ask(&format!("transcripts/?{days}&page=1")).await,
            serde_json::json!([]),
            "{days}"
        );
        for (grain, periods) in [("hour", 48), ("day", 2), ("week", 0)] {
            let usage = service
                .ask(&format!("usage-summary/?{days}&group_by={grain}"))
                .await;
            let usage = usage.as_array().unwrap();
            assert!(usage.len() == periods || periods == 0, "{days}");
            assert!(usage.iter().all(|item| item["user_count"] == 0), "{days}");
            for more in ["", "&mentor_id=euclid", "&new_users_by=activity"] {
                let cohorts = service
                    .ask(&format!(
                        "user-cohorts-over-time?{days}&aggregation={grain}{more}"
                    ))
                    .await;
                let news = cohorts["new_users"].as_array().unwrap();
                assert!(
                    news.len() == usage.len() && news.iter().all(|count| *count == 0),
                    "{days}{more}"
                );
            }
        }
    }
}
