//! What the text of an input is read as.

use std::path::PathBuf;
use std::str::FromStr;

use semver::Version;

use crate::aws::AccountId;
use crate::buildkit::cache::{Backend, Repositories, Scope};
use crate::buildkit::cache_folder::Folders;
use crate::buildkit::contexts::NamedContext;
use crate::buildkit::fleet::{self, Fleet, MemberFault};
use crate::buildkit::namespace::BuilderCache;
use crate::buildkit::options::{Bytes, Host, Limit, Network};
use crate::coverage::{Acceptance, JudgedBy};
use crate::environment;
use crate::finding::Severity;
use crate::github::{self, JobResult};
use crate::metrics;
use crate::oci::{Compression, Digest, Platform};
use crate::process::Demand;
use crate::provenance::Trust;
use crate::publish;
use crate::registry_scan::{self, Patience};
use crate::scan::database::{MaxAge, Mirror};
use crate::scan::syft::Format;
use crate::secret::Secret;
use crate::tags::Template;

/// What is wrong with a text, or with one entry of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What was given; empty where it must not be repeated.
    pub(super) value: String,
    /// What was expected instead.
    pub(super) expected: String,
}

impl Fault {
    pub(super) fn new(value: &str, expected: impl Into<String>) -> Vec<Self> {
        vec![Self { value: value.to_owned(), expected: expected.into() }]
    }
}

/// A type that an input's text is read as.
pub(crate) trait Value: Sized {
    /// Whether a flag may stand alone, for `true`.
    const SWITCH: bool = false;

    /// Reads it. The text is empty where nothing was given and there is no default.
    ///
    /// # Errors
    /// All that is wrong with it.
    fn read(text: &str) -> Result<Self, Vec<Fault>>;
}

/// A value of which no more can be said than whether it is one.
pub(super) trait Word: FromStr {
    /// What is expected of one, in a whole clause.
    const EXPECTED: &'static str;
}

impl<T: Word> Value for T {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        text.trim().parse().map_err(|_| Fault::new(text.trim(), Self::EXPECTED))
    }
}

/// The word as it is, without blanks around it: a workflow asks GitHub for the protected environment of the same text, and has to
/// get the one that is meant here.
impl Value for environment::Choice {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        text.parse().map_err(|()| Fault::new(text, Self::EXPECTED))
    }
}

impl Word for Severity {
    const EXPECTED: &'static str = "CRITICAL, HIGH, MEDIUM, LOW or UNKNOWN is expected";
}

impl Word for JudgedBy {
    const EXPECTED: &'static str = "image or sbom is expected";
}

impl Word for Trust {
    const EXPECTED: &'static str = "proven, claimed or never is expected";
}

impl Word for Digest {
    const EXPECTED: &'static str = "sha256: and 64 hexadecimal digits are expected";
}

impl Word for Compression {
    const EXPECTED: &'static str = "gzip or zstd is expected";
}

impl Word for NamedContext {
    const EXPECTED: &'static str = "NAME=FOLDER, NAME=docker-image://REFERENCE or NAME=oci-layout://FOLDER[:TAG][@DIGEST] is \
                                   expected; the name is that of an image, in lower case, and neither scratch nor context";
}

impl Word for BuilderCache {
    const EXPECTED: &'static str = "auto, isolated, own or shared is expected";
}

impl Word for Backend {
    const EXPECTED: &'static str = "auto, off, registry, gha or local is expected";
}

impl Word for Repositories {
    const EXPECTED: &'static str =
        "HOST[:PORT]/NAME is expected, with the host written out; {env} in the name stands for the environment";
}

impl Word for Folders {
    const EXPECTED: &'static str = "the path of a folder is expected; {env} in it stands for the environment";
}

impl Word for Scope {
    const EXPECTED: &'static str =
        "a name of at most 48 characters is expected: lower-case letters, digits, '.', '_' and '-', a letter or digit first";
}

impl Word for Host {
    const EXPECTED: &'static str = "NAME=ADDRESS is expected, with an IP address";
}

impl Word for Network {
    const EXPECTED: &'static str = "none or host is expected";
}

impl Word for Bytes {
    const EXPECTED: &'static str = "a size above 0 is expected, such as 64m or 1g";
}

impl Word for Limit {
    const EXPECTED: &'static str = "NAME=SOFT or NAME=SOFT:HARD is expected, such as nofile=1024:2048; -1 is no limit";
}

impl Word for Platform {
    const EXPECTED: &'static str = "a platform such as linux/amd64 is expected";
}

impl Word for Format {
    const EXPECTED: &'static str = "spdx-json or cyclonedx-json is expected";
}

impl Word for Mirror {
    const EXPECTED: &'static str = "HOST[:PORT]/NAME[:TAG] or oci:PATH[:TAG] is expected";
}

impl Word for MaxAge {
    const EXPECTED: &'static str = "a number of hours or days above 0 is expected, such as 48h or 2d";
}

impl Word for Acceptance {
    const EXPECTED: &'static str =
        "NAME: REASON is expected; the name is that of one thing, or a path with * or **, which can't stand for everything";
}

impl Word for github::Demand {
    const EXPECTED: &'static str = "auto, required or off is expected";
}

impl Word for Demand {
    const EXPECTED: &'static str = "auto, require or off is expected";
}

impl Word for registry_scan::Demand {
    const EXPECTED: &'static str = "off, report or gate is expected";
}

impl Word for Patience {
    const EXPECTED: &'static str = "a time from 1s to 5h is expected, such as 90s, 10m or 1h";
}

impl Word for metrics::Demand {
    const EXPECTED: &'static str = "off, emf or cloudwatch is expected";
}

impl Word for JobResult {
    const EXPECTED: &'static str = "success, failure, cancelled or skipped is expected";
}

impl Word for AccountId {
    const EXPECTED: &'static str = "an account id of twelve digits is expected";
}

impl Value for bool {
    const SWITCH: bool = true;

    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        match text.trim() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(Fault::new(other, "true or false is expected")),
        }
    }
}

impl Value for String {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        Ok(text.trim().to_owned())
    }
}

/// As it is given: blanks may be part of a name.
impl Value for PathBuf {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        Ok(text.into())
    }
}

impl Value for Secret {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        Ok(Self::new(text.trim()))
    }
}

impl Value for Version {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let version = text.trim().trim_start_matches('v').parse();
        version.map_err(|_| Fault::new(text, "a semantic version such as 1.2.3 is expected"))
    }
}

impl Value for Template {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        Self::read(text).map_err(|problems| problems.iter().flat_map(|problem| Fault::new(text, problem.to_string())).collect())
    }
}

impl Value for publish::Destination {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        text.trim().parse().map_err(|error: publish::InvalidDestination| {
            let suggestion = error.suggestion.map(|suggestion| format!("; write {suggestion}")).unwrap_or_default();
            Fault::new(text, format!("{}{suggestion}", error.reason))
        })
    }
}

impl Value for Fleet {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let fault = |fault: MemberFault| match fault {
            MemberFault::Address => "unix:///PATH or tcp://HOST:PORT is expected".to_owned(),
            MemberFault::Platform => "PLATFORM=ADDRESS is expected, with a platform such as linux/arm64".to_owned(),
            MemberFault::Spelling(other) => format!("the same platform is written {other} before; write it one way"),
            MemberFault::Twice => "each builder may be named only once for a platform".to_owned(),
        };
        let faults = |invalid: Vec<fleet::InvalidMember>| {
            invalid.into_iter().map(|invalid| Fault { value: invalid.value, expected: fault(invalid.fault) }).collect()
        };
        Self::read(text).map_err(faults)
    }
}

/// Nothing where the text is empty.
impl<T: Value> Value for Option<T> {
    const SWITCH: bool = T::SWITCH;

    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        if text.trim().is_empty() { Ok(None) } else { T::read(text).map(Some) }
    }
}

/// Entries separated by commas or line ends.
impl<T: Value> Value for Vec<T> {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        all(text.split([',', '\n']))
    }
}

/// Entries of one line each.
pub(crate) struct Lines<T>(pub(crate) Vec<T>);

impl<T: Value> Value for Lines<T> {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        all(text.lines()).map(Self)
    }
}

/// Reads entries, those without a word left out.
fn all<'a, T: Value>(entries: impl Iterator<Item = &'a str>) -> Result<Vec<T>, Vec<Fault>> {
    let (mut values, mut faults) = (Vec::new(), Vec::new());
    for entry in entries.map(str::trim).filter(|entry| !entry.is_empty()) {
        match T::read(entry) {
            Ok(value) => values.push(value),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_separated_by_commas_or_by_lines_alone() {
        assert_eq!(Vec::<String>::read(" a,b c\n\n,d ").unwrap(), ["a", "b c", "d"]);
        assert_eq!(Lines::<String>::read("a,b\n\n c \n").unwrap().0, ["a,b", "c"]);
    }

    #[test]
    fn every_entry_that_is_wrong_is_named() {
        let faults = Vec::<Template>::read("a b,{sha},{x}{y}").unwrap_err();
        let values: Vec<_> = faults.iter().map(|fault| &*fault.value).collect();
        assert_eq!(values, ["a b", "{x}{y}", "{x}{y}"]);
        assert_eq!(Vec::<Platform>::read("linux,linux/amd64,Linux/x").unwrap_err().len(), 2);
    }

    #[test]
    fn an_empty_text_is_nothing_an_empty_list_or_wrong() {
        assert_eq!(Option::<Version>::read(" ").unwrap(), None);
        assert_eq!(Vec::<Platform>::read("").unwrap(), []);
        assert!(bool::read("").is_err() && Severity::read("").is_err());
    }
}
