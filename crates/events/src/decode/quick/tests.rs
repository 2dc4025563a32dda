//! The quick reading against the thorough one.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::envelope::{Headers, Mode};
use super::super::{Decoded, decode_thoroughly};
use super::*;

/// 2024-05-15T12:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_715_774_400_000);
const TYPES: [&str; 4] = [
    "chat.message.created.v1",
    "chat.conversation.annotated.v1",
    "chat.user.registered.v1",
    "chat.user.erased.v1",
];

const ATTRIBUTES: [(&str, &str); 6] = [
    ("specversion", r#""1.0""#),
    ("type", ""),
    ("id", r#""e-1""#),
    ("source", r#""/test""#),
    ("time", r#""2024-05-15T11:59:00Z""#),
    ("org", r#""acme""#),
];

const DATA: [(&str, &str); 13] = [
    ("message_id", r#""6fe84ac9-a1e4-5e1f-a0c4-78680fcadee1""#),
    ("conversation_id", r#""0855d97f-6033-511a-b1ae-d8cb596c412a""#),
    ("role", r#""user""#),
    ("user_id", r#""ada""#),
    ("mentor_id", "17"),
    ("content", r#""what is a \"proof\"?\n""#),
    ("model", r#""m-1""#),
    ("topics", r#"[{"name":"geometry"},{"name":"proofs"}]"#),
    ("user_sentiment", r#""positive""#),
    ("annotated_at", r#""2024-05-15T11:00:00Z""#),
    ("registered_at", r#""2024-05-01T00:00:00Z""#),
    ("erased_at", r#""2024-05-15T11:30:00Z""#),
    ("unknown", r#"{"a":[1,null]}"#),
];

/// What a member may hold instead of what it should.
const ODD: [&str; 14] = [
    "null",
    "true",
    "-0",
    "1e3",
    "123456789012345678901234567890",
    r#""""#,
    r#""\ud800""#,
    r#""\u0031.0""#,
    r#""assistant""#,
    r#""2024-05-15T12:06:00Z""#,
    "[]",
    "[null]",
    r#"[{"name":""}]"#,
    "{}",
];

/// An object of members, whose values are JSON.
fn object<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let members: Vec<String> = members
        .into_iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn usual(event_type: &str) -> Vec<(&'static str, String)> {
    let mut members: Vec<_> = ATTRIBUTES
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    members[1].1 = format!("\"{event_type}\"");
    members.push(("data", object(DATA)));
    members
}

fn text(members: &[(&str, String)]) -> String {
    object(members.iter().map(|(name, value)| (*name, value.as_str())))
}

/// Whether both readings agree, where the quick one has an answer.
fn agree(value: &[u8]) -> bool {
    let Some(event) = event(value, NOW) else {
        return true;
    };
    let headers = Headers::collect(std::iter::empty());
    let mode = Mode::Structured { declared: true };
    decode_thoroughly(&headers, mode, Some(value), NOW) == Ok(Decoded::Event(event))
}

/// A change to the members of an object: another value, one given twice, one moved, one taken away.
fn odd_members(members: &mut Vec<(&'static str, String)>, at: Index, to: Index, value: &str, change: u8) {
    let (at, to) = (at.index(members.len()), to.index(members.len()));
    match change {
        0 => value.clone_into(&mut members[at].1),
        1 => members.insert(to, (members[at].0, value.to_owned())),
        2 => members.swap(at, to),
        _ => drop(members.remove(at)),
    }
}

#[test]
fn the_usual_events_are_read_quickly() {
    for event_type in TYPES {
        let text = text(&usual(event_type));
        assert!(event(text.as_bytes(), NOW).is_some(), "{text}");
        assert!(agree(text.as_bytes()), "{text}");
    }
}

#[test]
fn an_array_is_no_object() {
    let mut members = usual(TYPES[0]);
    let values: Vec<_> = members.iter().map(|(_, value)| value.as_str()).collect();
    let array = format!("[{},null]", values.join(","));
    assert_eq!(event(array.as_bytes(), NOW), None);
    let values: Vec<_> = DATA.iter().take(11).map(|(_, value)| *value).collect();
    members[6].1 = format!("[{}]", values.join(","));
    assert_eq!(event(text(&members).as_bytes(), NOW), None);
}

proptest! {
    #[test]
    fn both_readings_agree(
        event_type in select(&TYPES[..]),
        of_event in vec((any::<Index>(), any::<Index>(), select(&ODD[..]), 0..4_u8), 0..3),
        of_data in vec((any::<Index>(), any::<Index>(), select(&ODD[..]), 0..4_u8), 0..3),
        bytes in vec((any::<Index>(), any::<u8>()), 0..2),
    ) {
        let mut data: Vec<_> = DATA.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        for (at, to, value, change) in of_data {
            odd_members(&mut data, at, to, value, change);
        }
        let mut members = usual(event_type);
        members[6].1 = text(&data);
        for (at, to, value, change) in of_event {
            odd_members(&mut members, at, to, value, change);
        }
        let mut value = text(&members).into_bytes();
        for (at, byte) in bytes {
            let at = at.index(value.len());
            value[at] = byte;
        }
        prop_assert!(agree(&value), "{}", String::from_utf8_lossy(&value));
    }
}
