//! The library's C interface (`chdb.h` of chDB 26.7), and the only unsafe code of the project.
//!
//! What leaves this module is safe by construction: a connection runs one statement at a time because its methods
//! borrow it mutably, results and streams cannot outlive their connection or be freed twice, and the library is
//! never unloaded, so that its functions stay where they are.
#![expect(unsafe_code, reason = "a C interface")]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    fmt,
    path::Path,
    ptr::NonNull,
    slice,
};

use libloading::Library;

/// What a handle of the library points to; nothing is known of it.
#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

type Handle = *mut Opaque;

/// `chdb_query_analysis_v1`.
#[repr(C)]
struct Analysis {
    struct_size: u32,
    statement_count: u32,
    flags: u32,
    query_class: u32,
}

/// `CHDBSuccess` of `chdb_state`.
const SUCCESS: c_int = 0;

/// How parts are merged. On the library's two threads, the large merges of one table held up those of all others under a
/// flood, and parts kept growing; more threads than these take the cores from the inserts. What waits for a thread is
/// merged smallest first, since small parts are what there are many of.
/// <https://clickhouse.com/docs/operations/server-configuration-parameters/settings#background_pool_size>
const MERGES: [&CStr; 3] = [
    c"--background_pool_size=3",
    c"--background_merges_mutations_concurrency_ratio=4",
    c"--background_merges_mutations_scheduling_policy=shortest_task_first",
];

/// The arguments that every `…_with_params_n` function ends with, and those before them.
type WithParameters = unsafe extern "C" fn(
    Handle,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> Handle;

macro_rules! api {
    ($($name:ident: $kind:ty = $symbol:literal,)*) => {
        /// The library's functions.
        pub(super) struct Api {
            $($name: $kind,)*
        }

        impl Api {
            /// Loads the library and finds its functions. Each call that works keeps the library in the process for
            /// good.
            pub(super) fn load(path: &Path) -> Result<&'static Self, libloading::Error> {
                // SAFETY: loading runs the initialisers of the ClickHouse engine, which expect nothing of the
                // process; the file is the engine's library by what the caller configured or fetched by digest.
                let library = unsafe { Library::new(path)? };
                let api = Self {
                    // SAFETY: the types are those that chdb.h declares for these names.
                    $($name: *unsafe { library.get::<$kind>($symbol)? },)*
                };
                // Its threads run until the process ends: unloading would take the code from under them.
                Box::leak(Box::new(library));
                Ok(Box::leak(Box::new(api)))
            }
        }
    };
}

api! {
    set_signal_handlers_enabled: unsafe extern "C" fn(c_int) = b"chdb_set_signal_handlers_enabled\0",
    connect: unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut Handle = b"chdb_connect\0",
    close_conn: unsafe extern "C" fn(*mut Handle) = b"chdb_close_conn\0",
    query: WithParameters = b"chdb_query_with_params_n\0",
    stream_query: WithParameters = b"chdb_stream_query_with_params_n\0",
    stream_fetch: unsafe extern "C" fn(Handle, Handle) -> Handle = b"chdb_stream_fetch_result\0",
    stream_cancel: unsafe extern "C" fn(Handle, Handle) = b"chdb_stream_cancel_query\0",
    result_buffer: unsafe extern "C" fn(Handle) -> *mut c_char = b"chdb_result_buffer\0",
    result_length: unsafe extern "C" fn(Handle) -> usize = b"chdb_result_length\0",
    result_error: unsafe extern "C" fn(Handle) -> *const c_char = b"chdb_result_error\0",
    result_rows_written: unsafe extern "C" fn(Handle) -> u64 = b"chdb_result_rows_written\0",
    destroy_result: unsafe extern "C" fn(Handle) = b"chdb_destroy_query_result\0",
    insert: WithParameters = b"chdb_stream_insert_with_params_n\0",
    insert_append: unsafe extern "C" fn(Handle, *const c_void, usize) -> c_int = b"chdb_stream_append\0",
    insert_done: unsafe extern "C" fn(Handle) -> Handle = b"chdb_stream_done\0",
    insert_cancel: unsafe extern "C" fn(Handle) = b"chdb_stream_cancel_insert\0",
    insert_error: unsafe extern "C" fn(Handle) -> *const c_char = b"chdb_stream_insert_error\0",
    insert_destroy: unsafe extern "C" fn(Handle) = b"chdb_destroy_insert_stream\0",
    classify: unsafe extern "C" fn(Handle, *const c_char, usize, *const c_char, usize, *mut Analysis) -> c_int
        = b"chdb_classify_query_n\0",
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

/// A text, its format and its parameters, for one call.
pub(super) struct Call<'a> {
    pub(super) sql: &'a str,
    pub(super) format: &'a str,
    pub(super) parameters: Vec<(&'a str, &'a str)>,
}

impl Call<'_> {
    /// Hands the call to one of the functions that take parameters.
    fn make(&self, function: WithParameters, connection: Handle) -> Handle {
        let names: Vec<_> = self
            .parameters
            .iter()
            .map(|(name, _)| name.as_ptr().cast())
            .collect();
        let name_lengths: Vec<_> = self.parameters.iter().map(|(name, _)| name.len()).collect();
        let values: Vec<_> = self
            .parameters
            .iter()
            .map(|(_, value)| value.as_ptr().cast())
            .collect();
        let value_lengths: Vec<_> = self.parameters.iter().map(|(_, value)| value.len()).collect();
        // SAFETY: the connection is open; every pointer comes with its length, the four arrays have as many
        // elements as the last argument says, and the library reads all of them before it returns.
        unsafe {
            function(
                connection,
                self.sql.as_ptr().cast(),
                self.sql.len(),
                self.format.as_ptr().cast(),
                self.format.len(),
                names.as_ptr(),
                name_lengths.as_ptr(),
                values.as_ptr(),
                value_lengths.as_ptr(),
                self.parameters.len(),
            )
        }
    }
}

/// A session of the engine. Closing the last one of a process closes its data directory.
pub(super) struct Connection {
    api: &'static Api,
    handle: NonNull<Handle>,
}

// SAFETY: the library binds a connection to no thread; one statement at a time is kept by `&mut self`.
unsafe impl Send for Connection {}

impl Connection {
    /// Connects to the data directory; none if the engine refuses, for a reason that it writes to standard error.
    /// A path with a zero byte is refused too.
    pub(super) fn open(api: &'static Api, data: &Path) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;

        let mut path = b"--path=".to_vec();
        path.extend_from_slice(data.as_os_str().as_bytes());
        let path = CString::new(path).ok()?;
        let mut arguments = [c"clickhouse", &path]
            .into_iter()
            .chain(MERGES)
            .map(|argument| CString::from(argument).into_raw())
            .collect::<Vec<_>>();
        let count = c_int::try_from(arguments.len()).ok()?;
        // SAFETY: the process handles its own signals, so the engine's handlers stay out; then `count` strings that end
        // in a zero byte, in an array of as many, which the library copies.
        let handle = unsafe {
            (api.set_signal_handlers_enabled)(0);
            (api.connect)(count, arguments.as_mut_ptr())
        };
        for argument in arguments {
            // SAFETY: made by `into_raw` above, freed once.
            drop(unsafe { CString::from_raw(argument) });
        }
        NonNull::new(handle).map(|handle| Self { api, handle })
    }

    fn raw(&self) -> Handle {
        // SAFETY: `chdb_connect` gives a pointer to the handle, which lives until the connection is closed.
        unsafe { *self.handle.as_ptr() }
    }

    /// How many statements the text holds; none where it does not parse.
    pub(super) fn statements(&mut self, sql: &str) -> Option<u32> {
        let mut analysis = Analysis {
            struct_size: 16,
            statement_count: 0,
            flags: 0,
            query_class: 0,
        };
        // SAFETY: the text with its length, no database, and a struct of the size that it says.
        let state = unsafe {
            (self.api.classify)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                std::ptr::null(),
                0,
                &raw mut analysis,
            )
        };
        (state == SUCCESS && analysis.statement_count > 0).then_some(analysis.statement_count)
    }

    /// Runs a statement to its end. The error is the engine's text.
    pub(super) fn query(&mut self, call: &Call<'_>) -> Result<Answer, String> {
        Answer::new(self.api, call.make(self.api.query, self.raw()))
    }

    /// Begins a `SELECT`. The engine refuses to stream anything else.
    pub(super) fn stream(&mut self, call: &Call<'_>) -> Result<Stream<'_>, String> {
        let head = Answer::new(self.api, call.make(self.api.stream_query, self.raw()))?;
        Ok(Stream {
            head,
            ended: false,
            connection: self,
        })
    }

    /// Begins an insert whose data follows.
    pub(super) fn insert(&mut self, call: &Call<'_>) -> Result<InsertStream<'_>, String> {
        let raw = NonNull::new(call.make(self.api.insert, self.raw())).ok_or_else(no_memory)?;
        let stream = InsertStream {
            raw,
            finished: false,
            connection: self,
        };
        stream.error().map_or(Ok(stream), Err)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: open until now; results and streams borrow the connection, so none is left.
        unsafe { (self.api.close_conn)(self.handle.as_ptr()) }
    }
}

/// A result that is no error.
pub(super) struct Answer {
    api: &'static Api,
    raw: NonNull<Opaque>,
}

impl Answer {
    fn new(api: &'static Api, raw: Handle) -> Result<Self, String> {
        let answer = Self {
            api,
            raw: NonNull::new(raw).ok_or_else(no_memory)?,
        };
        // SAFETY: a result until it is destroyed.
        let error = text(unsafe { (api.result_error)(answer.raw.as_ptr()) });
        error.map_or(Ok(answer), Err)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: a result until it is destroyed, which ends the borrow too.
        let (start, length) = unsafe {
            (
                (self.api.result_buffer)(self.raw.as_ptr()),
                (self.api.result_length)(self.raw.as_ptr()),
            )
        };
        if start.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: the library's buffer, of the length that it tells, unchanged until the result is destroyed.
        unsafe { slice::from_raw_parts(start.cast(), length) }
    }

    fn rows_written(&self) -> u64 {
        // SAFETY: a result until it is destroyed.
        unsafe { (self.api.result_rows_written)(self.raw.as_ptr()) }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: made by the library, destroyed once.
        unsafe { (self.api.destroy_result)(self.raw.as_ptr()) }
    }
}

/// A `SELECT` on its way. Dropping it cancels what is left of it.
pub(super) struct Stream<'a> {
    head: Answer,
    ended: bool,
    connection: &'a mut Connection,
}

impl Stream<'_> {
    /// The next chunk; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Answer>, String> {
        if self.ended {
            return Ok(None);
        }
        // SAFETY: the connection is open, the handle is that of its stream, and `&mut self` keeps others away.
        let raw =
            unsafe { (self.connection.api.stream_fetch)(self.connection.raw(), self.head.raw.as_ptr()) };
        let answer = Answer::new(self.connection.api, raw).inspect_err(|_| self.ended = true)?;
        self.ended = answer.bytes().is_empty();
        Ok((!self.ended).then_some(answer))
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: as in `next`; the handle is destroyed after this, with its field.
            unsafe { (self.connection.api.stream_cancel)(self.connection.raw(), self.head.raw.as_ptr()) }
        }
    }
}

/// An insert on its way. Dropping it cancels it.
pub(super) struct InsertStream<'a> {
    raw: NonNull<Opaque>,
    finished: bool,
    connection: &'a mut Connection,
}

impl InsertStream<'_> {
    fn error(&self) -> Option<String> {
        // SAFETY: a stream until it is destroyed.
        text(unsafe { (self.connection.api.insert_error)(self.raw.as_ptr()) })
    }

    /// Hands over a piece; waits while the engine has enough of them.
    pub(super) fn append(&mut self, piece: &[u8]) -> Result<(), String> {
        // SAFETY: the piece with its length, copied before the call returns.
        let state = unsafe {
            (self.connection.api.insert_append)(self.raw.as_ptr(), piece.as_ptr().cast(), piece.len())
        };
        if state == SUCCESS {
            return Ok(());
        }
        Err(self
            .error()
            .unwrap_or_else(|| "the engine took no more data and told no reason".to_owned()))
    }

    /// Ends the data; the rows that were written, those of views included.
    pub(super) fn finish(mut self) -> Result<u64, String> {
        self.finished = true;
        // SAFETY: a stream until it is destroyed, ended once.
        let raw = unsafe { (self.connection.api.insert_done)(self.raw.as_ptr()) };
        Ok(Answer::new(self.connection.api, raw)?.rows_written())
    }
}

impl Drop for InsertStream<'_> {
    fn drop(&mut self) {
        // SAFETY: a stream until it is destroyed here, once; the connection that it borrows is still open.
        unsafe {
            if !self.finished {
                (self.connection.api.insert_cancel)(self.raw.as_ptr());
            }
            (self.connection.api.insert_destroy)(self.raw.as_ptr());
        }
    }
}

/// A copy of the library's text; none for a null pointer.
fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not null, ends in a zero byte by chdb.h, and its owner is borrowed by the caller.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

fn no_memory() -> String {
    "the engine gave no result".to_owned()
}
