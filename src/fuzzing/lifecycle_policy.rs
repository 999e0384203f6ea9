//! Lifecycle policies.

use super::input::text;
use crate::lifecycle;
use crate::text::is_plain;

/// Reads a policy. What is taken is written and reads back the same; what is refused is refused with a reason that can be shown.
pub fn lifecycle_policy(bytes: &[u8]) {
    match lifecycle::read(&text(bytes)) {
        Ok(policy) => {
            let written = policy.to_json();
            // A policy that is written with more spaces may be longer than a policy is.
            if written.chars().count() <= 30_720 {
                assert_eq!(lifecycle::read(&written).as_ref(), Ok(&policy), "{written}");
            }
            let warnings = lifecycle::warnings(&policy, &["prod".to_owned()]);
            assert!(warnings.iter().all(|warning| shown(&warning.to_string())), "{warnings:?}");
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal has a reason");
            assert!(problems.iter().all(|problem| shown(&problem.to_string())), "{problems:?}");
        }
    }
}

fn shown(text: &str) -> bool {
    text.chars().all(is_plain)
}
