//! Principals of a statement (IAM User Guide, "IAM JSON policy elements: Principal").

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::element;

/// The principals that a statement applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principals {
    /// `*`: all of them.
    Everyone,
    /// Some, by their kind.
    Named(NamedPrincipals),
}

/// Principals by their kind. A list may hold `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedPrincipals {
    /// Identity providers: the ARNs of OIDC and SAML providers, and hosts of well-known ones.
    #[serde(rename = "Federated", default, deserialize_with = "element::read_list", serialize_with = "element::write_list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub federated: Vec<String>,
    /// Accounts, users, roles and sessions.
    #[serde(rename = "AWS", default, deserialize_with = "element::read_list", serialize_with = "element::write_list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aws: Vec<String>,
    /// Services of AWS: `ec2.amazonaws.com`.
    #[serde(rename = "Service", default, deserialize_with = "element::read_list", serialize_with = "element::write_list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<String>,
    /// Accounts as Amazon S3 names them.
    #[serde(rename = "CanonicalUser", default, deserialize_with = "element::read_list", serialize_with = "element::write_list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub canonical_user: Vec<String>,
}

impl Principals {
    /// One identity provider, by its ARN.
    #[must_use]
    pub fn federated(provider: String) -> Self {
        Self::Named(NamedPrincipals { federated: vec![provider], ..NamedPrincipals::default() })
    }

    /// All names, whatever their kind.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Everyone => vec!["*".to_owned()],
            Self::Named(NamedPrincipals { federated, aws, service, canonical_user }) => {
                [federated, aws, service, canonical_user].into_iter().flatten().cloned().collect()
            }
        }
    }
}

impl Serialize for Principals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Everyone => serializer.serialize_str("*"),
            Self::Named(named) => named.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Principals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EveryoneOrNamed)
    }
}

struct EveryoneOrNamed;

impl<'de> Visitor<'de> for EveryoneOrNamed {
    type Value = Principals;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"*\", or principals under AWS, Federated, Service or CanonicalUser")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Principals, E> {
        if text == "*" { Ok(Principals::Everyone) } else { Err(E::invalid_value(Unexpected::Str(text), &self)) }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Principals, A::Error> {
        NamedPrincipals::deserialize(MapAccessDeserializer::new(map)).map(Principals::Named)
    }
}
