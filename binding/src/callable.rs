//! Python functions as the engine asks them: on its own thread or on a Python thread of theirs, as the engine decides by their cost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use forebay_engine::balance::callable::{Call, Callable, Pause, Reply, Verdict};
use pyo3::prelude::*;

mod complaints;
mod queue;
mod thread;
mod views;

use complaints::{Complaint, Complaints};
use queue::{Job, Queue};
pub(crate) use views::{Candidate, Candidates, Request};

/// A Python function with its thread. Dropped or closed, the thread ends after the call it has in hand.
pub(crate) struct Function {
    asked: Arc<AskedFunction>,
    thread: Py<PyAny>,
}

/// What the function's thread and the engine's share.
struct AskedFunction {
    name: String,
    function: Py<PyAny>,
    queue: Queue,
    complaints: Complaints,
}

impl Function {
    /// Starts its thread, a daemon: one that never returns from the function does not hold the interpreter's end up.
    fn start(py: Python<'_>, name: &str, function: Py<PyAny>) -> PyResult<Arc<Self>> {
        // A function that only this process has is better known to its author by what it is called there.
        let called = function.getattr(py, "__qualname__").and_then(|called| called.extract::<String>(py));
        let name = called.ok().filter(|_| name.starts_with("local:")).unwrap_or_else(|| name.to_owned());
        let asked = Arc::new(AskedFunction { name: name.clone(), function, queue: Queue::default(), complaints: Complaints::default() });
        let arguments = pyo3::types::PyDict::new(py);
        arguments.set_item("target", Worker(Arc::clone(&asked)))?;
        arguments.set_item("name", format!("forebay-{name}"))?;
        arguments.set_item("daemon", true)?;
        let thread = py.import("threading")?.getattr("Thread")?.call((), Some(&arguments))?;
        thread.call_method0("start")?;
        Ok(Arc::new(Self { asked, thread: thread.unbind() }))
    }

    /// Ends its thread, which is waited for a second at most.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        const PATIENCE: f64 = 1.0;
        self.asked.queue.close();
        self.thread.call_method1(py, "join", (PATIENCE,)).map(drop)
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.asked.queue.close();
    }
}

impl Callable for Function {
    fn ask(&self, call: Call) -> Verdict {
        // An interpreter that ends takes no more calls.
        Python::try_attach(|py| {
            thread::keep(py);
            let (verdict, complaint) = self.asked.choose(py, call);
            // Whoever listens to the log may be slow, and this is the engine's thread.
            if let Some(complaint) = complaint {
                self.asked.queue.push(Job::Complain(complaint));
            }
            verdict
        })
        .unwrap_or(Verdict::Declined)
    }

    fn send(&self, call: Call, reply: Reply) {
        self.asked.queue.push(Job::Call(Box::new(call), reply));
    }

    fn paused(&self, pause: &Pause) {
        self.asked.queue.push(Job::Complain(Complaint::Paused(*pause)));
    }
}

impl AskedFunction {
    /// Calls the function. What there is to complain about is left to the caller, who knows whether this is a thread to do so.
    fn choose(&self, py: Python<'_>, call: Call) -> (Verdict, Option<Complaint>) {
        let Call { request, offer } = call;
        let pool = Arc::clone(offer.pool());
        let answer = Bound::new(py, Candidates(offer)).and_then(|candidates| {
            let answer = self.function.bind(py).call1((Request(request), &candidates))?;
            Ok((answer, candidates))
        });
        let (answer, candidates) = match answer {
            Ok(both) => both,
            Err(error) => return (Verdict::Raised, self.complaints.raised(py, error, &pool.name)),
        };
        if answer.is_none() {
            return (Verdict::Declined, None);
        }
        match answer.cast::<Candidate>().ok().and_then(|candidate| candidates.get().index_of(candidate.get())) {
            Some(index) => (Verdict::Chosen(index), None),
            None => (Verdict::Nonsense, self.complaints.nonsense(&answer, &pool.name)),
        }
    }

    fn complain(&self, py: Python<'_>, complaint: Complaint) {
        if let Err(error) = complaint.tell(py, &self.name) {
            error.write_unraisable(py, None);
        }
    }
}

/// What the function's thread runs.
#[pyclass(frozen, module = "forebay._engine")]
struct Worker(Arc<AskedFunction>);

#[pymethods]
impl Worker {
    fn __call__(&self, py: Python<'_>) {
        /// Calls made in a row before others may have the interpreter, whatever the function is written in.
        const ROW: usize = 32;
        let asked = &*self.0;
        loop {
            let Some((job, begun)) = py.detach(|| asked.queue.wait().map(|job| (job, Instant::now()))) else { return };
            asked.work(py, job, begun, true);
            for job in std::iter::from_fn(|| asked.queue.next()).take(ROW) {
                asked.work(py, job, Instant::now(), false);
            }
        }
    }
}

impl AskedFunction {
    fn work(&self, py: Python<'_>, job: Job, begun: Instant, waited: bool) {
        match job {
            // Its client has been served otherwise.
            Job::Call(_, reply) if !reply.is_wanted() => {}
            Job::Call(call, reply) => {
                let (verdict, complaint) = self.choose(py, *call);
                reply.give(verdict, begun.elapsed(), waited);
                if let Some(complaint) = complaint {
                    self.complain(py, complaint);
                }
            }
            Job::Complain(complaint) => self.complain(py, complaint),
        }
    }
}

/// The functions that an engine's pools name at present.
#[derive(Default, Clone)]
pub(crate) struct Functions(BTreeMap<String, Arc<Function>>);

impl Functions {
    /// Those of these names; the threads of functions that are here already go on.
    pub(crate) fn with(&self, py: Python<'_>, named: BTreeMap<String, Py<PyAny>>) -> PyResult<Self> {
        let started = named.into_iter().map(|(name, function)| {
            let known = self.0.get(&name).filter(|known| known.asked.function.is(&function));
            let function = known.map_or_else(|| Function::start(py, &name, function), |known| Ok(Arc::clone(known)))?;
            Ok((name, function))
        });
        started.collect::<PyResult<_>>().map(Self)
    }

    /// As the engine takes them.
    pub(crate) fn callables(&self) -> forebay_engine::balance::callable::Callables {
        self.0.iter().map(|(name, function)| (name.clone(), Arc::clone(function) as Arc<dyn Callable>)).collect()
    }

    /// Ends their threads.
    pub(crate) fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.0.values().try_for_each(|function| function.close(py))
    }
}
