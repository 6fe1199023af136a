//! Time is an argument: everything that depends on "now" is handed a clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// The time of day: the machine's, the one that several machines agree on, or one that a test sets.
#[derive(Debug, Clone)]
pub enum Clock {
    System(Steady),
    /// The machine's, and how many microseconds the one of the database is ahead of it.
    Shared(Arc<AtomicI64>),
    Manual(Arc<Mutex<Timestamp>>),
}

/// The machine's clock, which does not go back while the process runs: a clock set back would hold up everything that
/// waits for a time.
#[derive(Debug, Clone, Copy)]
pub struct Steady {
    started: Instant,
    at: Timestamp,
}

impl Steady {
    fn start() -> Steady {
        Steady { started: Instant::now(), at: machine() }
    }

    fn now(self) -> Timestamp {
        let passed = SignedDuration::try_from(self.started.elapsed()).unwrap_or_default();
        machine().max(self.at.saturating_add(passed).unwrap_or(self.at))
    }
}

/// The one place that asks the machine; `clippy.toml` forbids it elsewhere.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn machine() -> Timestamp {
    Timestamp::now()
}

impl Clock {
    pub fn system() -> Clock {
        Clock::System(Steady::start())
    }

    /// A clock that is corrected by so many microseconds, whatever they are at the moment.
    pub fn shared(ahead: Arc<AtomicI64>) -> Clock {
        Clock::Shared(ahead)
    }

    pub fn manual(now: Timestamp) -> Clock {
        Clock::Manual(Arc::new(Mutex::new(now)))
    }

    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System(steady) => steady.now(),
            Clock::Shared(ahead) => {
                let ahead = SignedDuration::from_micros(ahead.load(Ordering::Relaxed));
                machine().saturating_add(ahead).unwrap_or(Timestamp::MAX)
            }
            Clock::Manual(now) => *now.lock().expect("the clock's lock is never held across a panic"),
        }
    }

    /// Sets a manual clock; the others cannot be set.
    pub fn set(&self, to: Timestamp) {
        if let Clock::Manual(now) = self {
            *now.lock().expect("the clock's lock is never held across a panic") = to;
        }
    }
}
