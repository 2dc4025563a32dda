//! What `rollcall config` prints: each setting in effect, and where it comes from.

use std::{collections::BTreeMap, fmt::Write};

use config::ValueKind;

use super::sources::{Leaf, Sources};

/// Every setting at its default.
pub(super) const REFERENCE: &str = include_str!("../../../../deploy/rollcall.toml");

/// The sections in the order of the reference.
const SECTIONS: [&str; 6] = ["kafka", "clickhouse", "http", "auth", "embedded", "log"];

/// What is shown of a secret.
const MASKED: &str = "***";

/// The settings that hold secrets.
const SECRETS: [&str; 2] = ["auth.keys", "clickhouse.password"];

/// What names a secret among the properties of librdkafka and the settings of ClickHouse.
const SECRET_WORDS: [&str; 7] = [
    "password",
    "passphrase",
    "secret",
    "pem",
    "token",
    "credential",
    "sasl.oauthbearer.config",
];

/// The settings as a TOML file that could be read again, but for secrets. Each line ends with where its value comes from.
pub(super) fn render(sources: &Sources) -> anyhow::Result<String> {
    let defaults = Sources::of_text(REFERENCE)?.leaves();
    let mut effective: BTreeMap<_, _> = defaults
        .iter()
        .map(|(path, leaf)| (path.clone(), (leaf.kind.clone(), None)))
        .collect();
    for (path, Leaf { kind, origin }) in sources.leaves() {
        let default = defaults.get(&path).map(|default| &default.kind);
        effective.insert(path, (as_kind_of(kind, default), origin));
    }
    let mut tables: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (path, (kind, origin)) in &effective {
        let [section, .., name] = path.as_slice() else {
            continue;
        };
        let position = SECTIONS.iter().position(|known| known == section);
        let table = path[..path.len() - 1].join(".");
        let shown = if is_secret(&path.join(".")) && !is_empty(kind) {
            text(MASKED)
        } else {
            literal(kind)
        };
        let origin = origin.as_deref().unwrap_or("default");
        let line = format!("{} = {shown} # {origin}", key(name));
        tables.entry((position, table)).or_default().push(line);
    }
    let mut toml = String::new();
    for ((_, table), lines) in tables {
        let gap = if toml.is_empty() { "" } else { "\n" };
        writeln!(toml, "{gap}[{table}]\n{}", lines.join("\n"))?;
    }
    Ok(toml)
}

/// A value of the environment is a text; here it is what its default is.
fn as_kind_of(kind: ValueKind, default: Option<&ValueKind>) -> ValueKind {
    let ValueKind::String(text) = &kind else {
        return kind;
    };
    let parsed = match default {
        Some(ValueKind::I64(_)) => text.parse().ok().map(ValueKind::I64),
        Some(ValueKind::Boolean(_)) => text.parse().ok().map(ValueKind::Boolean),
        _ => None,
    };
    parsed.unwrap_or(kind)
}

fn is_secret(path: &str) -> bool {
    let is_foreign = ["kafka.properties.", "clickhouse.settings."]
        .iter()
        .any(|table| path.starts_with(table));
    SECRETS.contains(&path) || is_foreign && SECRET_WORDS.iter().any(|word| path.contains(word))
}

fn is_empty(kind: &ValueKind) -> bool {
    matches!(kind, ValueKind::String(text) if text.is_empty())
}

fn literal(kind: &ValueKind) -> String {
    match kind {
        ValueKind::String(value) => text(value),
        other => other.to_string(),
    }
}

/// A basic string of TOML, which is escaped as a string of JSON is.
fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

fn key(name: &str) -> String {
    let is_bare = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
    if name.chars().all(is_bare) {
        name.to_owned()
    } else {
        text(name)
    }
}
