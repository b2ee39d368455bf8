//! Moments of the wall clock as text, with the current second kept so that only the milliseconds are written anew.

use std::time::{SystemTime, UNIX_EPOCH};

use super::digits::fixed;

/// A moment of the wall clock, UTC.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct WallTime {
    /// Seconds since 1970.
    pub seconds: u64,
    /// Milliseconds of that second, below 1000.
    pub millis: u16,
}

impl WallTime {
    /// The present moment by the system's clock.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }
}

impl From<SystemTime> for WallTime {
    /// A clock before 1970 counts as 1970.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { seconds: since.as_secs(), millis: since.subsec_millis() as u16 }
    }
}

impl From<(u64, u16)> for WallTime {
    /// Seconds since 1970, and milliseconds.
    fn from((seconds, millis): (u64, u16)) -> Self {
        Self { seconds, millis }
    }
}

/// The second that was written last, as text; one per thread.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    second: u64,
    date: [u8; 11],
    clock: [u8; 9],
}

impl Default for Stamp {
    fn default() -> Self {
        Self { second: 0, date: *b"1970-01-01T", clock: *b"00:00:00." }
    }
}

impl Stamp {
    /// Appends `2026-01-31T12:00:01.123Z` (RFC 3339).
    pub(super) fn push_date_time(&mut self, out: &mut Vec<u8>, time: WallTime) {
        self.turn_to(time.seconds);
        out.extend_from_slice(&self.date);
        out.extend_from_slice(&self.clock);
        out.extend_from_slice(&fixed::<3>(u64::from(time.millis)));
        out.push(b'Z');
    }

    /// Appends `12:00:01.123`.
    pub(super) fn push_clock(&mut self, out: &mut Vec<u8>, time: WallTime) {
        self.turn_to(time.seconds);
        out.extend_from_slice(&self.clock);
        out.extend_from_slice(&fixed::<3>(u64::from(time.millis)));
    }

    fn turn_to(&mut self, second: u64) {
        if second != self.second {
            self.second = second;
            self.date = date(second / 86_400);
            self.clock = clock(second % 86_400);
        }
    }
}

fn clock(second: u64) -> [u8; 9] {
    let [h1, h2] = fixed(second / 3600);
    let [m1, m2] = fixed(second / 60 % 60);
    let [s1, s2] = fixed(second % 60);
    [h1, h2, b':', m1, m2, b':', s1, s2, b'.']
}

/// The date of a day since 1970. The year is counted from March, so that the leap day is its last
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn date(day: u64) -> [u8; 11] {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let day = day + 719_468;
    let of_era = day % DAYS_IN_400_YEARS;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + day / DAYS_IN_400_YEARS * 400 + u64::from(month <= 2);

    let [y1, y2, y3, y4] = fixed(year);
    let [m1, m2] = fixed(month);
    let [d1, d2] = fixed(of_month);
    [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T']
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Stamp, WallTime};

    fn written(stamp: &mut Stamp, seconds: u64, millis: u16) -> String {
        let mut out = Vec::new();
        stamp.push_date_time(&mut out, WallTime { seconds, millis });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_agree_with_the_calendar() {
        let mut stamp = Stamp::default();
        let known = [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_399, "2000-02-28T23:59:59.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_709_251_200, "2024-03-01T00:00:00.007Z"),
            (1_767_225_599, "2025-12-31T23:59:59.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ];

        for (seconds, text) in known {
            assert_eq!(text, written(&mut stamp, seconds, 7));
        }
    }

    #[test]
    fn each_day_of_four_centuries_follows_the_day_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for number in 0..146_097_u64 {
            let text = format!("{year:04}-{month:02}-{day:02}T");
            assert_eq!(text.as_bytes(), super::date(number));

            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + i32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn a_kept_second_does_not_outlive_itself() {
        let mut stamp = Stamp::default();

        assert_eq!("1970-01-01T00:00:59.999Z", written(&mut stamp, 59, 999));
        assert_eq!("1970-01-01T00:01:00.000Z", written(&mut stamp, 60, 0));
        assert_eq!("1970-01-01T00:00:59.000Z", written(&mut stamp, 59, 0));
    }

    #[test]
    fn the_system_time_is_taken_to_the_millisecond() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_234_999);

        assert_eq!(WallTime::from((1, 234)), time.into());
        assert_eq!(WallTime::default(), (SystemTime::UNIX_EPOCH - Duration::from_secs(1)).into());
    }
}
