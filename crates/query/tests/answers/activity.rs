//! `usage-summary` and `user-cohorts-over-time`, and what all endpoints have in common.

use std::time::{Duration, Instant};

use events::Role;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::world::{Service, World};

const JANUARY: &str = "start_date=2024-01-03&end_date=2024-01-09";

/// ada, old, and bob, who registers in January, are active; eve registers but is not. 2024-01-03 is a Wednesday.
async fn service(database: &str) -> Service {
    World::default()
        .register("2023-12-01T00:00:00Z", "ada")
        .register("2024-01-04T12:00:00Z", "bob")
        .register("2024-01-05T12:00:00Z", "eve")
        .active("2024-01-01T10:00:00Z", "ada", "euclid")
        .active("2024-01-03T00:00:00Z", "ada", "euclid")
        .active("2024-01-04T12:30:00Z", "bob", "plato")
        .active("2024-01-04T13:30:00Z", "ada", "plato")
        .active("2024-01-08T23:59:59.999Z", "bob", "euclid")
        .active("2024-01-04T13:30:00Z", "", "plato")
        .say(7, "2024-01-06T00:00:00Z", Role::Assistant, "ada", "euclid")
        .active("2024-01-10T00:00:00Z", "ada", "euclid")
        .serve(database)
        .await
}

#[tokio::test]
async fn a_question_of_several_statements_is_given_up_at_one_deadline() {
    let world = World::default().active("2024-01-01T10:00:00Z", "ada", "euclid");
    let (delay, timeout) = (Duration::from_millis(1_500), Duration::from_secs(2));
    let service = world.serve_slowly("activity_slow", delay, timeout).await;
    let days = "start_date=2024-01-01&end_date=2024-01-02";
    let began = Instant::now();
    let questions = [
        format!("usage-summary?{days}"),
        format!("user-cohorts-over-time?{days}&mentor_id=euclid"),
        "transcripts".to_owned(),
        "transcripts?page=1&mentor=euclid".to_owned(),
    ];
    join_all(questions.iter().map(async |question| {
        let path = format!("/api/ai-analytics/orgs/acme/users/u/{question}");
        let answer = service.send("GET", &path).await;
        let expected = r#"{"detail":"the analytics store did not answer within 2 s"}"#;
        let found = (answer.status.as_u16(), answer.body.as_str());
        assert_eq!(found, (503, expected), "{question}");
    }))
    .await;
    let after = began.elapsed();
    assert!(after < timeout + Duration::from_secs(1), "{after:?}");
}

#[tokio::test]
async fn active_users_are_counted_by_day_week_and_hour() {
    let service = service("activity_usage").await;
    let counts = |answer: &Value| -> Vec<(String, u64)> {
        let items = answer.as_array().unwrap().iter();
        items
            .map(|item| {
                assert_eq!(item.as_object().unwrap().len(), 2);
                (
                    item["date"].as_str().unwrap().to_owned(),
                    item["user_count"].as_u64().unwrap(),
                )
            })
            .collect()
    };
    let expected = |counts: &[(&str, u64)]| -> Vec<_> {
        counts
            .iter()
            .map(|(date, count)| ((*date).to_owned(), *count))
            .collect()
    };
    let days = expected(&[
        ("2024-01-03", 1),
        ("2024-01-04", 2),
        ("2024-01-05", 0),
        ("2024-01-06", 0),
        ("2024-01-07", 0),
        ("2024-01-08", 1),
        ("2024-01-09", 0),
    ]);
    for grain in ["", "&group_by=day", "&group_by=daily"] {
        assert_eq!(
            counts(&service.ask(&format!("usage-summary/?{JANUARY}{grain}")).await),
            days
        );
    }
    for grain in ["week", "weekly"] {
        let weeks = service
            .ask(&format!("usage-summary?{JANUARY}&group_by={grain}"))
            .await;
        assert_eq!(counts(&weeks), expected(&[("2024-01-01", 2), ("2024-01-08", 1)]));
    }
    for grain in ["month", "monthly"] {
        let months = service
            .ask(&format!("usage-summary?{JANUARY}&group_by={grain}"))
            .await;
        assert_eq!(counts(&months), expected(&[("2024-01-01", 2)]));
    }
    for grain in ["hour", "hourly"] {
        let hours = service
            .ask(&format!("usage-summary?{JANUARY}&group_by={grain}"))
            .await;
        let mut hours = counts(&hours);
        assert_eq!(hours.len(), 7 * 24);
        hours.retain(|(_, count)| *count > 0);
        let busy = [
            ("2024-01-03T00:00:00Z", 1),
            ("2024-01-04T12:00:00Z", 1),
            ("2024-01-04T13:00:00Z", 1),
            ("2024-01-08T23:00:00Z", 1),
        ];
        assert_eq!(hours, expected(&busy));
    }
}

#[tokio::test]
async fn new_and_veteran_users_are_counted_side_by_side() {
    let service = service("activity_cohorts").await;
    let days: Vec<_> = (3..=9).map(|day| format!("2024-01-0{day}T00:00:00Z")).collect();
    let weeks = vec![
        "2024-01-01T00:00:00Z".to_owned(),
        "2024-01-08T00:00:00Z".to_owned(),
    ];
    // That of the whole month, which the range cuts.
    let month = vec!["2024-01-01T00:00:00Z".to_owned()];
    #[rustfmt::skip]
    let cases = [
        ("", &days, vec![0, 1, 1, 0, 0, 0, 0], vec![1, 1, 0, 0, 0, 0, 0]),
        ("&aggregation=daily&mentor_id=", &days, vec![0, 1, 1, 0, 0, 0, 0], vec![1, 1, 0, 0, 0, 0, 0]),
        ("&aggregation=day&mentor_id=euclid", &days, vec![0, 1, 0, 0, 0, 0, 0], vec![1, 0, 0, 0, 0, 0, 0]),
        ("&new_users_by=registration&mentor_id=nobody", &days, vec![0; 7], vec![0; 7]),
        ("&new_users_by=activity", &days, vec![0, 1, 0, 0, 0, 1, 0], vec![1, 1, 0, 0, 0, 0, 0]),
        ("&new_users_by=activity&mentor_id=plato", &days, vec![0, 1, 0, 0, 0, 0, 0], vec![0, 1, 0, 0, 0, 0, 0]),
        ("&aggregation=weekly", &weeks, vec![2, 0], vec![1, 0]),
        ("&aggregation=week&new_users_by=activity", &weeks, vec![1, 1], vec![1, 0]),
        ("&aggregation=monthly", &month, vec![2], vec![1]),
        ("&aggregation=month&new_users_by=activity", &month, vec![1], vec![1]),
    ];
    for (query, periods, new_users, veteran_users) in cases {
        let answer = service
            .ask(&format!("user-cohorts-over-time/?{JANUARY}{query}"))
            .await;
        let expected = json!({"periods": periods, "new_users": new_users, "veteran_users": veteran_users});
        assert_eq!(answer, expected, "{query}");
    }
    let hours = service
        .ask("user-cohorts-over-time?start_date=2024-01-04&end_date=2024-01-04&aggregation=hourly")
        .await;
    assert_eq!(hours["periods"][12], "2024-01-04T12:00:00Z");
    assert_eq!(
        (&hours["new_users"][12], &hours["veteran_users"][13]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn an_organisation_that_nobody_knows_is_not_found_and_one_that_is_idle_is_empty() {
    let service = service("activity_orgs").await;
    let of =
        |org: &str, path_and_query: &str| format!("/dm/api/ai-analytics/orgs/{org}/users/u/{path_and_query}");
    let days = "start_date=2024-01-01&end_date=2024-01-02";
    let zeros = json!({
        "periods": ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"], "new_users": [0, 0], "veteran_users": [0, 0],
    });
    for (path_and_query, empty) in [
        ("transcripts/".to_owned(), json!([])),
        ("transcripts?page=1".to_owned(), json!([])),
        (
            format!("usage-summary/?{days}"),
            json!([{"date": "2024-01-01", "user_count": 0}, {"date": "2024-01-02", "user_count": 0}]),
        ),
        (format!("user-cohorts-over-time?{days}"), zeros),
    ] {
        // It comes before the parameters, of which this one is malformed.
        let mark = if path_and_query.contains('?') { '&' } else { '?' };
        for path_and_query in [
            path_and_query.clone(),
            format!("{path_and_query}{mark}start_date=x"),
        ] {
            let unknown = service.send("GET", &of("nowhere", &path_and_query)).await;
            assert_eq!(
                unknown.body, r#"{"detail":"org does not exist"}"#,
                "{path_and_query}"
            );
            assert_eq!(unknown.status.as_u16(), 404, "{path_and_query}");
            assert_eq!(
                unknown.header("content-type"),
                "application/problem+json",
                "{path_and_query}"
            );
        }
        let idle = service.send("GET", &of("idle", &path_and_query)).await;
        assert_eq!(idle.status.as_u16(), 200, "{path_and_query}");
        assert_eq!(
            serde_json::from_str::<Value>(&idle.body).unwrap(),
            empty,
            "{path_and_query}"
        );
    }
}

#[tokio::test]
async fn every_form_of_a_path_answers_alike_and_head_returns_only_the_headers() {
    let service = service("activity_forms").await;
    for (endpoint, query) in [
        ("transcripts", String::new()),
        ("transcripts", "page=2&page_size=3".to_owned()),
        ("usage-summary", JANUARY.to_owned()),
        ("user-cohorts-over-time", JANUARY.to_owned()),
    ] {
        let forms = ["", "/dm"].into_iter().flat_map(|prefix| {
            ["", "/"].map(|slash| {
                format!("{prefix}/api/ai-analytics/orgs/acme/users/%ff/{endpoint}{slash}?{query}")
            })
        });
        let mut bodies = Vec::new();
        for path in forms {
            let (got, head) = (
                service.send("GET", &path).await,
                service.send("HEAD", &path).await,
            );
            assert_eq!((got.status.as_u16(), head.status.as_u16()), (200, 200), "{path}");
            assert_eq!(head.body, "", "{path}");
            for name in ["content-type", "link", "x-total-count"] {
                assert_eq!(head.header(name), got.header(name), "{path} {name}");
            }
            bodies.push(got.body);
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{endpoint}");
        assert!(bodies[0].len() > 50, "{endpoint}");
    }
}

#[tokio::test]
async fn the_longest_range_of_each_period_is_answered() {
    let service = World::default()
        .active("2024-01-01T10:00:00Z", "ada", "euclid")
        .serve("longest_ranges")
        .await;
    for (grain, start, end) in [
        ("hour", "2023-01-01", "2024-02-20"),
        ("day", "2000-01-01", "2027-05-18"),
        ("week", "1960-01-01", "2150-12-31"),
        ("month", "1400-01-01", "2230-12-31"),
    ] {
        let days = format!("start_date={start}&end_date={end}");
        let usage = service
            .ask(&format!("usage-summary/?{days}&group_by={grain}"))
            .await;
        let counts = usage.as_array().unwrap().iter();
        let users: u64 = counts.map(|count| count["user_count"].as_u64().unwrap()).sum();
        assert_eq!(users, 1, "{grain}");
        for more in ["", "&mentor_id=euclid", "&new_users_by=activity"] {
            let cohorts = service
                .ask(&format!(
                    "user-cohorts-over-time/?{days}&aggregation={grain}{more}"
                ))
                .await;
            let new_users = cohorts["new_users"].as_array().unwrap().iter();
            let new_users: u64 = new_users.map(|count| count.as_u64().unwrap()).sum();
            assert_eq!(new_users, 1, "{grain}{more}");
        }
    }
}
