//! The words for trust policies that do not accept a run.

mod sentence;
mod values;

use std::fmt;

use iam_policy::ParseError;
use iam_policy::trust::{Difference, Label};

use super::Diagnosis;
use crate::text;

/// The most characters of a value or a name that are shown.
const LENGTH: usize = 500;

/// One difference between a trust policy and a caller, as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    /// What differs, why that matters, and what to do.
    pub(crate) sentences: String,
    /// The values, one under the other, for a monospaced font. May be empty.
    pub(crate) values: Vec<String>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences)?;
        self.values.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl From<&Difference> for Explanation {
    fn from(difference: &Difference) -> Self {
        let statement = difference.statement.as_ref().map_or_else(|| "The policy".to_owned(), name);
        let sentences = format!("{statement} {}", sentence::predicate(difference));
        Self { sentences, values: values::lines(difference) }
    }
}

impl From<&ParseError> for Diagnosis {
    fn from(error: &ParseError) -> Self {
        let why = match error {
            ParseError::TooLarge { bytes, limit } => format!("It has {bytes} bytes; IAM accepts at most {limit}."),
            ParseError::Malformed { line, column, reason } => {
                format!("Line {line}, column {column}: {}.", text::line(reason, LENGTH))
            }
        };
        let remedy = "Give the role's trust policy as IAM shows it: \
                      `aws iam get-role --role-name NAME --query Role.AssumeRolePolicyDocument`.";
        Self::new("The policy can't be read", why, remedy)
    }
}

fn name(label: &Label) -> String {
    let sid = label.sid.as_ref().map(|sid| format!(" ({})", text::line(sid, LENGTH))).unwrap_or_default();
    format!("Statement {}{sid}", label.number)
}

#[cfg(test)]
mod tests {
    use iam_policy::trust::{Element, MismatchReason};
    use iam_policy::{Document, Effect};

    use super::*;

    const SUBJECT: &str = "token.actions.githubusercontent.com:sub";

    fn condition(key: &str) -> Element {
        Element::Condition { operator: "StringEquals".to_owned(), key: key.to_owned() }
    }

    fn explain(element: Element, expected: &[&str], actual: Option<&str>, reason: MismatchReason) -> String {
        let statement = Some(Label { sid: Some("Main".to_owned()), number: 2, effect: Effect::Allow });
        let expected = expected.iter().map(|value| (*value).to_owned()).collect();
        let actual = actual.map(str::to_owned);
        Explanation::from(&Difference { statement, element, expected, actual, reason }).to_string()
    }

    fn of_reason(reason: MismatchReason, element: Element) -> String {
        explain(element, &["value of the policy"], Some("value of the caller"), reason)
    }

    #[test]
    fn letter_case_is_shown_where_it_differs() {
        let shown = explain(
            condition(SUBJECT),
            &["repo:OCTO-org/octo-repo:ref:refs/heads/Main"],
            Some("repo:octo-org/octo-repo:ref:refs/heads/main"),
            MismatchReason::OnlyLetterCase { position: 5 },
        );
        insta::assert_snapshot!(shown, @r"
        Statement 2 (Main) has the sub in another letter case, and AWS tells capital letters from small ones. Write it exactly as shown first.
          token     repo:octo-org/octo-repo:ref:refs/heads/main
          policy    repo:OCTO-org/octo-repo:ref:refs/heads/Main
                         ^^^^
          operator  StringEquals
        ");
    }

    #[test]
    fn each_cause_has_its_sentences() {
        let subject = || condition(SUBJECT);
        let shown = [
            (MismatchReason::OtherSubjectFormat { token_has_ids: true }, subject()),
            (MismatchReason::OtherSubjectFormat { token_has_ids: false }, subject()),
            (MismatchReason::WildcardUnderStringEquals, subject()),
            (MismatchReason::EnvironmentInsteadOfRef, subject()),
            (MismatchReason::RefInsteadOfEnvironment, subject()),
            (MismatchReason::PullRequestInsteadOfRef, subject()),
            (MismatchReason::RefInsteadOfPullRequest, subject()),
            (MismatchReason::OtherRef, subject()),
            (MismatchReason::OtherEnvironment, subject()),
            (MismatchReason::OtherRepository, subject()),
            (MismatchReason::AudienceDiffers, condition("token.actions.githubusercontent.com:aud")),
            (MismatchReason::ProviderOfAnotherAccount, Element::Principal),
            (MismatchReason::OtherProvider, Element::Principal),
            (MismatchReason::NotFederated, Element::Principal),
            (MismatchReason::NoPrincipal, Element::Principal),
            (MismatchReason::WildcardPrincipal, Element::Principal),
            (MismatchReason::NotPrincipal, Element::Principal),
            (MismatchReason::ActionMissing, Element::Action),
            (MismatchReason::MissingClaim, condition("token.actions.githubusercontent.com:environment")),
            (MismatchReason::MissingClaim, condition("token.actions.githubusercontent.com:actor")),
            (MismatchReason::ClaimNotPassed, condition("token.actions.githubusercontent.com:event_name")),
            (MismatchReason::KeyOfAnotherProvider, condition("https://token.actions.githubusercontent.com:sub")),
            (MismatchReason::KeyOfRequest, condition("aws:SourceIp")),
            (MismatchReason::UnknownOperator, subject()),
            (MismatchReason::PolicyVariable, subject()),
            (MismatchReason::Excluded, subject()),
            (MismatchReason::ExplicitDeny, subject()),
            (MismatchReason::Other, subject()),
        ];
        let shown: Vec<_> = shown.into_iter().map(|(reason, element)| of_reason(reason, element)).collect();
        insta::assert_snapshot!(shown.join("\n\n"));
    }

    #[test]
    fn a_condition_that_may_deny_says_so() {
        let statement = Some(Label { sid: None, number: 1, effect: Effect::Deny });
        let difference = Difference {
            statement,
            element: condition("aws:SourceIp"),
            expected: Vec::new(),
            actual: None,
            reason: MismatchReason::KeyOfRequest,
        };
        let sentences = Explanation::from(&difference).sentences;
        assert!(sentences.starts_with("Statement 1 has a condition on aws:SourceIp"), "{sentences}");
        assert!(sentences.ends_with("where it does, the statement denies."), "{sentences}");
    }

    #[test]
    fn a_policy_without_statements_has_no_values_to_show() {
        let reason = MismatchReason::NothingAllowed;
        let difference = Difference { statement: None, element: Element::Statement, expected: Vec::new(), actual: None, reason };
        let expected = "The policy has no statement that allows anything. Add one for this caller.";
        assert_eq!(Explanation::from(&difference).to_string(), expected);
    }

    #[test]
    fn a_long_list_is_cut_and_hostile_values_stay_on_their_lines() {
        let shown = explain(condition("x\n::stop-commands::y:sub"), &["a\nb\u{1b}[2J"; 9], None, MismatchReason::Other);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 1 + 1 + 5 + 1 + 1, "{shown}");
        assert_eq!((lines[1], lines[2], lines[7]), ("  token     (nothing)", "  policy    a b", "            and 4 more"));
    }

    #[test]
    fn a_policy_that_can_not_be_read_names_the_line() {
        let error = Document::parse("{\n\"Statements\": []}").unwrap_err();
        let why = Diagnosis::from(&error).why;
        assert!(why.starts_with("Line 2, column 12: unknown field `Statements`, expected one of"), "{why}");
    }
}
