//! `transcripts`: bodies, filters, pages, and lists longer than what is read at once.

use events::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    http::Answer,
    world::{Service, World},
};

/// Conversations 1 to 3; the later two begin at the same instant.
async fn service(database: &str) -> Service {
    World::default()
        .say(1, "2024-01-01T10:00:00Z", Role::System, "", "euclid")
        .say(1, "2024-01-01T10:00:01.5Z", Role::User, "ada", "euclid")
        .say(1, "2024-01-01T10:00:02Z", Role::Assistant, "ada", "euclid")
        .annotate(1, &["Geometry", "Stra\u{df}e"])
        .say(3, "2024-01-31T23:59:59.999Z", Role::User, "", "plato")
        .say(2, "2024-01-31T23:59:59.999Z", Role::Assistant, "bob", "plato")
        .annotate(2, &["Caves", "geometry "])
        .serve(database)
        .await
}

fn ids(list: &Value) -> Vec<u128> {
    let items = list.as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().parse::<Uuid>().unwrap().as_u128())
        .collect()
}

#[tokio::test]
async fn conversations_are_listed_newest_first_with_every_field() {
    let service = service("transcripts_bodies").await;
    let expected = json!([
        {
            "first_message": "",
            "topics": [{"name": "Caves"}, {"name": "geometry "}],
            "id": "00000000-0000-0000-0000-000000000002",
            "user_id": "bob",
            "message_count": 1,
            "model": "model-1",
            "inserted_at": "2024-01-31T23:59:59.999Z",
            "user_sentiment": "positive",
        },
        {
            "first_message": "message 4",
            "topics": [],
            "id": "00000000-0000-0000-0000-000000000003",
            "user_id": "anonymous",
            "message_count": 1,
            "model": "",
            "inserted_at": "2024-01-31T23:59:59.999Z",
            "user_sentiment": "unknown",
        },
        {
            "first_message": "message 2",
            "topics": [{"name": "Geometry"}, {"name": "Stra\u{df}e"}],
            "id": "00000000-0000-0000-0000-000000000001",
            "user_id": "ada",
            "message_count": 2,
            "model": "model-1",
            "inserted_at": "2024-01-01T10:00:00.000Z",
            "user_sentiment": "positive",
        },
    ]);
    assert_eq!(service.ask("transcripts/").await, expected);
    assert_eq!(service.ask("transcripts?page=1").await, expected);
}

#[tokio::test]
async fn filters_choose_conversations() {
    let service = service("transcripts_filters").await;
    for (query, expected) in [
        ("start_date=2024-01-02", vec![2, 3]),
        ("end_date=2024-01-30", vec![1]),
        ("start_date=2024-01-31&end_date=2024-01-31", vec![2, 3]),
        ("start_date=2024-02-01", vec![]),
        ("start_date=0001-01-01&end_date=9999-12-31", vec![2, 3, 1]),
        ("mentor=euclid", vec![1]),
        ("mentor=plato&mentor=nobody", vec![]),
        ("mentor=nobody&mentor=plato&unknown=x", vec![2, 3]),
        ("mentor=Plato", vec![]),
        ("topics=GEOMETRY", vec![2, 1]),
        ("topics=nothing,%20caves%20,", vec![2]),
        ("topics=STRA%C3%9FE", vec![1]),
        ("topics=geometry&mentor=euclid&end_date=2024-01-01", vec![1]),
        ("topics=nothing", vec![]),
    ] {
        for page in ["", "&page=1"] {
            let list = service.ask(&format!("transcripts/?{query}{page}")).await;
            assert_eq!(ids(&list), expected, "{query}{page}");
        }
    }
}

#[tokio::test]
async fn topics_are_found_by_case_folding_and_may_hold_commas() {
    let mut world = World::default();
    let names = [
        "Stra\u{df}e",
        "\u{3a3}\u{39f}\u{3a6}\u{39f}\u{3a3}",
        "Sines, cosines",
        "\"quoted\"",
        "\u{a0}",
    ];
    for (conversation, name) in (1..).zip(names) {
        let time = format!("2024-01-01T0{conversation}:00:00Z");
        world = world
            .say(conversation, &time, Role::User, "ada", "euclid")
            .annotate(conversation, &[name]);
    }
    let service = world.serve("transcripts_folded").await;
    for (query, expected) in [
        ("topics=STRASSE", vec![1]),
        ("topics=stra%C3%9Fe", vec![1]),
        ("topics=STRA%E1%BA%9EE", vec![1]),
        ("topics=%CF%83%CE%BF%CF%86%CE%BF%CF%83", vec![2]),
        ("topics=%CF%83%CE%BF%CF%86%CE%BF%CF%82", vec![2]),
        ("topics=sines,+cosines", vec![]),
        ("topics=%22sines,+cosines%22", vec![3]),
        (
            "topics=strasse&topics=nothing&topics=+%22SINES,+cosines%22+",
            vec![3, 1],
        ),
        ("topics=%22quoted%22", vec![]),
        ("topics=%22%22%22Quoted%22%22%22", vec![4]),
        ("topics=%C2%A0", vec![5]),
        ("topics=", vec![5, 4, 3, 2, 1]),
    ] {
        for page in ["", "&page=1"] {
            let list = service.ask(&format!("transcripts/?{query}{page}")).await;
            assert_eq!(ids(&list), expected, "{query}{page}");
        }
    }
}

#[tokio::test]
async fn links_lead_through_all_pages_of_a_list() {
    let mut world = World::default();
    for hour in 0..7 {
        world = world.active(&format!("2024-01-01T0{hour}:00:00Z"), "ada", "euclid");
    }
    let service = world.serve("transcripts_pages").await;
    let whole = ids(&service.ask("transcripts/").await);
    assert_eq!(whole.len(), 7);

    let mut next = "/dm/api/ai-analytics/orgs/acme/users/u/transcripts/?mentor=euclid&page_size=3".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = service.send("GET", &next).await;
        assert_eq!(
            (page.status.as_u16(), page.header("x-total-count")),
            (200, "7"),
            "{next}"
        );
        pages.push(ids(&serde_json::from_str(&page.body).unwrap()));
        let links = page.header("link").split(", ");
        let Some(link) = links
            .into_iter()
            .find_map(|link| link.strip_suffix(r#">; rel="next""#))
        else {
            break;
        };
        next = link.strip_prefix('<').unwrap().to_owned();
    }
    assert_eq!(pages, whole.chunks(3).map(<[u128]>::to_vec).collect::<Vec<_>>());

    for (page, size) in [
        ("4", "3"),
        ("2", "1000"),
        ("18446744073709551616", "1000"),
        ("18446744073709551615", "1"),
    ] {
        let path = format!("/api/ai-analytics/orgs/acme/users/u/transcripts?page={page}&page_size={size}");
        let answer = service.send("GET", &path).await;
        assert_eq!(
            (answer.body.as_str(), answer.header("x-total-count")),
            ("[]", "7"),
            "{path}"
        );
        assert!(answer.header("link").contains(r#"rel="last""#), "{path}");
        assert!(!answer.header("link").contains(r#"rel="next""#), "{path}");
    }
}

/// The address that a `Link` header leads to; none where it has no such relation.
fn linked<'a>(answer: &'a Answer, relation: &str) -> Option<&'a str> {
    let end = format!(r#">; rel="{relation}""#);
    let mut links = answer.header("link").split(", ");
    let link = links.find_map(|link| link.strip_suffix(&end))?;
    link.strip_prefix('<')
}

#[tokio::test]
async fn a_cursor_leads_through_a_list_from_place_to_place() {
    let mut world = World::default();
    for conversation in 1..=10 {
        // Some began at the same instant, and some go on days later.
        for day in [1 + conversation / 4, 20] {
            let time = format!("2024-01-{day:02}T00:{:02}:00Z", conversation / 3);
            world = world.say(conversation, &time, Role::User, "ada", "euclid");
        }
    }
    let service = world.serve("transcripts_cursors").await;
    for filter in ["", "&mentor=euclid", "&mentor=nobody", "&end_date=2024-01-02"] {
        let whole = ids(&service.ask(&format!("transcripts/?{filter}")).await);
        for size in [1, 3, 10, 1_000] {
            let first = "/dm/api/ai-analytics/orgs/acme/users/u/transcripts/?cursor=*";
            let mut next = Some(format!("{first}&page_size={size}{filter}"));
            let mut parts = Vec::new();
            while let Some(path) = next {
                let part = service.send("GET", &path).await;
                assert_eq!((part.status.as_u16(), part.header("x-total-count")), (200, ""));
                let listed = ids(&serde_json::from_str(&part.body).unwrap());
                assert!(listed.len() <= size, "{path}");
                parts.extend(listed);
                next = linked(&part, "next").map(str::to_owned);
            }
            assert_eq!(parts, whole, "{filter} by {size}");
        }
    }
    for outside in ["-1", "253402300799999", "9223372036854775807"] {
        let cursor = format!("{outside}_00000000000000000000000000000000");
        let path = format!("transcripts/?end_date=2024-01-02&cursor={cursor}");
        let listed = ids(&service.ask(&path).await);
        assert_eq!(listed.is_empty(), outside == "-1", "{outside}");
    }
}

#[tokio::test]
async fn answers_are_sent_only_where_they_have_changed() {
    let service = service("transcripts_cached").await;
    let range = "start_date=2024-01-01&end_date=2024-01-31";
    for path in [
        "transcripts/?page=1".to_owned(),
        "transcripts/?cursor=*".to_owned(),
        format!("usage-summary/?{range}"),
        format!("user-cohorts-over-time/?{range}&export=csv"),
    ] {
        let path = format!("/api/ai-analytics/orgs/acme/users/u/{path}");
        let whole = service.send("GET", &path).await;
        assert_eq!(whole.status.as_u16(), 200, "{}", whole.body);
        assert_eq!(whole.header("cache-control"), "private, no-cache");
        let depends_on: Vec<_> = whole.headers.get_all("vary").iter().collect();
        assert!(
            depends_on.iter().any(|on| *on == "authorization, accept"),
            "{depends_on:?}"
        );
        let head = service.send("HEAD", &path).await;
        assert_eq!(
            (head.body.as_str(), head.header("etag")),
            ("", whole.header("etag"))
        );

        let unchanged = service.ask_unless(&path, whole.header("etag")).await;
        assert_eq!(
            (unchanged.status.as_u16(), unchanged.body.as_str()),
            (304, ""),
            "{path}"
        );
        for kept in ["etag", "cache-control", "x-total-count", "link"] {
            assert_eq!(unchanged.header(kept), whole.header(kept), "{path} {kept}");
        }
        let other = service.ask_unless(&path, "W/\"other\"").await;
        assert_eq!((other.status.as_u16(), &other.body), (200, &whole.body), "{path}");
    }
    let streamed = service
        .send("GET", "/api/ai-analytics/orgs/acme/users/u/transcripts/")
        .await;
    assert_eq!(
        (streamed.header("etag"), streamed.header("cache-control")),
        ("", "private, no-cache")
    );
}

#[tokio::test]
async fn all_three_are_written_as_csv_for_whoever_asks() {
    let service = World::default()
        .say(1, "2024-01-01T10:00:00Z", Role::User, "=ada", "euclid")
        .annotate(1, &["Sines, cosines", "+1"])
        .serve("answers_csv")
        .await;
    let range = "start_date=2024-01-01&end_date=2024-01-01";
    let id = Uuid::from_u128(1);
    for (name, query, expected) in [
        (
            "transcripts",
            "",
            format!(
                "id,inserted_at,user_id,first_message,message_count,model,topics,user_sentiment\r\n\
                 {id},2024-01-01T10:00:00.000Z,'=ada,message 1,1,,\"\"\"Sines, cosines\"\",+1\",positive\r\n"
            ),
        ),
        (
            "usage-summary",
            range,
            "date,user_count\r\n2024-01-01,1\r\n".to_owned(),
        ),
        (
            "user-cohorts-over-time",
            range,
            "periods,new_users,veteran_users\r\n2024-01-01T00:00:00Z,1,0\r\n".to_owned(),
        ),
    ] {
        let path = format!("/api/ai-analytics/orgs/acme/users/u/{name}/?{query}");
        for page in ["", "&page=1", "&cursor=*"] {
            let exported = service.send("GET", &format!("{path}{page}&export=csv")).await;
            assert_eq!(exported.body, expected, "{path}{page}");
            let disposition = format!("attachment; filename=\"{name}.csv\"");
            assert_eq!(exported.header("content-disposition"), disposition);
            let accepted = service
                .ask_for("text/csv, application/json;q=0.9", &format!("{path}{page}"))
                .await;
            assert_eq!(
                (&accepted.body, accepted.header("content-disposition")),
                (&expected, "")
            );
            assert_eq!(
                accepted.headers["content-type"],
                "text/csv; charset=utf-8; header=present"
            );
        }
        for accept in ["*/*", "text/csv;q=0.5, application/json", "text/csv;q=0"] {
            let json = service.ask_for(accept, &path).await;
            assert_eq!(json.header("content-type"), "application/json", "{accept}");
        }
    }
    let nobody = service.ask("transcripts/?mentor=nobody").await;
    assert_eq!(nobody, json!([]));
    let header = service
        .send(
            "GET",
            "/api/ai-analytics/orgs/acme/users/u/transcripts/?mentor=nobody&export=csv",
        )
        .await;
    assert_eq!(header.body.lines().count(), 1, "{}", header.body);
}

#[tokio::test]
async fn conversations_that_go_on_stay_where_they_began() {
    let mut world = World::default();
    for conversation in 1..=10 {
        for time in ["2024-01-01T00", "2024-01-31T12"] {
            let time = format!("{time}:{conversation:02}:00Z");
            world = world.say(conversation, &time, Role::User, "ada", "euclid");
        }
    }
    for conversation in 11..=13 {
        let time = format!("2024-01-31T00:{conversation}:00Z");
        world = world.say(conversation, &time, Role::User, "ada", "euclid");
    }
    let service = world.serve("transcripts_going_on").await;
    let newest_first =
        |conversations: std::ops::RangeInclusive<u128>| conversations.rev().collect::<Vec<_>>();
    for (query, expected) in [
        ("", newest_first(1..=13)),
        ("start_date=2024-01-31", newest_first(11..=13)),
        ("end_date=2024-01-30", newest_first(1..=10)),
        ("start_date=2024-01-02&end_date=2024-01-30", vec![]),
    ] {
        assert_eq!(
            ids(&service.ask(&format!("transcripts/?{query}")).await),
            expected,
            "{query}"
        );
        for size in [1, 2, 3, 20] {
            let mut paged = Vec::new();
            for page in 1..=14 {
                let path_and_query = format!("transcripts/?page={page}&page_size={size}&{query}");
                paged.extend(ids(&service.ask(&path_and_query).await));
            }
            assert_eq!(paged, expected, "{query} in pages of {size}");
        }
    }
}

#[tokio::test]
async fn a_long_list_is_the_same_whole_and_in_pages() {
    let mut world = World::default();
    for minute in 0..1_201 {
        let time = format!("2024-01-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
        world = world.active(&time, "ada", "euclid");
    }
    let service = world.serve("transcripts_long").await;
    let whole = service.ask("transcripts/").await;
    let mut paged = Vec::new();
    for page in 1..=2 {
        let page = service
            .ask(&format!("transcripts/?page={page}&page_size=1000"))
            .await;
        paged.extend(page.as_array().unwrap().clone());
    }
    assert_eq!(paged.len(), 1_201);
    assert!(
        *whole.as_array().unwrap() == paged,
        "the pages hold other conversations than the list"
    );
    assert!(ids(&whole).is_sorted_by(|newer, older| newer > older));
}
