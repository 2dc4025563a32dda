//! The rules of the house, checked against the metadata of cargo and the source files.

mod imports;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::Value;

use crate::harness::root;

/// Which of our crates may depend on an external crate: one crate for each outside system.
const ALLOWED: &[(&str, &[&str])] = &[
    ("rdkafka", &["consumer", "embedded"]),
    ("clickhouse", &["aggregator"]),
    ("libloading", &["embedded"]),
    ("axum", &["query", "rollcall"]),
    ("utoipa", &["query"]),
    ("parquet", &["query"]),
    ("clap", &["rollcall"]),
    ("config", &["rollcall"]),
];

/// Which of our crates each depends on.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("events", &[]),
    ("embedded", &[]),
    ("consumer", &["events"]),
    ("aggregator", &["events"]),
    ("query", &["aggregator", "events"]),
    ("traffic", &["events"]),
    ("adapters", &["events"]),
    ("oracle", &["events"]),
    ("testbed", &["embedded"]),
    (
        "rollcall",
        &[
            "adapters",
            "aggregator",
            "consumer",
            "embedded",
            "events",
            "query",
            "traffic",
        ],
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
fn each_outside_system_has_one_crate_that_depends_on_it() {
    for (name, dependencies) in dependencies(&[Value::Null]) {
        for (outside, allowed) in ALLOWED {
            let is_allowed = !dependencies.contains(*outside) || allowed.contains(&name.as_str());
            assert!(is_allowed, "{name} may not depend on {outside}: {allowed:?} may");
        }
    }
}

#[test]
fn crates_depend_on_each_other_as_designed() {
    let ours: BTreeSet<&str> = DEPENDENCIES.iter().map(|(name, _)| *name).collect();
    let found = dependencies(&[Value::Null]);
    assert_eq!(found.keys().map(String::as_str).collect::<BTreeSet<_>>(), ours);
    for (name, expected) in DEPENDENCIES {
        let internal: BTreeSet<&str> = found[*name]
            .iter()
            .map(String::as_str)
            .filter(|dependency| ours.contains(dependency))
            .collect();
        assert_eq!(
            internal,
            expected.iter().copied().collect(),
            "dependencies of {name}"
        );
    }
}

#[test]
fn the_program_is_built_without_the_crates_of_the_tests() {
    for (name, dependencies) in dependencies(&[Value::Null, "build".into()]) {
        for test_only in TEST_ONLY {
            let depends = dependencies.contains(*test_only);
            assert!(!depends, "{name} may name {test_only} as a dev-dependency only");
        }
    }
}

#[test]
fn unsafe_code_is_in_one_file() {
    let mut files = BTreeSet::new();
    walk(&root().join("crates"), &mut |path, text| {
        if text.contains("unsafe {") || text.contains("unsafe extern") || text.contains("unsafe impl") {
            files.insert(path.to_string_lossy().into_owned());
        }
    });
    assert!(
        !files.is_empty(),
        "no file was found: the walk looks in the wrong place"
    );
    assert!(
        files
            .iter()
            .all(|file| file.ends_with("crates/embedded/src/library.rs")),
        "{files:?}"
    );
}

#[test]
fn every_test_that_architecture_md_names_exists() {
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
            "ARCHITECTURE.md promises {name}, which is not a test"
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

#[test]
fn files_of_a_crate_do_not_import_in_cycles() {
    for name in ["aggregator", "consumer", "query"] {
        let source = root().join("crates").join(name).join("src");
        let mut files = BTreeMap::new();
        walk(&source, &mut |path, text| {
            let path = path.strip_prefix(&source).unwrap().with_extension("");
            let names = path.iter().map(|name| name.to_str().unwrap());
            let module: Vec<_> = ["crate"].into_iter().chain(names).collect();
            // Unit tests import from the file that they test.
            if module.last() != Some(&"tests") {
                files.insert(module.join("::").replace("crate::lib", "crate"), text.to_owned());
            }
        });
        assert!(files.len() > 10, "{files:?}");
        let cycles = imports::cycles(&files);
        assert!(cycles.is_empty(), "{name}: {cycles:#?}");
    }
}

#[test]
fn a_cycle_of_imports_is_found_through_exported_names() {
    let files = [
        ("crate", "mod a;\npub use a::{A, inner::Inner};\nmod b;\n"),
        (
            "crate::a",
            "use std::fmt;\nuse crate::{\n    b::B,\n    b::{self, C},\n};\n",
        ),
        ("crate::a::inner", "use super::A;\n"),
        (
            "crate::b",
            "/// Doc\npub(crate) use super::Inner;\nuse crate::c::D;\n",
        ),
        ("crate::c", "mod tests {\n    use crate::b::B;\n}\n"),
    ];
    let files = BTreeMap::from(files.map(|(module, code)| (module.to_owned(), code.to_owned())));
    let cycles = imports::cycles(&files);
    let expected = [
        ("crate::a", "crate::b"),
        ("crate::a::inner", "crate::a"),
        ("crate::b", "crate::a::inner"),
    ];
    assert_eq!(
        cycles,
        expected.map(|(file, target)| (file, [target].into())).into()
    );
}

/// Visits every Rust file below a folder.
fn walk(folder: &Path, visit: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            visit(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}
