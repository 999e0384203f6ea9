//! The lines of the inputs about the build.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use super::value::Word;

/// A line of `build-args`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// `NAME=VALUE`.
    Given(String, String),
    /// `NAME`: the value that the variable of this name has here.
    Inherited(String),
}

impl FromStr for Argument {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        match line.split_once('=') {
            Some((name, value)) if is_variable(name) => Ok(Self::Given(name.to_owned(), value.to_owned())),
            None if is_variable(line) => Ok(Self::Inherited(line.to_owned())),
            _ => Err(()),
        }
    }
}

impl Word for Argument {
    const EXPECTED: &'static str = "NAME=VALUE is expected";
}

/// A line of `build-secrets`, before it is known whether what it names is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretLine {
    /// The line.
    pub(crate) text: String,
    /// The name that `RUN --mount=type=secret,id=…` asks for.
    pub(crate) id: String,
    /// Where the value is.
    pub(crate) place: SecretPlace,
}

/// Where a secret's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretPlace {
    /// In the variable of this name.
    Variable(String),
    /// In this file.
    File(PathBuf),
}

impl FromStr for SecretLine {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let fields: BTreeMap<&str, &str> = line.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        if fields.len() != line.split(',').count() {
            return Err(());
        }
        let field = |names: &[&str]| names.iter().find_map(|name| fields.get(name).copied()).filter(|value| !value.is_empty());
        let place = match (field(&["env"]), field(&["src", "source"])) {
            (Some(name), None) => SecretPlace::Variable(name.to_owned()),
            (None, Some(path)) => SecretPlace::File(path.into()),
            _ => return Err(()),
        };
        Ok(Self { text: line.to_owned(), id: field(&["id"]).ok_or(())?.to_owned(), place })
    }
}

impl Word for SecretLine {
    const EXPECTED: &'static str = "id=NAME,env=VARIABLE or id=NAME,src=FILE is expected";
}

/// A line of `labels`: `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property(pub(crate) String, pub(crate) String);

impl FromStr for Property {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let (key, value) = line.split_once('=').filter(|(key, _)| !key.trim().is_empty()).ok_or(())?;
        Ok(Self(key.trim().to_owned(), value.to_owned()))
    }
}

impl Word for Property {
    const EXPECTED: &'static str = "KEY=VALUE is expected";
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
