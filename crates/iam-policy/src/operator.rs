//! Condition operators (IAM User Guide, "IAM JSON policy elements: Condition operators", and "Set operators for multivalued
//! context keys").

use crate::Version;
use crate::pattern::Pattern;

/// An operator that is evaluated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    quantifier: Option<Quantifier>,
    /// How a value is compared.
    pub(crate) comparison: Comparison,
    /// Whether it holds where nothing matches: `StringNot…`.
    pub(crate) negated: bool,
    if_exists: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    ForAnyValue,
    ForAllValues,
}

/// How a value is compared with what the request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Letter by letter.
    Equals,
    /// The same, whatever the letter case.
    EqualsIgnoreCase,
    /// With wildcards.
    Like,
    /// Whether the request has it at all.
    Null,
}

/// What a condition, or another element of a statement, evaluates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It holds.
    Met,
    /// It does not hold.
    Unmet,
    /// What AWS would make of it can't be known here.
    Unknown,
}

impl Operator {
    /// Reads an operator's name; none where it is not evaluated here.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (quantifier, name) = match name.split_once(':') {
            Some(("ForAnyValue", rest)) => (Some(Quantifier::ForAnyValue), rest),
            Some(("ForAllValues", rest)) => (Some(Quantifier::ForAllValues), rest),
            Some(_) => return None,
            None => (None, name),
        };
        let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
        let (comparison, negated) = match name {
            "StringEquals" => (Comparison::Equals, false),
            "StringNotEquals" => (Comparison::Equals, true),
            "StringEqualsIgnoreCase" => (Comparison::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Comparison::EqualsIgnoreCase, true),
            "StringLike" => (Comparison::Like, false),
            "StringNotLike" => (Comparison::Like, true),
            "Null" if quantifier.is_none() && !if_exists => (Comparison::Null, false),
            _ => return None,
        };
        Some(Self { quantifier, comparison, negated, if_exists })
    }

    /// Evaluates a condition on a key that has one value in the request, or none.
    pub(crate) fn evaluate(self, values: &[String], actual: Option<&str>, version: Version) -> Outcome {
        if self.comparison == Comparison::Null {
            return null(values, actual);
        }
        let Some(actual) = actual else { return self.evaluate_absent() };
        let mut unknown = false;
        for value in values {
            match self.comparison.matches(value, actual, version) {
                Some(true) => return Outcome::of(!self.negated),
                Some(false) => {}
                None => unknown = true,
            }
        }
        if unknown { Outcome::Unknown } else { Outcome::of(self.negated) }
    }

    fn evaluate_absent(self) -> Outcome {
        match self.quantifier {
            // `IfExists` is about each value of the set, and there is none.
            Some(Quantifier::ForAnyValue) => Outcome::Unmet,
            Some(Quantifier::ForAllValues) => Outcome::Met,
            None => Outcome::of(self.if_exists || self.negated),
        }
    }
}

impl Comparison {
    fn matches(self, value: &str, actual: &str, version: Version) -> Option<bool> {
        Some(match self {
            Self::Equals => Pattern::exact(value, version)?.matches(actual),
            Self::EqualsIgnoreCase => Pattern::exact(value, version)?.lowercase().matches(&actual.to_ascii_lowercase()),
            Self::Like => Pattern::like(value, version)?.matches(actual),
            Self::Null => return None,
        })
    }
}

impl Outcome {
    fn of(holds: bool) -> Self {
        if holds { Self::Met } else { Self::Unmet }
    }
}

fn null(values: &[String], actual: Option<&str>) -> Outcome {
    match values {
        [value] if value.eq_ignore_ascii_case("true") => Outcome::of(actual.is_none()),
        [value] if value.eq_ignore_ascii_case("false") => Outcome::of(actual.is_some()),
        _ => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(operator: &str, values: &[&str], actual: Option<&str>) -> Outcome {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        Operator::parse(operator).unwrap().evaluate(&values, actual, Version::V2012)
    }

    #[test]
    fn one_value_that_matches_is_enough_and_none_may_where_it_is_negated() {
        for (operator, values, met) in [
            ("StringEquals", ["x", "a*c"], false),
            ("StringEquals", ["x", "aBc"], true),
            ("StringNotEquals", ["x", "abc"], true),
            ("StringNotEquals", ["x", "aBc"], false),
            ("StringEqualsIgnoreCase", ["x", "ABC"], true),
            ("StringNotEqualsIgnoreCase", ["x", "ABC"], false),
            ("StringLike", ["x", "a?c"], true),
            ("StringLike", ["x", "A*"], false),
            ("StringNotLike", ["x", "a*"], false),
            ("StringNotLike", ["x", "b*"], true),
            ("ForAnyValue:StringLike", ["x", "a*"], true),
            ("ForAllValues:StringLike", ["x", "b*"], false),
            ("StringEqualsIfExists", ["x", "y"], false),
        ] {
            assert_eq!(evaluate(operator, &values, Some("aBc")), Outcome::of(met), "{operator} {values:?}");
        }
    }

    #[test]
    fn a_key_that_is_absent_meets_what_is_negated_or_optional() {
        for (operator, met) in [
            ("StringEquals", false),
            ("StringLike", false),
            ("StringNotLike", true),
            ("StringEqualsIfExists", true),
            ("StringNotEqualsIfExists", true),
            ("ForAllValues:StringEquals", true),
            ("ForAnyValue:StringNotEquals", false),
            ("ForAnyValue:StringEqualsIfExists", false),
        ] {
            assert_eq!(evaluate(operator, &["x"], None), Outcome::of(met), "{operator}");
        }
        assert_eq!(evaluate("Null", &["true"], None), Outcome::Met);
        assert_eq!(evaluate("Null", &["true"], Some("x")), Outcome::Unmet);
        assert_eq!(evaluate("Null", &["false"], Some("x")), Outcome::Met);
        assert_eq!(evaluate("Null", &["maybe"], Some("x")), Outcome::Unknown);
    }

    #[test]
    fn what_is_not_known_is_never_taken_as_met() {
        for name in ["Bool", "ArnLike", "stringequals", "ForSome:StringEquals", "NullIfExists", "StringEqualsIfExistsIfExists"] {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
        assert_eq!(evaluate("StringLike", &["${aws:x}"], Some("a")), Outcome::Unknown);
        assert_eq!(evaluate("StringNotLike", &["${aws:x}"], Some("a")), Outcome::Unknown);
        assert_eq!(evaluate("StringLike", &["${aws:x}", "a"], Some("a")), Outcome::Met);
    }
}
