//! Random secrets. Some are made once and kept in the data directory: the API key, the password of the engine.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, bail};
use rand::{RngExt, distr::Alphanumeric};

/// The API key of `up` and `demo`, for all organisations.
pub(crate) const API_KEY: &str = "api-key";
/// The password of the embedded engine.
pub(crate) const CLICKHOUSE_PASSWORD: &str = "clickhouse-password";
/// 40 characters out of 62 have more than 230 bits.
const LENGTH: usize = 40;

/// The secret in the file `name` of `data_dir`; made at the first call, and readable by its owner alone.
///
/// # Errors
/// Where it cannot be read or written, or is empty.
pub(crate) fn in_dir(data_dir: &Path, name: &str) -> anyhow::Result<String> {
    let path = data_dir.join(name);
    match std::fs::read_to_string(&path) {
        Ok(key) if !key.trim().is_empty() => return Ok(key.trim().to_owned()),
        Ok(_) => bail!(
            "{} is empty: remove it, so that a new one is made",
            path.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let key = random(LENGTH);
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

/// A random text of so many letters and digits.
pub(crate) fn random(length: usize) -> String {
    let characters = rand::rng().sample_iter(Alphanumeric).take(length);
    characters.map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let key = in_dir(dir.path(), API_KEY).unwrap();
        assert_eq!(key.len(), LENGTH);
        assert_eq!(in_dir(dir.path(), API_KEY).unwrap(), key);
        let mode = std::fs::metadata(dir.path().join(API_KEY))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
