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
            // The line ends within quotes: it is the first of several that were meant as one.
            Some((_, value)) if is_open(value) => Err(()),
            Some((name, value)) if is_variable(name) => Ok(Self::Given(name.to_owned(), value.to_owned())),
            None if is_variable(line) => Ok(Self::Inherited(line.to_owned())),
            _ => Err(()),
        }
    }
}

impl Word for Argument {
    const EXPECTED: &'static str = "NAME=VALUE is expected, without quotes around it; for a value of several lines give NAME alone, \
                                   and the value in the environment variable NAME";
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

/// A line of `ssh`, before it is known whether what it names is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SshLine {
    /// The line.
    pub(crate) text: String,
    /// The name that `RUN --mount=type=ssh,id=…` asks for.
    pub(crate) id: String,
    /// The agent's socket; that of `SSH_AUTH_SOCK` where none is named.
    pub(crate) socket: Option<PathBuf>,
}

impl FromStr for SshLine {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let (id, socket) = line.split_once('=').map_or((line, None), |(id, socket)| (id, Some(socket)));
        if id.is_empty() || id.contains(|c: char| c.is_whitespace() || "\"'/,".contains(c)) || socket == Some("") {
            return Err(());
        }
        Ok(Self { text: line.to_owned(), id: id.to_owned(), socket: socket.map(PathBuf::from) })
    }
}

impl Word for SshLine {
    const EXPECTED: &'static str = "default, another ID, or ID=SOCKET is expected";
}

/// A line of `labels`: `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property(pub(crate) String, pub(crate) String);

impl FromStr for Property {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let named = |key: &str| !key.trim().is_empty() && !key.trim_start().starts_with(['"', '\'']);
        let (key, value) = line.split_once('=').filter(|(key, _)| named(key)).ok_or(())?;
        Ok(Self(key.trim().to_owned(), value.to_owned()))
    }
}

impl Word for Property {
    const EXPECTED: &'static str = "KEY=VALUE is expected, on one line and without quotes around it";
}

/// Whether a text begins with a quotation mark that does not end it.
fn is_open(text: &str) -> bool {
    ['"', '\''].into_iter().any(|quote| text.strip_prefix(quote).is_some_and(|rest| !rest.trim_end().ends_with(quote)))
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_value_that_was_meant_to_have_several_is_refused() {
        for line in ["\"TEXT=one", "TEXT=\"one", "TEXT='one", "TEXT=\"", "two\"", "'TEXT=one'"] {
            assert_eq!(line.parse::<Argument>(), Err(()), "{line}");
        }
        for (line, value) in
            [("TEXT=\"one\"", "\"one\""), ("SIZE=5\"", "5\""), ("TEXT=''", "''"), ("TEXT=", ""), ("A=b=\"c", "b=\"c")]
        {
            let Ok(Argument::Given(_, given)) = line.parse() else { panic!("{line}") };
            assert_eq!(given, value);
        }
        assert!("\"KEY=one".parse::<Property>().is_err() && "KEY=\"one\"".parse::<Property>().is_ok());
    }

    #[test]
    fn an_agent_is_given_by_an_id_and_a_socket() {
        let read = |line: &str| line.parse::<SshLine>().map(|line| (line.id, line.socket)).ok();
        assert_eq!(read("default"), Some(("default".to_owned(), None)));
        assert_eq!(read("git=/run/a=b.sock"), Some(("git".to_owned(), Some("/run/a=b.sock".into()))));
        for line in ["", "=/run/a", "git=", "/run/agent.sock", "a b", "\"default\""] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
