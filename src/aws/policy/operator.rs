//! Condition operators (IAM User Guide, "IAM JSON policy elements: Condition operators", and "Set operators for multivalued
//! context keys").

use super::document::Version;
use super::pattern::Pattern;

/// An operator that can be judged here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    quantifier: Option<Quantifier>,
    /// What is compared.
    pub(super) test: Test,
    /// Whether it holds where nothing matches: `StringNot…`.
    pub(super) negated: bool,
    if_exists: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    ForAnyValue,
    ForAllValues,
}

/// How a value is compared with what the request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// Letter by letter.
    Equals,
    /// The same, whatever the letter case.
    EqualsIgnoreCase,
    /// With wildcards.
    Like,
    /// Whether it is there at all.
    Null,
}

/// What came of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It holds.
    Met,
    /// It does not.
    Unmet,
    /// That can't be said here.
    Unknown,
}

impl Operator {
    /// Reads an operator's name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (quantifier, name) = match name.split_once(':') {
            Some(("ForAnyValue", rest)) => (Some(Quantifier::ForAnyValue), rest),
            Some(("ForAllValues", rest)) => (Some(Quantifier::ForAllValues), rest),
            Some(_) => return None,
            None => (None, name),
        };
        let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
        let (test, negated) = match name {
            "StringEquals" => (Test::Equals, false),
            "StringNotEquals" => (Test::Equals, true),
            "StringEqualsIgnoreCase" => (Test::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Test::EqualsIgnoreCase, true),
            "StringLike" => (Test::Like, false),
            "StringNotLike" => (Test::Like, true),
            "Null" if quantifier.is_none() && !if_exists => (Test::Null, false),
            _ => return None,
        };
        Some(Self { quantifier, test, negated, if_exists })
    }

    /// Judges a condition on a key that has one value in the request, or none.
    pub(super) fn judge(self, values: &[String], actual: Option<&str>, version: Version) -> Judgement {
        if self.test == Test::Null {
            return null(values, actual);
        }
        let Some(actual) = actual else { return self.judge_absent() };
        let mut unknown = false;
        for value in values {
            match self.test.matches(value, actual, version) {
                Some(true) => return Judgement::of(!self.negated),
                Some(false) => {}
                None => unknown = true,
            }
        }
        if unknown { Judgement::Unknown } else { Judgement::of(self.negated) }
    }

    fn judge_absent(self) -> Judgement {
        match self.quantifier {
            // `IfExists` is about each value of the set, and there is none.
            Some(Quantifier::ForAnyValue) => Judgement::Unmet,
            Some(Quantifier::ForAllValues) => Judgement::Met,
            None => Judgement::of(self.if_exists || self.negated),
        }
    }
}

impl Test {
    fn matches(self, value: &str, actual: &str, version: Version) -> Option<bool> {
        Some(match self {
            Self::Equals => Pattern::exact(value, version)?.matches(actual),
            Self::EqualsIgnoreCase => Pattern::exact(value, version)?.lowercase().matches(&actual.to_ascii_lowercase()),
            Self::Like => Pattern::like(value, version)?.matches(actual),
            Self::Null => return None,
        })
    }
}

impl Judgement {
    fn of(holds: bool) -> Self {
        if holds { Self::Met } else { Self::Unmet }
    }
}

fn null(values: &[String], actual: Option<&str>) -> Judgement {
    match values {
        [value] if value.eq_ignore_ascii_case("true") => Judgement::of(actual.is_none()),
        [value] if value.eq_ignore_ascii_case("false") => Judgement::of(actual.is_some()),
        _ => Judgement::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(operator: &str, values: &[&str], actual: Option<&str>) -> Judgement {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        Operator::parse(operator).unwrap().judge(&values, actual, Version::V2012)
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
            assert_eq!(judge(operator, &values, Some("aBc")), Judgement::of(met), "{operator} {values:?}");
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
            assert_eq!(judge(operator, &["x"], None), Judgement::of(met), "{operator}");
        }
        assert_eq!(judge("Null", &["true"], None), Judgement::Met);
        assert_eq!(judge("Null", &["true"], Some("x")), Judgement::Unmet);
        assert_eq!(judge("Null", &["false"], Some("x")), Judgement::Met);
        assert_eq!(judge("Null", &["maybe"], Some("x")), Judgement::Unknown);
    }

    #[test]
    fn what_is_not_known_is_never_taken_as_met() {
        for name in ["Bool", "ArnLike", "stringequals", "ForSome:StringEquals", "NullIfExists", "StringEqualsIfExistsIfExists"] {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
        assert_eq!(judge("StringLike", &["${aws:x}"], Some("a")), Judgement::Unknown);
        assert_eq!(judge("StringNotLike", &["${aws:x}"], Some("a")), Judgement::Unknown);
        assert_eq!(judge("StringLike", &["${aws:x}", "a"], Some("a")), Judgement::Met);
    }
}
