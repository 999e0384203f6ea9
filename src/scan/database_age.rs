//! How old a database is, and how old it may be. What counts is `UpdatedAt`, when its advisories were gathered. `NextUpdate`
//! is a promise of whoever made the file: it can make gp-deliver ask sooner, and never later.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::database_kind::Kind;
use crate::text;

/// How far ahead another machine's clock may be.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(10);

/// The age beyond which a database is not judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MaxAge(SignedDuration);

/// The text is not an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidMaxAge;

impl MaxAge {
    /// Where vulnerabilities block and nothing else is asked for. Its makers publish it four times a day, so that two days are
    /// more than an outage, and no advisory waits longer.
    pub(crate) const BLOCKING: Self = Self(SignedDuration::from_hours(48));

    /// The index of jars holds no advisories, only the names of jars by their checksums, and its makers renew it every
    /// three days (trivy-java-db, `builder.updateInterval`): a fortnight old, it lacks the names of the newest jars, most of
    /// which say their own.
    const JAVA: Self = Self(SignedDuration::from_hours(14 * 24));

    /// The limit for a kind of database where this one holds for advisories.
    pub(crate) fn of(self, kind: Kind) -> Self {
        match kind {
            Kind::Vulnerabilities => self,
            Kind::Java => Self(self.0.max(Self::JAVA.0)),
        }
    }
}

impl From<MaxAge> for SignedDuration {
    fn from(MaxAge(age): MaxAge) -> Self {
        age
    }
}

/// `48h` or `2d`.
impl FromStr for MaxAge {
    type Err = InvalidMaxAge;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, hours) = match text.strip_suffix('d') {
            Some(days) => (days, 24),
            None => (text.strip_suffix('h').ok_or(InvalidMaxAge)?, 1),
        };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = Some(number).filter(|_| digits).and_then(|number| number.parse().ok()).unwrap_or_default();
        if number == 0 { Err(InvalidMaxAge) } else { Ok(Self(SignedDuration::from_hours(i64::from(number) * hours))) }
    }
}

impl fmt::Display for MaxAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(self.0))
    }
}

/// How often its makers renew a database: one that is older than this is due.
pub(super) fn renewal(kind: Kind) -> SignedDuration {
    match kind {
        Kind::Vulnerabilities => SignedDuration::from_hours(24),
        Kind::Java => SignedDuration::from_hours(72),
    }
}

/// Why a database of this time is not to be judged by; `None` where it may be.
pub(super) fn refusal(updated_at: Timestamp, limit: Option<MaxAge>, now: Timestamp) -> Option<String> {
    let (limit, age) = (limit?, now.duration_since(updated_at));
    if -age > CLOCK_SKEW {
        return Some(format!("it says that it is of {}, which is in the future", written(updated_at)));
    }
    (age > limit.0).then(|| format!("it is of {}, {} old, where at most {limit} are allowed", written(updated_at), words(age)))
}

/// A time as people read it.
pub(super) fn written(time: Timestamp) -> String {
    text::time(time)
}

/// An age in hours, and from two days on in days.
pub(super) fn words(age: SignedDuration) -> String {
    match age.as_hours().max(0) {
        1 => "1 hour".to_owned(),
        hours if hours <= 48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_age_is_hours_or_days() {
        for (text, hours) in [("48h", 48), ("2d", 48), ("1h", 1), ("3650d", 87_600)] {
            assert_eq!(text.parse(), Ok(MaxAge(SignedDuration::from_hours(hours))), "{text}");
        }
        for text in ["", "h", "48", "0h", "-1h", "+1h", "1w", "1.5d", "99999999999h", "none"] {
            assert_eq!(text.parse::<MaxAge>(), Err(InvalidMaxAge), "{text}");
        }
    }

    #[test]
    fn what_is_too_old_or_of_tomorrow_is_refused_and_what_a_clock_is_off_is_not() {
        let now = at("2026-11-27T12:00:00Z");
        let refused = |updated_at: &str| refusal(at(updated_at), Some(MaxAge::BLOCKING), now);
        for updated_at in ["2026-11-27T12:00:00Z", "2026-11-25T12:00:00Z", "2026-11-27T12:05:00Z"] {
            assert_eq!(refused(updated_at), None, "{updated_at}");
        }
        assert!(refused("2026-11-25T11:59:59Z").is_some());
        assert!(refused("2026-11-28T12:00:00Z").unwrap().contains("future") && refused("9999-01-01T00:00:00Z").is_some());
        let old = refused("2019-01-01T00:00:00Z").unwrap();
        assert_eq!(old, "it is of 2019-01-01 00:00 UTC, 2887 days old, where at most 48 hours are allowed");
        assert!(refused("-009999-01-02T01:59:59Z").is_some());
        assert_eq!(refusal(at("2019-01-01T00:00:00Z"), None, now), None, "advice takes what there is");
    }

    #[test]
    fn the_index_of_jars_may_be_older_than_advisories() {
        let hour: MaxAge = "1h".parse().unwrap();
        assert_eq!((hour.of(Kind::Vulnerabilities), hour.of(Kind::Java)), (hour, MaxAge::JAVA));
        let year: MaxAge = "365d".parse().unwrap();
        assert_eq!(year.of(Kind::Java), year);
    }
}
