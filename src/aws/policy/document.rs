//! Policy documents, as people write them (IAM User Guide, "Grammar of the IAM JSON policy language").

use serde::{Deserialize, Serialize};

use super::condition::{Condition, Conditions};
use super::{Principals, list};

/// The most bytes of a document. A trust policy has at most 8192 characters, spaces not counted (IAM User Guide, "IAM and
/// AWS STS quotas").
pub const MAX_BYTES: usize = 32 * 1024;

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Document {
    /// The version of the language.
    #[serde(default)]
    pub version: Version,
    /// A name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it says.
    #[serde(rename = "Statement", deserialize_with = "list::read")]
    pub statements: Vec<Statement>,
}

/// The version of the policy language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// The first one, and what holds where none is given. It has no policy variables.
    #[default]
    #[serde(rename = "2008-10-17")]
    V2008,
    /// The current one.
    #[serde(rename = "2012-10-17")]
    V2012,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Elements", into = "Elements")]
pub struct Statement {
    /// Its name.
    pub sid: Option<String>,
    /// What it does with those whom it is about.
    pub effect: Effect,
    /// Whom it is about. Absent in policies that are attached to a principal.
    pub principals: Option<Scope<Principals>>,
    /// What they ask for.
    pub actions: Scope<Vec<String>>,
    /// On what. Absent in trust policies.
    pub resources: Option<Scope<Vec<String>>>,
    /// Under which conditions, all of which must hold.
    pub conditions: Vec<Condition>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever others allow.
    Deny,
}

/// An element, or the same with `Not` before its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope<T> {
    /// These.
    Only(T),
    /// All but these.
    AllBut(T),
}

/// The elements of a statement, in the order in which people write them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Elements {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    effect: Effect,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<Principals>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_principal: Option<Principals>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "list::read_some", serialize_with = "list::write_some")]
    action: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "list::read_some", serialize_with = "list::write_some")]
    not_action: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "list::read_some", serialize_with = "list::write_some")]
    resource: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "list::read_some", serialize_with = "list::write_some")]
    not_resource: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    condition: Conditions,
}

/// The text is no policy document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is larger than any policy.
    #[error("{bytes} bytes; a policy has at most {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// It is no JSON, or not that of a policy.
    #[error("line {line}, column {column}: {reason}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column, from 1: where reading stopped.
        column: usize,
        /// What is wrong. It may quote the text.
        reason: String,
    },
}

/// Two elements that exclude each other, or none of them.
#[derive(Debug, thiserror::Error)]
enum Contradiction {
    #[error("both `{0}` and `Not{0}`")]
    Both(&'static str),
    #[error("missing field `{0}`")]
    Neither(&'static str),
}

impl Document {
    /// Reads a document. What it does not know is an error, for IAM does not take it either.
    ///
    /// # Errors
    /// Where the text is too large, no JSON, or no policy.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_BYTES {
            return Err(Error::TooLarge { bytes: text.len(), limit: MAX_BYTES });
        }
        serde_json::from_str(text).map_err(|error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let reason = error.to_string();
            let reason = reason.strip_suffix(&place).unwrap_or(&reason).to_owned();
            Error::Malformed { line: error.line(), column: error.column(), reason }
        })
    }

    /// The document as JSON over several lines, its elements in the order in which people write them.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts and lists can always be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl TryFrom<Elements> for Statement {
    type Error = Contradiction;

    fn try_from(elements: Elements) -> Result<Self, Contradiction> {
        Ok(Self {
            sid: elements.sid,
            effect: elements.effect,
            principals: Scope::of("Principal", elements.principal, elements.not_principal)?,
            actions: Scope::of("Action", elements.action, elements.not_action)?.ok_or(Contradiction::Neither("Action"))?,
            resources: Scope::of("Resource", elements.resource, elements.not_resource)?,
            conditions: elements.condition.0,
        })
    }
}

impl From<Statement> for Elements {
    fn from(statement: Statement) -> Self {
        let (principal, not_principal) = statement.principals.map_or((None, None), Scope::parts);
        let (action, not_action) = statement.actions.parts();
        let (resource, not_resource) = statement.resources.map_or((None, None), Scope::parts);
        let condition = Conditions(statement.conditions);
        let Statement { sid, effect, .. } = statement;
        Self { sid, effect, principal, not_principal, action, not_action, resource, not_resource, condition }
    }
}

impl<T> Scope<T> {
    fn of(element: &'static str, only: Option<T>, all_but: Option<T>) -> Result<Option<Self>, Contradiction> {
        match (only, all_but) {
            (Some(_), Some(_)) => Err(Contradiction::Both(element)),
            (Some(only), None) => Ok(Some(Self::Only(only))),
            (None, all_but) => Ok(all_but.map(Self::AllBut)),
        }
    }

    fn parts(self) -> (Option<T>, Option<T>) {
        match self {
            Self::Only(only) => (Some(only), None),
            Self::AllBut(all_but) => (None, Some(all_but)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(text: &str) -> (usize, String) {
        match Document::parse(text).unwrap_err() {
            Error::Malformed { line, reason, .. } => (line, reason),
            error @ Error::TooLarge { .. } => panic!("{error}"),
        }
    }

    #[test]
    fn one_value_and_a_list_of_one_mean_the_same() {
        let bare = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*",
            "Principal": {"Federated": "p"}, "Condition": {"StringEquals": {"k": "v"}}}}"#;
        let listed = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["a:b"], "Resource": ["*"],
            "Principal": {"Federated": ["p"]}, "Condition": {"StringEquals": {"k": ["v"]}}}]}"#;
        assert_eq!(Document::parse(bare).unwrap(), Document::parse(listed).unwrap());
    }

    #[test]
    fn values_without_quotes_are_texts() {
        let text = r#"{"Statement": {"Effect": "Deny", "Action": "*", "Condition": {"Bool": {"a:b": false}, "X": {"n": [1, -2, "3"]}}}}"#;
        let conditions = &Document::parse(text).unwrap().statements[0].conditions;
        let values: Vec<_> = conditions.iter().map(|condition| condition.values.join(" ")).collect();
        assert_eq!(values, ["false", "1 -2 3"]);
    }

    #[test]
    fn what_iam_would_not_take_is_named_with_its_line() {
        for (element, reason) in [
            (r#""Conditions": {}"#, "unknown field `Conditions`, expected one of"),
            (r#""Effect": "Allow""#, "duplicate field `Effect`"),
            (r#""NotAction": "x:y""#, "both `Action` and `NotAction`"),
            (r#""Principal": "me""#, "invalid value: string \"me\", expected \"*\", or principals under"),
            (r#""Principal": {"Federate": "x"}"#, "unknown field `Federate`"),
            (r#""Resource": 3"#, "invalid type: integer `3`, expected a string"),
            (r#""Resource": [["x"]]"#, "invalid type: sequence, expected a string"),
            (r#""Condition": {"StringLike": "x"}"#, "invalid type: string \"x\", expected keys with values"),
            (r#""Condition": {"StringLike": {"k": {}}}"#, "a condition compares with texts, numbers, true or false"),
            (r#""Condition": {"StringLike": {"k": "a", "k": "b"}}"#, "duplicate key `k`"),
            (r#""Condition": {"StringLike": {}, "StringLike": {}}"#, "duplicate operator `StringLike`"),
        ] {
            let text = format!("{{\"Statement\": [\n{{\"Effect\": \"Allow\",\n\"Action\": \"a:b\",\n{element}}}]}}");
            let (line, found) = place(&text);
            assert!(found.starts_with(reason), "{found}");
            assert_eq!(line, 4, "{element}");
        }
        assert!(place(r#"{"Version": "2024-01-01", "Statement": []}"#).1.starts_with("unknown variant `2024-01-01`, expected"));
        assert!(place(r#"{"Statement": [{"Effect": "allow", "Action": "*"}]}"#).1.starts_with("unknown variant `allow`"));
        assert_eq!(place(r#"{"Statement": [{"Effect": "Allow"}]}"#).1, "missing field `Action`");
        assert_eq!(place("{\n\"Statement\": [],\n}").0, 3);
    }

    #[test]
    fn a_text_larger_than_any_policy_is_not_read() {
        let text = " ".repeat(MAX_BYTES + 1);
        assert_eq!(Document::parse(&text), Err(Error::TooLarge { bytes: MAX_BYTES + 1, limit: MAX_BYTES }));
        assert!(matches!(Document::parse(&"[".repeat(MAX_BYTES)), Err(Error::Malformed { .. })));
    }

    #[test]
    fn a_document_reads_back_as_it_was_written() {
        let text = r#"{
  "Version": "2012-10-17",
  "Id": "trust",
  "Statement": [
    {
      "Sid": "One",
      "Effect": "Allow",
      "Principal": {
        "Federated": "arn:aws:iam::012345678901:oidc-provider/x",
        "AWS": [
          "1",
          "2"
        ]
      },
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {
        "StringEquals": {
          "x:aud": "sts.amazonaws.com",
          "x:sub": [
            "a",
            "b"
          ]
        },
        "Null": {
          "x:sub": "false"
        }
      }
    },
    {
      "Effect": "Deny",
      "NotPrincipal": "*",
      "NotAction": [],
      "NotResource": "*"
    }
  ]
}"#;
        assert_eq!(Document::parse(text).unwrap().to_json(), text);
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in any::<String>(), marks in r#"(\{|\}|\[|\]|:|,|"Statement"|"Effect"|"Allow"|"Principal"|"Condition"|"\*"|"a"|1| ){0,30}"#) {
            let _ = Document::parse(&text);
            let _ = Document::parse(&marks);
        }
    }
}
