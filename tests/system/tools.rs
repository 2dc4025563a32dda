//! Published clients, producers, linters and what drives a browser, to test Rollcall with. They are fetched from their
//! registries when a test needs them, and kept with the output of the build.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::harness::root;

/// A directory whose `bin` has Python with the packages of `tests/system/python/requirements.txt`.
pub(crate) fn python() -> PathBuf {
    installed(
        "python",
        &[
            "requirements.txt",
            "ask.py",
            "publish.py",
            "query.py",
            "round_trip.py",
            "terminal.py",
        ],
        install_python,
    )
}

/// A directory whose `node_modules` has the packages of `tests/system/typescript/package-lock.json`.
pub(crate) fn node() -> PathBuf {
    installed(
        "typescript",
        &[
            "package.json",
            "package-lock.json",
            "ask.mjs",
            "round_trip.mjs",
            "dclint.json",
        ],
        install_node,
    )
}

/// A directory whose `node_modules` has what the scripts in it need to drive a browser.
pub(crate) fn browser() -> PathBuf {
    installed(
        "browser",
        &[
            "package.json",
            "package-lock.json",
            "answers.mjs",
            "api.mjs",
            "browser.mjs",
            "dashboard.mjs",
            "keyboard.mjs",
            "live.mjs",
            "readers.mjs",
            "speed.mjs",
            "stage.mjs",
        ],
        install_node,
    )
}

/// A directory whose `bin` has `promtool`.
pub(crate) fn promtool() -> PathBuf {
    installed("promtool", &["fetch.sh"], |dir| {
        run("sh", ["fetch.sh"], dir, None);
    })
}

/// Makes `bin` in a directory, which has Python with the packages of its `requirements.txt`.
pub(crate) fn install_python(dir: &Path) {
    run("python3", ["-m", "venv", "."], dir, None);
    let from = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--requirement",
        "requirements.txt",
    ];
    run("bin/python", from, dir, None);
    run("bin/python", ["-m", "pip", "check"], dir, None);
}

/// Makes a `node_modules` with the packages of `package-lock.json`.
pub(crate) fn install_node(dir: &Path) {
    let from = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    run("npm", from, dir, None);
}

/// The directory of that name in `tests/system`.
pub(crate) fn sources(name: &str) -> PathBuf {
    root().join("tests/system").join(name)
}

/// The directory of that name in `tests/system` with copies of its files, in which `install` has run since they changed
/// last.
pub(crate) fn installed(name: &str, files: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    installed_from(&sources(name), name, files, install)
}

/// As [`installed`], from another directory.
pub(crate) fn installed_from(
    source: &Path,
    name: &str,
    files: &[&str],
    install: impl FnOnce(&Path),
) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(dir.parent().unwrap()).unwrap();
    let read = |file: &&str| std::fs::read(source.join(file)).unwrap();
    let contents: Vec<Vec<u8>> = files.iter().map(read).collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .zip(&contents)
        .map(|(file, content)| (*file, content.as_slice()))
        .collect();
    testbed::installed(&dir, &files, install);
    dir
}

/// A program, that of the directory if there is one, to be run there.
pub(crate) fn command(program: &str, dir: &Path) -> Command {
    let path = dir.join(program);
    let mut command = Command::new(if path.exists() {
        path.as_os_str()
    } else {
        program.as_ref()
    });
    command.current_dir(dir);
    command
}

/// Runs a program, that of the directory if there is one, which must succeed; returns what it writes.
pub(crate) fn run(
    program: &str,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    dir: &Path,
    input: Option<&Value>,
) -> Vec<u8> {
    let mut command = command(program, dir);
    command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; CONTRIBUTING.md lists what the tests need"));
    let mut stdin = child.stdin.take().unwrap();
    if let Some(input) = input {
        // A program that ends early fails with its own message.
        let _ended = stdin.write_all(input.to_string().as_bytes());
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
