//! What a function's author is told, on the logger `forebay.balance`: at most once a minute for each kind of failure.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use forebay_engine::balance::callable::{Pause, Verdict};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The same kind is told again after so long.
const SILENCE: Duration = Duration::from_secs(60);

/// Kinds that are told apart; a function that makes up types of exceptions must not fill memory.
const KINDS: usize = 64;

pub(super) enum Complaint {
    Raised { error: PyErr, pool: String },
    Nonsense { answer: String, pool: String },
    Paused(Pause),
}

#[derive(Default)]
pub(super) struct Complaints(Mutex<HashMap<String, Instant>>);

impl Complaints {
    pub(super) fn raised(&self, py: Python<'_>, error: PyErr, pool: &str) -> Option<Complaint> {
        let kind = error.get_type(py).fully_qualified_name().map_or_else(|_| "exception".to_owned(), |name| name.to_string());
        self.is_due(kind).then(|| Complaint::Raised { error, pool: pool.to_owned() })
    }

    pub(super) fn nonsense(&self, answer: &Bound<'_, PyAny>, pool: &str) -> Option<Complaint> {
        if !self.is_due("answer".to_owned()) {
            return None;
        }
        let kind = answer.get_type().fully_qualified_name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
        let candidate = answer.is_instance_of::<super::Candidate>();
        let answer = if candidate { "a candidate of another call".to_owned() } else { format!("an object of type {kind}") };
        Some(Complaint::Nonsense { answer, pool: pool.to_owned() })
    }

    fn is_due(&self, kind: String) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        told.retain(|_, at| now.saturating_duration_since(*at) < SILENCE);
        if told.len() >= KINDS || told.contains_key(&kind) {
            return false;
        }
        told.insert(kind, now);
        true
    }
}

impl Complaint {
    /// Says it, on a thread that may take its time.
    pub(super) fn tell(self, py: Python<'_>, name: &str) -> PyResult<()> {
        let logger = py.import("logging")?.call_method1("getLogger", ("forebay.balance",))?;
        let more = PyDict::new(py);
        let text = match self {
            Self::Raised { error, pool } => {
                let value = error.into_value(py);
                more.set_item("exc_info", &value)?;
                let kind = value.bind(py).get_type().name()?;
                format!(
                    "{name} raised {kind} for a request to the pool \"{pool}\"; the fallback picked instead. Correct the function. The same \
                     exception is not reported again for a minute."
                )
            }
            Self::Nonsense { answer, pool } => format!(
                "{name} answered {answer} for a request to the pool \"{pool}\"; the fallback picked instead. Return one of the candidates \
                 given, or None to leave the pick to the fallback. This is not reported again for a minute."
            ),
            Self::Paused(pause) => paused(name, &pause),
        };
        logger.call_method("error", ("%s", PyString::new(py, &text)), Some(&more)).map(drop)
    }
}

fn paused(name: &str, pause: &Pause) -> String {
    let (what, remedy) = match pause.last {
        Verdict::Late => {
            ("did not answer within its budget", "Make it quicker or its budget longer; see what else runs in this interpreter")
        }
        Verdict::Raised => ("raised", "Correct the function"),
        _ => ("answered no candidate", "Return one of the candidates given, or None"),
    };
    let Pause { failures, length, .. } = pause;
    let seconds = length.as_secs();
    format!(
        "{name} failed {failures} times in a row and last {what}; the fallback picks for {seconds} s, then it is tried again. {remedy}."
    )
}
