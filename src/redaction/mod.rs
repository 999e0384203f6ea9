//! The secrets that are known to this process, and text without them.
//!
//! A secret is known from the moment at which a [`crate::secret::Secret`] is made of it, and stays known until the process
//! ends. What is looked for is not the secret alone but the forms that it takes when a program prints it in another way
//! (`forms`), and what stands between its letters does not hide it (`fold`).
//!
//! In the unit tests each thread knows its own secrets, so that the made-up ones of a test spoil no other's words.

mod fold;
mod forms;
mod known;
mod literal;
mod parts;
mod redactor;
mod search;
mod userinfo;

/// The shortest secret that is looked for, in characters. Shorter ones are part of harmless words everywhere.
const SHORTEST: usize = 4;

/// What stands in place of a secret.
const MARK: &str = "***";

pub(crate) use known::{Known, publish, redact, redact_cut, remember, remember_issued, remember_structured, tell};
pub(crate) use literal::literals;

#[cfg(test)]
mod tests;
