//! Policy documents, as people write them (IAM User Guide, "Grammar of the IAM JSON policy language").

use serde::{Deserialize, Serialize};

use crate::{Statement, element};

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Document {
    /// The version of the policy language.
    #[serde(default)]
    pub version: Version,
    /// A name for the document.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "element::read_some")]
    pub id: Option<String>,
    /// The statements. Their order means nothing.
    #[serde(rename = "Statement", deserialize_with = "element::read_list")]
    pub statements: Vec<Statement>,
}

/// The version of the policy language (IAM User Guide, "IAM JSON policy elements: Version").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// The first one, which holds where a document names none. It has no policy variables.
    #[default]
    #[serde(rename = "2008-10-17")]
    V2008,
    /// The current one.
    #[serde(rename = "2012-10-17")]
    V2012,
}

/// The text is not a policy document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is larger than any policy.
    #[error("{bytes} bytes; a policy has at most {limit}")]
    TooLarge {
        /// Its size, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// It is not JSON, or not the JSON of a policy.
    #[error("line {line}, column {column}: {reason}")]
    Malformed {
        /// The line at which reading stopped, from 1.
        line: usize,
        /// The column at which reading stopped, from 1.
        column: usize,
        /// What is wrong. It may quote the text.
        reason: String,
    },
}

impl Document {
    /// The most bytes that are read. A trust policy has at most 8192 characters, spaces not counted (IAM User Guide, "IAM and
    /// AWS STS quotas").
    pub const MAX_BYTES: usize = 32 * 1024;

    /// Reads a document. An element that the grammar does not have is an error, for IAM does not take it either.
    ///
    /// # Errors
    /// The text is too large, not JSON, or not a policy.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.len() > Self::MAX_BYTES {
            return Err(ParseError::TooLarge { bytes: text.len(), limit: Self::MAX_BYTES });
        }
        serde_json::from_str(text).map_err(|error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let reason = error.to_string();
            let reason = reason.strip_suffix(&place).unwrap_or(&reason).to_owned();
            ParseError::Malformed { line: error.line(), column: error.column(), reason }
        })
    }

    /// The document as indented JSON, its elements in the order in which people write them.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and lists always have a JSON form.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The same without a space: where characters are counted, as in a session policy.
    #[must_use]
    pub fn to_compact_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(text: &str) -> (usize, String) {
        match Document::parse(text).unwrap_err() {
            ParseError::Malformed { line, reason, .. } => (line, reason),
            error @ ParseError::TooLarge { .. } => panic!("{error}"),
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
            (r#""Sid": null"#, "invalid type: null, expected a string"),
            (r#""Principal": null"#, "invalid type: null, expected \"*\", or principals under"),
            (r#""Resource": null"#, "invalid type: null, expected one value or a list"),
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
        let text = " ".repeat(Document::MAX_BYTES + 1);
        assert_eq!(
            Document::parse(&text),
            Err(ParseError::TooLarge { bytes: Document::MAX_BYTES + 1, limit: Document::MAX_BYTES })
        );
        assert!(matches!(Document::parse(&"[".repeat(Document::MAX_BYTES)), Err(ParseError::Malformed { .. })));
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
        ],
        "Service": "ec2.amazonaws.com",
        "CanonicalUser": "3"
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
        let document = Document::parse(text).unwrap();
        assert_eq!(document.to_json(), text);
        assert_eq!(Document::parse(&document.to_compact_json()).unwrap(), document);
        assert!(!document.to_compact_json().contains([' ', '\n']));
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in any::<String>(), marks in r#"(\{|\}|\[|\]|:|,|"Statement"|"Effect"|"Allow"|"Principal"|"Condition"|"\*"|"a"|1| ){0,30}"#) {
            let _ = Document::parse(&text);
            let _ = Document::parse(&marks);
        }
    }
}
