//! Whose lists of what is let through count.

use std::str::FromStr;

use super::value::Word;

/// What is asked for; what it comes to depends on the event and the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Suppressions {
    /// Those from before the change where findings end a delivery, else the change's own.
    Auto,
    /// Those from before the change.
    Base,
    /// The change's own.
    Head,
    /// Those of this commit, by its full id.
    Commit(String),
}

impl FromStr for Suppressions {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text {
            "auto" => Ok(Self::Auto),
            "base" => Ok(Self::Base),
            "head" => Ok(Self::Head),
            id if matches!(id.len(), 40 | 64) && id.bytes().all(is_digit) => Ok(Self::Commit(id.to_owned())),
            _ => Err(()),
        }
    }
}

impl Word for Suppressions {
    const EXPECTED: &'static str = "auto, base, head or a full commit id is expected";
}
