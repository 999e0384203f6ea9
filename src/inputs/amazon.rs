//! What the inputs about Amazon ECR are read as.

use std::str::FromStr;

use super::value::{Fault, Value, Word};
use crate::aws::{AccountId, RegistryHost, RoleArn};
use crate::document;
use crate::oci::reference::Repository;

/// What `ecr-repository` names: `NAME`, or `HOST/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EcrRepository {
    /// The registry's address, where it is named.
    pub(crate) host: Option<String>,
    /// The repository's name.
    pub(crate) name: String,
    /// What the host says of its registry, where it is one of Amazon ECR's own.
    pub(crate) registry: Option<RegistryHost>,
}

impl Value for EcrRepository {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let text = text.trim();
        let first = text.split('/').next().unwrap_or_default();
        let full = text.contains('/') && (first.contains(['.', ':']) || first == "localhost");
        let whole = if full { text.to_owned() } else { format!("registry.invalid/{text}") };
        let repository: Repository = whole.parse().map_err(|error: crate::oci::reference::InvalidReference| {
            let expected = "team/app or ACCOUNT.dkr.ecr.REGION.amazonaws.com/team/app is expected";
            Fault::new(text, format!("{expected} ({})", error.reason))
        })?;
        let host = full.then(|| repository.registry().to_owned());
        let registry = host.as_deref().and_then(RegistryHost::parse);
        // Documents show account ids of nine digits, which get copied with the rest.
        let account = host.as_deref().and_then(|host| host.split_once(".dkr.ecr.")).map(|(account, _)| account);
        if account
            .is_some_and(|account| account.bytes().all(|byte| byte.is_ascii_digit()) && account.parse::<AccountId>().is_err())
        {
            return Err(Fault::new(text, "an account of twelve digits is expected in the registry's address"));
        }
        Ok(Self { host, name: repository.name().to_owned(), registry })
    }
}

/// A role: by its ARN, or by its name in an account that another input names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its ARN.
    Arn(RoleArn),
    /// Its path and name.
    Name(String),
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(arn) = text.parse() {
            return Ok(Self::Arn(arn));
        }
        let name = text.trim_start_matches('/');
        if text.starts_with("arn:") { Err(()) } else { Ok(Self::Name(name.to_owned())) }
    }
}

impl Role {
    /// What is expected of one.
    pub(crate) const EXPECTED: &'static str =
        "arn:aws:iam::ACCOUNT:role/NAME is expected, or a role's name together with aws-account-id";
}

impl Word for Role {
    const EXPECTED: &'static str = Self::EXPECTED;
}

/// The name of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region(pub(crate) String);

impl FromStr for Region {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (text.bytes().all(allowed) && text.contains('-')).then(|| Self(text.to_owned())).ok_or(())
    }
}

impl Word for Region {
    const EXPECTED: &'static str = "a region such as eu-central-1 is expected";
}

/// What a role's session is called in AWS's logs (AWS STS API reference, `AssumeRoleWithWebIdentity`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionName(pub(crate) String);

impl SessionName {
    /// The most characters that it may have.
    pub(crate) const MAX_LENGTH: usize = 64;

    /// Whether it may have a character.
    pub(crate) fn may_have(c: char) -> bool {
        c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
    }
}

impl FromStr for SessionName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (2..=Self::MAX_LENGTH).contains(&text.len()) && text.chars().all(Self::may_have);
        valid.then(|| Self(text.to_owned())).ok_or(())
    }
}

impl Word for SessionName {
    const EXPECTED: &'static str = "2 to 64 letters, digits and _ + = , . @ - are expected";
}

/// For how long credentials are asked for, in seconds (AWS STS API reference, `AssumeRoleWithWebIdentity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) i32);

impl FromStr for Seconds {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = text.parse().map_err(|_| ())?;
        (900..=43_200).contains(&seconds).then_some(Self(seconds)).ok_or(())
    }
}

impl Word for Seconds {
    const EXPECTED: &'static str = "a number of seconds from 900 to 43200 is expected";
}

/// A policy that narrows what a role may do, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionPolicy(pub(crate) String);

impl Value for SessionPolicy {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let text = text.trim();
        match document::read::<serde_json::Map<String, serde_json::Value>>(text.as_bytes()) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(Fault::new("", format!("the JSON of a policy is expected: {error}"))),
        }
    }
}
