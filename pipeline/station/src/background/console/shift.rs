//! Which shift it is, by the times in the config.

use jiff::{Timestamp, civil::Time, tz::TimeZone};

/// When the shift that `now` lies in began: the last of `begins` by local time, today's or yesterday's.
pub(crate) fn begin(begins: &[Time], now: Timestamp, zone: &TimeZone) -> Timestamp {
    let local = now.to_zoned(zone.clone());
    let today = local.date();
    let yesterday = today.yesterday().unwrap_or(today);
    let moments = [today, yesterday].into_iter().flat_map(|day| {
        // An hour that a change of clocks leaves out begins when that hour would have.
        begins.iter().filter_map(move |begin| day.to_datetime(*begin).to_zoned(zone.clone()).ok())
    });
    moments.map(|moment| moment.timestamp()).filter(|moment| *moment <= now).max().unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_night_shift_began_yesterday() {
        let begins = [6, 14, 22].map(|hour| Time::constant(hour, 0, 0, 0));
        let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
        for (now, since) in [
            ("2026-11-24T05:59:59Z", "2026-11-23T22:00:00Z"),
            ("2026-11-24T06:00:00Z", "2026-11-24T06:00:00Z"),
            ("2026-11-24T21:00:00Z", "2026-11-24T14:00:00Z"),
            ("2026-11-24T23:00:00Z", "2026-11-24T22:00:00Z"),
        ] {
            assert_eq!(begin(&begins, at(now), &TimeZone::UTC), at(since), "{now}");
        }
    }
}
