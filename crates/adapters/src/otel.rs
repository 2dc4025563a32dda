//! OTLP JSON with the GenAI semantic conventions, one export request a line, as the file exporter of the OpenTelemetry
//! Collector writes it.
//!
//! A span of a chat gives what is new in its input, and its output. The log record that describes the same operation
//! gives the same messages, with the same ids.

mod wire;

use events::Timestamp;
use serde_json::Value;
use uuid::{Uuid, uuid};

use crate::{
    AdaptError, Adapted, LeftOut, Mapping, Problem, dialogue,
    turn::{Ids, Text, Turn},
};
use wire::{AnyValue, Attributes, Export, LogRecord, Span};

const NAMESPACE: Uuid = uuid!("125a6185-7ce0-41bc-b26c-9ddaa2808a68");
const SOURCE: &str = "/otel-genai";

const OPERATION: &str = "gen_ai.operation.name";
const INPUT: &str = "gen_ai.input.messages";
const OUTPUT: &str = "gen_ai.output.messages";
/// The log record, or the event of a span, that describes an operation.
const DETAILS: &str = "gen_ai.client.inference.operation.details";
/// The conversation by the conventions of GenAI, or else by those of sessions.
const CONVERSATION: [&str; 2] = ["gen_ai.conversation.id", "session.id"];
const USER: [&str; 2] = ["user.id", "enduser.id"];
const MODEL: [&str; 2] = ["gen_ai.response.model", "gen_ai.request.model"];

/// Makes the events of an export request.
pub(crate) fn adapt(line: &[u8], mapping: &Mapping) -> Result<Adapted, AdaptError> {
    let export: Export = crate::parse(line).map_err(|error| Problem::from(error).of_line())?;
    if !export.has_signals() {
        return Err(Problem::NotOtlp.of_line());
    }
    let mut adapted = Adapted::default();
    for resource in export.spans() {
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let operation = Operation::of_span(span, &resource.resource.attributes, mapping);
            adapted.add(operation, mapping, &span.span_id, "span")?;
        }
    }
    for resource in export.logs() {
        for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            let operation = Operation::of_log(record, &resource.resource.attributes, mapping);
            adapted.add(operation, mapping, &record.span_id, "log record of span")?;
        }
    }
    if export.has_other_signals() {
        adapted.left_out.push(LeftOut::OtherSignal);
    }
    Ok(adapted)
}

impl Adapted {
    fn add(
        &mut self,
        operation: Result<Operation<'_>, LeftOut>,
        mapping: &Mapping,
        span_id: &str,
        kind: &str,
    ) -> Result<(), AdaptError> {
        match operation {
            Ok(operation) => {
                let events = operation.events(mapping);
                let events = events.map_err(|problem| problem.of(kind, span_id))?;
                if events.is_empty() {
                    self.left_out.push(LeftOut::Step);
                }
                self.events.extend(events);
            }
            Err(left_out) => self.left_out.push(left_out),
        }
        Ok(())
    }
}

/// A call of a model.
struct Operation<'a> {
    /// Where an attribute is looked up, one after the other.
    attributes: [&'a Attributes; 3],
    trace_id: &'a str,
    span_id: &'a str,
    began: u64,
    /// Zero where it was not recorded.
    ended: u64,
    failed: bool,
}

impl<'a> Operation<'a> {
    fn of_span(span: &'a Span, resource: &'a Attributes, mapping: &Mapping) -> Result<Self, LeftOut> {
        const NONE: &Attributes = &Attributes::NONE;
        let details = span.events.iter().find(|event| event.name == DETAILS);
        let details = details.map_or(NONE, |event| &event.attributes);
        let operation = Self {
            attributes: [&span.attributes, details, resource],
            trace_id: &span.trace_id,
            span_id: &span.span_id,
            began: span.start_time_unix_nano,
            ended: span.end_time_unix_nano,
            failed: span.status.is_error(),
        };
        let is_taken = operation.is_taken(mapping);
        is_taken.then_some(operation).ok_or(LeftOut::OtherSpan)
    }

    fn of_log(record: &'a LogRecord, resource: &'a Attributes, mapping: &Mapping) -> Result<Self, LeftOut> {
        const NONE: &Attributes = &Attributes::NONE;
        let time = match record.time_unix_nano {
            0 => record.observed_time_unix_nano,
            time => time,
        };
        let operation = Self {
            attributes: [&record.attributes, NONE, resource],
            trace_id: &record.trace_id,
            span_id: &record.span_id,
            began: time,
            ended: time,
            failed: record.attributes.get("error.type").is_some(),
        };
        if record.name().as_deref() != Some(DETAILS) || !operation.is_taken(mapping) {
            Err(LeftOut::OtherLog)
        } else if operation.first(CONVERSATION).is_none() {
            Err(LeftOut::LogWithoutConversation)
        } else {
            Ok(operation)
        }
    }

    fn is_taken(&self, mapping: &Mapping) -> bool {
        let name = self.text(OPERATION);
        name.is_some_and(|name| mapping.operations.contains(&name))
    }

    fn events(&self, mapping: &Mapping) -> Result<Vec<String>, Problem> {
        let org = mapping.org(|name| self.text(name)).ok_or(Problem::NoOrg)?;
        let ids = Ids {
            namespace: NAMESPACE,
            source: SOURCE,
            org: &org,
        };
        let trace_id = hex("traceId", self.trace_id, 32)?;
        let span_id = hex("spanId", self.span_id, 16)?;
        let conversation_id = match self.first(CONVERSATION) {
            Some(id) => ids.conversation(&id),
            None => ids.conversation_of_trace(&trace_id),
        };
        let turn = Turn {
            ids,
            key: format!("{trace_id}/{span_id}"),
            conversation_id,
            user_id: self.first(USER),
            mentor_id: self.text(mapping.mentor_attribute()),
            model: self.first(MODEL),
            asked: self.asked()?,
            asked_at: instant("startTimeUnixNano", self.began)?,
            answered: self.answered()?,
            answered_at: (self.ended > 0)
                .then(|| instant("endTimeUnixNano", self.ended))
                .transpose()?,
            topics: Vec::new(),
        };
        Ok(turn.events())
    }

    /// What the user asked. Where messages are not recorded, one without a text.
    fn asked(&self) -> Result<Vec<Text>, Problem> {
        let Some(history) = self.messages(INPUT)? else {
            return Ok(vec![None]);
        };
        dialogue::asked(&history).ok_or(Problem::NotMessages(INPUT))
    }

    /// What was answered. Where messages are not recorded, one without a text, if the call came to an answer.
    fn answered(&self) -> Result<Vec<Text>, Problem> {
        match self.messages(OUTPUT)? {
            Some(choices) => dialogue::answered(&choices).ok_or(Problem::NotMessages(OUTPUT)),
            None if self.failed || self.ends_in_tool_calls() => Ok(Vec::new()),
            None => Ok(vec![None]),
        }
    }

    /// Whether the model only called tools, by the reasons that providers give for their end.
    fn ends_in_tool_calls(&self) -> bool {
        const REASONS: [&str; 4] = ["tool_call", "tool_calls", "tool_use", "function_call"];
        let reasons = self.get("gen_ai.response.finish_reasons").map(AnyValue::to_json);
        let reasons = reasons.as_ref().and_then(Value::as_array);
        reasons.is_some_and(|reasons| {
            let mut texts = reasons.iter().map(|reason| reason.as_str().unwrap_or_default());
            !reasons.is_empty() && texts.all(|reason| REASONS.contains(&reason))
        })
    }

    /// Messages, structured or as the text of their JSON. None where they are not recorded.
    fn messages(&self, name: &'static str) -> Result<Option<Value>, Problem> {
        match self.get(name).map(AnyValue::to_json) {
            Some(Value::String(json)) if !json.is_empty() => {
                let messages = crate::parse(json.as_bytes());
                messages.map(Some).map_err(|_| Problem::NotMessages(name))
            }
            Some(Value::String(_) | Value::Null) | None => Ok(None),
            messages => Ok(messages),
        }
    }

    fn get(&self, name: &str) -> Option<&AnyValue> {
        self.attributes.iter().find_map(|attributes| attributes.get(name))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(AnyValue::text)
    }

    /// The text of the first of two attributes that is there.
    fn first(&self, names: [&str; 2]) -> Option<String> {
        names.into_iter().find_map(|name| self.text(name))
    }
}

/// An id in lower case.
fn hex(field: &'static str, id: &str, digits: usize) -> Result<String, Problem> {
    let is_hex = id.len() == digits && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex
        .then(|| id.to_ascii_lowercase())
        .ok_or(Problem::NotHex(field, digits))
}

fn instant(field: &'static str, nanos: u64) -> Result<Timestamp, Problem> {
    let millis = i64::try_from(nanos / 1_000_000);
    millis
        .map(Timestamp::from_millis)
        .map_err(|_| Problem::NotATime(field))
}
