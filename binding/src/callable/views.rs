//! What a function is given: views of the request and of the candidates, which read what is asked for and build nothing else.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use forebay_engine::balance::callable::Request as Asked;
use forebay_engine::balance::expression::Field;
use forebay_engine::balance::view::View as _;
use forebay_engine::endpoint::Endpoint;
use forebay_engine::pool::{Offer, Pool};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Bytes of a head as text: ASCII nearly always, and Latin-1 where not, as in WSGI and ASGI.
fn text<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => PyString::new(py, text),
        _ => PyString::new(py, &bytes.iter().copied().map(char::from).collect::<String>()),
    }
}

/// The request.
#[pyclass(frozen, module = "forebay._engine")]
pub(crate) struct Request(pub(super) Asked);

#[pymethods]
impl Request {
    #[getter]
    fn method<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        text(py, self.0.head.method())
    }

    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        let path = self.0.head.path();
        text(py, if path.is_empty() { b"/" } else { path })
    }

    #[getter]
    fn query<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.0.head.query().map(|query| text(py, query))
    }

    #[getter]
    fn host<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        text(py, self.0.head.host())
    }

    #[getter]
    fn client(&self) -> &str {
        &self.0.client
    }

    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        text(py, &self.0.id)
    }

    fn header<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyString>> {
        self.0.head.fields.first(name.as_bytes()).map(|value| text(py, value))
    }

    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> Vec<(Bound<'py, PyString>, Bound<'py, PyString>)> {
        self.0.head.fields.iter().map(|(_, name, value)| (text(py, name), text(py, value))).collect()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<Request {} {} of {}>", self.method(py), self.path(py), self.client())
    }
}

/// The endpoints that may serve a request, in the order declared.
#[pyclass(frozen, sequence, module = "forebay._engine")]
pub(crate) struct Candidates(pub(super) Offer);

impl Candidates {
    /// The index of one of these.
    pub(super) fn index_of(&self, candidate: &Candidate) -> Option<usize> {
        let ours = Arc::ptr_eq(self.0.pool(), &candidate.pool) && self.0.has(candidate.index);
        ours.then_some(candidate.index)
    }

    fn candidate(&self, index: usize) -> Candidate {
        Candidate { pool: Arc::clone(self.0.pool()), index, now: self.0.now() }
    }
}

#[pymethods]
impl Candidates {
    fn __len__(&self) -> usize {
        self.0.count()
    }

    fn __getitem__(&self, place: isize) -> PyResult<Candidate> {
        let place = if place < 0 { self.0.count().checked_sub(place.unsigned_abs()) } else { Some(place.unsigned_abs()) };
        let index = place.and_then(|place| self.0.at(place));
        index.map(|index| self.candidate(index)).ok_or_else(|| PyIndexError::new_err("there are not so many candidates"))
    }

    fn __contains__(&self, candidate: &Bound<'_, PyAny>) -> bool {
        candidate.cast::<Candidate>().is_ok_and(|candidate| self.index_of(candidate.get()).is_some())
    }

    fn __iter__(this: Bound<'_, Self>) -> CandidatesIterator {
        CandidatesIterator { candidates: this.unbind(), next: 0 }
    }

    fn __repr__(&self) -> String {
        format!("<Candidates: {} of the pool {}>", self.0.count(), self.0.pool().name)
    }
}

/// Goes over candidates.
#[pyclass(module = "forebay._engine")]
pub(crate) struct CandidatesIterator {
    candidates: Py<Candidates>,
    /// The index to look at next.
    next: usize,
}

#[pymethods]
impl CandidatesIterator {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&mut self) -> Option<Candidate> {
        let candidates = self.candidates.get();
        let index = candidates.0.from(self.next)?;
        self.next = index + 1;
        Some(candidates.candidate(index))
    }
}

/// One endpoint.
#[pyclass(frozen, module = "forebay._engine")]
pub(crate) struct Candidate {
    pool: Arc<Pool>,
    index: usize,
    now: f64,
}

impl Candidate {
    fn endpoint(&self) -> Option<&Endpoint> {
        self.pool.endpoints.get(self.index).map(|endpoint| &**endpoint)
    }

    fn value(&self, field: Field) -> f64 {
        self.pool.moment(self.now).value(field, self.index)
    }
}

#[pymethods]
impl Candidate {
    #[getter]
    fn id(&self) -> &str {
        self.endpoint().map_or("", |endpoint| &endpoint.id)
    }

    #[getter]
    fn address(&self) -> &str {
        self.endpoint().map_or("", |endpoint| &endpoint.address)
    }

    #[getter]
    fn weight(&self) -> f64 {
        self.value(Field::Weight)
    }

    #[getter]
    fn inflight(&self) -> u32 {
        self.endpoint().map_or(0, |endpoint| endpoint.state.inflight().load(Ordering::Relaxed))
    }

    #[getter]
    fn latency(&self) -> f64 {
        self.value(Field::Latency)
    }

    #[getter]
    fn service_time(&self) -> f64 {
        self.value(Field::ServiceTime)
    }

    #[getter]
    fn error_rate(&self) -> f64 {
        self.value(Field::ErrorRate)
    }

    #[getter]
    fn age(&self) -> f64 {
        self.value(Field::Age)
    }

    #[getter]
    fn reported_load(&self) -> f64 {
        self.value(Field::ReportedLoad)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.index == other.index && Arc::ptr_eq(&self.pool, &other.pool)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (Arc::as_ptr(&self.pool) as usize, self.index).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("<Candidate {} of the pool {}>", self.id(), self.pool.name)
    }
}
