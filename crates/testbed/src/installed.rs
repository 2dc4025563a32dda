//! What other people published: fetched from their registries when it is needed, and kept beside what the build makes.

use std::{
    fs::{self, File},
    path::Path,
};

/// Says which version a directory was installed for. It is written last.
const STAMP: &str = "installed";

/// Sees to it that `dir` holds the files, by name and content, and what `install` made of them there since they
/// changed last.
///
/// # Panics
/// Where the directory cannot be written, or where `install` does: who needs it cannot go on.
pub fn installed(dir: &Path, files: &[(&str, &[u8])], install: impl FnOnce(&Path)) {
    // Whoever comes first installs, the others wait: tests are threads in one place and processes in another.
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
        fs::write(dir.join(name), content).expect("a file can be written");
    }
    install(dir);
    fs::write(dir.join(STAMP), stamp).expect("a file can be written");
}
