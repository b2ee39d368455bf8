//! How many connections an endpoint has open, each counted for as long as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// One open connection; counted until dropped.
#[derive(Debug)]
pub struct Open {
    count: Arc<AtomicU32>,
}

impl Open {
    /// Counts one more, unless `most` are open.
    #[must_use]
    pub fn one_of(count: &Arc<AtomicU32>, most: u32) -> Option<Self> {
        count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |open| (open < most).then_some(open + 1)).ok()?;
        Some(Self { count: Arc::clone(count) })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}
