//! Which metrics queries of Prometheus ask for, by which labels, and which a program exposes. Prometheus itself, as
//! `promtool`, says whether queries are well formed.

use std::collections::{BTreeMap, BTreeSet};

/// What the text at `/metrics` holds: the labels of each metric, and its series.
#[derive(Debug, Default)]
pub(super) struct Exposed {
    labels: BTreeMap<String, BTreeSet<String>>,
    /// As Prometheus keeps them, which knows where it has them from.
    pub(super) series: Vec<String>,
}

impl Exposed {
    pub(super) fn read(text: &str) -> Self {
        let mut exposed = Self::default();
        exposed.add("up");
        for line in text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            let (series, _) = line.rsplit_once(' ').unwrap();
            exposed.add(series);
        }
        exposed
    }

    fn add(&mut self, series: &str) {
        let (name, labels) = series
            .strip_suffix('}')
            .and_then(|series| series.split_once('{'))
            .unwrap_or((series, ""));
        let target = r#"job="rollcall",instance="up""#;
        let comma = if labels.is_empty() { "" } else { "," };
        self.series.push(format!("{name}{{{labels}{comma}{target}}}"));
        let known = self.labels.entry(name.to_owned()).or_default();
        known.extend(["job", "instance"].map(str::to_owned));
        known.extend(outside_of_quotes(labels).split(',').filter_map(label));
    }

    /// Our metrics, histograms by the names that they are described by.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let base = |name: &String| {
            let parts = ["_bucket", "_count", "_sum"];
            let base = parts.iter().find_map(|part| name.strip_suffix(part));
            base.unwrap_or(name).to_owned()
        };
        let ours = self.labels.keys().filter(|name| name.starts_with("rollcall_"));
        ours.map(base).collect()
    }

    /// Panics unless a query, and the labels that are shown with its answer, are of what is exposed.
    pub(super) fn check(&self, query: &str, shown: &BTreeSet<String>) {
        let selectors = selectors(query);
        assert!(!selectors.is_empty(), "{query}");
        let mut known = BTreeSet::new();
        for selector in &selectors {
            let (name, labels) = selector.split_once('{').unwrap_or((selector, ""));
            let of_metric = self.labels.get(name);
            let of_metric = of_metric.unwrap_or_else(|| panic!("{name} is not exposed: {query}"));
            for asked in outside_of_quotes(labels).split(',').filter_map(label) {
                assert!(of_metric.contains(&asked), "{name} has no label {asked}: {query}");
            }
            known.extend(of_metric.iter().cloned());
        }
        for asked in grouped(query).union(shown) {
            assert!(known.contains(asked), "no metric has a label {asked}: {query}");
        }
    }
}

/// The name of what stands before `=`, `!` or `~`.
fn label(pair: &str) -> Option<String> {
    let (name, _) = pair.split_once(['=', '!'])?;
    Some(name.trim().to_owned())
}

/// A text without what stands in double quotes.
fn outside_of_quotes(text: &str) -> String {
    text.split('"').step_by(2).collect()
}

/// The names of metrics in a query, each with what follows in braces.
pub(super) fn selectors(query: &str) -> Vec<String> {
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(start) = rest.find(is_of_name) {
        let (_, from) = rest.split_at(start);
        let (name, behind) = from.split_at(
            from.find(|character| !is_of_name(character))
                .unwrap_or(from.len()),
        );
        let braces = behind.find('}').filter(|_| behind.starts_with('{'));
        let (labels, behind) = behind.split_at(braces.map_or(0, |end| end + 1));
        if name == "up" || name.starts_with("rollcall_") || name.starts_with("process_") {
            found.push(format!("{name}{labels}"));
        }
        rest = behind;
    }
    found
}

/// The labels that a query groups by.
fn grouped(query: &str) -> BTreeSet<String> {
    let lists = query.split("by (").skip(1);
    let names = lists.flat_map(|list| list.split(')').next().unwrap().split(','));
    names.map(|name| name.trim().to_owned()).collect()
}

/// The labels that a text shows: `{{name}}`, as legends do, or `{{ $labels.name }}`, as alerts do.
pub(super) fn shown(text: &str) -> BTreeSet<String> {
    let parts = text
        .split("{{")
        .skip(1)
        .map(|part| part.split("}}").next().unwrap().trim());
    parts
        .filter_map(|part| {
            part.strip_prefix("$labels.")
                .or((!part.starts_with('$')).then_some(part))
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn selectors_and_labels_of_a_query_are_found() {
    let query = r#"sum by (job, le) (rate(rollcall_a_total{x=~"b|c,d",y!="e"}[5m])) > 0.9 * clamp_max(process_b / 2, 8192)"#;
    assert_eq!(
        selectors(query),
        [r#"rollcall_a_total{x=~"b|c,d",y!="e"}"#, "process_b"]
    );
    assert_eq!(grouped(query), ["job", "le"].map(str::to_owned).into());
    assert_eq!(
        shown("{{a}} of {{ $labels.b }}: {{ $value | humanize }}"),
        ["a", "b"].map(str::to_owned).into()
    );
}
