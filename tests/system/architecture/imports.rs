//! Cycles among the files of a crate, by the paths that they import.

use std::collections::{BTreeMap, BTreeSet};

/// The files on cycles of imports, and between cycles, each with those that it imports from. A file is named by its module, as in
/// `crate::kafka::reader`; `files` has the code of each.
pub(super) fn cycles(files: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut imports: Vec<(&str, String)> = Vec::new();
    for (module, code) in files {
        let paths = trees(code).flat_map(|tree| paths(&tree));
        imports.extend(paths.filter_map(|path| Some((module.as_str(), absolute(files, module, &path)?))));
    }
    let exported = imports.iter().map(|(module, path)| {
        let (_, name) = path.rsplit_once("::").unwrap_or_default();
        (format!("{module}::{name}"), path.as_str())
    });
    let exports: BTreeMap<String, &str> = exported.filter(|(name, path)| name != path).collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, path) in &imports {
        let target = file_of(files, &exports, path);
        if target != *module {
            edges.entry(module).or_default().insert(target);
        }
    }
    // A file that imports from none that is left, or that none of them imports from, is on no cycle.
    loop {
        let before = edges.len();
        let targets: BTreeSet<&str> = edges.values().flatten().copied().collect();
        edges.retain(|file, _| targets.contains(file));
        let left: BTreeSet<&str> = edges.keys().copied().collect();
        for targets in edges.values_mut() {
            targets.retain(|target| left.contains(target));
        }
        edges.retain(|_, targets| !targets.is_empty());
        if edges.len() == before {
            return edges;
        }
    }
}

/// What follows `use` in the code before its unit tests, without spaces: `crate::{a::b,c}`.
fn trees(code: &str) -> impl Iterator<Item = String> {
    let code = code.split("mod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.map(str::trim).collect::<Vec<_>>().join("\n");
    let statements: Vec<String> = code.split(';').map(str::to_owned).collect();
    statements.into_iter().filter_map(|statement| {
        let (before, tree) = statement.rsplit_once("use ")?;
        let visibility = before.lines().last().unwrap_or_default().trim();
        let is_use = before.ends_with('\n') || visibility.is_empty() || visibility.starts_with("pub");
        is_use.then(|| tree.split_whitespace().collect())
    })
}

/// The paths of a tree: `crate::a::b` and `crate::c` of `crate::{a::b,c}`.
fn paths(tree: &str) -> Vec<String> {
    let Some((prefix, list)) = tree.split_once('{') else {
        return vec![tree.trim_end_matches("::self").to_owned()];
    };
    let (mut depth, mut items) = (0, vec![String::new()]);
    for char in list.trim_end_matches(|char| char != '}').chars() {
        depth += i32::from(char == '{') - i32::from(char == '}');
        match items.last_mut() {
            Some(item) if depth >= 0 && (depth > 0 || char != ',') => item.push(char),
            _ => items.push(String::new()),
        }
    }
    items.retain(|item| !item.is_empty());
    let paths = items.iter().flat_map(|item| paths(&format!("{prefix}{item}")));
    paths.collect()
}

/// A path from `crate` on; none where it leads out of the crate.
fn absolute(files: &BTreeMap<String, String>, module: &str, path: &str) -> Option<String> {
    let (first, rest) = path.split_once("::").unwrap_or((path, ""));
    match first {
        "crate" => Some(path.to_owned()),
        "self" => Some(format!("{module}::{rest}")),
        "super" => {
            let (parent, _) = module.rsplit_once("::")?;
            if rest.starts_with("super::") {
                absolute(files, parent, rest)
            } else {
                Some(format!("{parent}::{rest}"))
            }
        }
        child => files
            .contains_key(&format!("{module}::{child}"))
            .then(|| format!("{module}::{path}")),
    }
}

/// The file that has what a path names, which another may export.
fn file_of<'a>(files: &'a BTreeMap<String, String>, exports: &BTreeMap<String, &str>, path: &str) -> &'a str {
    let mut module = path;
    loop {
        if let Some((module, _)) = files.get_key_value(module) {
            return module;
        }
        if let Some(origin) = exports.get(module) {
            return file_of(files, exports, origin);
        }
        (module, _) = module.rsplit_once("::").unwrap_or(("crate", ""));
    }
}
