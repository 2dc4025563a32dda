//! Exports that overlap, and lines of any kind.

use std::collections::BTreeSet;

use adapters::{Format, adapt};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use super::{file, mapping};

/// Spans of all lines, each as an export request of its own.
fn spans() -> Vec<Value> {
    let lines = file("otel-spans.jsonl");
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .flat_map(|line| line["resourceSpans"].as_array().unwrap().clone())
        .flat_map(|resource| {
            let scopes = resource["scopeSpans"].as_array().unwrap().clone();
            let spans = scopes
                .into_iter()
                .flat_map(|scope| scope["spans"].as_array().unwrap().clone());
            let alone = |span| json!({"resource": resource["resource"], "scopeSpans": [{"spans": [span]}]});
            spans.map(alone).collect::<Vec<_>>()
        })
        .collect()
}

fn traces() -> Vec<Value> {
    let lines = file("langfuse-traces.jsonl");
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The set of events of lines, which must not fail.
fn set(format: Format, lines: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    let mapping = mapping(format);
    let events = lines
        .into_iter()
        .flat_map(|line| adapt(line.to_string().as_bytes(), &mapping).unwrap().events);
    events.collect()
}

/// Items in lines of any sizes and order: two exports, which have all of them between them.
fn exports(items: Vec<Value>) -> impl Strategy<Value = Vec<Vec<Value>>> {
    let count = items.len();
    let picks = vec((any::<prop::sample::Index>(), 1..4_usize), 0..2 * count);
    (Just(items).prop_shuffle(), picks).prop_map(move |(items, picks)| {
        let mut lines: Vec<Vec<Value>> = items.chunks(3).map(<[Value]>::to_vec).collect();
        lines.extend(picks.into_iter().map(|(pick, length)| {
            let start = pick.index(count);
            items.iter().skip(start).take(length).cloned().collect()
        }));
        lines
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn overlapping_exports_of_spans_give_the_same_set_of_events(lines in exports(spans())) {
        let alone = spans().into_iter().map(|span| json!({"resourceSpans": [span]}));
        let expected = set(Format::OtelGenai, alone);
        prop_assert_eq!(expected.len(), 12);
        let batches = lines.into_iter().map(|spans| json!({"resourceSpans": spans}));
        prop_assert_eq!(set(Format::OtelGenai, batches), expected);
    }

    #[test]
    fn overlapping_exports_of_traces_give_the_same_set_of_events(lines in exports(traces())) {
        let expected = set(Format::Langfuse, traces());
        prop_assert_eq!(expected.len(), 9);
        prop_assert_eq!(set(Format::Langfuse, lines.into_iter().map(Value::from)), expected);
    }

    #[test]
    fn no_line_makes_an_adapter_panic(
        line in "[ -~\\n]{0,40}|\\{\"(resourceSpans|resourceLogs|id|data)\":[\\[{\"1]{1,3}.{0,20}",
        damage in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for format in [Format::OtelGenai, Format::Langfuse] {
            let _any_outcome = adapt(line.as_bytes(), &mapping(format));
        }
        for (format, name) in [(Format::OtelGenai, "otel-spans.jsonl"), (Format::Langfuse, "langfuse-traces.jsonl")] {
            let mut line = file(name).lines().next().unwrap().as_bytes().to_vec();
            let at = damage.index(line.len());
            line[at] = byte;
            let _any_outcome = adapt(&line, &mapping(format));
        }
    }
}
