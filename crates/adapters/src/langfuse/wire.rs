//! What is read of a trace or an observation: by the names of the API, or by those of the exports to blob storage.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a trace or an observation")]
pub(super) struct Record {
    pub(super) id: String,
    /// Of an observation, and of a score.
    #[serde(alias = "trace_id")]
    pub(super) trace_id: Option<String>,
    /// Of a trace, and of a score.
    pub(super) timestamp: Option<String>,
    #[serde(rename = "type")]
    pub(super) observation_type: Option<String>,
    #[serde(alias = "start_time")]
    pub(super) start_time: Option<String>,
    #[serde(alias = "end_time")]
    pub(super) end_time: Option<String>,
    #[serde(alias = "parent_observation_id")]
    parent_observation_id: Option<String>,
    #[serde(alias = "is_root_observation")]
    is_root_observation: Option<bool>,
    pub(super) environment: Option<String>,
    #[serde(alias = "user_id")]
    pub(super) user_id: Option<String>,
    #[serde(default, alias = "session_id", deserialize_with = "session")]
    pub(super) session_id: Session,
    #[serde(default)]
    pub(super) input: Value,
    #[serde(default)]
    pub(super) output: Value,
    #[serde(default)]
    metadata: Value,
    pub(super) tags: Option<Vec<String>>,
    model: Option<String>,
    #[serde(alias = "provided_model_name")]
    provided_model_name: Option<String>,
    /// Of a trace with all its details; ids alone in a list of traces.
    #[serde(default)]
    observations: Value,
}

/// The session that a trace or an observation belongs to.
#[derive(Debug, Default)]
pub(super) enum Session {
    /// There is no such field, as in the observations of version 3.
    #[default]
    Unknown,
    None,
    Id(String),
}

impl Record {
    /// Whether an observation stands for its trace: without a parent, or marked by an SDK.
    pub(super) fn is_root(&self) -> bool {
        let parent = self.parent_observation_id.as_deref().unwrap_or_default();
        self.is_root_observation.unwrap_or(parent.is_empty())
    }

    /// A text of the metadata that is not empty, or the digits of an integer.
    pub(super) fn metadata(&self, name: &str) -> Option<String> {
        match self.metadata.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        }
    }

    /// Its own model, or that of the latest generation in the trace.
    pub(super) fn model(&self) -> Option<String> {
        let own = self.model.clone().or_else(|| self.provided_model_name.clone());
        own.or_else(|| self.latest_model())
    }

    fn latest_model(&self) -> Option<String> {
        let text = |item: &Value, field: &str| Some(item.get(field)?.as_str()?.to_owned());
        let generations = self.observations.as_array()?.iter().filter_map(|item| {
            let is_generation = item.get("type").is_some_and(|name| name == "GENERATION");
            let model = text(item, "model").filter(|_| is_generation)?;
            Some((text(item, "startTime")?, model))
        });
        generations.max().map(|(_, model)| model)
    }
}

/// The session, where the field is there.
fn session<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Session, D::Error> {
    let id = Option::<String>::deserialize(deserializer)?;
    let id = id.filter(|id| !id.is_empty());
    Ok(id.map_or(Session::None, Session::Id))
}
