//! Time is an argument: everything that depends on "now" is handed a clock.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;

/// The time of day, either the machine's or one that a test sets.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    pub fn manual(now: Timestamp) -> Clock {
        Clock::Manual(Arc::new(Mutex::new(now)))
    }

    pub fn now(&self) -> Timestamp {
        match self {
            // The one place that asks the machine; `clippy.toml` forbids it elsewhere.
            #[expect(clippy::disallowed_methods, reason = "this is the clock")]
            Clock::System => Timestamp::now(),
            Clock::Manual(now) => *now.lock().expect("the clock's lock is never held across a panic"),
        }
    }

    /// Sets a manual clock; the system clock cannot be set.
    pub fn set(&self, to: Timestamp) {
        if let Clock::Manual(now) = self {
            *now.lock().expect("the clock's lock is never held across a panic") = to;
        }
    }
}
