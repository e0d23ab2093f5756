//! The circuit breaker: whoever fails again and again is left alone for a while.
//! Pure: time comes in, and it is monotonic.
//!
//! Only faults of what an agent depends on count. That an answer is wrong, or a
//! plugin trapped, says nothing about the other side.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::retry;

/// When a breaker opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Settings {
    /// So many faults in a row open it: 5. With 0 there is no breaker.
    pub failures: u32,
    /// So long it stays open, in milliseconds: 60,000, and up to a tenth more,
    /// so that not all come back at once.
    pub open_ms: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            failures: 5,
            open_ms: 60_000,
        }
    }
}

/// The last so many outcomes are looked at for the rate of faults.
const WINDOW: usize = 100;

/// With fewer outcomes than these there is no rate.
const LEAST: usize = 20;

/// So many probes must go well, one after the other, to close it again.
const PROBES: u32 = 2;

/// What a breaker is at the moment. The numbers are those that are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gauge {
    /// Everybody may pass.
    Closed = 0,
    /// Nobody may.
    Open = 1,
    /// One at a time may, to see.
    HalfOpen = 2,
}

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Go,
    /// It may, and what becomes of it decides.
    Probe,
    /// Not before so many milliseconds have passed; 0 while a probe is out.
    Refused {
        /// In milliseconds.
        wait_ms: u64,
    },
}

/// What became of a call, as far as the other side is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered.
    Well,
    /// It did not.
    Ill,
    /// The call says nothing about it.
    Unknown,
}

impl Health {
    /// What a code says: `ok`, or a fault's.
    pub fn of(code: &str) -> Health {
        match code {
            "ok" | "off-schema" => Health::Well,
            // A full bulkhead of ours is not the other side's fault.
            code if retry::transient(code) && code != "saturated" => Health::Ill,
            _ => Health::Unknown,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Until this moment, in milliseconds; for ever when there is none.
    Open(Option<u64>),
    HalfOpen {
        well: u32,
        probing: bool,
    },
}

/// One breaker: of one agent.
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: Settings,
    state: State,
    in_a_row: u32,
    window: VecDeque<bool>,
}

impl Breaker {
    /// A closed one.
    pub fn new(settings: Settings) -> Breaker {
        Breaker {
            settings,
            state: State::Closed,
            in_a_row: 0,
            window: VecDeque::new(),
        }
    }

    /// May a call be made now? After [`Admission::Probe`] its end must be told to
    /// [`Breaker::ended`], whatever it is.
    pub fn admit(&mut self, now_ms: u64) -> Admission {
        if let State::Open(Some(until)) = self.state {
            if now_ms < until {
                return Admission::Refused {
                    wait_ms: until - now_ms,
                };
            }
            self.state = State::HalfOpen {
                well: 0,
                probing: false,
            };
        }
        match self.state {
            _ if self.settings.failures == 0 => Admission::Go,
            State::Closed => Admission::Go,
            State::HalfOpen {
                well,
                probing: false,
            } => {
                self.state = State::HalfOpen {
                    well,
                    probing: true,
                };
                Admission::Probe
            }
            State::HalfOpen { .. } => Admission::Refused { wait_ms: 0 },
            State::Open(_) => Admission::Refused { wait_ms: u64::MAX },
        }
    }

    /// What became of a call that was let through as this. `draw` is any number.
    pub fn ended(&mut self, admitted: Admission, health: Health, now_ms: u64, draw: u64) {
        match (self.state, admitted) {
            (State::HalfOpen { well, .. }, Admission::Probe) => match health {
                Health::Ill => self.open(now_ms, draw),
                Health::Well if well + 1 >= PROBES => self.reset(),
                Health::Well | Health::Unknown => {
                    let well = well + u32::from(health == Health::Well);
                    self.state = State::HalfOpen {
                        well,
                        probing: false,
                    };
                }
            },
            (State::Closed, _) => self.count(health, now_ms, draw),
            // A call from before it opened.
            _ => {}
        }
    }

    fn count(&mut self, health: Health, now_ms: u64, draw: u64) {
        let ill = match health {
            Health::Unknown => return,
            Health::Well => false,
            Health::Ill => true,
        };
        self.in_a_row = if ill { self.in_a_row + 1 } else { 0 };
        self.window.push_back(ill);
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        let faults = self.window.iter().filter(|ill| **ill).count();
        let often = self.window.len() >= LEAST && faults * 2 >= self.window.len();
        let failures = self.settings.failures;
        if failures > 0 && (self.in_a_row >= failures || often) {
            self.open(now_ms, draw);
        }
    }

    fn open(&mut self, now_ms: u64, draw: u64) {
        let jitter = draw % (self.settings.open_ms / 10).saturating_add(1);
        let until = now_ms
            .saturating_add(self.settings.open_ms)
            .saturating_add(jitter);
        self.state = State::Open(Some(until));
    }

    /// Closes it, and forgets what was.
    pub fn reset(&mut self) {
        *self = Breaker::new(self.settings);
    }

    /// Opens it until [`Breaker::reset`]: an operator wants nobody to call.
    pub fn force_open(&mut self) {
        self.state = State::Open(None);
    }

    /// What it is.
    pub fn gauge(&self) -> Gauge {
        match self.state {
            State::Closed => Gauge::Closed,
            State::Open(_) => Gauge::Open,
            State::HalfOpen { .. } => Gauge::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(Settings::default())
    }

    fn fail(breaker: &mut Breaker, times: u32, now: u64) {
        for _ in 0..times {
            let admitted = breaker.admit(now);
            breaker.ended(admitted, Health::Ill, now, 0);
        }
    }

    #[test]
    fn five_faults_in_a_row_open_it_and_a_success_between_does_not() {
        let mut it = breaker();
        fail(&mut it, 4, 0);
        it.ended(Admission::Go, Health::Well, 0, 0);
        fail(&mut it, 4, 0);
        assert_eq!(it.gauge(), Gauge::Closed);
        fail(&mut it, 1, 0);
        assert_eq!(it.gauge(), Gauge::Open);
        assert_eq!(it.admit(10), Admission::Refused { wait_ms: 59_990 });
    }

    #[test]
    fn half_of_twenty_opens_it_however_they_are_mixed() {
        let mut it = breaker();
        for n in 0..19 {
            let health = [Health::Ill, Health::Well][n % 2];
            it.ended(Admission::Go, health, 0, 0);
        }
        assert_eq!(it.gauge(), Gauge::Closed, "19 say nothing yet");
        it.ended(Admission::Go, Health::Well, 0, 0);
        assert_eq!(it.gauge(), Gauge::Open, "10 of 20");
    }

    #[test]
    fn one_probe_at_a_time_and_two_that_go_well_close_it() {
        let mut it = breaker();
        fail(&mut it, 5, 0);
        assert_eq!(it.admit(60_000), Admission::Probe);
        assert_eq!(it.gauge(), Gauge::HalfOpen);
        assert_eq!(it.admit(60_000), Admission::Refused { wait_ms: 0 });
        it.ended(Admission::Probe, Health::Well, 60_001, 0);
        assert_eq!(it.gauge(), Gauge::HalfOpen);
        assert_eq!(it.admit(60_001), Admission::Probe);
        it.ended(Admission::Probe, Health::Well, 60_002, 0);
        assert_eq!(it.gauge(), Gauge::Closed);
        assert_eq!(it.admit(60_002), Admission::Go);
    }

    #[test]
    fn a_probe_that_fails_opens_it_anew_and_one_that_says_nothing_frees_the_place() {
        let mut it = breaker();
        fail(&mut it, 5, 0);
        assert_eq!(it.admit(60_000), Admission::Probe);
        it.ended(Admission::Probe, Health::Unknown, 60_000, 0);
        assert_eq!(it.admit(60_000), Admission::Probe);
        it.ended(Admission::Probe, Health::Ill, 60_000, 0);
        assert_eq!(it.admit(119_999), Admission::Refused { wait_ms: 1 });
        assert_eq!(it.admit(120_000), Admission::Probe);
    }

    #[test]
    fn it_stays_open_up_to_a_tenth_longer() {
        for (draw, until) in [(0, 60_000), (6_000, 66_000), (6_001, 60_000)] {
            let mut it = breaker();
            for _ in 0..5 {
                it.ended(Admission::Go, Health::Ill, 0, draw);
            }
            assert_eq!(it.admit(until - 1), Admission::Refused { wait_ms: 1 });
            assert_eq!(it.admit(until), Admission::Probe);
        }
    }

    #[test]
    fn only_faults_of_the_other_side_count() {
        let codes = [
            ("ok", Health::Well),
            ("off-schema", Health::Well),
            ("transient", Health::Ill),
            ("deadline", Health::Ill),
            ("saturated", Health::Unknown),
            ("trap", Health::Unknown),
            ("invalid-input", Health::Unknown),
            ("permanent", Health::Unknown),
        ];
        for (code, health) in codes {
            assert_eq!(Health::of(code), health, "{code}");
        }
        let mut it = breaker();
        for _ in 0..1_000 {
            it.ended(Admission::Go, Health::Unknown, 0, 0);
        }
        assert_eq!(it.gauge(), Gauge::Closed);
    }

    #[test]
    fn a_late_end_from_before_it_opened_changes_nothing() {
        let mut it = breaker();
        fail(&mut it, 5, 0);
        it.ended(Admission::Go, Health::Well, 1, 0);
        assert_eq!(it.gauge(), Gauge::Open);
        assert_eq!(it.admit(60_000), Admission::Probe);
        it.ended(Admission::Go, Health::Well, 60_000, 0);
        assert_eq!(it.admit(60_000), Admission::Refused { wait_ms: 0 });
    }

    #[test]
    fn an_operator_may_open_and_close_it() {
        let mut it = breaker();
        it.force_open();
        assert_eq!(it.admit(u64::MAX), Admission::Refused { wait_ms: u64::MAX });
        it.reset();
        assert_eq!(it.admit(0), Admission::Go);
    }

    #[test]
    fn without_failures_there_is_no_breaker() {
        let mut it = Breaker::new(Settings {
            failures: 0,
            open_ms: 1,
        });
        fail(&mut it, 1_000, 0);
        assert_eq!(it.admit(0), Admission::Go);
    }
}
