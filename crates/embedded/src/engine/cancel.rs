//! Statements are ended from outside by `KILL QUERY`.
//!
//! A thread that waits inside the library for a chunk cannot be told to stop, and the library forbids to cancel its
//! stream from another one. So each statement carries a tag in its `log_comment`, and a thread with a connection of
//! its own kills what bears the tag, again and again until the statement's worker says that it has ended: the first
//! time may come before the engine knows the statement. A statement that sets `log_comment` in its own `SETTINGS`
//! hides its tag and ends at its next chunk only.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    ffi::{Call, Connection},
    statement::quoted,
};

/// How long until a statement that has not ended is killed again.
const AGAIN: Duration = Duration::from_millis(20);

/// What the two sides of a statement know of each other.
#[derive(Debug)]
pub(super) struct Control {
    tag: String,
    cancelled: AtomicBool,
    ended: AtomicBool,
}

impl Control {
    pub(super) fn new(number: u64) -> Self {
        Self {
            tag: format!("rollcall-statement-{number}"),
            cancelled: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Says that the engine has nothing of the statement any more.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

#[derive(Debug, Default)]
struct Pending {
    // At most one for each slot, since a slot is held until its statement has ended.
    controls: Vec<Arc<Control>>,
    stop: bool,
}

/// The thread that kills.
#[derive(Debug)]
pub(super) struct Killer {
    pending: Arc<(Mutex<Pending>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Killer {
    /// Starts it with the connection that it keeps, which holds the data directory open too.
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let pending = Arc::<(Mutex<Pending>, Condvar)>::default();
        let thread = thread::Builder::new()
            .name("engine-killer".to_owned())
            .stack_size(super::STACK)
            .spawn({
                let pending = Arc::clone(&pending);
                move || run(connection, &pending)
            })?;
        Ok(Self {
            pending,
            thread: Some(thread),
        })
    }

    /// Ends the statement, unless it has ended.
    pub(super) fn cancel(&self, control: &Arc<Control>) {
        control.cancelled.store(true, Ordering::SeqCst);
        if !control.has_ended() {
            let (pending, changed) = &*self.pending;
            pending
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .controls
                .push(Arc::clone(control));
            changed.notify_one();
        }
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        let (pending, changed) = &*self.pending;
        pending.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        changed.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the engine's killer thread panicked");
        }
    }
}

fn run(mut connection: Connection, (pending, changed): &(Mutex<Pending>, Condvar)) {
    let mut guard = pending.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        guard.controls.retain(|control| !control.has_ended());
        if guard.controls.is_empty() {
            if guard.stop {
                return;
            }
            guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let tags: Vec<_> = guard
            .controls
            .iter()
            .map(|control| {
                format!(
                    "endsWith(Settings['log_comment'], {})",
                    quoted(control.tag(), '\'')
                )
            })
            .collect();
        drop(guard);
        let sql = format!("KILL QUERY WHERE {} ASYNC", tags.join(" OR "));
        if let Err(error) = connection.query(&Call {
            sql: &sql,
            format: "Null",
            parameters: Vec::new(),
        }) {
            tracing::warn!(error, "could not kill a cancelled statement; trying again");
        }
        guard = pending.lock().unwrap_or_else(PoisonError::into_inner);
        guard = changed
            .wait_timeout(guard, AGAIN)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
}
