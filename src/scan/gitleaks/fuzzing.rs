//! What gitleaks says, and what projects have it pass over, as bytes.

use std::path::Path;

use super::classes::Classes;
use super::ignore::Ignored;
use super::report::Match;
use super::rules::Rules;
use super::{defaults, merge};
use crate::document;
use crate::finding::Leak;
use crate::scan::Error;

/// The leaks of a report on the tree and of one on the history, and how many of them a list names.
///
/// # Errors
/// A report is refused.
pub(crate) fn leaks(tree: &[u8], past: &[u8], ignored: &[u8]) -> Result<(Vec<Leak>, usize), document::Error> {
    let (tree, past): (Vec<Match>, Vec<Match>) = (document::stream(tree)?, document::stream(past)?);
    let ignored = Ignored::read(ignored);
    let listed = tree.iter().chain(&past).filter(|leak| ignored.lists(leak)).count();
    Ok((merge(tree, &past), listed))
}

/// A project's rules: asserts that what gitleaks is handed is what was understood, and that each path has one class.
///
/// # Errors
/// The rules are refused.
pub(crate) fn rules(bytes: &[u8], path: &[u8]) -> Result<(), Error> {
    let understood = Rules::read(bytes)?;
    let again = Rules::read(understood.written_as_defaults().as_bytes())?;
    assert_eq!((&again.own, &again.allowed), (&understood.own, &understood.allowed), "gitleaks reads other rules");
    assert!(again.unknown.is_empty() && !again.extends(), "what nobody knows is not handed on");
    let whole = understood.written(&["^N/".to_owned()], Path::new("/defaults.toml"));
    let whole = Rules::read(whole.replace("path = \"/defaults.toml\"", "useDefault = true").as_bytes())?;
    assert_eq!((&whole.own, whole.extends()), (&understood.own, understood.extends()), "gitleaks reads other rules");
    if let Ok(defaults) = defaults::rules() {
        let classes = Classes::of(&understood, defaults);
        assert_eq!(classes.class(path), classes.class(path));
    }
    Ok(())
}
