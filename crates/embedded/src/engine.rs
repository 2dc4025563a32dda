//! The library, made safe.
//!
//! A process has one engine at a time, on one directory. Statements run on threads of the engine, at most
//! [`Engine::STATEMENTS`] at once; others wait for their turn.
//!
//! Rows are in the data directory once an insert is acknowledged: a process killed right after has lost none. They
//! are not forced to the disk, so a power cut may lose the last.
//!
//! An engine has to be dropped before the process exits: in trials the library crashed an exit with a query on its
//! way in four of five, and none after a close.

mod cancel;
mod ffi;
mod process;
mod statement;
mod worker;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};

use self::{
    cancel::{Control, Killer},
    process::Claim,
    worker::{Chunk, Data, Job, Work, Workers},
};

/// The stack of a thread that calls the library: what ClickHouse gives its own threads. Deep queries need it.
const STACK: usize = 8 << 20;

/// Chunks and pieces that wait between a statement's two sides, each of a block of rows at most.
const WAITING: usize = 2;

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
    /// The library cannot be loaded.
    #[error("cannot load the engine's library {}", path.display())]
    Load {
        /// The library.
        path: PathBuf,
        /// What the dynamic loader says.
        source: libloading::Error,
    },
    /// The data directory cannot be made or used, or threads cannot be started on it.
    #[error("cannot use the data directory {}", path.display())]
    Data {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the data directory open.
    #[error("the data directory {} is in use by another process", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// This process has an engine open; it can have one at a time, of one library.
    #[error("this process has an engine already, on {}", path.display())]
    Taken {
        /// The directory or the library that it has.
        path: PathBuf,
    },
    /// The engine refused the data directory. It writes its reason to standard error.
    #[error("the engine cannot open the data directory {}", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
    },
    /// The statement's thread ended without an answer, or an insert that has failed was used again.
    #[error("the statement has ended already")]
    Ended,
}

/// The engine on a data directory. Cheap to clone; closes when the last clone and all that it gave out are gone.
/// The last drop waits until that is done: statements that still run are cancelled, within milliseconds as a rule.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// Dropped in this order: workers end their statements while the killer can still help them, the killer closes the
/// last connection, and then another engine may be opened.
#[derive(Debug)]
struct Shared {
    workers: Workers,
    killer: Killer,
    slots: Arc<Semaphore>,
    statements: AtomicU64,
    _claim: Claim,
}

/// Rows on their way out, in chunks of their format. Dropping it cancels the query.
#[derive(Debug)]
pub struct Rows {
    first: Option<Bytes>,
    ended: bool,
    chunks: mpsc::Receiver<Chunk>,
    _cancel: Cancel,
}

/// An insert that takes its data in pieces. Dropping it cancels the insert and leaves no row of it, as does an error
/// in the data, provided that the insert is one block: of more than about a million rows, or 256 MB, the blocks that
/// were full stay, as they do on a server.
#[derive(Debug)]
pub struct Insert {
    data: mpsc::Sender<Data>,
    outcome: Option<oneshot::Receiver<Result<u64, EngineError>>>,
    _cancel: Cancel,
}

/// Cancels its statement when dropped. Has to come after the statement's channels, whose end the worker waits for.
#[derive(Debug)]
struct Cancel {
    control: Arc<Control>,
    shared: Arc<Shared>,
}

impl Drop for Cancel {
    fn drop(&mut self) {
        self.shared.killer.cancel(&self.control);
    }
}

impl Engine {
    /// How many statements run at once.
    pub const STATEMENTS: usize = 16;

    /// Opens the library at `library` on the directory `data`, which is made if it is missing.
    pub fn open(library: &Path, data: &Path) -> Result<Self, EngineError> {
        let (claim, api, connection) = process::open(library, data)?;
        let path = claim.data().to_owned();
        let failed = |source| EngineError::Data {
            path: path.clone(),
            source,
        };
        let killer = Killer::start(connection).map_err(failed)?;
        let workers = Workers::start(api, &path, Self::STATEMENTS).map_err(failed)?;
        let shared = Shared {
            workers,
            killer,
            slots: Arc::new(Semaphore::new(Self::STATEMENTS)),
            statements: AtomicU64::new(0),
            _claim: claim,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Whether this process has an engine open. Waits for one that is being opened.
    pub fn is_open() -> bool {
        process::is_open()
    }

    /// Runs a statement that is no insert with data to follow. Comes back once the first chunk, the end or an
    /// error is there; dropping the future cancels the statement. A `SELECT` is streamed, what others give comes in
    /// one chunk.
    pub async fn run(&self, statement: Statement) -> Result<Rows, EngineError> {
        let (sender, chunks) = mpsc::channel(WAITING);
        let format = if statement.format.is_empty() {
            "TabSeparated"
        } else {
            &statement.format
        }
        .to_owned();
        let cancel = self
            .start(statement, format, Work::Query { chunks: sender })
            .await?;
        let mut rows = Rows {
            first: None,
            ended: false,
            chunks,
            _cancel: cancel,
        };
        rows.first = rows.next().await?;
        Ok(rows)
    }

    /// Begins an insert whose data follows in `format`; the text is `INSERT INTO t (columns)` without `FORMAT`.
    /// Dropping the future cancels the insert.
    pub async fn insert(&self, statement: Statement, format: &str) -> Result<Insert, EngineError> {
        let (data, receiver) = mpsc::channel(WAITING);
        let (begun_sender, begun) = oneshot::channel();
        let (end, outcome) = oneshot::channel();
        let work = Work::Insert {
            begun: begun_sender,
            data: receiver,
            end,
        };
        let cancel = self.start(statement, format.to_owned(), work).await?;
        let insert = Insert {
            data,
            outcome: Some(outcome),
            _cancel: cancel,
        };
        begun.await.unwrap_or(Err(EngineError::Ended))?;
        Ok(insert)
    }

    /// Waits for a slot and gives the statement to a worker.
    async fn start(&self, statement: Statement, format: String, work: Work) -> Result<Cancel, EngineError> {
        let slot = Arc::clone(&self.shared.slots)
            .acquire_owned()
            .await
            .map_err(|_| EngineError::Ended)?;
        let control = Arc::new(Control::new(
            self.shared.statements.fetch_add(1, Ordering::Relaxed),
        ));
        let job = Job {
            statement,
            format,
            control: Arc::clone(&control),
            work,
            slot,
        };
        self.shared.workers.take(job);
        Ok(Cancel {
            control,
            shared: Arc::clone(&self.shared),
        })
    }
}

impl Rows {
    /// The next chunk; none at the end. After an error there is nothing more.
    pub async fn next(&mut self) -> Result<Option<Bytes>, EngineError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        if self.ended {
            return Ok(None);
        }
        let chunk = self.chunks.recv().await.unwrap_or(Err(EngineError::Ended));
        self.ended = !matches!(chunk, Ok(Some(_)));
        chunk
    }
}

impl Insert {
    /// Hands over a piece of the data; a row may be cut between two. Waits while the engine has enough of them. An
    /// error ends the insert.
    pub async fn append(&mut self, piece: Bytes) -> Result<(), EngineError> {
        if self.data.send(Data::Piece(piece)).await.is_ok() {
            return Ok(());
        }
        self.outcome().await.and(Err(EngineError::Ended))
    }

    /// Ends the data. Once this returns, the rows are in the data directory, those of views included; tells how
    /// many rows were written, those of views included. Dropping the future leaves open whether they were.
    pub async fn finish(mut self) -> Result<u64, EngineError> {
        // Where the worker has gone, its outcome tells why.
        drop(self.data.send(Data::End).await);
        self.outcome().await
    }

    async fn outcome(&mut self) -> Result<u64, EngineError> {
        match self.outcome.take() {
            Some(outcome) => outcome.await.unwrap_or(Err(EngineError::Ended)),
            None => Err(EngineError::Ended),
        }
    }
}
