//! The values that differ, one under the other.

use iam_policy::trust::{Difference, Element, MismatchReason};

use super::LENGTH;
use crate::text;

/// The most values of a policy that are shown.
const VALUES: usize = 5;

/// The lines: what the caller has, and what the policy has in its place.
pub(super) fn lines(difference: &Difference) -> Vec<String> {
    let wanted = match &difference.element {
        Element::Statement => return Vec::new(),
        Element::Principal => "provider",
        Element::Action => "needed",
        Element::Condition { .. } => "token",
    };
    let line = |name: &str, value: &str| format!("{name:<10}{}", text::line(value, LENGTH));
    let actual = difference.actual.as_deref();
    let mut lines = vec![line(wanted, actual.unwrap_or("(nothing)"))];
    let operator = match &difference.element {
        Element::Condition { operator, .. } => Some(operator),
        _ => None,
    };
    for (index, value) in difference.expected.iter().take(VALUES).enumerate() {
        lines.push(line(if index == 0 { "policy" } else { "" }, value));
        if let (0, MismatchReason::OnlyLetterCase { position }, Some(actual)) = (index, &difference.reason, actual) {
            lines.extend(carets(value, actual, *position).map(|carets| line("", &carets)));
        }
    }
    if difference.expected.len() > VALUES {
        lines.push(line("", &format!("and {} more", difference.expected.len() - VALUES)));
    }
    lines.extend(operator.map(|operator| line("operator", operator)));
    lines
}

/// Carets under the first characters of a value that differ; `None` if the value is not shown as it is.
fn carets(value: &str, actual: &str, position: usize) -> Option<String> {
    // A `${*}` is several characters that stand for one.
    if text::line(value, LENGTH) != value || value.contains("${") || position >= value.chars().count() {
        return None;
    }
    let pairs: Vec<(char, char)> = value.chars().zip(actual.chars()).collect();
    // Behind a wildcard the two are not in step, and the one character is all that is known.
    let in_step = pairs.len() > position && pairs[..position].iter().all(|(a, b)| a == b);
    let differing = if in_step { pairs[position..].iter().take_while(|(a, b)| a != b).count() } else { 1 };
    Some(format!("{}{}", " ".repeat(position), "^".repeat(differing.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_are_under_what_is_known_to_differ() {
        assert_eq!(carets("repo:OCTO-org", "repo:octo-org", 5).as_deref(), Some("     ^^^^"));
        assert_eq!(carets("*/App:*", "octo-org/app:x", 2).as_deref(), Some("  ^"));
        assert_eq!(carets("a\nB", "a\nb", 2), None);
        assert_eq!(carets("${$}{B", "${b", 2), None);
        assert_eq!(carets("b", "b", 1), None);
    }
}
