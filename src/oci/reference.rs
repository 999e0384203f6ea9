//! Where an image is named: a repository in a registry, and a tag or digest in it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Digest, Tag};

/// A repository of a registry: `HOST[:PORT]/NAME`. The host is always written out. There is no default registry here: an
/// image must never be published where nobody asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Repository {
    registry: String,
    name: String,
}

/// An image in a repository, by tag, by digest, by both, or the repository alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Reference {
    /// The repository.
    pub(crate) repository: Repository,
    /// The tag, where one is given.
    pub(crate) tag: Option<Tag>,
    /// The digest, where one is given; it wins over the tag.
    pub(crate) digest: Option<Digest>,
}

/// The text is not a reference or repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an image reference: {reason}")]
pub(crate) struct InvalidReference {
    /// What was given.
    pub(crate) text: String,
    /// What is wrong with it.
    pub(crate) reason: &'static str,
}

impl Repository {
    /// `HOST[:PORT]`.
    #[must_use]
    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// The name within the registry: `team/app`.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The host without the port, and without the brackets of an IPv6 address.
    #[must_use]
    pub(crate) fn host(&self) -> &str {
        let host = self.registry.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(&*self.registry, |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether the registry is on this machine: the only case in which plain HTTP is spoken.
    #[must_use]
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Whether it is `HOST[:PORT]`.
#[must_use]
pub(crate) fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_valid = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        }),
    };
    host_valid && port.is_none_or(is_port)
}

/// Whether it is the name of a repository (distribution-spec, "Pulling manifests"):
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`.
#[must_use]
pub(crate) fn is_name(text: &str) -> bool {
    text.split('/').all(is_name_component)
}

fn is_name_component(text: &str) -> bool {
    let word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let separators = bytes.split(word).filter(|run| !run.is_empty());
    word(first)
        && word(last)
        && separators.into_iter().all(|run| matches!(run, b"." | b"_" | b"__") || run.iter().all(|b| *b == b'-'))
}

impl FromStr for Repository {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidReference { text: text.to_owned(), reason };
        let (registry, name) =
            text.split_once('/').ok_or_else(|| invalid("HOST[:PORT]/NAME is expected, with the host written out"))?;
        if !is_host(registry) {
            return Err(invalid("the part before the first '/' is not HOST or HOST:PORT"));
        }
        // A first part that could be a name's is ambiguous (`team/app`): Docker Hub would be meant by some, a host by others.
        if !registry.contains(['.', ':']) && registry != "localhost" {
            return Err(invalid("the registry's host is missing: write it out, as in registry.example.com/team/app"));
        }
        if !is_name(name) {
            return Err(invalid(
                "a repository name has lower-case letters and digits, with '.', '_', '-' between them and '/' between parts",
            ));
        }
        if registry.len() + name.len() + 1 > 255 {
            return Err(invalid("host and name together have more than 255 characters"));
        }
        Ok(Self { registry: registry.to_owned(), name: name.to_owned() })
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidReference { text: text.to_owned(), reason };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| invalid("what follows '@' is not a sha256 digest"))?)),
            None => (text, None),
        };
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') && repository.contains('/') => {
                (repository, Some(tag.parse().map_err(|_| invalid("what follows the last ':' is not a tag"))?))
            }
            _ => (rest, None),
        };
        let repository = repository.parse().map_err(|error: InvalidReference| invalid(error.reason))?;
        Ok(Self { repository, tag, digest })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl TryFrom<String> for Repository {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_string()
    }
}

impl TryFrom<String> for Reference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_has_a_repository_and_perhaps_a_tag_and_a_digest() {
        let reference: Reference = format!("localhost:5000/team/app:v1@{DIGEST}").parse().unwrap();
        assert_eq!(reference.repository.registry(), "localhost:5000");
        assert_eq!(reference.repository.name(), "team/app");
        assert_eq!(reference.tag.unwrap().as_str(), "v1");
        assert_eq!(reference.digest.unwrap().to_string(), DIGEST);
        assert_eq!("localhost:5000/app".parse::<Reference>().unwrap().tag, None);
    }

    #[test]
    fn a_reference_without_a_host_is_refused_with_the_reason() {
        for text in ["app", "team/app", "app:v1"] {
            let error = text.parse::<Reference>().unwrap_err();
            assert!(error.reason.contains("host"), "{error}");
        }
    }

    #[test]
    fn names_that_the_specification_forbids_are_refused() {
        for name in ["App", "-a", "a-", "a..b", "a___b", "a._b", "a//b", "", "a b", "é"] {
            assert!(format!("r.example/{name}").parse::<Repository>().is_err(), "{name}");
        }
        for name in ["a--b", "a__b", "a.b/c_d", "0"] {
            assert!(format!("r.example/{name}").parse::<Repository>().is_ok(), "{name}");
        }
    }

    #[test]
    fn only_this_machine_counts_as_loopback() {
        for (text, loopback) in [
            ("localhost/a", true),
            ("127.0.0.1:5000/a", true),
            ("127.9.9.9:5000/a", true),
            ("[::1]:5000/a", true),
            ("127.0.0.1.example.com/a", false),
            ("localhost.example.com/a", false),
            ("10.0.0.1:5000/a", false),
        ] {
            assert_eq!(text.parse::<Repository>().unwrap().is_loopback(), loopback, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_reference_reads_back_as_it_was_written(
            host in "[a-z0-9]{1,8}\\.[a-z]{2,5}(:[1-9][0-9]{1,3})?",
            name in "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}(/[a-z0-9]{1,5}){0,2}",
            tag in proptest::option::of("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}"),
            digest in any::<bool>(),
        ) {
            let text = format!("{host}/{name}{}{}", tag.map(|t| format!(":{t}")).unwrap_or_default(), if digest { format!("@{DIGEST}") } else { String::new() });
            prop_assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<Reference>();
        }
    }
}
