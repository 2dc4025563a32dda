//! What is encoded decodes to itself, in both modes.

use base64::Engine;
use events::{Body, Event};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::generate::wild_event;
use crate::wire::{borrowed, event, read};

/// The attributes of an event.
pub(crate) fn attributes(event: &Event<'_>) -> Vec<(&'static str, String)> {
    let event_type = match event.body {
        Body::Message(_) => "chat.message.created.v1",
        Body::Annotation(_) => "org.example.chat.conversation.annotated.v1",
        Body::Registration(_) => "chat.user.registered.v1",
        Body::Erasure(_) => "com.example.chat.user.erased.v1",
    };
    vec![
        ("specversion", "1.0".to_owned()),
        ("type", event_type.to_owned()),
        ("id", event.id.to_string()),
        ("source", "/test".to_owned()),
        ("time", event.time.to_rfc3339()),
        ("org", event.org.to_string()),
    ]
}

/// The data of an event, as JSON.
pub(crate) fn data(event: &Event<'_>) -> Value {
    match &event.body {
        Body::Message(message) => json!({
            "message_id": message.message_id.to_string(),
            "conversation_id": message.conversation_id.to_string(),
            "role": message.role.as_str(),
            "user_id": message.user_id,
            "mentor_id": message.mentor_id,
            "content": message.content,
            "model": message.model,
        }),
        Body::Annotation(annotation) => json!({
            "conversation_id": annotation.conversation_id.to_string(),
            "topics": annotation.topics.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
            "user_sentiment": annotation.user_sentiment.as_str(),
            "annotated_at": annotation.annotated_at.to_rfc3339(),
        }),
        Body::Registration(registration) => json!({
            "user_id": registration.user_id,
            "registered_at": registration.registered_at.to_rfc3339(),
        }),
        Body::Erasure(erasure) => json!({
            "user_id": erasure.user_id,
            "erased_at": erasure.erased_at.to_rfc3339(),
        }),
    }
}

/// An event as the value of a record in structured mode, its data under the given member.
pub(crate) fn structured(event: &Event<'_>, member: &str, data: &Value) -> String {
    let mut object = serde_json::Map::new();
    object.insert(member.to_owned(), data.clone());
    object.extend(
        attributes(event)
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.into())),
    );
    Value::Object(object).to_string()
}

/// The headers of an event in binary mode.
pub(crate) fn headers(event: &Event<'_>) -> Vec<(String, Vec<u8>)> {
    attributes(event)
        .into_iter()
        .map(|(name, text)| (format!("ce_{name}"), text.into_bytes()))
        .collect()
}

proptest! {
    #[test]
    fn an_event_decodes_to_itself_in_both_modes(original in wild_event()) {
        let data = data(&original);
        prop_assert_eq!(&event(read(&[], structured(&original, "data", &data).as_bytes())), &original);

        let encoded = base64::engine::general_purpose::STANDARD.encode(data.to_string()).into();
        prop_assert_eq!(&event(read(&[], structured(&original, "data_base64", &encoded).as_bytes())), &original);

        let headers = headers(&original);
        prop_assert_eq!(&event(read(&borrowed(&headers), data.to_string().as_bytes())), &original);
    }
}
