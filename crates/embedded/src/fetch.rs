//! The engine's library, brought into a cache when first needed.
//!
//! It is published in npm packages, one for each platform. `npm pack` downloads one without installing anything, so
//! the user's own registry and proxy settings hold. What comes is checked against a digest that is written here.

mod npm;
mod unpack;

#[cfg(test)]
mod tests;

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchProgress {
    /// The package is being downloaded; how much of it is not known.
    Downloading,
    /// It is being unpacked and checked.
    Unpacking {
        /// Bytes of the package done.
        done: u64,
        /// Bytes of the package in all.
        total: u64,
    },
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No digest is known for a package for this operating system and processor.
    #[error("no engine is known for {platform}: set `embedded.engine` to the path of a libchdb.so")]
    Platform {
        /// The operating system and the processor.
        platform: String,
    },
    /// There is no npm.
    #[error(
        "npm is not installed: install it with Node.js, or set `embedded.engine` to the path of a libchdb.so"
    )]
    NpmMissing,
    /// npm did not bring the package.
    #[error("npm could not download {package}: {reason}")]
    Npm {
        /// The package and its version.
        package: String,
        /// The end of what npm wrote to standard error, which names the registry.
        reason: String,
    },
    /// The package is not the one that was pinned. Nothing of it is kept.
    #[error("the package {} has the digest {found}, not {expected}", path.display())]
    Digest {
        /// The package, gone by now.
        path: PathBuf,
        /// What was pinned, as `sha512-` and base64.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The package does not hold the library.
    #[error("the package {} holds no libchdb.so", path.display())]
    Empty {
        /// The package, gone by now.
        path: PathBuf,
    },
    /// A file or a directory of the cache cannot be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// The path of the engine's library in `cache`, fetched if it is not there: 180 MB to download, 570 MB to keep.
/// Blocks. Of two processes one fetches while the other waits. The library appears whole or not at all; what a
/// killed process left half-done is removed by the next.
pub fn ensure_engine(cache: &Path, progress: &mut dyn FnMut(FetchProgress)) -> Result<PathBuf, FetchError> {
    let (os, processor) = (env::consts::OS, env::consts::ARCH);
    let pin = pin(os, processor).ok_or_else(|| FetchError::Platform {
        platform: format!("{os} {processor}"),
    })?;
    Fetch {
        cache,
        npm: "npm".as_ref(),
        pin,
    }
    .ensure(progress)
}

/// Where the library is kept unless told otherwise: `rollcall` in `$XDG_CACHE_HOME`, which is `~/.cache` by default.
/// None where neither that nor `$HOME` is set.
#[expect(
    clippy::disallowed_methods,
    reason = "the platform's own place for caches, no setting of ours"
)]
pub fn default_cache_dir() -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("rollcall"))
}

/// The version of the packages.
const VERSION: &str = "26.7.3-stable.1";

/// The name of the library, in the packages and in the cache.
const LIBRARY: &str = "libchdb.so";

/// What the names of directories of fetches under way begin with.
const UNFINISHED: &str = "unfinished-";

/// A package, and what it has to be.
#[derive(Debug, Clone, Copy)]
struct Pin {
    platform: &'static str,
    integrity: &'static str,
}

/// The package for a platform, as `npm view @chdb/lib-PLATFORM@VERSION dist.integrity` tells its digest.
fn pin(os: &str, processor: &str) -> Option<Pin> {
    match (os, processor) {
        ("linux", "x86_64") if cfg!(target_env = "gnu") => Some(Pin {
            platform: "linux-x64-gnu",
            integrity: "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
        }),
        _ => None,
    }
}

/// One fetch.
struct Fetch<'a> {
    cache: &'a Path,
    npm: &'a Path,
    pin: Pin,
}

impl Fetch<'_> {
    fn ensure(&self, progress: &mut dyn FnMut(FetchProgress)) -> Result<PathBuf, FetchError> {
        let home = self.cache.join(format!("chdb-{VERSION}-{}", self.pin.platform));
        let library = home.join(LIBRARY);
        if library.is_file() {
            return Ok(library);
        }
        let made = fs::create_dir_all(&home);
        made.map_err(failed("make the directory", &home))?;
        let path = self.cache.join("fetch.lock");
        let lock = File::create(&path).map_err(failed("make the file", &path))?;
        lock.lock().map_err(failed("lock", &path))?;
        if library.is_file() {
            return Ok(library);
        }
        self.clear()?;
        let room = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(self.cache)
            .map_err(failed("make a directory in", self.cache))?;

        progress(FetchProgress::Downloading);
        let package = format!("@chdb/lib-{}@{VERSION}", self.pin.platform);
        let tarball = npm::pack(self.npm, &package, room.path())?;
        let unpacked = room.path().join(LIBRARY);
        unpack::check(&tarball, self.pin.integrity)?;
        unpack::unpack(&tarball, &unpacked, progress)?;
        fs::rename(&unpacked, &library).map_err(failed("move the library to", &library))?;
        let synced = File::open(&home).and_then(|home| home.sync_all());
        synced.map_err(failed("write to the disk", &home))?;
        Ok(library)
    }

    /// Removes what killed processes left. The lock is held, so nobody works on it.
    fn clear(&self) -> Result<(), FetchError> {
        let entries = fs::read_dir(self.cache).map_err(failed("read", self.cache))?;
        for entry in entries {
            let entry = entry.map_err(failed("read", self.cache))?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path()).map_err(failed("remove", &entry.path()))?;
            }
        }
        Ok(())
    }
}

/// Puts what was tried on which path before an I/O error.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.to_owned();
    move |source| FetchError::Io { action, path, source }
}
