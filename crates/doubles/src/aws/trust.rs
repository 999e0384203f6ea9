//! Trust policies: who may assume a role with a token.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::policy::texts;
use super::wildcard::matches;

/// The one action that a token can ask for.
const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

/// A trust policy. It is read here without any of the product's code: the tests hold the one against the other.
#[derive(Clone, Debug)]
pub struct Trust(Vec<Value>);

impl Trust {
    /// Reads a policy.
    ///
    /// # Panics
    /// Where an operator is not one of those that are evaluated here: a test must not believe that it was.
    pub fn read(document: &Value) -> Self {
        let statements = match &document["Statement"] {
            Value::Array(statements) => statements.clone(),
            one => vec![one.clone()],
        };
        for operator in statements.iter().filter_map(|one| one["Condition"].as_object()).flat_map(Map::keys) {
            assert!(Operator::read(operator).is_some(), "the operator {operator} is not evaluated here");
        }
        Self(statements)
    }

    /// Whether the provider's token with these claims, by the names of condition keys, may assume the role.
    pub fn allows(&self, provider: &str, keys: &BTreeMap<String, Vec<String>>) -> bool {
        let concerned = |statement: &&Value| {
            texts(&statement["Action"]).iter().any(|action| matches(&action.to_lowercase(), &ACTION.to_lowercase()))
                && texts(&statement["Principal"]["Federated"]).iter().any(|one| one == provider)
                && satisfied(&statement["Condition"], keys)
        };
        let effects: Vec<&Value> = self.0.iter().filter(concerned).map(|statement| &statement["Effect"]).collect();
        effects.iter().any(|effect| *effect == "Allow") && !effects.iter().any(|effect| *effect == "Deny")
    }
}

/// All operators and all keys hold; of a key's values any (IAM user guide, "Conditions with multiple context keys or values").
fn satisfied(condition: &Value, keys: &BTreeMap<String, Vec<String>>) -> bool {
    let Some(operators) = condition.as_object() else { return true };
    operators.iter().all(|(name, wanted)| {
        let operator = Operator::read(name).unwrap();
        wanted.as_object().is_some_and(|wanted| {
            wanted.iter().all(|(key, values)| operator.holds(keys.get(&key.to_lowercase()).map(Vec::as_slice), &texts(values)))
        })
    })
}

#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a part of the operator's name")]
struct Operator {
    comparison: fn(&str, &str) -> bool,
    negated: bool,
    every: bool,
    any: bool,
    if_exists: bool,
}

impl Operator {
    fn read(name: &str) -> Option<Self> {
        let (any, name) = name.strip_prefix("ForAnyValue:").map_or((false, name), |rest| (true, rest));
        let (every, name) = name.strip_prefix("ForAllValues:").map_or((false, name), |rest| (true, rest));
        let (if_exists, name) = name.strip_suffix("IfExists").map_or((false, name), |rest| (true, rest));
        let equal: fn(&str, &str) -> bool = |pattern, text| pattern == text;
        let (comparison, negated): (fn(&str, &str) -> bool, _) = match name {
            "StringEquals" => (equal, false),
            "StringNotEquals" => (equal, true),
            "StringEqualsIgnoreCase" => (|pattern, text| pattern.to_lowercase() == text.to_lowercase(), false),
            "StringLike" => (matches, false),
            "StringNotLike" => (matches, true),
            _ => return None,
        };
        Some(Self { comparison, negated, every, any, if_exists })
    }

    fn holds(self, shown: Option<&[String]>, wanted: &[String]) -> bool {
        let Some(shown) = shown else { return self.every || self.if_exists || (self.negated && !self.any) };
        let one = |shown: &String| wanted.iter().any(|wanted| (self.comparison)(wanted, shown)) != self.negated;
        if self.any { shown.iter().any(one) } else { shown.iter().all(one) }
    }
}
