//! Which commits are to be scanned for secrets.

use std::str::FromStr;

use super::value::Word;

/// What is asked for; what it comes to depends on the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum History {
    /// What a push brought, else all.
    Auto,
    /// What a push brought.
    Push,
    /// All that git has.
    Full,
    /// None.
    None,
}

impl FromStr for History {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "push" => Ok(Self::Push),
            "full" => Ok(Self::Full),
            "none" => Ok(Self::None),
            _ => Err(()),
        }
    }
}

impl Word for History {
    const EXPECTED: &'static str = "auto, push, full or none is expected";
}
