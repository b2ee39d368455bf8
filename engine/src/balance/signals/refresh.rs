//! From what was learned, the columns.

use super::learn::{Means, Record};
use super::median::{key, median};
use super::{NEUTRAL, State};
use crate::balance::columns::Columns;
use crate::balance::slot::{Column, Lane};

/// Standard errors that a difference must exceed.
const CERTAIN: f64 = 3.0;
/// A standard error that no number of samples goes below: servers are never measured better than this.
const SAME: f64 = 0.02;
/// A factor this near 1 is 1, so that scores of equal endpoints are equal and ties are ties.
const NEAR: f64 = 0.001;
/// Samples of variance 1 that the pool's variance begins with.
const PRIOR: f64 = 8.0;
/// Seconds in which an endpoint without requests forgets; `FORGET_ANSWERS` mean latencies are added to them.
const FORGET: f64 = 10.0;
const FORGET_ANSWERS: f64 = 64.0;
/// How many times longer an endpoint remembers that gets no request but has some in flight: a stream may stay for days.
const FORGET_HELD: f64 = 32.0;
/// Seconds over which the error rate is a mean.
const ERRORS_OVER: f64 = 10.0;
/// How many of the pool's latencies an error is worth.
const ERROR: f64 = 10.0;
/// Variance of one answer's being an error that is assumed at least: that of an error in a hundred.
const LEAST_SPREAD: f64 = 0.01;

/// Room for medians, kept from one refresh to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) first: Vec<u64>,
    second: Vec<u64>,
}

/// Seconds.
pub(super) struct Typical {
    pub(super) service: f64,
    pub(super) latency: f64,
}

/// What all endpoints are compared with.
struct Pool {
    slow: f64,
    errors: f64,
    /// Of a sample of an endpoint as fast as the pool: within each endpoint, and over all, so that no few samples claim certainty.
    variance: f64,
    /// How far a factor may move: half of the way in the time that a request stays.
    step: f64,
}

/// Quotients by one are most quotients here, and dividing takes long.
#[expect(clippy::float_cmp, reason = "the one divisor that changes nothing")]
fn over(dividend: f64, divisor: f64) -> f64 {
    if divisor == 1.0 { dividend } else { dividend / divisor }
}

impl State {
    /// What is typical of the endpoints that are known.
    pub(super) fn typical(&mut self, columns: &Columns) -> Typical {
        let Self { records, scratch, .. } = self;
        scratch.clear();
        columns.lanes().for_each(|lane| {
            if let Some(record) = records.get(lane.number()).filter(|record| record.birth == lane.birth()) {
                scratch.add_times(record);
            }
        });
        scratch.typical()
    }

    pub(super) fn refresh(&mut self, columns: &Columns, elapsed: f64, now: f64) {
        let pool = self.compare(columns, elapsed, now);
        let Self { means, records, scratch, .. } = self;
        means.errors = pool.errors;
        scratch.clear();
        columns.lanes().for_each(|lane| {
            if let Some(record) = records.get_mut(lane.number()) {
                record.estimate(&pool);
                scratch.add_times(record);
            }
        });
        let typical = scratch.typical();
        let penalty = ERROR * means.inflight.max(1.0);
        columns.lanes().for_each(|lane| {
            if let Some(record) = records.get(lane.number()) {
                let excess = record.excess(pool.errors);
                let own = (record.samples * record.latency + typical.latency) / (record.samples + 1.0);
                lane.set(Column::ServiceTime, typical.service * (record.factor + excess * penalty));
                lane.set(Column::Latency, own + excess * ERROR * typical.latency);
                lane.set(Column::ErrorRate, record.shown_errors(pool.errors));
            }
        });
    }

    /// Counts what came since the last refresh, and takes the pool's measure.
    fn compare(&mut self, columns: &Columns, elapsed: f64, now: f64) -> Pool {
        let Self { means, records, scratch, .. } = self;
        scratch.clear();
        let idle = FORGET + FORGET_ANSWERS * means.latency;
        // Where nothing is in flight, and where something is.
        let held = FORGET_HELD * idle / (FORGET_HELD * idle + elapsed);
        let kept = [idle / (idle + elapsed), held];
        let kept_errors = ERRORS_OVER / (ERRORS_OVER + elapsed);
        let (mut picks, mut inflight, mut flawless) = (0, 0, 0);
        let (mut squares, mut freedom) = (PRIOR, PRIOR);
        columns.lanes().for_each(|lane| {
            let Some(record) = Record::of(records, lane, now) else { return };
            let present = lane.inflight();
            let picked = record.count_picks(lane);
            picks += u64::from(picked);
            inflight += u64::from(present);
            // Of many endpoints, chance says which are idle: a branch would be guessed wrong.
            let [idle, held] = if picked == 0 { kept } else { [1.0; 2] };
            record.samples *= if present == 0 { idle } else { held };
            record.count_answers(kept_errors);
            if record.answered >= 1.0 {
                if record.failed == 0.0 {
                    flawless += 1;
                } else {
                    scratch.second.push(key(record.error_rate()));
                }
            }
            if record.samples >= 1.0 {
                scratch.first.push(key(record.slow));
                let spread = record.slow2 - record.slow * record.slow;
                if spread > 0.0 {
                    squares += over(record.samples * spread, record.factor * record.factor);
                }
                freedom += record.samples - 1.0;
            }
        });
        Pool {
            slow: median(&mut scratch.first, 1.0),
            errors: scratch.median_of_errors(flawless),
            variance: squares / freedom,
            step: means.step(elapsed, picks as f64, inflight as f64),
        }
    }
}

impl Scratch {
    fn clear(&mut self) {
        self.first.clear();
        self.second.clear();
    }

    fn add_times(&mut self, record: &Record) {
        if record.samples > 0.0 {
            self.first.push(key(over(record.share, record.factor)));
            self.second.push(key(record.latency));
        }
    }

    /// With `flawless` zeros, which are usually the most.
    fn median_of_errors(&mut self, flawless: usize) -> f64 {
        let all = self.second.len() + flawless;
        if flawless > all / 2 {
            return 0.0;
        }
        self.second.resize(all, key(0.0));
        median(&mut self.second, 0.0)
    }

    fn typical(&mut self) -> Typical {
        Typical { service: median(&mut self.first, NEUTRAL), latency: median(&mut self.second, NEUTRAL) }
    }
}

impl Means {
    fn step(&mut self, elapsed: f64, picks: f64, inflight: f64) -> f64 {
        self.rate += (picks / elapsed - self.rate) * (elapsed / (elapsed + 1.0));
        if inflight <= 0.0 {
            return 1.0;
        }
        // Little's law: a request stays inflight / rate seconds.
        (0.5 * elapsed * self.rate / inflight).min(1.0)
    }
}

impl Record {
    /// That of an endpoint, which starts anew if the slot was another's.
    fn of<'a>(records: &'a mut Vec<Self>, lane: Lane<'_>, now: f64) -> Option<&'a mut Self> {
        let number = lane.number();
        if records.get(number).is_none_or(|record| record.birth != lane.birth()) {
            Self::start(records, lane, now);
        }
        records.get_mut(number)
    }

    /// Starts an endpoint anew.
    #[cold]
    pub(super) fn start(records: &mut Vec<Self>, lane: Lane<'_>, now: f64) {
        lane.set(Column::Since, now);
        lane.set(Column::Told, -1.0);
        let number = lane.number();
        if number >= records.len() {
            records.resize(number + 1, Self::new(0, 0));
        }
        if let Some(record) = records.get_mut(number) {
            *record = Self::new(lane.birth(), lane.picks());
        }
    }

    /// Picks since the last refresh.
    fn count_picks(&mut self, lane: Lane<'_>) -> u32 {
        let picks = lane.picks();
        picks.wrapping_sub(std::mem::replace(&mut self.picks, picks))
    }

    fn count_answers(&mut self, kept: f64) {
        self.answered = self.answered * kept + f64::from(self.answers);
        self.failed = self.failed * kept + f64::from(self.errors);
        self.answers = 0;
        self.errors = 0;
    }

    /// Compares the endpoint with the pool's median, and moves its factor.
    fn estimate(&mut self, pool: &Pool) {
        self.estimate = 1.0;
        if self.samples > 0.0 {
            let difference = self.slow / pool.slow - 1.0;
            let error2 = pool.variance / self.samples + SAME * SAME;
            let uncertain = CERTAIN * CERTAIN * error2;
            if difference * difference > uncertain {
                self.estimate = 1.0 + difference * (1.0 - uncertain / (difference * difference));
            }
        }
        self.factor += pool.step * (self.estimate - self.factor);
        if (self.factor - 1.0).abs() < NEAR {
            self.factor = 1.0;
        }
    }

    /// By how much its error rate is certainly above the pool's median. Two good answers are granted to everybody.
    fn excess(&self, median: f64) -> f64 {
        if self.failed == 0.0 {
            return 0.0;
        }
        let excess = self.failed / (self.answered + 2.0) - median;
        if excess <= 0.0 {
            return 0.0;
        }
        let spread = median * (1.0 - median);
        let uncertain = CERTAIN * CERTAIN * spread.max(LEAST_SPREAD) / self.answered;
        if excess * excess > uncertain { excess * (1.0 - uncertain / (excess * excess)) } else { 0.0 }
    }
}
