//! The rules of the house, checked against the metadata of cargo.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::Value;

use crate::harness::root;

/// Which of our crates may name a crate of the outside: one crate for each outside system.
const ALLOWED: &[(&str, &[&str])] = &[
    ("rdkafka", &["consumer", "embedded"]),
    ("clickhouse", &["aggregator"]),
    ("libloading", &["embedded"]),
    ("axum", &["query", "rollcall"]),
    ("utoipa", &["query"]),
    ("clap", &["rollcall"]),
    ("config", &["rollcall"]),
];

/// Which of our crates each may build upon.
const ARROWS: &[(&str, &[&str])] = &[
    ("events", &[]),
    ("embedded", &[]),
    ("consumer", &["events"]),
    ("aggregator", &["events"]),
    ("query", &["aggregator", "events"]),
    ("traffic", &["events"]),
    ("oracle", &["events"]),
    ("testbed", &["embedded"]),
    (
        "rollcall",
        &["aggregator", "consumer", "embedded", "events", "query", "traffic"],
    ),
];

/// Crates for tests and the benchmark: the program is built without them.
const TEST_ONLY: &[&str] = &["oracle", "testbed"];

/// The dependencies of these kinds of each of our crates.
fn dependencies(kinds: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let of_kind = dependencies.filter(|dependency| kinds.contains(&dependency["kind"]));
            (
                text(&package["name"]),
                of_kind.map(|dependency| text(&dependency["name"])).collect(),
            )
        })
        .collect()
}

#[test]
fn an_outside_system_is_named_by_its_own_crate_alone() {
    for (name, dependencies) in dependencies(&[Value::Null]) {
        for (outside, allowed) in ALLOWED {
            let lawful = !dependencies.contains(*outside) || allowed.contains(&name.as_str());
            assert!(lawful, "{name} may not depend on {outside}: {allowed:?} may");
        }
    }
}

#[test]
fn the_arrows_between_crates_are_those_of_the_design() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let found = dependencies(&[Value::Null]);
    assert_eq!(found.keys().map(String::as_str).collect::<BTreeSet<_>>(), ours);
    for (name, arrows) in ARROWS {
        let internal: BTreeSet<&str> = found[*name]
            .iter()
            .map(String::as_str)
            .filter(|dependency| ours.contains(dependency))
            .collect();
        assert_eq!(
            internal,
            arrows.iter().copied().collect(),
            "what {name} builds upon"
        );
    }
}

#[test]
fn the_program_is_built_without_the_crates_of_the_tests() {
    for (name, dependencies) in dependencies(&[Value::Null, "build".into()]) {
        for test_only in TEST_ONLY {
            let named = dependencies.contains(*test_only);
            assert!(!named, "{name} may name {test_only} as a dev-dependency only");
        }
    }
}

#[test]
fn unsafe_code_has_one_home() {
    let mut homes = BTreeSet::new();
    walk(&root().join("crates"), &mut |path, text| {
        if text.contains("unsafe {") || text.contains("unsafe extern") || text.contains("unsafe impl") {
            homes.insert(path.to_string_lossy().into_owned());
        }
    });
    assert!(
        !homes.is_empty(),
        "the walk found nothing: it looks in the wrong place"
    );
    assert!(
        homes
            .iter()
            .all(|home| home.ends_with("crates/embedded/src/library.rs")),
        "{homes:?}"
    );
}

#[test]
fn every_promise_has_the_tests_that_architecture_md_names() {
    let mut known = BTreeSet::new();
    for folder in ["crates", "tests"] {
        walk(&root().join(folder), &mut |_, text| {
            let functions = text.lines().filter_map(|line| {
                let (name, _) = line
                    .trim_start()
                    .trim_start_matches("async ")
                    .strip_prefix("fn ")?
                    .split_once('(')?;
                Some(name.to_owned())
            });
            known.extend(functions);
        });
    }
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let promises = page
        .split("\n## ")
        .find_map(|section| section.strip_prefix("Promises and their tests\n"))
        .unwrap();
    let names: Vec<_> = promises.split('`').skip(1).step_by(2).collect();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        assert!(
            known.contains(name),
            "ARCHITECTURE.md promises {name}, which is no test"
        );
    }
}

#[test]
fn no_source_file_is_too_long_to_read() {
    walk(&root().join("crates"), &mut |path, text| {
        let lines = text.lines().count();
        assert!(lines < 500, "{} has {lines} lines: split it", path.display());
    });
}

/// Visits every Rust file below a folder.
fn walk(folder: &Path, show: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, show);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            show(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}
