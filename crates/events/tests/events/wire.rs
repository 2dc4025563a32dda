//! Events on the wire, made to measure: valid ones, with single members replaced by any JSON.

use events::{Decoded, Event, Rejection, Timestamp, decode};

/// 2024-05-15T12:00:00Z, a Wednesday: when the records of these tests are read.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_715_774_400_000);

pub(crate) type Header<'a> = (&'a str, Option<&'a [u8]>);

pub(crate) fn read<'a>(headers: &[Header<'a>], value: &'a [u8]) -> Result<Decoded<'a>, Rejection> {
    decode(headers.iter().copied(), Some(value), NOW)
}

/// An event whose attributes and members of its data are JSON texts.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    attributes: Vec<(&'static str, String)>,
    data: Vec<(&'static str, String)>,
}

impl Draft {
    pub(crate) fn message() -> Self {
        Self::new(
            "chat.message.created.v1",
            &[
                ("message_id", r#""6fe84ac9-a1e4-5e1f-a0c4-78680fcadee1""#),
                ("conversation_id", r#""0855d97f-6033-511a-b1ae-d8cb596c412a""#),
                ("role", r#""user""#),
                ("user_id", r#""ada""#),
                ("mentor_id", r#""euclid""#),
                ("content", r#""hello""#),
                ("model", r#""m-1""#),
            ],
        )
    }

    pub(crate) fn annotation() -> Self {
        Self::new(
            "chat.conversation.annotated.v1",
            &[
                ("conversation_id", r#""0855d97f-6033-511a-b1ae-d8cb596c412a""#),
                ("topics", r#"[{"name":"geometry"},{"name":"proofs"}]"#),
                ("user_sentiment", r#""positive""#),
                ("annotated_at", r#""2024-05-15T11:00:00Z""#),
            ],
        )
    }

    pub(crate) fn registration() -> Self {
        Self::new(
            "chat.user.registered.v1",
            &[
                ("user_id", r#""ada""#),
                ("registered_at", r#""2024-05-01T00:00:00Z""#),
            ],
        )
    }

    pub(crate) fn erasure() -> Self {
        Self::new(
            "chat.user.erased.v1",
            &[
                ("user_id", r#""ada""#),
                ("erased_at", r#""2024-05-15T11:30:00Z""#),
            ],
        )
    }

    fn new(event_type: &str, data: &[(&'static str, &str)]) -> Self {
        let attributes = [
            ("specversion", "1.0"),
            ("type", event_type),
            ("id", "e-1"),
            ("source", "/test"),
            ("time", "2024-05-15T11:59:00Z"),
            ("org", "acme"),
        ];
        Self {
            attributes: attributes
                .map(|(name, text)| (name, format!("\"{text}\"")))
                .to_vec(),
            data: data
                .iter()
                .map(|(name, json)| (*name, (*json).to_owned()))
                .collect(),
        }
    }

    /// Gives an attribute this JSON, or takes it away.
    pub(crate) fn attribute(mut self, name: &'static str, json: Option<&str>) -> Self {
        replace(&mut self.attributes, name, json);
        self
    }

    /// Gives a member of the data this JSON, or takes it away.
    pub(crate) fn datum(mut self, name: &'static str, json: Option<&str>) -> Self {
        replace(&mut self.data, name, json);
        self
    }

    /// The data as a JSON object.
    pub(crate) fn data(&self) -> String {
        object(&self.data)
    }

    /// The value of a record in structured mode.
    pub(crate) fn structured(&self) -> String {
        self.structured_with(&format!(r#""data":{}"#, self.data()))
    }

    /// The value of a record in structured mode that ends in this member instead of `data`.
    pub(crate) fn structured_with(&self, payload: &str) -> String {
        let attributes = object(&self.attributes);
        format!("{},{payload}}}", attributes.strip_suffix('}').unwrap())
    }

    /// The headers of a record in binary mode, of those attributes that are strings.
    pub(crate) fn headers(&self) -> Vec<(String, Vec<u8>)> {
        let text = |json: &String| serde_json::from_str::<String>(json).unwrap();
        self.attributes
            .iter()
            .map(|(name, json)| (format!("ce_{name}"), text(json).into_bytes()))
            .collect()
    }

    /// Decodes it in structured mode, under the content type of CloudEvents.
    pub(crate) fn read_structured(&self) -> Result<String, Rejection> {
        shown(read(
            &[("content-type", Some(b"application/cloudevents+json"))],
            self.structured().as_bytes(),
        ))
    }

    /// Decodes it in binary mode.
    pub(crate) fn read_binary(&self) -> Result<String, Rejection> {
        shown(read(&borrowed(&self.headers()), self.data().as_bytes()))
    }

    /// The event that both modes decode it to.
    pub(crate) fn event(&self) -> Event<'static> {
        let structured = event(read(&[], self.structured().as_bytes()));
        assert_eq!(
            event(read(&borrowed(&self.headers()), self.data().as_bytes())),
            structured
        );
        structured
    }
}

/// The event, freed from its record.
pub(crate) fn event(decoded: Result<Decoded<'_>, Rejection>) -> Event<'static> {
    match decoded {
        Ok(Decoded::Event(event)) => event.into_owned(),
        other => panic!("not an event: {other:?}"),
    }
}

/// The type of a skipped event, or a debug view of one that was decoded.
fn shown(decoded: Result<Decoded<'_>, Rejection>) -> Result<String, Rejection> {
    decoded.map(|decoded| match decoded {
        Decoded::Event(event) => format!("{event:?}"),
        Decoded::Skipped { event_type } => format!("skipped {event_type}"),
    })
}

pub(crate) fn borrowed(headers: &[(String, Vec<u8>)]) -> Vec<Header<'_>> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), Some(value.as_slice())))
        .collect()
}

fn replace(members: &mut Vec<(&'static str, String)>, name: &'static str, json: Option<&str>) {
    members.retain(|(member, _)| *member != name);
    members.extend(json.map(|json| (name, json.to_owned())));
}

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, json)| format!(r#""{name}":{json}"#))
        .collect();
    format!("{{{}}}", members.join(","))
}
