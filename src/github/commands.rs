//! Workflow commands: lines by which a step speaks to the runner (GitHub docs, "Workflow commands for GitHub Actions").

use std::io::Write as _;

use crate::secret::Secret;

/// The lines that make the runner blot out a secret in everything that is printed after them, a line of the secret each:
/// the runner looks for whole values in single lines.
#[must_use]
pub fn add_mask(secret: &Secret) -> String {
    let lines = secret.expose().lines().filter(|line| !line.trim().is_empty());
    let commands = lines.map(|line| ["::add-mask::", &line.replace('%', "%25").replace('\r', "%0D"), "\n"].concat());
    commands.collect()
}

/// Has the runner blot out a secret, at once.
pub fn mask(secret: &Secret) {
    // Where the runner can't be told, nobody reads what it would print.
    let _ = std::io::stdout().write_all(add_mask(secret).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_secret_is_masked_and_escaped() {
        assert_eq!(add_mask(&Secret::new("a%b\n\nc\n")), "::add-mask::a%25b\n::add-mask::c\n");
    }
}
