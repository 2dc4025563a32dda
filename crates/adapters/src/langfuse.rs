//! Traces and observations of Langfuse, as its API and its exports give them.
//!
//! A trace is a turn: its input is what the user asked, its output the answer. Version 4 has no traces any more: there
//! the root observation stands for the trace, and gives the same messages with the same ids.

mod wire;

use events::Timestamp;
use serde_json::Value;
use uuid::{Uuid, uuid};

use crate::{
    AdaptError, Adapted, LeftOut, Mapping, Problem, Tags, dialogue,
    turn::{Ids, Text, Turn},
};
use wire::{Record, Session};

const NAMESPACE: Uuid = uuid!("968db2ab-2759-4743-9cf1-aeca8bd2a742");
const SOURCE: &str = "/langfuse";

/// The types of observations that can stand for a conversation's turn.
const CHAT_TYPES: [&str; 4] = ["GENERATION", "AGENT", "CHAIN", "SPAN"];

/// Makes the events of a line: a trace or an observation, a list of them, or a page of the API.
pub(crate) fn adapt(line: &[u8], mapping: &Mapping) -> Result<Adapted, AdaptError> {
    let line: Value = crate::parse(line).map_err(|error| Problem::from(error).of_line())?;
    let items = match line {
        Value::Array(items) => items,
        Value::Object(mut page) if page.get("data").is_some_and(Value::is_array) => {
            match page.remove("data") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        item => vec![item],
    };
    let mut adapted = Adapted::default();
    for item in items {
        let id = item.get("id").and_then(Value::as_str).unwrap_or("?").to_owned();
        let record = serde_json::from_value(item).map_err(Problem::from);
        let record: Record = record.map_err(|problem| problem.of("item", &id))?;
        let taken = record.kind().and_then(|kind| match record.left_out(kind) {
            Some(left_out) => Ok(Err(left_out)),
            None => record.events(kind, mapping).map(Ok),
        });
        match taken.map_err(|problem| problem.of("item", &id))? {
            Ok(events) if events.is_empty() => adapted.left_out.push(LeftOut::Step),
            Ok(events) => adapted.events.extend(events),
            Err(left_out) => adapted.left_out.push(left_out),
        }
    }
    Ok(adapted)
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Trace,
    Observation,
}

impl Record {
    fn kind(&self) -> Result<Kind, Problem> {
        if self.observation_type.is_some() && self.start_time.is_some() {
            Ok(Kind::Observation)
        } else if self.timestamp.is_some() && self.trace_id.is_none() {
            Ok(Kind::Trace)
        } else {
            Err(Problem::NotLangfuse)
        }
    }

    /// Why it is no turn of a conversation, if it is none.
    fn left_out(&self, kind: Kind) -> Option<LeftOut> {
        let environment = self.environment.as_deref().unwrap_or_default();
        let observation_type = self.observation_type.as_deref().unwrap_or_default();
        // The names of a platform's own environments cannot begin like this.
        if environment.starts_with("langfuse") {
            Some(LeftOut::Internal)
        } else if kind == Kind::Trace {
            None
        } else if !self.is_root() {
            Some(LeftOut::Nested)
        } else if !CHAT_TYPES.contains(&observation_type) {
            Some(LeftOut::OtherType)
        } else if matches!(self.session_id, Session::Unknown) {
            Some(LeftOut::WithoutSession)
        } else {
            None
        }
    }

    fn events(&self, kind: Kind, mapping: &Mapping) -> Result<Vec<String>, Problem> {
        let org = mapping.org(|name| self.metadata(name)).ok_or(Problem::NoOrg)?;
        let ids = Ids {
            namespace: NAMESPACE,
            source: SOURCE,
            org: &org,
        };
        let (trace_id, began, ended) = match kind {
            Kind::Trace => (Some(&self.id), ("timestamp", &self.timestamp), &None),
            Kind::Observation => (
                self.trace_id.as_ref(),
                ("startTime", &self.start_time),
                &self.end_time,
            ),
        };
        let trace_id = trace_id.unwrap_or(&self.id);
        let conversation_id = match &self.session_id {
            Session::Id(id) => ids.conversation(id),
            Session::None | Session::Unknown => ids.conversation_of_trace(trace_id),
        };
        let (field, began) = began;
        let turn = Turn {
            ids,
            key: trace_id.clone(),
            conversation_id,
            user_id: self.user_id.clone().filter(|id| !id.is_empty()),
            mentor_id: self.metadata(mapping.mentor_attribute()),
            model: self.model(),
            asked: self.asked(),
            asked_at: instant(field, began.as_deref().unwrap_or_default())?,
            answered: self.answered(),
            answered_at: ended
                .as_deref()
                .map(|time| instant("endTime", time))
                .transpose()?,
            topics: match mapping.tags {
                Tags::Topics => self.tags.clone().unwrap_or_default(),
                Tags::Ignored => Vec::new(),
            },
        };
        Ok(turn.events())
    }

    fn asked(&self) -> Vec<Text> {
        let input = unpacked(&self.input);
        dialogue::asked(&input).unwrap_or_else(|| vec![plain(&input)])
    }

    /// The answer. None where only the input is recorded: the turn failed.
    fn answered(&self) -> Vec<Text> {
        let output = unpacked(&self.output);
        if output.is_null() && !self.input.is_null() {
            return Vec::new();
        }
        dialogue::answered(&output).unwrap_or_else(|| vec![plain(&output)])
    }
}

/// An input or output as the API has it: exports have it as the text of its JSON, except where it is a text itself.
fn unpacked(value: &Value) -> Value {
    let Value::String(text) = value else {
        return value.clone();
    };
    match crate::parse(text.as_bytes()) {
        Ok(value @ (Value::Object(_) | Value::Array(_) | Value::String(_))) => value,
        _ => value.clone(),
    }
}

/// The text of what is not a list of messages: a text, the only text of an object, or the JSON. None if it is null.
fn plain(value: &Value) -> Text {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Object(fields) => match fields.values().next() {
            Some(Value::String(text)) if fields.len() == 1 => text.clone(),
            _ => value.to_string(),
        },
        value => value.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// An instant, which exports write as ClickHouse does: in UTC, with a space and without a zone.
fn instant(field: &'static str, text: &str) -> Result<Timestamp, Problem> {
    let time = Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_rfc3339(&format!("{text}Z")));
    time.ok_or(Problem::NotATime(field))
}
