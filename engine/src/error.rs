//! Errors of the engine's own interface. What goes wrong within an exchange is a [`Cause`](crate::record::Cause) instead.

use std::fmt;
use std::io;

use crate::route::RouteError;

/// Why the engine refused what control asked of it. Nothing was changed.
#[derive(Debug)]
pub enum EngineError {
    /// The snapshot or delta does not make sense; the text names the part.
    Invalid(String),
    /// A route cannot be compiled.
    Route(RouteError),
    /// A listening socket could not be had.
    Bind {
        /// The address as declared.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The access log cannot be opened.
    Log {
        /// The path as declared.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A thread could not be started.
    Thread(io::Error),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text) => f.write_str(text),
            Self::Route(error) => error.fmt(f),
            Self::Bind { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::Log { path, source } => write!(f, "cannot open the access log {path}: {source}"),
            Self::Thread(source) => write!(f, "cannot start a thread: {source}"),
        }
    }
}

impl std::error::Error for EngineError {}

impl From<RouteError> for EngineError {
    fn from(error: RouteError) -> Self {
        Self::Route(error)
    }
}

/// The result of the engine's own interface.
pub type Result<T> = std::result::Result<T, EngineError>;
