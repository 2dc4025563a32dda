//! `npm pack`, which downloads a package as it is and runs none of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{FetchError, failed};

/// How many of npm's last lines tell why it failed.
const LINES: usize = 6;

/// Downloads the package into the directory, which has nothing else of the kind in it.
pub(super) fn pack(npm: &Path, package: &str, directory: &Path) -> Result<PathBuf, FetchError> {
    let output = Command::new(npm)
        .args(["pack", package, "--loglevel=error", "--ignore-scripts"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FetchError::NpmMissing,
            _ => failed("run", npm)(error),
        })?;
    let refused = |reason| FetchError::Npm {
        package: package.to_owned(),
        reason,
    };
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(refused(last_lines(&text, output.status)));
    }
    let entries = fs::read_dir(directory).map_err(failed("read", directory))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let tarball = paths.find(|path| path.extension().is_some_and(|e| e == "tgz"));
    tarball.ok_or_else(|| refused("it wrote no file".to_owned()))
}

/// The end of what npm wrote, on one line, without the pointer to its log.
fn last_lines(text: &str, status: std::process::ExitStatus) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.trim_start_matches("npm error").trim())
        .filter(|line| !line.is_empty() && !line.contains("A complete log"))
        .collect();
    match lines.get(lines.len().saturating_sub(LINES)..) {
        None | Some([]) => status.to_string(),
        Some(last) => last.join("; "),
    }
}
