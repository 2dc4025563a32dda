//! Where an export is written to: standard output, or a file that is there once it is whole.

use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    io::{self, ErrorKind, Write},
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use tempfile::{Builder, TempPath};
use tokio::task::spawn_blocking;

/// Where an export is written to. Unless it is finished, nothing of a file is left.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    /// The file that is written, and the one that it becomes.
    becomes: Option<(TempPath, PathBuf)>,
}

impl Output {
    /// A file of this path, or standard output without one.
    ///
    /// # Errors
    /// Where the path names something else than a file, or nothing can be written beside it.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            let file = io::stdout().as_fd().try_clone_to_owned()?.into();
            return Ok(Self { file, becomes: None });
        };
        let (target, permissions) = target(path)?;
        let folder = target.parent().unwrap_or(Path::new("/"));
        let name = target.file_name().unwrap_or_default();
        let prefix: OsString = [".".as_ref(), name, ".".as_ref()].into_iter().collect();
        let temporary = Builder::new()
            .prefix(&prefix)
            .suffix(".part")
            .permissions(permissions)
            .tempfile_in(folder)
            .with_context(|| format!("--output: cannot write to {}", folder.display()))?;
        let (file, temporary) = temporary.into_parts();
        Ok(Self {
            file,
            becomes: Some((temporary, target)),
        })
    }

    /// Writes what comes next. It is done on a thread of its own, so that a signal is heard while nobody reads.
    pub(super) async fn write(mut self, bytes: Vec<u8>) -> io::Result<Self> {
        let written = spawn_blocking(move || {
            self.file.write_all(&bytes)?;
            Ok(self)
        });
        written.await?
    }

    /// Puts the file to its place, once it is on the disk.
    pub(super) async fn finish(self) -> io::Result<()> {
        let finished = spawn_blocking(move || {
            if let Some((temporary, target)) = self.becomes {
                self.file.sync_all()?;
                temporary.persist(target)?;
            }
            Ok(())
        });
        finished.await?
    }
}

/// The file that a path leads to, in a folder that is there, and who may read it: whoever might before, or who a new file is
/// for.
fn target(path: &Path) -> anyhow::Result<(PathBuf, Permissions)> {
    const NEW: u32 = 0o666;
    match fs::canonicalize(path) {
        Ok(target) => {
            let metadata = fs::metadata(&target)?;
            ensure!(
                metadata.is_file(),
                "--output: {} is no file; without --output it is written to standard output",
                path.display()
            );
            Ok((target, metadata.permissions()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let name = path
                .file_name()
                .with_context(|| format!("--output: {} names no file", path.display()))?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")))
                .with_context(|| format!("--output: there is no folder for {}", path.display()))?;
            Ok((folder.join(name), Permissions::from_mode(NEW)))
        }
        Err(error) => Err(error).with_context(|| format!("--output: cannot write {}", path.display())),
    }
}
