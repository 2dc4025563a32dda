use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha512};
use tempfile::TempDir;

use super::*;

/// A cache, and a program in the place of npm.
struct World {
    room: TempDir,
    pin: Pin,
}

impl World {
    /// An npm that runs this script, in the directory where the package belongs; `$PACKAGE` is a package whose
    /// library has this content.
    fn new(library: &[u8], script: &str) -> Self {
        let room = TempDir::new().unwrap();
        let package = room.path().join("package.tgz");
        let mut archive = tar::Builder::new(GzEncoder::new(
            File::create(&package).unwrap(),
            Compression::fast(),
        ));
        for (name, content) in [
            ("package/index.js", &b"code"[..]),
            ("package/libchdb.so", library),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(u64::try_from(content.len()).unwrap());
            header.set_mode(0o644);
            archive.append_data(&mut header, name, content).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap();
        let digest = BASE64_STANDARD.encode(Sha512::digest(fs::read(&package).unwrap()));
        let integrity = Box::leak(format!("sha512-{digest}").into_boxed_str());
        let npm = room.path().join("npm");
        fs::write(
            &npm,
            format!("#!/bin/sh\nPACKAGE={}\n{script}\n", package.display()),
        )
        .unwrap();
        fs::set_permissions(&npm, Permissions::from_mode(0o755)).unwrap();
        Self {
            room,
            pin: Pin {
                platform: "test",
                integrity,
            },
        }
    }

    fn cache(&self) -> PathBuf {
        self.room.path().join("cache")
    }

    fn ensure(&self, progress: &mut dyn FnMut(FetchProgress)) -> Result<PathBuf, FetchError> {
        self.ensure_with(&self.room.path().join("npm"), progress)
    }

    fn ensure_with(
        &self,
        npm: &Path,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<PathBuf, FetchError> {
        Fetch {
            cache: &self.cache(),
            npm,
            pin: self.pin,
        }
        .ensure(progress)
    }

    /// All files in the cache, but for the lock.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut directories = vec![self.cache()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found.retain(|path| !path.ends_with("fetch.lock"));
        found
    }
}

const COPY: &str = "cp $PACKAGE fetched.tgz";

#[test]
fn the_library_is_fetched_once() {
    let content = vec![7; 3 << 20];
    let world = World::new(&content, COPY);
    let mut seen = Vec::new();
    let library = world.ensure(&mut |progress| seen.push(progress)).unwrap();
    assert_eq!(fs::read(&library).unwrap(), content);
    assert_eq!(world.files(), std::slice::from_ref(&library));
    assert_eq!(seen.first(), Some(&FetchProgress::Downloading));
    assert!(
        matches!(seen.last(), Some(FetchProgress::Unpacking { done, total }) if done == total),
        "{seen:?}"
    );
    let again = world
        .ensure_with("/nowhere/npm".as_ref(), &mut |_| panic!("nothing to do"))
        .unwrap();
    assert_eq!(again, library);
}

#[test]
fn a_wrong_digest_leaves_nothing() {
    let mut world = World::new(b"library", COPY);
    world.pin.integrity = "sha512-other";
    let error = world.ensure(&mut |_| ()).unwrap_err();
    assert!(matches!(error, FetchError::Digest { .. }), "{error}");
    assert!(error.to_string().contains("sha512-other"), "{error}");
    assert!(world.files().is_empty());
}

#[test]
fn a_package_that_is_cut_off_leaves_nothing() {
    let world = World::new(b"library", "head -c 100 $PACKAGE > fetched.tgz");
    let error = world.ensure(&mut |_| ()).unwrap_err();
    assert!(matches!(error, FetchError::Digest { .. }), "{error}");
    assert!(world.files().is_empty());
}

#[test]
fn a_missing_npm_is_told_with_what_helps() {
    let world = World::new(b"library", COPY);
    let error = world
        .ensure_with("no-such-npm".as_ref(), &mut |_| ())
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("Node.js") && text.contains("`embedded.engine`"),
        "{text}"
    );
}

#[test]
fn a_failed_npm_is_told_in_its_own_words() {
    let world = World::new(
        b"library",
        "echo 'npm error code E404' >&2; echo 'npm error 404 Not Found - GET http://mirror/x' >&2; exit 1",
    );
    let text = world.ensure(&mut |_| ()).unwrap_err().to_string();
    assert!(
        text.contains("@chdb/lib-test@") && text.contains("Not Found - GET http://mirror/x"),
        "{text}"
    );
    assert!(world.files().is_empty());
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let world = World::new(b"library", COPY);
    let left = world.cache().join("unfinished-abc");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("libchdb.so"), b"hal").unwrap();
    let library = world.ensure(&mut |_| ()).unwrap();
    assert_eq!(fs::read(&library).unwrap(), b"library");
    assert_eq!(world.files(), [library]);
}

#[test]
fn of_two_at_once_one_fetches_and_the_other_waits() {
    let world = World::new(b"library", &format!("sleep 0.2; {COPY}"));
    let (downloads, start) = (AtomicUsize::new(0), Barrier::new(2));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                let library = world.ensure(&mut |progress| {
                    if progress == FetchProgress::Downloading {
                        downloads.fetch_add(1, Ordering::SeqCst);
                    }
                });
                assert_eq!(fs::read(library.unwrap()).unwrap(), b"library");
            });
        }
    });
    assert_eq!(downloads.load(Ordering::SeqCst), 1);
}

#[test]
fn other_platforms_are_told_what_to_do() {
    assert!(pin("plan9", "x86_64").is_none());
    let text = FetchError::Platform {
        platform: "plan9 x86_64".to_owned(),
    }
    .to_string();
    assert!(
        text.contains("plan9 x86_64") && text.contains("`embedded.engine`"),
        "{text}"
    );
}
