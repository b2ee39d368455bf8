//! Calls whoever waits for news of the engine.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Rung from any thread; what was rung while nobody waited is heard by the next who does.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    /// Calls.
    pub fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if !*rung {
            *rung = true;
            self.heard.notify_all();
        }
    }

    /// Waits to be called, at most that long; says whether it was.
    pub fn wait(&self, limit: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self.heard.wait_timeout_while(rung, limit, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_rung_before_is_heard_once() {
        let bell = Bell::default();
        assert!(!bell.wait(Duration::ZERO));
        bell.ring();
        bell.ring();
        assert!(bell.wait(Duration::ZERO));
        assert!(!bell.wait(Duration::ZERO));
    }

    #[test]
    fn who_waits_is_called_from_another_thread() {
        let bell = Bell::default();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| bell.wait(Duration::from_secs(60)));
            bell.ring();
            assert!(waits.join().unwrap());
        });
    }
}
