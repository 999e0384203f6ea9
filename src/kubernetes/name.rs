//! Names of objects (Kubernetes documentation, "Object Names and IDs"). They are parts of an address: what is not a name leads
//! nowhere else.

use std::fmt;
use std::str::FromStr;

/// The name of a Secret: a DNS subdomain (RFC 1123).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretName(String);

/// The name of a namespace: a DNS label (RFC 1123).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace(String);

/// Where a Secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its namespace.
    pub(crate) namespace: Namespace,
    /// Its name there.
    pub(crate) name: SecretName,
}

/// The most characters of a label, and of a subdomain.
const LABEL: usize = 63;
const SUBDOMAIN: usize = 253;

impl FromStr for SecretName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_one = text.len() <= SUBDOMAIN && text.split('.').all(|part| is_label(part, SUBDOMAIN));
        is_one
            .then(|| Self(text.to_owned()))
            .ok_or("the name of a Secret is expected: small letters, digits, - and . between them")
    }
}

impl FromStr for Namespace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "the name of a namespace is expected: small letters, digits, and - between them";
        is_label(text, LABEL).then(|| Self(text.to_owned())).ok_or(expected)
    }
}

fn is_label(text: &str, longest: usize) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=longest).contains(&text.len()) && text.bytes().all(known) && !text.starts_with('-') && !text.ends_with('-')
}

impl SecretName {
    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Namespace {
    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace.0, self.name.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for name in ["a", "ecr-pull", "0", "a.b-c.d", &"a".repeat(253)] {
            assert!(name.parse::<SecretName>().is_ok(), "{name}");
        }
        for none in ["", ".", "..", "a/b", "../a", "a%2fb", "A", "a_b", "-a", "a-", "a..b", ".a", "a.", "a?x", "a b", "ä", "a\n"]
        {
            assert!(none.parse::<SecretName>().is_err() && none.parse::<Namespace>().is_err(), "{none:?}");
        }
        assert!("a".repeat(254).parse::<SecretName>().is_err());
        assert!("a".repeat(63).parse::<Namespace>().is_ok() && "a".repeat(64).parse::<Namespace>().is_err());
        assert!("a.b".parse::<Namespace>().is_err());
    }
}
