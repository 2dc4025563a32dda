//! What a process has one of: the library, and the directory that it is on.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    EngineError,
    ffi::{Api, Connection},
};

static PROCESS: Mutex<Process> = Mutex::new(Process {
    library: None,
    data: None,
});

struct Process {
    library: Option<(PathBuf, &'static Api)>,
    data: Option<PathBuf>,
}

/// The process's one engine. Another can be opened once this is dropped, which has to come after its connections.
#[derive(Debug)]
pub(super) struct Claim {
    data: PathBuf,
}

impl Claim {
    /// The data directory, absolute.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        process().data = None;
    }
}

/// Whether there is an engine. Waits for one that is being opened.
pub(super) fn is_open() -> bool {
    process().data.is_some()
}

/// Loads the library unless it is there, makes the directory unless it is there, and connects to it.
pub(super) fn open(library: &Path, data: &Path) -> Result<(Claim, &'static Api, Connection), EngineError> {
    let mut process = process();
    if let Some(path) = process.data.clone() {
        return Err(EngineError::Taken { path });
    }
    let made = fs::create_dir_all(data).and_then(|()| data.canonicalize());
    let data = made.map_err(|source| EngineError::Data {
        path: data.to_owned(),
        source,
    })?;
    let api = process.api(library)?;
    // Asked before the engine, which only gives a null pointer.
    if in_use(&data) {
        return Err(EngineError::Busy { path: data });
    }
    let connection = Connection::open(api, &data).ok_or_else(|| EngineError::Open { path: data.clone() })?;
    process.data = Some(data.clone());
    Ok((Claim { data }, api, connection))
}

impl Process {
    fn api(&mut self, library: &Path) -> Result<&'static Api, EngineError> {
        match &self.library {
            Some((path, api)) if path == library => Ok(api),
            Some((path, _)) => Err(EngineError::Taken { path: path.clone() }),
            None => {
                let failed = |source| EngineError::Load {
                    path: library.to_owned(),
                    source,
                };
                let api = Api::load(library).map_err(failed)?;
                self.library = Some((library.to_owned(), api));
                Ok(api)
            }
        }
    }
}

/// Whether a process holds the lock on the file `status` that the engine keeps in its directory.
fn in_use(data: &Path) -> bool {
    File::open(data.join("status"))
        .is_ok_and(|status| matches!(status.try_lock(), Err(TryLockError::WouldBlock)))
}

fn process() -> MutexGuard<'static, Process> {
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}
