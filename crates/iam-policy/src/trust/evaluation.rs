//! One statement of a trust policy, evaluated for a token.

use super::key::{ConditionKey, is_passed_on};
use super::provider::{provider_arn, provider_name};
use super::{ACTION, Difference, Element, Label, MismatchReason, mismatch};
use crate::operator::{Comparison, Operator, Outcome};
use crate::pattern::Pattern;
use crate::{Claims, Condition, Effect, Principals, RoleArn, Scope, Statement, Version};

/// What a caller asks AWS for, as a policy sees it.
pub(super) struct Request<'a> {
    claims: &'a Claims,
    /// The issuer, as IAM names its provider.
    provider: &'a str,
    provider_arn: String,
    version: Version,
}

/// The result for one element of a statement.
pub(super) struct Finding {
    judgement: Judgement,
    pub(super) element: Element,
    expected: Vec<String>,
    actual: Option<String>,
}

/// Whether an element is met, and if not, or not surely, why.
enum Judgement {
    Met,
    Unmet(MismatchReason),
    Unknown(MismatchReason),
}

impl Judgement {
    fn of(outcome: Outcome, reason: MismatchReason) -> Self {
        match outcome {
            Outcome::Met => Self::Met,
            Outcome::Unmet => Self::Unmet(reason),
            Outcome::Unknown => Self::Unknown(reason),
        }
    }
}

impl Finding {
    pub(super) fn is_met(&self) -> bool {
        matches!(self.judgement, Judgement::Met)
    }

    pub(super) fn is_unmet(&self) -> bool {
        matches!(self.judgement, Judgement::Unmet(_))
    }

    /// Why the element does not let the caller in, or may not; none where it does.
    pub(super) fn difference(self, label: &Label) -> Option<Difference> {
        let Self { judgement, element, expected, actual } = self;
        match judgement {
            Judgement::Met => None,
            Judgement::Unmet(reason) | Judgement::Unknown(reason) => {
                Some(Difference { statement: Some(label.clone()), element, expected, actual, reason })
            }
        }
    }

    /// The element as what makes a statement deny.
    pub(super) fn denial(self, label: &Label) -> Difference {
        let Self { element, expected, actual, .. } = self;
        Difference { statement: Some(label.clone()), element, expected, actual, reason: MismatchReason::ExplicitDeny }
    }
}

impl<'a> Request<'a> {
    /// The request by which a token with these claims, issued by `issuer`, asks for a role.
    pub(super) fn new(version: Version, claims: &'a Claims, role: &RoleArn, issuer: &'a str) -> Self {
        Self { claims, provider: provider_name(issuer), provider_arn: provider_arn(role, issuer), version }
    }

    /// What comes of each element of a statement: its principals, its actions, each of its conditions.
    pub(super) fn evaluate(&self, statement: &Statement) -> Vec<Finding> {
        let conditions = statement.conditions.iter().map(|condition| self.condition(condition));
        [self.principals(statement), action(&statement.actions)].into_iter().chain(conditions).collect()
    }

    fn principals(&self, statement: &Statement) -> Finding {
        let (mut expected, judgement) = match &statement.principals {
            None => (Vec::new(), Judgement::Unmet(MismatchReason::NoPrincipal)),
            Some(Scope::AllBut(principals)) => (principals.names(), Judgement::Unknown(MismatchReason::NotPrincipal)),
            Some(Scope::Only(principals)) => (principals.names(), self.judge_principals(principals, statement.effect)),
        };
        expected.sort_by_cached_key(|name| mismatch::of_provider(name, &self.provider_arn).distance());
        Finding { judgement, element: Element::Principal, expected, actual: Some(self.provider_arn.clone()) }
    }

    fn judge_principals(&self, principals: &Principals, effect: Effect) -> Judgement {
        let is_everyone = |names: &[String]| names.iter().any(|name| name == "*");
        let (federated, everyone) = match principals {
            Principals::Everyone => (&[][..], true),
            Principals::Named(named) => (&*named.federated, is_everyone(&named.federated) || is_everyone(&named.aws)),
        };
        if federated.contains(&self.provider_arn) {
            return Judgement::Met;
        }
        match (everyone, effect) {
            // Denying everyone is common. Allowing everyone is what IAM refuses (IAM Access Analyzer policy check reference,
            // "Role trust policy unsupported wildcard in principal").
            (true, Effect::Deny) => Judgement::Met,
            (true, Effect::Allow) => Judgement::Unknown(MismatchReason::WildcardPrincipal),
            (false, _) => {
                let reasons = federated.iter().map(|trusted| mismatch::of_provider(trusted, &self.provider_arn));
                Judgement::Unmet(reasons.min_by_key(MismatchReason::distance).unwrap_or(MismatchReason::NotFederated))
            }
        }
    }

    fn condition(&self, condition: &Condition) -> Finding {
        let Condition { operator, key, values } = condition;
        let element = Element::Condition { operator: operator.clone(), key: key.clone() };
        let (operator, key) = (Operator::parse(operator), ConditionKey::of(key, self.provider));
        let actual = match &key {
            ConditionKey::Claim(claim) => self.claims.get(claim),
            ConditionKey::AnotherProvider | ConditionKey::Request => None,
        };
        let judgement = match (operator, &key) {
            (None, _) => Judgement::Unknown(MismatchReason::UnknownOperator),
            (Some(_), ConditionKey::Request) => Judgement::Unknown(MismatchReason::KeyOfRequest),
            (Some(operator), _) => self.judge_condition(operator, &key, values, actual.as_deref()),
        };
        let mut expected = values.clone();
        if let (ConditionKey::Claim(claim), Some(operator), Some(actual)) = (&key, operator, &actual) {
            expected.sort_by_cached_key(|value| self.mismatch(operator, claim, value, actual).distance());
        }
        Finding { judgement, element, expected, actual }
    }

    fn judge_condition(&self, operator: Operator, key: &ConditionKey, values: &[String], actual: Option<&str>) -> Judgement {
        let evaluate = |actual| operator.evaluate(values, actual, self.version);
        let (claim, actual) = match (key, actual) {
            (ConditionKey::Claim(claim), Some(actual)) => (claim, actual),
            (ConditionKey::Claim(_), None) => return Judgement::of(evaluate(None), MismatchReason::MissingClaim),
            _ => return Judgement::of(evaluate(None), MismatchReason::KeyOfAnotherProvider),
        };
        if !is_passed_on(claim, self.provider) {
            // If AWS passes it on one day, the result may change.
            let outcome = match (evaluate(None), evaluate(Some(actual))) {
                (Outcome::Unmet, _) => Outcome::Unmet,
                (Outcome::Met, Outcome::Met) => Outcome::Met,
                _ => Outcome::Unknown,
            };
            return Judgement::of(outcome, MismatchReason::ClaimNotPassed);
        }
        match evaluate(Some(actual)) {
            Outcome::Met => Judgement::Met,
            Outcome::Unknown => Judgement::Unknown(MismatchReason::PolicyVariable),
            Outcome::Unmet if operator.negated || operator.comparison == Comparison::Null => {
                Judgement::Unmet(MismatchReason::Excluded)
            }
            Outcome::Unmet => {
                let reasons = values.iter().map(|value| self.mismatch(operator, claim, value, actual));
                Judgement::Unmet(reasons.min_by_key(MismatchReason::distance).unwrap_or(MismatchReason::Other))
            }
        }
    }

    fn mismatch(&self, operator: Operator, claim: &str, value: &str, actual: &str) -> MismatchReason {
        mismatch::of_claim(claim, value, actual, operator.comparison, self.version)
    }
}

fn action(actions: &Scope<Vec<String>>) -> Finding {
    // Actions have no variables, and their letter case does not matter (IAM User Guide, "IAM JSON policy elements: Action").
    let wanted = ACTION.to_ascii_lowercase();
    let matches =
        |action: &String| Pattern::like(action, Version::V2008).is_some_and(|pattern| pattern.lowercase().matches(&wanted));
    let (met, expected) = match actions {
        Scope::Only(actions) => (actions.iter().any(matches), actions),
        Scope::AllBut(actions) => (!actions.iter().any(matches), actions),
    };
    let judgement = if met { Judgement::Met } else { Judgement::Unmet(MismatchReason::ActionMissing) };
    Finding { judgement, element: Element::Action, expected: expected.clone(), actual: Some(ACTION.to_owned()) }
}
