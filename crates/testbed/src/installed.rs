//! Published software that tests need: fetched from its registries when needed, and kept in the build directory.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
};

/// The file that holds what a directory was installed for. It is written last.
const STAMP: &str = "installed";

/// Ensures that `dir` holds the files, given by name and content, and what `install` made of them there after their
/// last change.
///
/// # Panics
/// If the directory cannot be written, or if `install` panics: the caller cannot go on without it.
pub fn installed(dir: &Path, files: &[(&str, &[u8])], install: impl FnOnce(&Path)) {
    // The first caller installs, the others wait: tests may be threads or processes.
    let lock = File::create(dir.with_extension("lock")).expect("a lock can be made");
    lock.lock().expect("a lock can be taken");
    let contents: Vec<&[u8]> = files.iter().map(|(_, content)| *content).collect();
    let stamp = contents.concat();
    if fs::read(dir.join(STAMP)).is_ok_and(|found| found == stamp) {
        return;
    }
    let _absent = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).expect("a directory can be made");
    for (name, content) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap_or(dir)).expect("a directory can be made");
        fs::write(path, content).expect("a file can be written");
    }
    install(dir);
    fs::write(dir.join(STAMP), stamp).expect("a file can be written");
}

/// Ensures that `dir` has in `lib` the archives that a project's dependencies name.
///
/// # Panics
/// If they cannot be fetched.
pub fn installed_by_maven(dir: &Path, pom: &[u8]) {
    installed(dir, &[("pom.xml", pom)], |dir| {
        let fetched = Command::new("mvn")
            .args(["--quiet", "--batch-mode", "dependency:copy-dependencies"])
            .arg("-DoutputDirectory=lib")
            .current_dir(dir)
            .stdin(Stdio::null())
            .status()
            .expect("mvn runs: CONTRIBUTING.md lists what the tests need");
        assert!(
            fetched.success(),
            "mvn could not fetch what {} needs",
            dir.display()
        );
    });
}
