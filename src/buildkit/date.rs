//! The time that an image is dated by (<https://reproducible-builds.org/specs/source-date-epoch/>), so that it does not depend on
//! when it was built.
//!
//! The exporter of a `buildkitd` dates the files of new layers. The configuration is dated here, whoever built it. The frontend
//! is told the time only where the Dockerfile asks for it (`ARG SOURCE_DATE_EPOCH`): it would date the folders of `WORKDIR` by
//! it, and with each commit every step behind them would be run anew.

use jiff::Timestamp;
use serde_json::Value;

use crate::document;

/// The build argument of that name.
pub(crate) const ARGUMENT: &str = "SOURCE_DATE_EPOCH";

/// A time, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceDate(Timestamp);

impl SourceDate {
    /// Nothing where it is no time that a configuration can have.
    #[must_use]
    pub(crate) fn of(seconds: i64) -> Option<Self> {
        Timestamp::from_second(seconds).ok().map(Self)
    }

    /// As build arguments have it.
    #[must_use]
    pub(crate) fn seconds(self) -> String {
        self.0.as_second().to_string()
    }

    /// A configuration in which nothing is younger.
    #[must_use]
    pub(crate) fn of_config(self, config: Vec<u8>) -> Vec<u8> {
        let Ok(mut read) = document::read_shared::<Value>(&config) else { return config };
        let created =
            read.get_mut("created").into_iter().map(|created| self.clamp(created)).fold(false, |one, other| one | other);
        let history = read.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten();
        let history = history.filter_map(|entry| entry.get_mut("created")).map(|created| self.clamp(created));
        if history.fold(created, |one, other| one | other) { serde_json::to_vec(&read).unwrap_or(config) } else { config }
    }

    /// Whether a time was younger.
    fn clamp(self, time: &mut Value) -> bool {
        let Some(read) = time.as_str() else { return false };
        // What is no time says nothing of when it was.
        let is_younger = read.parse::<Timestamp>().is_ok_and(|time| time > self.0);
        if is_younger {
            *time = Value::String(self.0.to_string());
        }
        is_younger
    }
}

/// Whether a Dockerfile declares the argument, and so gets it.
#[must_use]
pub(crate) fn is_asked_for(dockerfile: &[u8]) -> bool {
    let text = String::from_utf8_lossy(dockerfile);
    let declares = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("ARG"))
            && words.any(|word| word.split('=').next() == Some(ARGUMENT))
    };
    text.lines().any(declares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_configuration_is_younger_than_its_date_and_what_is_older_stays_byte_for_byte() {
        let date = SourceDate::of(1_700_000_000).unwrap();
        let config = br#"{"os":"linux","created":"2026-01-01T00:00:00.5Z","history":[{"created":"2020-01-01T00:00:00Z","created_by":"a"},{"created":"2026-01-01T00:00:00+02:00"},{"comment":"x"}]}"#;
        let dated: Value = serde_json::from_slice(&date.of_config(config.to_vec())).unwrap();
        assert_eq!(dated["created"], "2023-11-14T22:13:20Z");
        assert_eq!(dated["history"][0]["created"], "2020-01-01T00:00:00Z");
        assert_eq!(dated["history"][1]["created"], "2023-11-14T22:13:20Z");
        assert_eq!((&dated["os"], &dated["history"][2]["comment"]), (&"linux".into(), &"x".into()));
        for older in
            [&br#"{ "created": "2020-01-01T00:00:00Z" }"#[..], b"{ }", b"no json", br#"{ "created": "soon", "history": 5 }"#]
        {
            assert_eq!(date.of_config(older.to_vec()), older);
        }
        assert_eq!(date.seconds(), "1700000000");
    }

    #[test]
    fn a_dockerfile_asks_for_the_date_by_declaring_it() {
        for text in ["ARG SOURCE_DATE_EPOCH", "  arg A=1 SOURCE_DATE_EPOCH=0\n", "FROM x\nARG SOURCE_DATE_EPOCH\n"] {
            assert!(is_asked_for(text.as_bytes()), "{text}");
        }
        for text in ["ARG SOURCE_DATE", "# ARG SOURCE_DATE_EPOCH", "RUN echo ARG SOURCE_DATE_EPOCH", "ARG X=SOURCE_DATE_EPOCH"] {
            assert!(!is_asked_for(text.as_bytes()), "{text}");
        }
    }
}
