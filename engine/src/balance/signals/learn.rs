//! What one answer teaches.

use super::Sample;

/// Samples: an endpoint's mean is a plain mean up to here, then an exponential one.
const WINDOW: f64 = 128.0;
/// The same for the pool's mean latency of a bin.
const POOL_WINDOW: f64 = 256.0;
/// Samples: a bin begins with the pool's overall mean counted that many times.
const POOL_BEGINS: f64 = 8.0;
/// How many times the pool's (or, of a slower endpoint, its own) latency a sample counts at most.
const CLIP: f64 = 32.0;
/// Seconds: a shorter latency counts as this, so that no service time is 0, however coarse the clock.
const SHORTEST: f64 = 1e-6;
/// Two in each octave of a number in flight.
const BINS: usize = 64;

/// What is known of one endpoint. Means are over the good answers.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Of the slot that it tells of.
    pub(super) birth: u32,
    /// The slot's count of picks at the last refresh.
    pub(super) picks: u32,
    /// Since the last refresh.
    pub(super) answers: u32,
    pub(super) errors: u32,
    pub(super) samples: f64,
    /// Mean of latency / the pool's at the same in-flight, and of its square.
    pub(super) slow: f64,
    pub(super) slow2: f64,
    /// Mean of latency / in-flight at arrival, seconds.
    pub(super) share: f64,
    /// Mean, seconds.
    pub(super) latency: f64,
    /// Of about the last ten seconds.
    pub(super) answered: f64,
    pub(super) failed: f64,
    /// How many times slower than the pool, shrunk.
    pub(super) estimate: f64,
    /// The same, moved no faster than requests in flight.
    pub(super) factor: f64,
}

/// What is known of the pool.
#[derive(Debug)]
pub(super) struct Means {
    bins: [Bin; BINS],
    samples: f64,
    /// Over all bins, seconds.
    pub(super) latency: f64,
    /// At arrival.
    pub(super) inflight: f64,
    /// Picks a second.
    pub(super) rate: f64,
    /// Median of the endpoints' error rates.
    pub(super) errors: f64,
}

/// Mean latency at a number in flight, of an endpoint as fast as the pool.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    latency: f64,
    count: f64,
}

impl Default for Means {
    fn default() -> Self {
        Self { bins: [Bin::default(); BINS], samples: 0.0, latency: 0.0, inflight: 1.0, rate: 0.0, errors: 0.0 }
    }
}

impl Record {
    /// Nothing is known.
    pub(super) fn new(birth: u32, picks: u32) -> Self {
        Self {
            birth,
            picks,
            answers: 0,
            errors: 0,
            samples: 0.0,
            slow: 0.0,
            slow2: 0.0,
            share: 0.0,
            latency: 0.0,
            answered: 0.0,
            failed: 0.0,
            estimate: 1.0,
            factor: 1.0,
        }
    }

    /// Errors of all answers, 0 to 1; 0 without answers.
    pub(super) fn error_rate(&self) -> f64 {
        if self.failed > 0.0 { self.failed / self.answered } else { 0.0 }
    }

    /// The same while there is an answer of late; where less than one is left, the pool's median takes the place of the rest.
    pub(super) fn shown_errors(&self, median: f64) -> f64 {
        if self.answered >= 1.0 { self.error_rate() } else { self.failed + (1.0 - self.answered) * median }
    }

    pub(super) fn tell(&mut self, means: &mut Means, sample: &Sample) {
        self.answers = self.answers.wrapping_add(1);
        if sample.inflight == 0 {
            self.errors = self.errors.wrapping_add(1);
        } else {
            self.learn(means, sample);
        }
    }

    fn learn(&mut self, means: &mut Means, sample: &Sample) {
        let latency = sample.latency.max(SHORTEST);
        let inflight = f64::from(sample.inflight);
        let plain = latency / self.estimate;
        means.samples = (means.samples + 1.0).min(POOL_WINDOW);
        means.latency += (plain - means.latency) / means.samples;
        means.inflight += (inflight - means.inflight) / means.samples;
        let Some(bin) = means.bins.get_mut(bin_of(sample.inflight)) else { return };
        if bin.count == 0.0 {
            *bin = Bin { latency: means.latency, count: POOL_BEGINS };
        }
        let usual = bin.latency;
        let highest = CLIP * self.factor.max(1.0);
        let slow = (latency / usual).min(highest);
        bin.count = (bin.count + 1.0).min(POOL_WINDOW);
        bin.latency += (plain.min(CLIP * usual) - bin.latency) / bin.count;
        self.samples = (self.samples + 1.0).min(WINDOW);
        self.slow += (slow - self.slow) / self.samples;
        self.slow2 += (slow * slow - self.slow2) / self.samples;
        self.share += (latency / inflight - self.share) / self.samples;
        self.latency += (latency - self.latency) / self.samples;
    }
}

/// The bin of a number in flight: 1, 2, 3, 4-5, 6-7, 8-11, 12-15 and so on, two in each octave.
fn bin_of(inflight: u32) -> usize {
    match inflight.checked_ilog2() {
        None | Some(0) => 1,
        Some(octave) => (2 * octave + ((inflight >> (octave - 1)) & 1)) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_in_an_octave_are_the_bins() {
        let bins: Vec<_> = (0..17).map(bin_of).collect();
        assert_eq!(bins, [1, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 8]);
        assert_eq!(bin_of(u32::MAX), BINS - 1);
    }
}
