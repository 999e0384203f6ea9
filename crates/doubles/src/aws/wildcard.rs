//! Patterns as AWS writes them.

/// Whether a pattern with `*` and `?` describes a text, letter by letter and case by case (IAM policy elements, "Wildcards").
pub fn matches(pattern: &str, text: &str) -> bool {
    described(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>(), true)
}

/// The same where only `*` has a meaning, as in ECR's filters of tags.
pub fn matches_star(pattern: &str, text: &str) -> bool {
    described(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>(), false)
}

fn described(pattern: &[char], text: &[char], question: bool) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => (0..=text.len()).any(|skipped| described(rest, &text[skipped..], question)),
        (Some(('?', rest)), Some((_, text))) if question => described(rest, text, question),
        (Some((one, rest)), Some((other, text))) => one == other && described(rest, text, question),
        _ => false,
    }
}
