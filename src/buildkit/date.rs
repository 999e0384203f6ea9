//! The time that an image is dated by (<https://reproducible-builds.org/specs/source-date-epoch/>), so that it does not depend on
//! when it was built.
//!
//! Where a builder gives layers one by one, the files of an image's own layers are dated too, each layer by a date of its own
//! ([`Dating`]). BuildKit's exporter would date them all by one: with each commit a layer whose step was not run again would be
//! another one, and one that a builder has had for longer would not be the one that is built now. The frontend is told the time only where the Dockerfile asks for it (`ARG SOURCE_DATE_EPOCH`): it would date the folders of `WORKDIR` by
//! it, and with each commit every step behind them would be run anew.

use std::fmt;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use oci_spec::image::ImageConfiguration;
use serde_json::Value;

use crate::document;
use crate::oci::Digest;
use crate::oci::dated::Dates;

/// The build argument of that name.
pub(crate) const ARGUMENT: &str = "SOURCE_DATE_EPOCH";

/// A time, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceDate(Timestamp);

impl SourceDate {
    /// Nothing where it is no time that a configuration can have.
    #[must_use]
    pub(crate) fn of(seconds: i64) -> Option<Self> {
        Timestamp::from_second(seconds).ok().map(Self)
    }

    /// In seconds since 1970; none before that.
    #[must_use]
    pub(crate) fn since_1970(self) -> Option<u64> {
        self.0.as_second().try_into().ok()
    }

    /// As build arguments have it.
    #[must_use]
    pub(crate) fn seconds(self) -> String {
        self.0.as_second().to_string()
    }

    /// A configuration that was made then, and in which nothing is younger.
    #[must_use]
    pub(crate) fn of_config(self, config: Vec<u8>) -> Vec<u8> {
        let Ok(mut read) = document::read_shared::<Value>(&config) else { return config };
        let created = read.get_mut("created").is_some_and(|created| self.set(created));
        let history = read.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten();
        let history = history.filter_map(|entry| entry.get_mut("created")).map(|created| self.cap(created));
        if history.fold(created, |one, other| one | other) { serde_json::to_vec(&read).unwrap_or(config) } else { config }
    }

    /// Whether a time was another one.
    fn set(self, time: &mut Value) -> bool {
        // What is no time says nothing of when it was.
        let is_other = time.as_str().and_then(|time| time.parse::<Timestamp>().ok()).is_some_and(|time| time != self.0);
        if is_other {
            *time = Value::String(self.0.to_string());
        }
        is_other
    }

    /// Whether a time was younger.
    fn cap(self, time: &mut Value) -> bool {
        let Some(read) = time.as_str() else { return false };
        // What is no time says nothing of when it was.
        let is_younger = read.parse::<Timestamp>().is_ok_and(|time| time > self.0);
        if is_younger {
            *time = Value::String(self.0.to_string());
        }
        is_younger
    }
}

/// What the layers of an image are dated by.
pub(crate) trait Dating: fmt::Debug + Send + Sync {
    /// The dates of each layer, in their order; `own` says which are the image's own and not its base's, which stay as they are.
    fn of_layers<'a>(&'a self, config: &'a ImageConfiguration, own: &'a [bool]) -> BoxFuture<'a, Vec<Option<Dates>>>;

    /// Whether it is known before that no layer has a date.
    fn is_idle(&self) -> bool;
}

/// A configuration with other layers: their diff ids, and the dates of those that are dated.
#[must_use]
pub(crate) fn with_layers(config: Vec<u8>, layers: &[(Digest, Option<Dates>)]) -> Vec<u8> {
    if layers.iter().all(|(_, date)| date.is_none()) {
        return config;
    }
    let Ok(mut read) = document::read_shared::<Value>(&config) else { return config };
    if let Some(diff_ids) = read.pointer_mut("/rootfs/diff_ids") {
        *diff_ids = layers.iter().map(|(diff_id, _)| diff_id.to_string()).collect();
    }
    let history = read.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten();
    let made: Vec<_> = history.filter(|entry| entry.get("empty_layer") != Some(&Value::Bool(true))).collect();
    // Where it tells of other layers, nobody knows of which an entry is.
    if made.len() == layers.len() {
        for (entry, (_, dates)) in made.into_iter().zip(layers) {
            // When the builder has run the step, or found it, is not when it was made.
            let date = dates.and_then(|Dates { date, .. }| SourceDate::of(date.try_into().ok()?));
            if let (Some(created), Some(SourceDate(date))) = (entry.get_mut("created"), date) {
                *created = Value::String(date.to_string());
            }
        }
    }
    serde_json::to_vec(&read).unwrap_or(config)
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
            [&br#"{ "created": "2023-11-14T22:13:20Z" }"#[..], b"{ }", b"no json", br#"{ "created": "soon", "history": 5 }"#]
        {
            assert_eq!(date.of_config(older.to_vec()), older);
        }
        assert_eq!(date.seconds(), "1700000000");
    }

    #[test]
    fn a_configuration_with_dated_layers_has_their_diff_ids_and_nothing_of_a_layer_that_is_younger() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let date = Some(Dates { date: 1_700_000_000, kept: 0 });
        let config = |history: &str| format!(r#"{{"rootfs":{{"type":"layers","diff_ids":["a","b"]}},"history":{history}}}"#);
        let made = |created: &str| format!(r#"{{"created":"{created}"}}"#);
        let young = "2026-01-01T00:00:00Z";
        let history = format!("[{},{{\"created\":\"{young}\",\"empty_layer\":true}},{}]", made(young), made(young));
        let read = |history: &str, layers: &[(Digest, Option<Dates>)]| -> Value {
            serde_json::from_slice(&with_layers(config(history).into_bytes(), layers)).unwrap()
        };
        let told = read(&history, &[(one, None), (two, date)]);
        assert_eq!(told["rootfs"]["diff_ids"], serde_json::json!([one.to_string(), two.to_string()]));
        let created = |place: usize| told["history"][place]["created"].as_str().unwrap();
        assert_eq!([0, 1, 2].map(created), [young, young, "2023-11-14T22:13:20Z"]);
        // Of another number of layers it is not known which entry is whose.
        assert_eq!(read(&format!("[{}]", made(young)), &[(one, None), (two, date)])["history"][0]["created"], young);
        let as_it_is = config(&history).into_bytes();
        assert_eq!(with_layers(as_it_is.clone(), &[(one, None), (two, None)]), as_it_is);
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
