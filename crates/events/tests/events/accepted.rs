//! Events at the edges of what is valid, and what they decode to.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use events::{Body, Event, Message, Role, Sentiment, Timestamp};

use crate::wire::{Draft, Header, NOW, borrowed, event, read};

fn message(draft: &Draft) -> Message<'static> {
    match draft.event().body {
        Body::Message(message) => message,
        other => panic!("not a message: {other:?}"),
    }
}

fn user_id(json: &str) -> Option<String> {
    message(&Draft::message().datum("user_id", Some(json)))
        .user_id
        .map(Cow::into_owned)
}

#[test]
fn a_message_is_read_whole() {
    let Event { org, id, time, body } = Draft::message().event();
    assert_eq!(
        (&*org, &*id, time.to_rfc3339()),
        ("acme", "e-1", "2024-05-15T11:59:00.000Z".to_owned())
    );
    let expected = Message {
        message_id: "6fe84ac9-a1e4-5e1f-a0c4-78680fcadee1".parse().unwrap(),
        conversation_id: "0855d97f-6033-511a-b1ae-d8cb596c412a".parse().unwrap(),
        role: Role::User,
        user_id: Some("ada".into()),
        mentor_id: Some("euclid".into()),
        content: "hello".into(),
        model: Some("m-1".into()),
    };
    assert_eq!(body, Body::Message(expected));
}

#[test]
fn an_annotation_a_registration_and_an_erasure_are_read_whole() {
    let Body::Annotation(annotation) = Draft::annotation().event().body else {
        panic!("not an annotation")
    };
    assert_eq!(annotation.topics, ["geometry", "proofs"]);
    assert_eq!(annotation.user_sentiment, Sentiment::Positive);
    assert_eq!(annotation.annotated_at.to_rfc3339(), "2024-05-15T11:00:00.000Z");

    let Body::Registration(registration) = Draft::registration().event().body else {
        panic!("not a registration")
    };
    assert_eq!(registration.user_id, "ada");
    assert_eq!(
        registration.registered_at.to_rfc3339(),
        "2024-05-01T00:00:00.000Z"
    );

    let Body::Erasure(erasure) = Draft::erasure().event().body else {
        panic!("not an erasure")
    };
    assert_eq!(erasure.user_id, "ada");
    assert_eq!(erasure.erased_at.to_rfc3339(), "2024-05-15T11:30:00.000Z");
}

#[test]
fn what_has_no_escapes_is_borrowed_from_the_record() {
    let value = Draft::message().structured();
    let Ok(events::Decoded::Event(event)) = read(&[], value.as_bytes()) else {
        panic!("not an event")
    };
    let Body::Message(message) = event.body else {
        panic!("not a message")
    };
    let texts = [
        event.org,
        event.id,
        message.user_id.unwrap(),
        message.mentor_id.unwrap(),
        message.content,
        message.model.unwrap(),
    ];
    for text in texts {
        assert!(matches!(text, Cow::Borrowed(_)), "{text}");
    }
}

#[test]
fn a_type_may_have_any_dotted_prefix() {
    for event_type in [
        r#""chat.message.created.v1""#,
        r#""com.acme.chat.message.created.v1""#,
        r#""a.chat.message.created.v1""#,
        r#""chat\u002emessage.created.v1""#,
        r#""é.chat.message.created.v1""#,
    ] {
        let draft = Draft::message().attribute("type", Some(event_type));
        assert!(matches!(draft.event().body, Body::Message(_)), "{event_type}");
    }
    let draft = Draft::registration().attribute("type", Some(r#""x.y.chat.user.registered.v1""#));
    assert!(matches!(draft.event().body, Body::Registration(_)));
}

#[test]
fn an_integer_stands_for_its_decimal_string() {
    let longest = "9".repeat(255);
    for (json, expected) in [
        ("7", "7"),
        ("0", "0"),
        ("-0", "0"),
        ("-12", "-12"),
        (&longest, &longest),
    ] {
        assert_eq!(user_id(json).as_deref(), Some(expected), "{json}");
        let mentor = message(&Draft::message().datum("mentor_id", Some(json))).mentor_id;
        assert_eq!(mentor.as_deref(), Some(expected), "{json}");
        let Body::Registration(registration) =
            Draft::registration().datum("user_id", Some(json)).event().body
        else {
            panic!("not a registration")
        };
        assert_eq!(registration.user_id, expected);
    }
    assert_eq!(
        user_id("18446744073709551616").as_deref(),
        Some("18446744073709551616")
    );
}

#[test]
fn an_id_counts_its_characters_and_not_its_bytes() {
    let longest = "\u{1f980}".repeat(255);
    assert_eq!(user_id(&format!("\"{longest}\"")).as_deref(), Some(&*longest));
    assert_eq!(
        user_id(r#""a\u0000\ud83e\udd80b""#).as_deref(),
        Some("a\0\u{1f980}b")
    );
    assert_eq!(user_id(r#"" ""#).as_deref(), Some(" "));
}

#[test]
fn a_message_without_a_user_is_anonymous() {
    for json in [None, Some("null"), Some(r#""""#)] {
        assert_eq!(
            message(&Draft::message().datum("user_id", json)).user_id,
            None,
            "{json:?}"
        );
    }
}

#[test]
fn optional_members_may_be_null_or_absent() {
    for json in [None, Some("null")] {
        let draft = Draft::message()
            .datum("mentor_id", json)
            .datum("content", json)
            .datum("model", json);
        let message = message(&draft);
        assert_eq!(
            (message.mentor_id, &*message.content, message.model),
            (None, "", None),
            "{json:?}"
        );
    }
    let draft = Draft::message()
        .datum("content", Some(r#""""#))
        .datum("model", Some(r#""""#));
    assert_eq!((&*message(&draft).content, message(&draft).model), ("", None));
}

#[test]
fn a_uuid_may_be_in_capitals() {
    let draft = Draft::message().datum("message_id", Some(r#""6FE84AC9-A1E4-5E1F-A0C4-78680FCADEE1""#));
    assert_eq!(message(&draft).message_id, message(&Draft::message()).message_id);
    let nil = Draft::message().datum("message_id", Some(r#""00000000-0000-0000-0000-000000000000""#));
    assert!(message(&nil).message_id.is_nil());
}

#[test]
fn topics_keep_their_order_and_may_be_none() {
    let topics = |json: &str| match Draft::annotation().datum("topics", Some(json)).event().body {
        Body::Annotation(annotation) => annotation.topics,
        other => panic!("not an annotation: {other:?}"),
    };
    assert!(topics("[]").is_empty());
    let longest = "\u{1f980}".repeat(255);
    let listed = topics(&format!(
        r#"[ {{"id":1,"name":"z","name2":[]}} , {{"name":"{longest}"}}, {{"name":"z"}} ]"#
    ));
    assert_eq!(listed, ["z", &*longest, "z"]);
}

#[test]
fn unknown_members_may_hold_anything() {
    let nested = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for json in [r#""\ud800""#, "1e999", "-0.0", r#"{"a":1,"a":2}"#, &nested] {
        let draft = Draft::message().datum("extra", Some(json));
        assert_eq!(draft.event(), Draft::message().event(), "{json}");
        let value = Draft::message().attribute("extra", Some(json)).structured();
        assert_eq!(event(read(&[], value.as_bytes())), Draft::message().event());
    }
    let twice =
        Draft::message().structured_with(&format!(r#""x":1,"x":2,"data":{}"#, Draft::message().data()));
    assert_eq!(event(read(&[], twice.as_bytes())), Draft::message().event());
}

#[test]
fn time_may_run_five_minutes_ahead_and_back_to_the_year_2000() {
    for (time, expected) in [
        ("2024-05-15T12:05:00Z", "2024-05-15T12:05:00.000Z"),
        ("2024-05-15T12:05:00.0009Z", "2024-05-15T12:05:00.000Z"),
        ("2024-05-15T14:05:00+02:00", "2024-05-15T12:05:00.000Z"),
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00.000Z"),
        ("1999-12-31T23:59:60Z", "2000-01-01T00:00:00.000Z"),
    ] {
        let draft = Draft::message().attribute("time", Some(&format!("\"{time}\"")));
        assert_eq!(draft.event().time.to_rfc3339(), expected, "{time}");
    }
}

#[test]
fn a_clock_at_the_end_of_time_does_not_overflow() {
    let value = Draft::message().structured();
    for millis in [i64::MIN, i64::MAX] {
        let decoded = events::decode(
            std::iter::empty(),
            Some(value.as_bytes()),
            Timestamp::from_millis(millis),
        );
        assert_eq!(decoded.is_ok(), millis == i64::MAX);
    }
}

#[test]
fn the_times_in_data_have_the_bounds_of_time() {
    for time in ["2000-01-01T00:00:00Z", "2024-05-15T12:05:00Z"] {
        let json = format!("\"{time}\"");
        let expected = Timestamp::parse_rfc3339(time).unwrap();
        let registration = Draft::registration().datum("registered_at", Some(&json)).event();
        let annotation = Draft::annotation().datum("annotated_at", Some(&json)).event();
        let erasure = Draft::erasure().datum("erased_at", Some(&json)).event();
        let found = [registration.body, annotation.body, erasure.body].map(|body| match body {
            Body::Registration(registration) => registration.registered_at,
            Body::Annotation(annotation) => annotation.annotated_at,
            Body::Erasure(erasure) => erasure.erased_at,
            Body::Message(_) => panic!("a message"),
        });
        assert_eq!(found, [expected; 3]);
    }
}

#[test]
fn an_org_may_have_64_characters() {
    for org in ["a".repeat(64), "A.b_c-9".to_owned(), ".".to_owned()] {
        let draft = Draft::message().attribute("org", Some(&format!("\"{org}\"")));
        assert_eq!(draft.event().org, org);
    }
}

#[test]
fn data_may_come_in_base64() {
    for draft in [Draft::message(), Draft::annotation(), Draft::registration()] {
        let data = STANDARD.encode(format!(" {}\n", draft.data()));
        let escaped = data.replace('/', r"\/");
        for member in [
            format!(r#""data_base64":"{data}""#),
            format!(r#""data":null,"data_base64":"{escaped}""#),
        ] {
            let value = draft.structured_with(&member);
            assert_eq!(event(read(&[], value.as_bytes())), draft.event());
        }
    }
    let both_null = Draft::message().structured_with(&format!(
        r#""data":{},"data_base64":null"#,
        Draft::message().data()
    ));
    assert_eq!(event(read(&[], both_null.as_bytes())), Draft::message().event());
}

#[test]
fn the_content_type_is_read_ignoring_case_and_parameters() {
    let value = Draft::message().structured();
    for (name, content_type) in [
        ("content-type", "application/cloudevents+json"),
        ("Content-Type", "Application/CloudEvents+JSON"),
        ("CONTENT-TYPE", "application/cloudevents+json;charset=utf-8"),
        ("content-type", " application/cloudevents+json ; charset=UTF-8"),
        ("content-type", "application/json"),
        ("content-type", "text/plain"),
    ] {
        let headers = [(name, Some(content_type.as_bytes()))];
        assert_eq!(
            event(read(&headers, value.as_bytes())),
            Draft::message().event(),
            "{content_type}"
        );
    }
}

#[test]
fn a_declared_structured_event_outranks_binary_headers() {
    let headers = Draft::message().attribute("org", Some(r#""other""#)).headers();
    let mut headers = borrowed(&headers);
    headers.push(("content-type", Some(b"application/cloudevents+json")));
    let value = Draft::message().structured();
    assert_eq!(event(read(&headers, value.as_bytes())).org, "acme");
}

#[test]
fn binary_headers_are_read_in_any_case_and_the_last_of_a_name_holds() {
    let (draft, headers) = (Draft::message(), Draft::message().headers());
    let capitals: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_uppercase(), value.clone()))
        .collect();
    assert_eq!(
        event(read(&borrowed(&capitals), draft.data().as_bytes())),
        draft.event()
    );

    let mut repeated: Vec<Header<'_>> = vec![
        ("ce_org", Some(b"\xff")),
        ("CE_ORG", None),
        ("ce_unknown", Some(b"\xff")),
    ];
    repeated.extend(borrowed(&headers));
    repeated.push(("Ce_Org", Some(b"last")));
    repeated.push(("content-type", Some(b"application/json; charset=utf-8")));
    assert_eq!(event(read(&repeated, draft.data().as_bytes())).org, "last");

    repeated.push(("ce_org", None));
    assert_eq!(
        read(&repeated, draft.data().as_bytes()).unwrap_err().to_string(),
        "org: missing"
    );
}

#[test]
fn percent_signs_in_headers_mean_themselves() {
    let draft = Draft::message().attribute("id", Some(r#""a%20b""#));
    assert_eq!(draft.event().id, "a%20b");
}

#[test]
fn white_space_around_the_json_is_allowed() {
    let value = format!("\r\n\t {}\n", Draft::message().structured());
    assert_eq!(event(read(&[], value.as_bytes())), Draft::message().event());
    assert_eq!(NOW.to_rfc3339(), "2024-05-15T12:00:00.000Z");
}

#[test]
fn half_a_surrogate_pair_is_read_as_the_replacement_character() {
    let cases = [
        (r#""ok \ud83d""#, "ok \u{FFFD}"),
        (r#""\uDC00""#, "\u{FFFD}"),
        (r#""\ud83dx""#, "\u{FFFD}x"),
        (r#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"),
        (r#""\ud83d\ude00\ude00""#, "😀\u{FFFD}"),
        (r#""\\ud83d \\\ud83d""#, "\\ud83d \\\u{FFFD}"),
        (r#""\ud83d\n""#, "\u{FFFD}\n"),
        (r#""\\ud83d""#, "\\ud83d"),
    ];
    for (json, expected) in cases {
        let draft = Draft::message().datum("content", Some(json));
        assert_eq!(message(&draft).content, expected, "{json}");
        let base64 = STANDARD.encode(draft.data());
        let encoded = draft.structured_with(&format!(r#""data_base64":"{base64}""#));
        assert_eq!(event(read(&[], encoded.as_bytes())), draft.event(), "{json}");
    }
    let half = Some(r#""a\ud83d""#);
    let Body::Annotation(annotation) = Draft::annotation()
        .datum("topics", Some(r#"[{"name":"a\ud83d"}]"#))
        .event()
        .body
    else {
        panic!("not an annotation")
    };
    assert_eq!(annotation.topics, ["a\u{FFFD}"]);
    let everywhere = Draft::message()
        .datum("user_id", half)
        .datum("mentor_id", half)
        .datum("model", half)
        .datum("\\ud83d", half);
    let everywhere = message(&everywhere);
    let names = [everywhere.user_id, everywhere.mentor_id, everywhere.model];
    assert_eq!(names.map(Option::unwrap), ["a\u{FFFD}"; 3]);
    let id = Draft::message().attribute("id", half).structured();
    assert_eq!(event(read(&[], id.as_bytes())).id, "a\u{FFFD}");
}

#[test]
fn data_that_is_text_is_read_where_its_content_type_is_not_json() {
    let draft = Draft::message().datum("content", Some(r#""ok \ud83d""#));
    let text = serde_json::to_string(&draft.data()).unwrap();
    let expected = draft.event();
    for content_type in [
        "text/plain",
        "text/plain; charset=utf-8",
        "application/octet-stream",
    ] {
        let value = draft.structured_with(&format!(r#""datacontenttype":"{content_type}","data":{text}"#));
        assert_eq!(event(read(&[], value.as_bytes())), expected, "{content_type}");
        let object = draft.structured_with(&format!(
            r#""datacontenttype":"{content_type}","data":{}"#,
            draft.data()
        ));
        assert_eq!(event(read(&[], object.as_bytes())), expected, "{content_type}");
    }
    for content_type in [
        "application/json",
        "text/JSON; charset=utf-8",
        "application/problem+json",
    ] {
        let value = draft.structured_with(&format!(r#""datacontenttype":"{content_type}","data":{text}"#));
        let rejection = read(&[], value.as_bytes()).unwrap_err();
        assert_eq!(rejection.to_string(), "data: expected an object, found a string");
    }
}

#[test]
fn an_integer_is_an_organisation_in_both_modes() {
    let value = Draft::message().attribute("org", Some("4244")).structured();
    let text = Draft::message().attribute("org", Some(r#""4244""#)).event();
    assert_eq!(event(read(&[], value.as_bytes())), text);
}
