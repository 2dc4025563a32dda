//! The messages of a chat history, in the shapes that providers and frameworks give them.
//!
//! A call of a model repeats the history. What is new in it is what the user wrote since the last answer; the rest was
//! new in an earlier call.

use serde_json::Value;

use crate::turn::Text;

#[cfg(test)]
mod tests;

/// A message of a history.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    speaker: Speaker,
    text: Text,
}

/// Who a message is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    User,
    Assistant,
    /// Instructions, and calls of tools with their results, whoever passes them on.
    Other,
}

/// What the user wrote since the last answer. None where the value has no messages.
pub(crate) fn asked(history: &Value) -> Option<Vec<Text>> {
    let messages = messages(history)?;
    // A call of a tool comes between a question and its answer too: what precedes it was new in the call before.
    let is_reply = |value: &Value| role(value) == Some(Speaker::Assistant);
    let replies = list(history)?.iter().rposition(is_reply);
    let new = messages.into_iter().skip(replies.map_or(0, |at| at + 1));
    Some(texts_of(Speaker::User, new))
}

/// What was answered to the last message of the user. None where the value has no messages.
pub(crate) fn answered(history: &Value) -> Option<Vec<Text>> {
    let messages = messages(history)?;
    let last = messages
        .iter()
        .rposition(|message| message.speaker == Speaker::User);
    let new = messages.into_iter().skip(last.map_or(0, |at| at + 1));
    Some(texts_of(Speaker::Assistant, new))
}

fn texts_of(speaker: Speaker, messages: impl Iterator<Item = Message>) -> Vec<Text> {
    let by_speaker = messages.filter(|message| message.speaker == speaker);
    by_speaker.map(|message| message.text).collect()
}

fn messages(history: &Value) -> Option<Vec<Message>> {
    list(history)?.iter().map(message).collect()
}

/// The items of a list of messages, of an object that has such a list, or a single message.
fn list(history: &Value) -> Option<&[Value]> {
    match history {
        Value::Array(items) => Some(items),
        Value::Object(fields) => match fields.get("messages") {
            Some(Value::Array(items)) => Some(items),
            _ => role(history).map(|_| std::slice::from_ref(history)),
        },
        _ => None,
    }
}

fn message(value: &Value) -> Option<Message> {
    let speaker = role(value)?;
    let parts = value.get("parts").or_else(|| value.get("content"));
    let text = parts.and_then(text);
    let called = value.get("tool_calls").and_then(Value::as_array);
    let uses_tools = called.is_some_and(|calls| !calls.is_empty()) || parts.is_some_and(has_tool_parts);
    Some(Message {
        // Some providers pass the results of tools on in the name of the user.
        speaker: if text.is_none() && uses_tools {
            Speaker::Other
        } else {
            speaker
        },
        text,
    })
}

/// The speaker by `role`, or by `type` as LangChain writes it. None where it is not a message.
fn role(value: &Value) -> Option<Speaker> {
    if let Some(role) = value.get("role") {
        return Some(match role.as_str()? {
            "user" | "human" => Speaker::User,
            "assistant" | "ai" | "model" => Speaker::Assistant,
            _ => Speaker::Other,
        });
    }
    value.get("content")?;
    match part_type(value)? {
        "human" => Some(Speaker::User),
        "ai" => Some(Speaker::Assistant),
        "system" | "tool" => Some(Speaker::Other),
        _ => None,
    }
}

/// The text of a message: that of its content, or of those of its parts that have one. None if there is none.
fn text(content: &Value) -> Text {
    let text = match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(text_of_part).collect();
            texts.join("\n")
        }
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn text_of_part(part: &Value) -> Option<&str> {
    match part {
        Value::String(text) => Some(text),
        _ => match part_type(part) {
            // Gemini's parts have no type.
            None | Some("text" | "input_text" | "output_text") => {
                part.get("content").or_else(|| part.get("text"))?.as_str()
            }
            Some(_) => None,
        },
    }
}

fn has_tool_parts(content: &Value) -> bool {
    let parts = content.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut types = parts.iter().filter_map(part_type);
    types.any(|name| name.contains("tool") || name.contains("function"))
}

fn part_type(part: &Value) -> Option<&str> {
    part.get("type").and_then(Value::as_str)
}
