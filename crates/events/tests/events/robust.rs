//! No input panics, and what is accepted keeps the rules.

use events::{Body, Decoded, Event, decode};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::generate::wild_event;
use crate::round_trip;
use crate::wire::{NOW, borrowed, read};

/// One change to some bytes, at a place that fits any length.
#[derive(Debug, Clone)]
enum Mutation {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index, usize),
    Copy(Index, Index, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let fragment = prop_oneof![
        vec(any::<u8>(), 1..4),
        select(vec![
            "null", "{", "}", "[", "]", "\"", "\\u", "\\ud800", ",", ":", "0", "-0", "1e999", "true",
            "\u{feff}", " ", "60", "é"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (any::<Index>(), fragment).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Mutation::Cut(at, length)),
        (any::<Index>(), any::<Index>(), 1..40_usize)
            .prop_map(|(from, to, length)| Mutation::Copy(from, to, length)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    if bytes.is_empty() {
        return;
    }
    let until = |at: usize, length: usize| (at + length).min(bytes.len());
    match mutation {
        Mutation::Set(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Mutation::Insert(at, inserted) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, inserted.iter().copied());
        }
        Mutation::Cut(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..until(at, *length));
        }
        Mutation::Copy(from, to, length) => {
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let copied = bytes[from..until(from, *length)].to_vec();
            bytes.splice(to..to, copied);
        }
    }
}

/// What every event that was let in must fulfil.
fn keeps_the_rules(event: &Event<'_>) -> bool {
    let name = |text: &str| (1..=255).contains(&text.chars().count());
    let org = (1..=64).contains(&event.org.len())
        && event
            .org
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let time = (946_684_800_000..=NOW.as_millis() + 300_000).contains(&event.time.as_millis());
    let body = match &event.body {
        Body::Message(message) => {
            message.user_id.iter().all(|id| name(id))
                && message.mentor_id.iter().all(|id| name(id))
                && message.model.iter().all(|model| !model.is_empty())
        }
        Body::Annotation(annotation) => annotation.topics.iter().all(|topic| name(topic)),
        Body::Registration(registration) => name(&registration.user_id),
        Body::Erasure(erasure) => name(&erasure.user_id),
    };
    org && time && body && !event.id.is_empty()
}

fn kept(decoded: Result<Decoded<'_>, events::Rejection>) -> bool {
    match decoded {
        Ok(Decoded::Event(event)) => keeps_the_rules(&event),
        Ok(Decoded::Skipped { event_type }) => !event_type.is_empty(),
        Err(rejection) => !rejection.to_string().is_empty(),
    }
}

fn any_header() -> impl Strategy<Value = (String, Option<Vec<u8>>)> {
    let known = vec![
        "content-type",
        "ce_specversion",
        "ce_type",
        "ce_id",
        "ce_source",
        "ce_time",
        "ce_org",
        "CE_",
        "ce_é",
    ];
    let name = prop_oneof![4 => select(known).prop_map(str::to_owned), 1 => any::<String>()];
    let known = vec![
        "application/cloudevents+json",
        "application/cloudevents",
        "1.0",
        "chat.message.created.v1",
        "2024-01-01T00:00:00Z",
        "acme",
    ];
    let value = prop_oneof![
        select(known).prop_map(|text| text.as_bytes().to_vec()),
        vec(any::<u8>(), 0..40)
    ];
    (name, option::weighted(0.9, value))
}

proptest! {
    #[test]
    fn arbitrary_records_never_panic(
        headers in vec(any_header(), 0..12),
        value in option::weighted(0.9, vec(any::<u8>(), 0..200)),
        now in any::<i64>(),
    ) {
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        let _decoded = decode(headers, value.as_deref(), events::Timestamp::from_millis(now));
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), json in "[\\[\\]{}\",:0-9a-z\\\\ .-]{0,200}") {
        let _text = read(&[("content-type", Some(b"application/cloudevents+json"))], text.as_bytes());
        let _json = read(&[("ce_specversion", Some(b"1.0")), ("ce_type", Some(b"chat.message.created.v1"))], json.as_bytes());
        let _timestamp = events::Timestamp::parse_rfc3339(&text);
    }

    #[test]
    fn a_mutated_event_is_rejected_or_keeps_the_rules(
        original in wild_event(),
        mutations in vec(mutation(), 1..4),
        spoiled in any::<Index>(),
    ) {
        let data = round_trip::data(&original);
        let mut value = round_trip::structured(&original, "data", &data).into_bytes();
        let mut payload = data.to_string().into_bytes();
        let mut headers = round_trip::headers(&original);
        let spoiled = spoiled.index(headers.len());
        for mutation in &mutations {
            mutate(&mut value, mutation);
            mutate(&mut payload, mutation);
        }
        prop_assert!(kept(read(&[], &value)));
        prop_assert!(kept(read(&[("content-type", Some(b"application/cloudevents+json"))], &value)));
        prop_assert!(kept(read(&borrowed(&headers), &payload)));
        for mutation in &mutations {
            mutate(&mut headers[spoiled].1, mutation);
        }
        prop_assert!(kept(read(&borrowed(&headers), data.to_string().as_bytes())));
    }
}
