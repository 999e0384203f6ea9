//! Statements of a policy.

use serde::{Deserialize, Serialize};

use crate::condition::Conditions;
use crate::{Condition, Principals, element};

/// A statement (IAM User Guide, "IAM JSON policy elements: Statement").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Elements", into = "Elements")]
pub struct Statement {
    /// The statement's name, if it has one.
    pub sid: Option<String>,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// The principals that it applies to. Absent in policies that are attached to a principal.
    pub principals: Option<Scope<Principals>>,
    /// The actions that it applies to: `ecr:PutImage`, `sts:*`, …
    pub actions: Scope<Vec<String>>,
    /// The ARNs that it applies to, wildcards among them. Absent in trust policies.
    pub resources: Option<Scope<Vec<String>>>,
    /// The conditions under which it applies: all of them must hold. No two have the same operator and key, for the grammar
    /// has no place for that.
    pub conditions: Vec<Condition>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever other statements allow.
    Deny,
}

/// An element, or the same with `Not` before its name: `Action` and `NotAction`.
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
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "element::read_some")]
    sid: Option<String>,
    effect: Effect,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "element::read_some")]
    principal: Option<Principals>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "element::read_some")]
    not_principal: Option<Principals>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "element::read_some_list", serialize_with = "element::write_some_list")]
    action: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "element::read_some_list", serialize_with = "element::write_some_list")]
    not_action: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "element::read_some_list", serialize_with = "element::write_some_list")]
    resource: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "element::read_some_list", serialize_with = "element::write_some_list")]
    not_resource: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    condition: Conditions,
}

/// Two elements that exclude each other, or none of them.
#[derive(Debug, thiserror::Error)]
enum Contradiction {
    #[error("both `{0}` and `Not{0}`")]
    Both(&'static str),
    #[error("missing field `{0}`")]
    Neither(&'static str),
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
