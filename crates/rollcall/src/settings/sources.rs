//! The file and the environment, read into one tree of values that remember where they come from.

use std::{collections::BTreeMap, path::Path};

use config::{
    Config, ConfigBuilder, ConfigError, Environment, File, FileFormat, Map, Value, ValueKind,
    builder::DefaultState,
};
use serde::Deserialize;

/// What begins the names of variables, and what separates the parts of a setting's path in them.
const PREFIX: &str = "ROLLCALL";
const SEPARATOR: &str = "__";
/// What `config` calls the origin of values of the environment.
const ENVIRONMENT: &str = "the environment";

/// The values of the file, over them those of the environment.
#[derive(Debug, Clone)]
pub(super) struct Sources(Value);

/// A value that is no table.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) kind: ValueKind,
    /// The file or the variable that it comes from.
    pub(super) origin: Option<String>,
}

impl Sources {
    /// Reads both.
    ///
    /// # Errors
    /// One line that names the file, where it cannot be read or is not TOML.
    pub(super) fn read(file: Option<&Path>, environment: Environment) -> anyhow::Result<Self> {
        let mut layers = Config::builder();
        if let Some(path) = file {
            layers = layers.add_source(File::from(path).format(FileFormat::Toml));
        }
        let environment = environment
            .prefix(PREFIX)
            .prefix_separator(SEPARATOR)
            .separator(SEPARATOR);
        Self::of(layers.add_source(environment))
    }

    /// Reads a file's text, which is of no origin.
    ///
    /// # Errors
    /// Where it is not TOML.
    pub(super) fn of_text(toml: &str) -> anyhow::Result<Self> {
        Self::of(Config::builder().add_source(File::from_str(toml, FileFormat::Toml)))
    }

    fn of(layers: ConfigBuilder<DefaultState>) -> anyhow::Result<Self> {
        let layers = layers.build();
        let mut root = layers
            .map_err(|error| anyhow::anyhow!(one_line(&error.to_string())))?
            .cache;
        flatten_properties(&mut root);
        Ok(Self(root))
    }

    /// Every value that is no table, by its path.
    pub(super) fn leaves(&self) -> BTreeMap<Vec<String>, Leaf> {
        let mut leaves = BTreeMap::new();
        collect(&self.0, &[], &mut leaves);
        leaves
    }

    /// The settings that the values make.
    ///
    /// # Errors
    /// One line that names the setting at fault, and the file or the variable that it is in.
    pub(super) fn settings<T: for<'de> Deserialize<'de>>(&self) -> anyhow::Result<T> {
        T::deserialize(self.0.clone()).map_err(|error| {
            let text = one_line(&error.to_string());
            match culprit(&error).and_then(|path| self.origin(&path)) {
                Some(origin) if !text.contains(&origin) => anyhow::anyhow!("{origin}: {text}"),
                _ => anyhow::anyhow!(text),
            }
        })
    }

    /// The file or the variable that a setting, or the first one below it, comes from. None where neither has it.
    pub(super) fn origin(&self, path: &str) -> Option<String> {
        let mut path: Vec<&str> = path.split('.').collect();
        let mut value = path.iter().try_fold(&self.0, |value, name| child(value, name))?;
        while let ValueKind::Table(table) = &value.kind {
            let (name, below) = table.iter().next()?;
            path.push(name);
            value = below;
        }
        origin(value, &path)
    }
}

/// The file or the variable that a value comes from.
fn origin(value: &Value, path: &[&str]) -> Option<String> {
    match value.origin()? {
        ENVIRONMENT => Some(format!(
            "{PREFIX}{SEPARATOR}{}",
            path.join(SEPARATOR).to_uppercase()
        )),
        file => Some(file.to_owned()),
    }
}

fn collect(value: &Value, path: &[&str], leaves: &mut BTreeMap<Vec<String>, Leaf>) {
    let ValueKind::Table(table) = &value.kind else {
        let leaf = Leaf {
            kind: value.kind.clone(),
            origin: origin(value, path),
        };
        leaves.insert(path.iter().map(|name| (*name).to_owned()).collect(), leaf);
        return;
    };
    for (name, below) in table {
        collect(below, &[path, &[name]].concat(), leaves);
    }
}

fn child<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match &value.kind {
        ValueKind::Table(table) => table.get(name),
        _ => None,
    }
}

/// Makes one name of each path in `kafka.properties`: to TOML, `security.protocol` without quotes is a table in a table.
fn flatten_properties(root: &mut Value) {
    let ValueKind::Table(root) = &mut root.kind else {
        return;
    };
    let Some(ValueKind::Table(kafka)) = root.get_mut("kafka").map(|kafka| &mut kafka.kind) else {
        return;
    };
    let Some(ValueKind::Table(properties)) = kafka.get_mut("properties").map(|value| &mut value.kind) else {
        return;
    };
    let mut flat = Map::new();
    flatten(std::mem::take(properties), "", &mut flat);
    *properties = flat;
}

fn flatten(table: Map<String, Value>, prefix: &str, flat: &mut Map<String, Value>) {
    for (name, value) in table {
        let name = format!("{prefix}{name}");
        match value.kind {
            ValueKind::Table(below) => flatten(below, &format!("{name}."), flat),
            _ => {
                flat.insert(name, value);
            }
        }
    }
}

/// The path of the setting that an error is about.
fn culprit(error: &ConfigError) -> Option<String> {
    let (key, text) = match error {
        ConfigError::Type { key, .. } => (key.as_deref(), String::new()),
        ConfigError::At { key, error, .. } => (key.as_deref(), error.to_string()),
        error => (None, error.to_string()),
    };
    let unknown = text
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'));
    match (key, unknown) {
        (Some(key), Some((name, _))) => Some(format!("{key}.{name}")),
        (None, Some((name, _))) => Some(name.to_owned()),
        (key, None) => key.map(str::to_owned),
    }
}

/// The text in one line: that of a TOML parser quotes the lines around the error.
fn one_line(text: &str) -> String {
    let margin = |char: char| char == ' ' || char.is_ascii_digit();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start_matches(margin).starts_with('|'));
    let lines: Vec<&str> = lines.map(str::trim).collect();
    lines.join(": ").replace(": in ", " in ")
}
