//! Data that breaks a rule.

use crate::wire::Draft;

#[test]
fn data_that_breaks_a_rule_is_rejected_alike_in_both_modes() {
    let long = format!("\"{}\"", "é".repeat(256));
    let digits = "7".repeat(256);
    let long_topic = format!(r#"[{{"name":"ok"}},{{"name":{long}}}]"#);
    #[rustfmt::skip]
    let cases: &[(&str, &str, Option<&str>, &str)] = &[
        ("message", "message_id", None, "data.message_id: missing"),
        ("message", "message_id", Some("null"), "data.message_id: missing"),
        ("message", "message_id", Some("7"), "data.message_id: expected a string, found a number"),
        ("message", "message_id", Some("[1]"), "data.message_id: expected a string, found an array"),
        ("message", "message_id", Some(r#""""#), "data.message_id: not a hyphenated UUID"),
        ("message", "message_id", Some(r#""6fe84ac9a1e45e1fa0c478680fcadee1""#), "data.message_id: not a hyphenated UUID"),
        ("message", "message_id", Some(r#""urn:uuid:6fe84ac9-a1e4-5e1f-a0c4-78680fcadee1""#), "data.message_id: not a hyphenated UUID"),
        ("message", "message_id", Some(r#""{6fe84ac9-a1e4-5e1f-a0c4-78680fcadee1}""#), "data.message_id: not a hyphenated UUID"),
        ("message", "message_id", Some(r#"" 6fe84ac9-a1e4-5e1f-a0c4-78680fcadee1""#), "data.message_id: not a hyphenated UUID"),
        ("message", "message_id", Some(r#""6fe84ac9-a1e4-5e1f-a0c4-78680fcadeeg""#), "data.message_id: not a hyphenated UUID"),
        ("message", "message_id", Some(r#""6fe84ac9a-1e4-5e1f-a0c4-78680fcadee1""#), "data.message_id: not a hyphenated UUID"),
        ("message", "conversation_id", None, "data.conversation_id: missing"),
        ("message", "conversation_id", Some(r#""c-1""#), "data.conversation_id: not a hyphenated UUID"),
        ("message", "role", None, "data.role: missing"),
        ("message", "role", Some("{}"), "data.role: expected a string, found an object"),
        ("message", "role", Some(r#""User""#), "data.role: none of user, assistant, system, tool"),
        ("message", "role", Some(r#""""#), "data.role: none of user, assistant, system, tool"),
        ("message", "role", Some(r#""user ""#), "data.role: none of user, assistant, system, tool"),
        ("message", "user_id", Some("true"), "data.user_id: expected a string or an integer, found a boolean"),
        ("message", "user_id", Some(r#"["ada"]"#), "data.user_id: expected a string or an integer, found an array"),
        ("message", "user_id", Some("{}"), "data.user_id: expected a string or an integer, found an object"),
        ("message", "user_id", Some("1.0"), "data.user_id: a number, but not an integer"),
        ("message", "user_id", Some("1e3"), "data.user_id: a number, but not an integer"),
        ("message", "user_id", Some("-1E+3"), "data.user_id: a number, but not an integer"),
        ("message", "user_id", Some(&long), "data.user_id: longer than 255 characters"),
        ("message", "user_id", Some(&digits), "data.user_id: longer than 255 characters"),
        ("message", "user_id", Some("007"), "data: malformed JSON: invalid number at line 1 column 189"),
        ("message", "mentor_id", Some(r#""""#), "data.mentor_id: empty"),
        ("message", "mentor_id", Some("false"), "data.mentor_id: expected a string or an integer, found a boolean"),
        ("message", "mentor_id", Some("0.5"), "data.mentor_id: a number, but not an integer"),
        ("message", "mentor_id", Some(&long), "data.mentor_id: longer than 255 characters"),
        ("message", "content", Some("7"), "data.content: expected a string, found a number"),
        ("message", "content", Some("-7"), "data.content: expected a string, found a number"),
        ("message", "content", Some("0.7"), "data.content: expected a string, found a number"),
        ("message", "content", Some("[]"), "data.content: expected a string, found an array"),
        ("message", "content", Some(r#"{"text":[{"a":null}]}"#), "data.content: expected a string, found an object"),
        ("message", "model", Some("true"), "data.model: expected a string, found a boolean"),
        ("annotation", "conversation_id", Some("null"), "data.conversation_id: missing"),
        ("annotation", "topics", None, "data.topics: missing"),
        ("annotation", "topics", Some("null"), "data.topics: missing"),
        ("annotation", "topics", Some(r#""geometry""#), "data.topics: expected an array, found a string"),
        ("annotation", "topics", Some(r#"{"name":"geometry"}"#), "data.topics: expected an array, found an object"),
        ("annotation", "topics", Some(r#"["geometry"]"#), "data.topics[0]: expected an object, found a string"),
        ("annotation", "topics", Some(r#"[{"name":"a"},["b"]]"#), "data.topics[1]: expected an object, found an array"),
        ("annotation", "topics", Some("[null]"), "data.topics[0]: missing"),
        ("annotation", "topics", Some("[{}]"), "data.topics[0].name: missing"),
        ("annotation", "topics", Some(r#"[{"name":7}]"#), "data.topics[0].name: expected a string, found a number"),
        ("annotation", "topics", Some(r#"[{"name":"a"},{"name":""}]"#), "data.topics[1].name: empty"),
        ("annotation", "topics", Some(&long_topic), "data.topics[1].name: longer than 255 characters"),
        ("annotation", "user_sentiment", None, "data.user_sentiment: missing"),
        ("annotation", "user_sentiment", Some(r#""Positive""#), "data.user_sentiment: none of positive, negative, neutral"),
        ("annotation", "user_sentiment", Some(r#""unknown""#), "data.user_sentiment: none of positive, negative, neutral"),
        ("annotation", "annotated_at", None, "data.annotated_at: missing"),
        ("annotation", "annotated_at", Some("1715770000"), "data.annotated_at: expected a string, found a number"),
        ("annotation", "annotated_at", Some(r#""2024-05-15""#), "data.annotated_at: not a date and time of RFC 3339"),
        ("registration", "user_id", None, "data.user_id: missing"),
        ("registration", "user_id", Some("null"), "data.user_id: missing"),
        ("registration", "user_id", Some(r#""""#), "data.user_id: empty"),
        ("registration", "user_id", Some("2.5"), "data.user_id: a number, but not an integer"),
        ("annotation", "annotated_at", Some(r#""1999-12-31T23:59:59.999Z""#), "data.annotated_at: before 2000-01-01T00:00:00Z"),
        ("annotation", "annotated_at", Some(r#""9999-12-31T00:00:00Z""#), "data.annotated_at: more than 5 minutes ahead"),
        ("annotation", "annotated_at", Some(r#""2024-05-15T12:05:00.001Z""#), "data.annotated_at: more than 5 minutes ahead"),
        ("registration", "registered_at", Some(r#""0001-01-01T00:00:00Z""#), "data.registered_at: before 2000-01-01T00:00:00Z"),
        ("registration", "registered_at", Some(r#""1970-01-01T00:00:00Z""#), "data.registered_at: before 2000-01-01T00:00:00Z"),
        ("registration", "registered_at", Some(r#""2024-05-15T12:05:00.001Z""#), "data.registered_at: more than 5 minutes ahead"),
        ("registration", "registered_at", None, "data.registered_at: missing"),
        ("registration", "registered_at", Some(r#""yesterday""#), "data.registered_at: not a date and time of RFC 3339"),
        ("erasure", "user_id", None, "data.user_id: missing"),
        ("erasure", "erased_at", None, "data.erased_at: missing"),
        ("erasure", "erased_at", Some(r#""1970-01-01T00:00:00Z""#), "data.erased_at: before 2000-01-01T00:00:00Z"),
        ("erasure", "erased_at", Some(r#""9999-12-31T00:00:00Z""#), "data.erased_at: more than 5 minutes ahead"),
    ];
    for &(kind, name, json, expected) in cases {
        let draft = match kind {
            "message" => Draft::message(),
            "annotation" => Draft::annotation(),
            "registration" => Draft::registration(),
            _ => Draft::erasure(),
        };
        let draft = draft.datum(name, json);
        for (mode, decoded) in [
            ("structured", draft.read_structured()),
            ("binary", draft.read_binary()),
        ] {
            let reason = decoded.map_err(|rejection| rejection.to_string());
            // What is no JSON at all breaks the whole value of a record in structured mode.
            if mode == "structured" && expected.starts_with("data: malformed") {
                assert!(
                    reason.unwrap_err().starts_with("value: malformed JSON: "),
                    "{mode} {kind} {name} {json:?}"
                );
            } else {
                assert_eq!(reason, Err(expected.to_owned()), "{mode} {kind} {name} {json:?}");
            }
        }
    }
}
