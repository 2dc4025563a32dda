//! The threads that call the library, each with a fresh connection for each statement.
//!
//! A connection costs 0.3 ms to open, 0.3 ms to be given its settings and 0.03 ms to close, against 1 ms for the
//! smallest query: there is no pool, and nothing of a session (settings, database, temporary tables) can reach
//! another statement.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc as blocking},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::{
    EngineError, Statement,
    cancel::Control,
    ffi::{Api, Connection},
    statement::{call, exception, is_insert, not_streamed, prepare},
};

/// A chunk, or none at the end. A channel that closes without an end has lost its worker.
pub(super) type Chunk = Result<Option<Bytes>, EngineError>;

/// What a worker is given to do.
pub(super) struct Job {
    pub(super) statement: Statement,
    pub(super) format: String,
    pub(super) control: Arc<Control>,
    pub(super) work: Work,
    /// Its slot, free again once the job is dropped.
    pub(super) slot: OwnedSemaphorePermit,
}

pub(super) enum Work {
    Query {
        chunks: mpsc::Sender<Chunk>,
    },
    Insert {
        begun: oneshot::Sender<Result<(), EngineError>>,
        data: mpsc::Receiver<Data>,
        end: InsertEnd,
    },
}

pub(super) type InsertEnd = oneshot::Sender<Result<u64, EngineError>>;

/// The data of an insert. A channel that closes before `End` means to cancel.
pub(super) enum Data {
    Piece(Bytes),
    End,
}

/// The threads. Dropping them waits until each has ended its job.
#[derive(Debug)]
pub(super) struct Workers {
    jobs: Option<blocking::SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    pub(super) fn start(api: &'static Api, data: &Path, slots: usize) -> std::io::Result<Self> {
        let (sender, receiver) = blocking::sync_channel::<Job>(slots);
        let receiver = Arc::new(Mutex::new(receiver));
        // Built first, so that threads that were started end if a later one cannot be.
        let mut workers = Self {
            jobs: Some(sender),
            threads: Vec::new(),
        };
        for number in 0..slots {
            let (receiver, data) = (Arc::clone(&receiver), data.to_owned());
            let name = format!("engine-{number}");
            workers
                .threads
                .push(
                    thread::Builder::new()
                        .name(name)
                        .stack_size(super::STACK)
                        .spawn(move || {
                            loop {
                                let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                                let Ok(job) = job else { return };
                                job.run(api, &data);
                            }
                        })?,
                );
        }
        Ok(workers)
    }

    /// Gives the job to the next free thread. Never waits: a job holds a slot, and there is room for each slot.
    pub(super) fn take(&self, job: Job) {
        let jobs = self.jobs.as_ref().expect("there until dropped");
        if jobs.try_send(job).is_err() {
            tracing::error!("a statement found no room in the engine's queue");
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an engine thread panicked");
            }
        }
    }
}

/// Says that a statement has ended, whatever way its worker leaves.
struct End(Arc<Control>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Job {
    fn run(self, api: &'static Api, data: &Path) {
        let Self {
            statement,
            format,
            control,
            work,
            slot,
        } = self;
        // Dropped in the reverse order: the connection closes, the statement has ended, the slot is free.
        let slot = slot;
        let end = End(Arc::clone(&control));
        if control.is_cancelled() {
            return;
        }
        let connection = Connection::open(api, data).ok_or_else(|| EngineError::Open {
            path: data.to_owned(),
        });
        let prepared = connection.and_then(|mut connection| {
            prepare(&mut connection, &statement, control.tag())?;
            Ok(connection)
        });
        match work {
            Work::Query { chunks } => {
                let last = prepared.and_then(|connection| query(connection, &statement, &format, &chunks));
                drop((end, slot));
                // Nobody may be there to read it: then the query was cancelled.
                drop(chunks.blocking_send(last.map(|()| None)));
            }
            Work::Insert {
                begun,
                data,
                end: outcome,
            } => {
                let result = match prepared {
                    Ok(connection) => insert(connection, &statement, &format, begun, data),
                    Err(error) => {
                        drop(begun.send(Err(error)));
                        None
                    }
                };
                drop((end, slot));
                if let Some(result) = result {
                    drop(outcome.send(result));
                }
            }
        }
    }
}

fn query(
    mut connection: Connection,
    statement: &Statement,
    format: &str,
    chunks: &mpsc::Sender<Chunk>,
) -> Result<(), EngineError> {
    let call = call(statement, format);
    if !is_insert(&statement.sql) {
        match connection.stream(&call) {
            Ok(mut stream) => {
                while let Some(chunk) = stream.next().map_err(exception)? {
                    if chunks
                        .blocking_send(Ok(Some(Bytes::copy_from_slice(chunk.bytes()))))
                        .is_err()
                    {
                        return Ok(());
                    }
                }
                return Ok(());
            }
            Err(error) if not_streamed(&error) => {}
            Err(error) => return Err(exception(error)),
        }
    }
    let answer = connection.query(&call).map_err(exception)?;
    if !answer.bytes().is_empty() {
        drop(chunks.blocking_send(Ok(Some(Bytes::copy_from_slice(answer.bytes())))));
    }
    Ok(())
}

/// Feeds an insert. Comes back with none where it was cancelled, or never begun.
fn insert(
    mut connection: Connection,
    statement: &Statement,
    format: &str,
    begun: oneshot::Sender<Result<(), EngineError>>,
    mut data: mpsc::Receiver<Data>,
) -> Option<Result<u64, EngineError>> {
    let mut stream = match connection.insert(&call(statement, format)) {
        Ok(stream) => stream,
        Err(error) => {
            drop(begun.send(Err(exception(error))));
            return None;
        }
    };
    begun.send(Ok(())).ok()?;
    loop {
        match data.blocking_recv()? {
            Data::Piece(piece) => {
                if let Err(error) = stream.append(&piece) {
                    return Some(Err(exception(error)));
                }
            }
            Data::End => return Some(stream.finish().map_err(exception)),
        }
    }
}
