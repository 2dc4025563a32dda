//! The package as a file: its digest, and the library in it.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha512};

use super::{FetchError, FetchProgress, LIBRARY, failed};

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// Checks the package against its digest, given as npm gives it: `sha512-` and base64.
pub(super) fn check(tarball: &Path, integrity: &str) -> Result<(), FetchError> {
    let mut file = File::open(tarball).map_err(failed("read", tarball))?;
    let mut digest = Sha512::new();
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece).map_err(failed("read", tarball))?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        digest.update(bytes);
    }
    let found = format!("sha512-{}", BASE64_STANDARD.encode(digest.finalize()));
    if found == integrity {
        return Ok(());
    }
    Err(FetchError::Digest {
        path: tarball.to_owned(),
        expected: integrity.to_owned(),
        found,
    })
}

/// Writes the library of the package to `to`, and has it on the disk before this returns.
pub(super) fn unpack(
    tarball: &Path,
    to: &Path,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<(), FetchError> {
    let unreadable = || failed("unpack", tarball);
    let file = File::open(tarball).map_err(unreadable())?;
    let total = file.metadata().map_err(unreadable())?.len();
    let counted = Counted {
        inner: file,
        done: 0,
        total,
        progress,
    };
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::with_capacity(PIECE, counted)));
    for entry in archive.entries().map_err(unreadable())? {
        let mut entry = entry.map_err(unreadable())?;
        if entry.path().map_err(unreadable())?.as_ref() != Path::new("package").join(LIBRARY) {
            continue;
        }
        let mut out = File::create(to).map_err(failed("make the file", to))?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = entry.read(&mut piece).map_err(unreadable())?;
            let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            out.write_all(bytes).map_err(failed("write", to))?;
        }
        return out.sync_all().map_err(failed("write to the disk", to));
    }
    Err(FetchError::Empty {
        path: tarball.to_owned(),
    })
}

/// Tells how many bytes went through.
struct Counted<'a> {
    inner: File,
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(FetchProgress),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.done = self.done.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        (self.progress)(FetchProgress::Unpacking {
            done: self.done,
            total: self.total,
        });
        Ok(read)
    }
}
