//! Requests that break a rule, each with its exact status and body.

use axum::http::StatusCode;

use crate::service::{ACME, get, service};

const DAYS: &str = "start_date=2024-01-01&end_date=2024-01-31";
const NOT_A_START: &str = "start_date must be a date as YYYY-MM-DD";
const NOT_AN_END: &str = "end_date must be a date as YYYY-MM-DD";
const NO_START: &str = "start_date is required";
const NO_END: &str = "end_date is required";
const DISORDER: &str = "start_date must not be after end_date";
const NO_GROUP: &str = "group_by must be one of day, hour, week, month, daily, hourly, weekly, monthly";
const NO_AGGREGATION: &str =
    "aggregation must be one of daily, hourly, weekly, monthly, day, hour, week, month";
const NO_NEW_BY: &str = "new_users_by must be one of registration, activity";
const NO_PAGE: &str = "page must be a whole number from 1 up";
const NO_CURSOR: &str = "cursor must be * or one that a Link header gave";
const NO_EXPORT: &str = "export must be one of json, csv";
const NO_SIZE: &str = "page_size must be a whole number from 1 to 1000";

fn too_long(periods: &str) -> String {
    format!("the range from start_date to end_date has {periods} periods; at most 10,000 are answered")
}

/// Asserts that every query is refused with 400 and its sentence, with and without the closing slash and the
/// prefix.
async fn check(endpoint: &str, cases: &[(&str, &str)]) {
    let service = service();
    for (query, detail) in cases {
        let query = query.replace("DAYS", DAYS);
        for path in [
            format!("{ACME}/{endpoint}/?{query}"),
            format!("/dm{ACME}/{endpoint}?{query}"),
        ] {
            let answer = get(&service, &path).await;
            assert_eq!(answer.body, format!(r#"{{"detail":"{detail}"}}"#), "{path}");
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
            assert_eq!(answer.header("content-type"), "application/json", "{path}");
        }
    }
}

#[tokio::test]
async fn transcripts_refuses_what_breaks_a_rule() {
    let many: Vec<_> = (0..101).map(|n| n.to_string()).collect();
    let many = format!("topics={}", many.join(","));
    #[rustfmt::skip]
    let cases = [
        ("start_date=+%09", NOT_A_START),
        ("cursor=x", NO_CURSOR),
        ("cursor=-_", NO_CURSOR),
        ("cursor=*&page=2", "page and cursor exclude each other"),
        ("export=xml", NO_EXPORT),
        ("export=CSV&page=0", NO_PAGE),
        ("startDate=+%09", "startDate must be a date as YYYY-MM-DD"),
        ("start_date=2024-13-01", NOT_A_START),
        ("start_date=2023-02-29", NOT_A_START),
        ("start_date=yesterday", NOT_A_START),
        ("start_date=1704067200", NOT_A_START),
        ("start_date=%00", NOT_A_START),
        ("start_date=%ff%fe", NOT_A_START),
        ("start_date=2024-01-01%00", NOT_A_START),
        ("end_date=2024-1-1", NOT_AN_END),
        ("end_date=01-31-2024", NOT_AN_END),
        ("end_date=2024-01-31T00:00:00Z", NOT_AN_END),
        ("start_date=2024-02-01&end_date=2024-01-31", DISORDER),
        ("start_date=9999-12-31&end_date=0001-01-01", DISORDER),
        ("topics=,", "topics must not be blank"),
        ("topics=%20,%20,+", "topics must not be blank"),
        (&many, "topics names 101 topics; at most 100 are taken"),
        ("page=0", NO_PAGE),
        ("page=-1", NO_PAGE),
        ("page=%2B1", NO_PAGE),
        ("page=1.0", NO_PAGE),
        ("page=1e3", NO_PAGE),
        ("page=last", NO_PAGE),
        ("page=%D9%A1", NO_PAGE),
        ("page=0x1", NO_PAGE),
        ("page=00", NO_PAGE),
        ("page_size=0", NO_SIZE),
        ("page_size=1001", NO_SIZE),
        ("page_size=-100", NO_SIZE),
        ("page_size=all", NO_SIZE),
        ("page_size=18446744073709551616", NO_SIZE),
        ("page=1&page_size=1001", NO_SIZE),
        // The first that breaks its rule is reported, in the order of the reference page.
        ("page_size=0&page=0&topics=&mentor=&end_date=&start_date=x", NOT_A_START),
        ("page_size=0&page=0&topics=,&mentor=&end_date=2024-01-31", "topics must not be blank"),
    ];
    check("transcripts", &cases).await;
}

#[tokio::test]
async fn usage_summary_refuses_what_breaks_a_rule() {
    let (days, weeks, hours) = (too_long("10,001"), too_long("521,723"), too_long("10,008"));
    #[rustfmt::skip]
    let cases = [
        ("", NO_START),
        ("end_date=2024-01-31", NO_START),
        ("START_DATE=2024-01-01&end_date=2024-01-31", NO_START),
        ("start_date%20=2024-01-01&end_date=2024-01-31", NO_START),
        ("start_date", NO_START),
        ("start_date=%20&startDate=+", NO_START),
        ("start_date=2024-01-01", NO_END),
        ("start_date=2024-01-01&end_date=", NO_END),
        ("start_date=&end_date=2024-01-31", NO_START),
        ("start_date=2024-01-01&end_date=2024-02-30", NOT_AN_END),
        ("start_date=0000-01-01&end_date=0000-12-31", NOT_A_START),
        ("start_date=-001-01-01&end_date=2024-01-31", NOT_A_START),
        ("start_date=-0001-01-01&end_date=2024-01-31", NOT_A_START),
        ("start_date=2024-01-01&end_date=10000-01-01", NOT_AN_END),
        ("start_date=2024-01-01&end_date=262143-12-31", NOT_AN_END),
        ("start_date=2024-01-01&end_date=%2B262142-12-31", NOT_AN_END),
        ("start_date=99999999999999999999-01-01&end_date=2024-01-31", NOT_A_START),
        ("start_date=2024-01-01&start_date=x&end_date=2024-01-31", NOT_A_START),
        ("start_date=2024-01-02&end_date=2024-01-01", DISORDER),
        ("DAYS&group_by=quarter", NO_GROUP),
        ("DAYS&group_by=Day", NO_GROUP),
        ("DAYS&group_by=day%20", NO_GROUP),
        ("DAYS&group_by=day,week", NO_GROUP),
        ("DAYS&group_by=day%00", NO_GROUP),
        ("DAYS&group_by=day&group_by=year", NO_GROUP),
        ("DAYS&group_by='%20OR%201=1", NO_GROUP),
        ("start_date=2000-01-01&end_date=2027-05-19", &days),
        ("start_date=0001-01-01&end_date=9999-12-31&group_by=week", &weeks),
        ("start_date=2000-01-01&end_date=2001-02-20&group_by=hourly", &hours),
    ];
    check("usage-summary", &cases).await;
}

#[tokio::test]
async fn user_cohorts_over_time_refuses_what_breaks_a_rule() {
    let (days, hours) = (too_long("3,652,059"), too_long("87,649,416"));
    #[rustfmt::skip]
    let cases = [
        ("", NO_START),
        ("start_date=2024-01-01", NO_END),
        ("mentor_id=euclid&aggregation=daily", NO_START),
        ("start_date=20240101&end_date=2024-01-31", NOT_A_START),
        ("start_date=2024-01-01&end_date=2024-01-32", NOT_AN_END),
        ("start_date=2024-02-01&end_date=2024-01-01", DISORDER),
        ("DAYS&aggregation=quarterly", NO_AGGREGATION),
        ("DAYS&aggregation=DAILY", NO_AGGREGATION),
        ("DAYS&aggregation=daily&aggregation=0", NO_AGGREGATION),
        ("DAYS&new_users_by=both", NO_NEW_BY),
        ("DAYS&new_users_by=Activity", NO_NEW_BY),
        ("DAYS&aggregation=yearly&new_users_by=both", NO_AGGREGATION),
        ("start_date=0001-01-01&end_date=9999-12-31", &days),
        ("start_date=0001-01-01&end_date=9999-12-31&aggregation=hourly", &hours),
    ];
    check("user-cohorts-over-time", &cases).await;
}
