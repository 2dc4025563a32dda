//! The library's C interface (`chdb.h` of chDB 26.7), and the only unsafe code of the project.
#![expect(unsafe_code, reason = "a C interface")]

use std::{
    ffi::{CStr, CString, c_char, c_int},
    path::Path,
};

use libloading::{Library, Symbol};

/// What a result of the library points to; its layout is not public.
#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

type QueryCmdline = unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut Opaque;
type ResultError = unsafe extern "C" fn(*mut Opaque) -> *const c_char;

/// Runs the command line of `clickhouse-local` until it ends; its error, if it ended with one.
///
/// # Errors
/// Where the library cannot be loaded.
pub(crate) fn run_command_line(
    library: &Path,
    arguments: &[CString],
) -> Result<Option<String>, libloading::Error> {
    // SAFETY: the initializers of the library are those of ClickHouse, whose digest was checked when it was fetched.
    let library = unsafe { Library::new(library) }?;
    // The library starts threads that outlive the call, so it is never unloaded.
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: the types are those of `chdb.h`.
    let (run, error): (Symbol<'_, QueryCmdline>, Symbol<'_, ResultError>) = unsafe {
        (
            library.get(b"chdb_query_cmdline\0")?,
            library.get(b"chdb_result_error\0")?,
        )
    };
    let mut pointers: Vec<*mut c_char> = arguments
        .iter()
        .map(|argument| argument.as_ptr().cast_mut())
        .collect();
    let count = c_int::try_from(pointers.len()).unwrap_or(c_int::MAX);
    pointers.push(std::ptr::null_mut());
    // SAFETY: `count` strings that end in a zero byte and outlive the call, and a null pointer after them, as `main`
    // gets them. The library only reads them.
    let result = unsafe { run(count, pointers.as_mut_ptr()) };
    if result.is_null() {
        return Ok(Some("the engine gave no result".to_owned()));
    }
    // SAFETY: a result of the library that is never destroyed; its text ends in a zero byte.
    let message = unsafe {
        let text = error(result);
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    };
    Ok(message)
}
