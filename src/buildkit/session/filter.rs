//! Which files of a folder are sent to the engine: the patterns of one request, applied on a walk.
//!
//! The rules are those of `NewFilterFS` in `github.com/tonistiigi/fsutil`.

use super::error::Error;
use super::follow;
use super::glob::BadPattern;
use super::ignore::{Matched, Patterns};
use crate::beneath::Root;

/// What an engine asks for, as the request's metadata give it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Only what matches one of these, if there are any (`include-patterns`).
    pub(crate) include: Vec<String>,
    /// Nothing that matches these (`exclude-patterns`): the parsed ignore file.
    pub(crate) exclude: Vec<String>,
    /// Only these, resolved through symbolic links, if there are any (`followpaths`).
    pub(crate) follow: Vec<String>,
}

/// The patterns of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    include: Patterns,
    exclude: Patterns,
}

/// What to do with a path on a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// It is sent.
    Send,
    /// It is not sent, but something in it may be.
    Enter,
    /// Neither it nor anything in it is sent.
    Skip,
}

/// What has to be known of a folder to judge its content.
#[derive(Clone, Debug, Default)]
pub(crate) struct Within {
    include: Matched,
    exclude: Matched,
}

impl Filter {
    /// The filter for what is wanted of `root`; of files without links where there is no root.
    ///
    /// # Errors
    /// A pattern is malformed, or a link can't be read.
    pub(crate) fn new(wanted: &Wanted, root: Option<&Root>) -> Result<Self, Error> {
        let mut include = wanted.include.clone();
        if !wanted.follow.is_empty() {
            let followed = match root {
                Some(root) => follow::follow(root, &wanted.follow)?,
                None => Some(wanted.follow.clone()),
            };
            // Where one of the paths is the folder itself, all of it is wanted.
            let all = followed.and_then(|followed| follow::without_nested(include.drain(..).chain(followed).collect::<Vec<_>>()));
            include = all.unwrap_or_default();
        }
        Ok(Self { include: Patterns::new(include)?, exclude: Patterns::new(&wanted.exclude)? })
    }

    /// Judges `path`, which is in the folder that `within` was returned for.
    ///
    /// # Errors
    /// A pattern is malformed in a way that shows only now.
    pub(crate) fn judge(&self, path: &str, is_folder: bool, within: &Within) -> Result<(Selection, Within), BadPattern> {
        let mut selection = Selection::Send;
        let mut inside = Within::default();
        let pass = |may_hold_wanted: bool| if is_folder && may_hold_wanted { Selection::Enter } else { Selection::Skip };
        if !self.include.is_empty() {
            let (included, matched) = self.include.matches_within(path, &within.include)?;
            inside.include = matched;
            if !included {
                selection = pass(self.include.may_match_within(path));
            }
        }
        if selection != Selection::Skip && !self.exclude.is_empty() {
            let (excluded, matched) = self.exclude.matches_within(path, &within.exclude)?;
            inside.exclude = matched;
            if excluded {
                selection = pass(self.exclude.may_except_within(path));
            }
        }
        Ok((selection, inside))
    }
}
