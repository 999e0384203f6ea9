//! A trust policy held against a token (IAM User Guide, "Policy evaluation logic": one statement that allows is enough, and
//! one that denies is too much).

use super::nearness;
use super::{ACTION, Difference, Element, Label, Nearness, provider, provider_arn};
use crate::aws::RoleArn;
use crate::aws::policy::document::{Document, Effect, Scope, Statement, Version};
use crate::aws::policy::operator::{Judgement, Operator, Test};
use crate::aws::policy::pattern::Pattern;
use crate::aws::policy::{Condition, Principals};
use crate::github::oidc::Claims;

/// Says what keeps the token of these claims out of a role with this trust policy. Empty where nothing does.
///
/// What denies comes first, then what nearly allows, the nearest statement first, then what may deny. Statements that were
/// never meant for a token are left out where there are others.
#[must_use]
pub fn compare(document: &Document, claims: &Claims, role: &RoleArn) -> Vec<Difference> {
    let issuer = claims.issuer().unwrap_or_default();
    let provider = provider(&issuer);
    let request = Request { claims, provider, provider_arn: provider_arn(role, provider), version: document.version };
    let (mut denying, mut missing, mut doubtful) = (Vec::new(), Vec::new(), Vec::new());
    for (index, statement) in document.statements.iter().enumerate() {
        let label = Label::of(statement, index);
        let findings = request.findings(statement);
        match statement.effect {
            Effect::Allow => missing.push(differences(&label, findings)),
            Effect::Deny if findings.iter().any(|finding| finding.judgement == Judgement::Unmet) => {}
            Effect::Deny if findings.iter().all(|finding| finding.judgement == Judgement::Met) => {
                denying.extend(decisive(findings).map(|finding| finding.difference(&label)));
            }
            Effect::Deny => doubtful.extend(differences(&label, findings)),
        }
    }
    denying.into_iter().chain(nearest_first(missing)).chain(doubtful).collect()
}

/// What a caller asks AWS for, as a policy sees it.
struct Request<'a> {
    claims: &'a Claims,
    /// The issuer, as IAM names its provider.
    provider: &'a str,
    provider_arn: String,
    version: Version,
}

/// What came of one element of a statement.
struct Finding {
    judgement: Judgement,
    element: Element,
    expected: Vec<String>,
    actual: Option<String>,
    /// Why it is not met. Means nothing where it is.
    nearness: Nearness,
}

impl Finding {
    fn difference(self, label: &Label) -> Difference {
        let Self { element, expected, actual, nearness, .. } = self;
        Difference { statement: Some(label.clone()), element, expected, actual, nearness }
    }
}

fn differences(label: &Label, findings: Vec<Finding>) -> Vec<Difference> {
    findings.into_iter().filter(|finding| finding.judgement != Judgement::Met).map(|finding| finding.difference(label)).collect()
}

/// Of a statement that denies: its first condition, or whom it is about where it has none.
fn decisive(findings: Vec<Finding>) -> Option<Finding> {
    let condition = findings.iter().position(|finding| matches!(finding.element, Element::Condition { .. }));
    let finding = findings.into_iter().nth(condition.unwrap_or_default())?;
    Some(Finding { nearness: Nearness::DenyStatement, ..finding })
}

/// The differences of the statements that allow, or none if one of them has none.
fn nearest_first(mut statements: Vec<Vec<Difference>>) -> Vec<Difference> {
    if statements.is_empty() {
        let (expected, actual) = (Vec::new(), Some(ACTION.to_owned()));
        let nearness = Nearness::NothingAllowed;
        return vec![Difference { statement: None, element: Element::Statement, expected, actual, nearness }];
    }
    if statements.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let stranger = |differences: &Vec<Difference>| {
        differences.iter().any(|difference| difference.nearness == Nearness::NotFederated)
            && differences.iter().any(|difference| difference.nearness == Nearness::ActionMissing)
    };
    if !statements.iter().all(stranger) {
        statements.retain(|differences| !stranger(differences));
    }
    statements.sort_by_key(|differences| differences.iter().map(|difference| difference.nearness.distance()).sum::<u32>());
    statements.into_iter().flatten().collect()
}

impl Request<'_> {
    fn findings(&self, statement: &Statement) -> Vec<Finding> {
        let conditions = statement.conditions.iter().map(|condition| self.condition(condition));
        [self.principals(statement), action(&statement.actions)].into_iter().chain(conditions).collect()
    }

    fn principals(&self, statement: &Statement) -> Finding {
        let (expected, judgement, nearness) = match &statement.principals {
            None => (Vec::new(), Judgement::Unmet, Nearness::NoPrincipal),
            Some(Scope::AllBut(principals)) => (principals.names(), Judgement::Unknown, Nearness::NotPrincipal),
            Some(Scope::Only(principals)) => {
                let (judgement, nearness) = self.principal(principals, statement.effect);
                (principals.names(), judgement, nearness)
            }
        };
        let expected = self.nearest_provider_first(expected);
        Finding { judgement, element: Element::Principal, expected, actual: Some(self.provider_arn.clone()), nearness }
    }

    fn principal(&self, principals: &Principals, effect: Effect) -> (Judgement, Nearness) {
        let is_everyone = |names: &[String]| names.iter().any(|name| name == "*");
        let (federated, everyone) = match principals {
            Principals::Everyone => (&[][..], true),
            Principals::Named(named) => (&*named.federated, is_everyone(&named.federated) || is_everyone(&named.aws)),
        };
        if federated.contains(&self.provider_arn) {
            return (Judgement::Met, Nearness::Other);
        }
        if everyone {
            // To deny it to everyone is common. To allow it to everyone is what IAM refuses (IAM Access Analyzer policy
            // check reference, "Role trust policy unsupported wildcard in principal").
            let judgement = if effect == Effect::Deny { Judgement::Met } else { Judgement::Unknown };
            return (judgement, Nearness::WildcardPrincipal);
        }
        let nearest = federated.iter().map(|trusted| self.nearness_of_provider(trusted)).min_by_key(Nearness::distance);
        (Judgement::Unmet, nearest.unwrap_or(Nearness::NotFederated))
    }

    fn nearness_of_provider(&self, trusted: &str) -> Nearness {
        nearness::of_provider(trusted, &self.provider_arn)
    }

    fn nearest_provider_first(&self, mut names: Vec<String>) -> Vec<String> {
        names.sort_by_cached_key(|name| self.nearness_of_provider(name).distance());
        names
    }

    fn condition(&self, condition: &Condition) -> Finding {
        let Condition { operator: name, key, values } = condition;
        let key_of = Key::of(key, self.provider);
        let actual = match &key_of {
            Key::Claim(claim) => self.claims.get(claim),
            Key::AnotherProvider | Key::Request => None,
        };
        let (judgement, nearness) = match (Operator::parse(name), &key_of) {
            (None, _) => (Judgement::Unknown, Nearness::UnknownOperator),
            (Some(_), Key::Request) => (Judgement::Unknown, Nearness::KeyOfRequest),
            (Some(operator), _) => self.judge(operator, &key_of, values, actual.as_deref()),
        };
        let mut expected = values.clone();
        if let (Key::Claim(claim), Some(operator), Some(actual)) = (&key_of, Operator::parse(name), &actual) {
            expected.sort_by_cached_key(|value| nearness::of_claim(claim, value, actual, operator.test, self.version).distance());
        }
        let element = Element::Condition { operator: name.clone(), key: key.clone() };
        Finding { judgement, element, expected, actual, nearness }
    }

    fn judge(&self, operator: Operator, key: &Key, values: &[String], actual: Option<&str>) -> (Judgement, Nearness) {
        let judge = |actual| operator.judge(values, actual, self.version);
        let (claim, actual) = match (key, actual) {
            (Key::Claim(claim), Some(actual)) => (claim, actual),
            (Key::Claim(_), None) => return (judge(None), Nearness::MissingClaim),
            _ => return (judge(None), Nearness::KeyOfAnotherProvider),
        };
        if !is_passed_on(claim, self.provider) {
            // Should AWS pass it on some day, what holds now would no longer.
            let judgement = match (judge(None), judge(Some(actual))) {
                (Judgement::Unmet, _) => Judgement::Unmet,
                (Judgement::Met, Judgement::Met) => Judgement::Met,
                _ => Judgement::Unknown,
            };
            return (judgement, Nearness::ClaimNotPassed);
        }
        let judgement = judge(Some(actual));
        if judgement == Judgement::Unknown {
            return (judgement, Nearness::PolicyVariable);
        }
        if operator.negated || operator.test == Test::Null {
            return (judgement, Nearness::Excluded);
        }
        let nearest = values.iter().map(|value| nearness::of_claim(claim, value, actual, operator.test, self.version));
        (judgement, nearest.min_by_key(Nearness::distance).unwrap_or(Nearness::Other))
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
    Finding {
        judgement: if met { Judgement::Met } else { Judgement::Unmet },
        element: Element::Action,
        expected: expected.clone(),
        actual: Some(ACTION.to_owned()),
        nearness: Nearness::ActionMissing,
    }
}

/// What a condition's key is about. Letter case does not matter in keys.
enum Key {
    /// A claim of the token.
    Claim(String),
    /// A claim of someone else's.
    AnotherProvider,
    /// The request: where it comes from, what the session is to be called, …
    Request,
}

impl Key {
    fn of(key: &str, provider: &str) -> Self {
        let service = key.split_once(':').map(|(service, _)| service.to_ascii_lowercase());
        match key.rsplit_once(':') {
            Some((prefix, claim)) if prefix.eq_ignore_ascii_case(provider) => Self::Claim(claim.to_ascii_lowercase()),
            _ if matches!(service.as_deref(), Some("aws" | "sts" | "iam")) => Self::Request,
            _ => Self::AnotherProvider,
        }
    }
}

/// Whether AWS makes a condition key of a claim (IAM User Guide, "IAM and AWS STS condition context keys", "Available keys for
/// AWS OIDC federation"): some of everyone's, and for GitHub's hosts those that were added in January 2026. A GitHub
/// Enterprise Server's are not among them.
fn is_passed_on(claim: &str, provider: &str) -> bool {
    const OF_EVERYONE: [&str; 5] = ["amr", "aud", "email", "oaud", "sub"];
    const OF_GITHUB: [&str; 10] = [
        "actor",
        "actor_id",
        "enterprise_id",
        "environment",
        "job_workflow_ref",
        "ref",
        "repository",
        "repository_id",
        "repository_owner_id",
        "workflow",
    ];
    let host = provider.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_github =
        host == "token.actions.githubusercontent.com" || (host.starts_with("token.actions.") && host.ends_with(".ghe.com"));
    OF_EVERYONE.contains(&claim) || (is_github && OF_GITHUB.contains(&claim))
}

#[cfg(test)]
mod tests;
