//! The library, made safe.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;

/// A statement, and all that the engine needs to run it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// Its text. Data of an insert may follow inline.
    pub sql: String,
    /// The database that unqualified names belong to. Empty: `default`.
    pub database: String,
    /// Settings of this statement alone, by name.
    pub settings: BTreeMap<String, String>,
    /// Values of `{name:Type}` in the text, by name, in ClickHouse's escaped text form.
    pub parameters: BTreeMap<String, String>,
    /// The format of rows that come back where the text names none. Empty: `TabSeparated`.
    pub format: String,
}

/// Why the engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine's own exception.
    #[error("{message}")]
    Exception {
        /// Its number in ClickHouse's `ErrorCodes.cpp`; 0 where the text tells none.
        code: u32,
        /// Its text.
        message: String,
    },
}

/// The engine on a data directory. Cheap to clone; closes when the last clone and all that it gave out are gone.
#[derive(Debug, Clone)]
pub struct Engine {}

/// Rows on their way out, in chunks of their format. Dropping it cancels the query.
#[derive(Debug)]
pub struct Rows {}

/// An insert that takes its data in pieces. Dropping it cancels the insert and leaves no row of it.
#[derive(Debug)]
pub struct Insert {}

impl Engine {
    /// Opens the library at `library` on the directory `data`, which is made if it is missing.
    pub fn open(_library: &Path, _data: &Path) -> Result<Self, EngineError> {
        Ok(Self {})
    }

    /// Runs a statement that is no insert with data to follow. Comes back once the first chunk, the end or an
    /// error is there.
    pub async fn run(&self, _statement: Statement) -> Result<Rows, EngineError> {
        Ok(Rows {})
    }

    /// Begins an insert whose data follows in `format`; the text is `INSERT INTO t (columns)` without `FORMAT`.
    pub async fn insert(&self, _statement: Statement, _format: &str) -> Result<Insert, EngineError> {
        Ok(Insert {})
    }
}

impl Rows {
    /// The next chunk; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, EngineError> {
        Ok(None)
    }
}

impl Insert {
    /// Hands over a piece of the data; a row may be cut between two.
    pub async fn append(&mut self, _piece: Bytes) -> Result<(), EngineError> {
        Ok(())
    }

    /// Ends the data. Once this returns, the rows are in the data directory, those of views included; tells how
    /// many rows were written.
    pub async fn finish(self) -> Result<u64, EngineError> {
        Ok(0)
    }
}
