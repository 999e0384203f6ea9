//! A trust policy held against a token (IAM User Guide, "Policy evaluation logic": one statement that allows is enough, and
//! one that denies is too much).

use super::evaluation::{Finding, Request};
use super::{ACTION, Difference, Element, Label, MismatchReason};
use crate::{Claims, Document, Effect, RoleArn};

/// Says what keeps a token with these claims out of a role with this trust policy. Empty where nothing does.
///
/// What denies comes first, then what nearly allows, the nearest statement first, then what may deny. Statements that were
/// never meant for a token are left out where there are others. What can't be evaluated here is a difference too: nothing is
/// taken to allow, or not to deny, that is not known to.
#[must_use]
pub fn compare(document: &Document, claims: &Claims, role: &RoleArn) -> Vec<Difference> {
    let issuer = claims.issuer().unwrap_or_default();
    let request = Request::new(document.version, claims, role, &issuer);
    let (mut denying, mut missing, mut doubtful) = (Vec::new(), Vec::new(), Vec::new());
    for (index, statement) in document.statements.iter().enumerate() {
        let label = Label::of(statement, index);
        let findings = request.evaluate(statement);
        match statement.effect {
            Effect::Allow => missing.push(differences(&label, findings)),
            Effect::Deny if findings.iter().any(Finding::is_unmet) => {}
            Effect::Deny if findings.iter().all(Finding::is_met) => {
                denying.extend(decisive(findings).map(|finding| finding.denial(&label)));
            }
            Effect::Deny => doubtful.extend(differences(&label, findings)),
        }
    }
    denying.into_iter().chain(nearest_first(missing)).chain(doubtful).collect()
}

fn differences(label: &Label, findings: Vec<Finding>) -> Vec<Difference> {
    findings.into_iter().filter_map(|finding| finding.difference(label)).collect()
}

/// Of a statement that denies: its first condition, or its principals where it has none.
fn decisive(findings: Vec<Finding>) -> Option<Finding> {
    let condition = findings.iter().position(|finding| matches!(finding.element, Element::Condition { .. }));
    findings.into_iter().nth(condition.unwrap_or_default())
}

/// The differences of the statements that allow, or none if one of them has none.
fn nearest_first(mut statements: Vec<Vec<Difference>>) -> Vec<Difference> {
    if statements.is_empty() {
        let (expected, actual) = (Vec::new(), Some(ACTION.to_owned()));
        let reason = MismatchReason::NothingAllowed;
        return vec![Difference { statement: None, element: Element::Statement, expected, actual, reason }];
    }
    if statements.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let stranger = |differences: &Vec<Difference>| {
        differences.iter().any(|difference| difference.reason == MismatchReason::NotFederated)
            && differences.iter().any(|difference| difference.reason == MismatchReason::ActionMissing)
    };
    if !statements.iter().all(stranger) {
        statements.retain(|differences| !stranger(differences));
    }
    statements.sort_by_key(|differences| differences.iter().map(|difference| difference.reason.distance()).sum::<u32>());
    statements.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
