//! Times, sizes and numbers as people write them.

use std::fmt::Display;
use std::time::Duration;

/// A time: `2026-11-21 14:05 UTC`.
pub(crate) fn time(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A duration that was measured, in milliseconds: `340 ms`, `4.2 s`, `1m 30s`, `2h 05m`.
#[must_use]
pub(crate) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..60_000 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        60_000..3_600_000 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A size in bytes, in powers of 1000 as registries and disks count: `999 B`, `4.2 MB`.
#[must_use]
pub(crate) fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1000 => return format!("{bytes} B"),
        1000..1_000_000 => (1000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit)
}

/// A time that was set, exactly, to the millisecond: `250 ms`, `1.6 s`, `1 min`, `12 h`.
#[must_use]
pub(crate) fn span(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let fitting = [(3_600_000, "h"), (60_000, "min"), (1000, "s")];
    match fitting.into_iter().find(|(unit, _)| milliseconds >= *unit && milliseconds.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", milliseconds / unit),
        None if milliseconds < 1000 => format!("{milliseconds} ms"),
        None => format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000).trim_end_matches('0').to_owned() + " s",
    }
}

/// A number and its noun, in the plural where it must be: `1 leak`, `12 leaks`, `2 vulnerabilities`, `0 days`.
#[must_use]
pub(crate) fn count<N: Copy + Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    if number == N::from(1) {
        return format!("{number} {noun}");
    }
    match noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {noun}s"),
    }
}

/// Words in a row: `a`, `a and b`, `a, b and c`.
#[must_use]
pub(crate) fn list<S: AsRef<str>>(words: &[S]) -> String {
    match words {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_figures_that_matter() {
        let written: Vec<_> = [0, 999, 1000, 59_999, 60_000, 90_000, 3_600_000, 7_500_000].map(duration).into();
        assert_eq!(written, ["0 ms", "999 ms", "1.0 s", "59.9 s", "1m 00s", "1m 30s", "1h 00m", "2h 05m"]);
    }

    #[test]
    fn a_time_that_was_set_is_written_exactly() {
        let written: Vec<_> =
            [0, 250, 1000, 1500, 1050, 10_000, 90_000, 60_000, 300_000, 7_200_000].map(Duration::from_millis).map(span).into();
        assert_eq!(written, ["0 ms", "250 ms", "1 s", "1.5 s", "1.05 s", "10 s", "90 s", "1 min", "5 min", "2 h"]);
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let written: Vec<_> = [0, 999, 1000, 4_210_000, 2_000_000_000].map(size).into();
        assert_eq!(written, ["0 B", "999 B", "1.0 kB", "4.2 MB", "2.0 GB"]);
    }

    #[test]
    fn a_noun_follows_its_number() {
        assert_eq!([count(1, "leak"), count(0, "leak"), count(2, "vulnerability")], ["1 leak", "0 leaks", "2 vulnerabilities"]);
        assert_eq!([count(1_u64, "day"), count(2_u32, "key"), count(2_u64, "delivery")], ["1 day", "2 keys", "2 deliveries"]);
    }

    #[test]
    fn words_are_listed_with_an_and() {
        assert_eq!([list::<&str>(&[]), list(&["a"]), list(&["a", "b", "c"])], ["", "a", "a, b and c"]);
    }
}
