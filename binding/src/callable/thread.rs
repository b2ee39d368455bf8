//! The interpreter's record of an engine thread. Without it each call would make one and throw it away, which takes longer than the call.

use std::cell::OnceCell;

use pyo3::ffi::{PyGILState_Ensure, PyGILState_Release, PyGILState_STATE};
use pyo3::prelude::*;

/// Holds the record until its thread ends.
struct Record;

impl Record {
    /// Keeps the record that the thread has while it is attached.
    fn keep(_: Python<'_>) -> Self {
        // SAFETY: the thread is attached. This counts one more user of its record, whom `drop` takes off again.
        unsafe { PyGILState_Ensure() };
        Self
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // An interpreter that has ended has thrown it away.
        Python::try_attach(|_| {
            // SAFETY: the thread is attached and has a user too many; it stays attached, for its other user still is.
            unsafe { PyGILState_Release(PyGILState_STATE::PyGILState_LOCKED) };
        });
    }
}

thread_local! {
    static RECORD: OnceCell<Record> = const { OnceCell::new() };
}

/// Keeps this thread's record for its calls to come.
pub(super) fn keep(py: Python<'_>) {
    RECORD.with(|record| {
        record.get_or_init(|| Record::keep(py));
    });
}
