//! The border between Python and the engine: the module `forebay._engine`, as `_engine.pyi` describes it. It converts and nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use forebay_engine::record::{Cause, Format};
use forebay_engine::snapshot::{DeltaSpec, SnapshotSpec};
use forebay_engine::{Engine as Native, EngineError as NativeError};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyOSError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

mod balancer;
mod callable;
mod handover;
mod observe;
mod picks;
mod probe;
mod rules;
mod serving;
mod signals;

use callable::Functions;

/// Serves the engine alone: it gives memory back that a burst of connections needed, and is quicker than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

create_exception!(
    forebay._engine,
    EngineError,
    PyException,
    "The engine refused a snapshot or a delta; the message says which part and why."
);
create_exception!(
    forebay._engine,
    BindError,
    PyOSError,
    "A listening socket could not be had. `errno` and `strerror` are the system's, `filename` is the address as declared."
);

fn raise(error: NativeError) -> PyErr {
    match error {
        NativeError::Bind { address, source } => {
            let text = source.to_string();
            let reason = text.split(" (os error").next().unwrap_or_default().to_owned();
            BindError::new_err((source.raw_os_error().unwrap_or(0), reason, address))
        }
        other => EngineError::new_err(other.to_string()),
    }
}

fn unreadable(error: &serde_json::Error) -> PyErr {
    EngineError::new_err(format!("not a snapshot of this engine: {error}"))
}

unsafe extern "C" {
    /// Of the allocator above: ends what it has put off.
    fn mi_collect(force: bool);
}

/// Returns memory that this thread has freed and not used again to the system.
fn tidy() {
    // SAFETY: it takes no pointer, and works on the calling thread's own heap.
    unsafe { mi_collect(false) }
}

/// One data path: its threads, listeners, pools and counters.
#[pyclass(frozen, module = "forebay._engine")]
struct Engine {
    native: Native,
    /// The Python functions that its pools name.
    functions: Mutex<Functions>,
    /// The process that made it: its threads do not follow into a fork.
    process: u32,
}

#[pymethods]
impl Engine {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    #[pyo3(signature = (snapshot, threads, access_log, log_format, callables = None, sockets = None))]
    fn new(
        py: Python<'_>,
        snapshot: &[u8],
        threads: usize,
        access_log: &str,
        log_format: &str,
        callables: Option<BTreeMap<String, Py<PyAny>>>,
        sockets: Option<handover::Numbers>,
    ) -> PyResult<Self> {
        let inherited = handover::taken(sockets.unwrap_or_default())?;
        let spec: SnapshotSpec = serde_json::from_slice(snapshot).map_err(|error| unreadable(&error))?;
        let format = Format::from_name(log_format).ok_or_else(|| EngineError::new_err(format!("{log_format:?} is no log format")))?;
        let functions = Functions::default().with(py, callables.unwrap_or_default())?;
        let log = (access_log, format);
        let native = py.detach(|| Native::new(spec, threads, log, tidy, &functions.callables(), inherited)).map_err(raise)?;
        Ok(Self { native, functions: Mutex::new(functions), process: std::process::id() })
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        if std::process::id() != self.process {
            return Err(EngineError::new_err("the engine was made in another process; make one after the fork"));
        }
        py.detach(|| self.native.start()).map_err(raise)
    }

    fn addresses(&self, py: Python<'_>) -> std::collections::BTreeMap<String, Vec<String>> {
        py.detach(|| self.native.addresses())
    }

    fn sockets(&self, py: Python<'_>) -> PyResult<handover::Numbers> {
        py.detach(|| self.native.sockets()).map(handover::given).map_err(PyErr::from)
    }

    #[pyo3(signature = (delta, callables = None))]
    fn apply(&self, py: Python<'_>, delta: &[u8], callables: Option<BTreeMap<String, Py<PyAny>>>) -> PyResult<u64> {
        let delta: DeltaSpec = serde_json::from_slice(delta).map_err(|error| unreadable(&error))?;
        let known = self.functions().clone();
        let functions = known.with(py, callables.unwrap_or_default())?;
        let number = py.detach(|| self.native.apply(delta, &functions.callables())).map_err(raise)?;
        *self.functions() = functions;
        Ok(number)
    }

    fn number(&self) -> u64 {
        self.native.number()
    }

    fn statistics(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        py.detach(|| serde_json::to_vec(&self.native.statistics())).map_err(|error| EngineError::new_err(error.to_string()))
    }

    fn stop_accepting(&self, py: Python<'_>) {
        py.detach(|| self.native.stop_accepting());
    }

    fn hand_over(&self, py: Python<'_>) {
        py.detach(|| self.native.hand_over());
    }

    fn wait_idle(&self, py: Python<'_>, seconds: f64) -> usize {
        let limit = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        py.detach(|| self.native.wait_idle(limit))
    }

    fn shutdown(&self, py: Python<'_>) -> usize {
        let cut = py.detach(|| self.native.shutdown());
        let functions = std::mem::take(&mut *self.functions());
        if let Err(error) = functions.close(py) {
            error.write_unraisable(py, None);
        }
        cut
    }

    fn reopen_log(&self) {
        self.native.reopen_log();
    }

    fn probe(&self, py: Python<'_>, batch: &[u8]) -> PyResult<()> {
        py.detach(|| probe::begin(&self.native, batch))
    }

    fn stand(&self, py: Python<'_>, standing: &[u8]) -> PyResult<()> {
        py.detach(|| observe::stand(&self.native, standing))
    }

    fn observe(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        py.detach(|| observe::observe(&self.native))
    }

    fn wait(&self, py: Python<'_>, seconds: f64) -> bool {
        py.detach(|| observe::wait(&self.native, seconds))
    }

    fn nudge(&self) {
        self.native.nudge();
    }

    fn probed(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        py.detach(|| probe::outcomes(&self.native))
    }
}

impl Engine {
    fn functions(&self) -> std::sync::MutexGuard<'_, Functions> {
        // It is replaced as a whole.
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The catalogue of causes, in the engine's order.
#[pyfunction]
fn causes(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    Cause::ALL
        .iter()
        .map(|cause| {
            let row = PyDict::new(py);
            row.set_item("cause", cause.name())?;
            row.set_item("origin", cause.origin().name())?;
            row.set_item("phase", cause.phase().name())?;
            row.set_item("status", cause.status())?;
            row.set_item("error", cause.error())?;
            row.set_item("meaning", cause.meaning().trim())?;
            row.set_item("remedy", cause.remedy())?;
            Ok(row)
        })
        .collect()
}

/// The native half of Forebay.
#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("EngineError", module.py().get_type::<EngineError>())?;
    module.add("BindError", module.py().get_type::<BindError>())?;
    module.add_class::<Engine>()?;
    module.add_class::<balancer::Balancer>()?;
    module.add_class::<callable::Request>()?;
    module.add_class::<callable::Candidates>()?;
    module.add_class::<callable::Candidate>()?;
    module.add_function(wrap_pyfunction!(picks::picks, module)?)?;
    module.add_function(wrap_pyfunction!(serving::serving, module)?)?;
    module.add_function(wrap_pyfunction!(rules::slow_start, module)?)?;
    module.add_function(wrap_pyfunction!(rules::budget, module)?)?;
    module.add_function(wrap_pyfunction!(signals::signals, module)?)?;
    module.add_function(wrap_pyfunction!(causes, module)?)
}
