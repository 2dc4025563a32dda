//! What is read of an export request of OTLP, in its JSON encoding: 64-bit integers are texts or numbers, enum values
//! numbers or names, and ids hexadecimal digits.

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny},
};
use serde_json::{Map, Value};

/// An export request. Signals other than spans and logs are recognised, and not read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an export request")]
#[expect(clippy::struct_field_names, reason = "these are the names of the protocol")]
pub(super) struct Export {
    resource_spans: Option<Vec<ResourceSpans>>,
    resource_logs: Option<Vec<ResourceLogs>>,
    resource_metrics: Option<IgnoredAny>,
    resource_profiles: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceSpans {
    #[serde(default)]
    pub(super) resource: Resource,
    #[serde(default)]
    pub(super) scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceLogs {
    #[serde(default)]
    pub(super) resource: Resource,
    #[serde(default)]
    pub(super) scope_logs: Vec<ScopeLogs>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Resource {
    #[serde(default)]
    pub(super) attributes: Attributes,
}

#[derive(Debug, Deserialize)]
pub(super) struct ScopeSpans {
    #[serde(default)]
    pub(super) spans: Vec<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScopeLogs {
    #[serde(default)]
    pub(super) log_records: Vec<LogRecord>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "these are the names of the protocol")]
pub(super) struct Span {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    #[serde(deserialize_with = "unsigned")]
    pub(super) start_time_unix_nano: u64,
    #[serde(deserialize_with = "unsigned")]
    pub(super) end_time_unix_nano: u64,
    pub(super) attributes: Attributes,
    pub(super) events: Vec<SpanEvent>,
    pub(super) status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SpanEvent {
    pub(super) name: String,
    pub(super) attributes: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    code: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogRecord {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    #[serde(deserialize_with = "unsigned")]
    pub(super) time_unix_nano: u64,
    #[serde(deserialize_with = "unsigned")]
    pub(super) observed_time_unix_nano: u64,
    pub(super) attributes: Attributes,
    event_name: String,
}

/// Attributes by name.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Attributes(Vec<KeyValue>);

#[derive(Debug, Deserialize)]
struct KeyValue {
    key: String,
    #[serde(default)]
    value: AnyValue,
}

/// A value of any type; without a field it is null.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "these are the names of the protocol")]
pub(super) struct AnyValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Value>,
    double_value: Option<Value>,
    array_value: Option<ArrayValue>,
    kvlist_value: Option<KeyValueList>,
    bytes_value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ArrayValue {
    values: Vec<AnyValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeyValueList {
    values: Attributes,
}

impl Export {
    pub(super) fn spans(&self) -> &[ResourceSpans] {
        self.resource_spans.as_deref().unwrap_or_default()
    }

    pub(super) fn logs(&self) -> &[ResourceLogs] {
        self.resource_logs.as_deref().unwrap_or_default()
    }

    pub(super) const fn has_other_signals(&self) -> bool {
        self.resource_metrics.is_some() || self.resource_profiles.is_some()
    }

    /// Whether it is an export request at all.
    pub(super) const fn has_signals(&self) -> bool {
        self.resource_spans.is_some() || self.resource_logs.is_some() || self.has_other_signals()
    }
}

impl Status {
    pub(super) fn is_error(&self) -> bool {
        self.code == 2 || self.code == "STATUS_CODE_ERROR"
    }
}

impl LogRecord {
    /// The name of the event, which older SDKs give as an attribute.
    pub(super) fn name(&self) -> Option<String> {
        let field = Some(&self.event_name).filter(|name| !name.is_empty());
        field
            .cloned()
            .or_else(|| self.attributes.get("event.name").and_then(AnyValue::text))
    }
}

impl Attributes {
    pub(super) const NONE: Self = Self(Vec::new());

    pub(super) fn get(&self, name: &str) -> Option<&AnyValue> {
        let attribute = self.0.iter().find(|attribute| attribute.key == name);
        attribute.map(|attribute| &attribute.value)
    }
}

impl AnyValue {
    /// A text that is not empty, or the digits of an integer.
    pub(super) fn text(&self) -> Option<String> {
        match (&self.string_value, &self.int_value) {
            (Some(text), _) | (_, Some(Value::String(text))) => Some(text.clone()),
            (_, Some(Value::Number(number))) => Some(number.to_string()),
            _ => None,
        }
        .filter(|text| !text.is_empty())
    }

    pub(super) fn to_json(&self) -> Value {
        if let Some(text) = self.string_value.as_ref().or(self.bytes_value.as_ref()) {
            Value::String(text.clone())
        } else if let Some(value) = self.bool_value {
            Value::Bool(value)
        } else if let Some(number) = self.int_value.as_ref().or(self.double_value.as_ref()) {
            number.clone()
        } else if let Some(array) = &self.array_value {
            Value::Array(array.values.iter().map(Self::to_json).collect())
        } else if let Some(list) = &self.kvlist_value {
            let fields = list.values.0.iter();
            let fields: Map<_, _> = fields
                .map(|field| (field.key.clone(), field.value.to_json()))
                .collect();
            Value::Object(fields)
        } else {
            Value::Null
        }
    }
}

/// A 64-bit integer, which JSON has as a text or as a number. Null and no text stand for zero.
fn unsigned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) if text.is_empty() => Ok(0),
        Value::String(text) => text.parse().map_err(Error::custom),
        Value::Null => Ok(0),
        number => number
            .as_u64()
            .ok_or_else(|| Error::custom("not an unsigned integer")),
    }
}
