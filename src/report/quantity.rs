//! Times, sizes and numbers as people write them.

/// A duration in milliseconds: `340 ms`, `4.2 s`, `1m 30s`, `2h 05m`.
#[must_use]
pub fn duration(milliseconds: u64) -> String {
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
pub fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1000 => return format!("{bytes} B"),
        1000..1_000_000 => (1000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit)
}

/// A number and its noun, in the plural where it must be: `1 leak`, `12 leaks`, `2 vulnerabilities`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        _ => format!("{number} {noun}s"),
    }
}

/// Words in a row: `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list<S: AsRef<str>>(words: &[S]) -> String {
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
    fn sizes_have_the_unit_that_fits() {
        let written: Vec<_> = [0, 999, 1000, 4_210_000, 2_000_000_000].map(size).into();
        assert_eq!(written, ["0 B", "999 B", "1.0 kB", "4.2 MB", "2.0 GB"]);
    }

    #[test]
    fn a_noun_follows_its_number() {
        assert_eq!([count(1, "leak"), count(0, "leak"), count(2, "vulnerability")], ["1 leak", "0 leaks", "2 vulnerabilities"]);
    }

    #[test]
    fn words_are_listed_with_an_and() {
        assert_eq!([list::<&str>(&[]), list(&["a"]), list(&["a", "b", "c"])], ["", "a", "a, b and c"]);
    }
}
