//! The API key that `up` and `demo` make.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, bail};
use rand::{RngExt, distr::Alphanumeric};

const FILE: &str = "api-key";
/// 40 characters out of 62 hold more than 230 bits.
const LENGTH: usize = 40;

/// The key for all organisations that is kept in `data_dir`; made at the first call, and readable by its owner
/// alone.
///
/// # Errors
/// Where it cannot be read or written, or is empty.
pub(crate) fn in_dir(data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(key) if !key.trim().is_empty() => return Ok(key.trim().to_owned()),
        Ok(_) => bail!(
            "{} holds no key: remove it, and a new one is made",
            path.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let key: String = rand::rng()
        .sample_iter(Alphanumeric)
        .take(LENGTH)
        .map(char::from)
        .collect();
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        writeln!(file, "{key}")
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let key = in_dir(dir.path()).unwrap();
        assert_eq!(key.len(), LENGTH);
        assert_eq!(in_dir(dir.path()).unwrap(), key);
        let mode = std::fs::metadata(dir.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
