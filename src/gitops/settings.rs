//! Which files of which repository are brought to the image, and how.

use std::fmt;
use std::str::FromStr;

use super::way::Way;
use crate::git_server::Address;
use crate::github::Access;
use crate::secret::Secret;

/// A repository at GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slug {
    /// Its owner.
    pub(crate) owner: String,
    /// Its name, without the owner.
    pub(crate) name: String,
}

/// A repository, as it is named: at GitHub by its owner and name, elsewhere by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RepositoryName {
    /// At GitHub.
    Slug(Slug),
    /// At another git server.
    Address(Address),
}

/// Where a repository is, and as whom it is written.
#[derive(Clone, Debug)]
pub(crate) enum Home {
    /// At GitHub.
    GitHub(Access),
    /// At another git server.
    Git {
        /// Its address.
        address: Address,
        /// The token; absent where none is given.
        token: Option<Secret>,
    },
}

/// How the change gets to the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As a commit; as a pull request where the branch does not take one.
    Auto,
    /// As a commit.
    Push,
    /// As a pull request.
    PullRequest,
}

/// Files, and perhaps the way to the value in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// A path from the repository's root; `*`, `**`, `?` and `[…]` as usual.
    files: glob::Pattern,
    /// The way; absent where the image is found by its name.
    pub(super) way: Option<Way>,
}

/// All that an update goes by besides the image.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The repository, and the token for it.
    pub(crate) home: Home,
    /// The branch.
    pub(crate) branch: String,
    /// The files.
    pub(crate) places: Vec<Place>,
    /// What the files call the image, where that is not its repository.
    pub(crate) name: Option<String>,
    /// How the change gets there.
    pub(crate) mode: Mode,
}

impl Home {
    /// Whether there is somebody as whom it is written.
    #[must_use]
    pub(crate) fn has_credential(&self) -> bool {
        match self {
            Self::GitHub(access) => access.credential.is_some(),
            Self::Git { token, .. } => token.is_some(),
        }
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GitHub(access) => f.write_str(&access.slug()),
            Self::Git { address, .. } => address.fmt(f),
        }
    }
}

impl FromStr for RepositoryName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().map(Self::Slug).or_else(|()| text.parse().map(Self::Address))
    }
}

impl Place {
    /// Whether a path is one of its files.
    pub(super) fn has(&self, path: &str) -> bool {
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        self.files.matches_with(path, options)
    }

    /// The path, where it is one and no pattern.
    pub(super) fn path(&self) -> Option<&str> {
        let text = self.files.as_str();
        (!text.contains(['*', '?', '['])).then_some(text)
    }

    /// What was asked for, for people.
    pub(super) fn text(&self) -> &str {
        self.files.as_str()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.files.as_str())?;
        self.way.as_ref().map_or(Ok(()), |way| write!(f, "#{way}"))
    }
}

impl FromStr for Slug {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let valid = |part: &str| {
            !matches!(part, "" | "." | "..") && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let (owner, name) = text.split_once('/').ok_or(())?;
        let slug = Self { owner: owner.to_owned(), name: name.to_owned() };
        if valid(owner) && valid(name) { Ok(slug) } else { Err(()) }
    }
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "auto" => Ok(Self::Auto),
            "push" => Ok(Self::Push),
            "pull-request" => Ok(Self::PullRequest),
            _ => Err(()),
        }
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (files, way) = match text.split_once('#') {
            Some((files, way)) => (files, Some(way.parse()?)),
            None => (text, None),
        };
        let odd = |part: &str| matches!(part, "" | "." | "..");
        if files.split('/').any(odd) || files.contains(char::is_control) {
            return Err(());
        }
        Ok(Self { files: glob::Pattern::new(files).map_err(|_| ())?, way })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_path_or_a_pattern_with_or_without_a_way() {
        let place: Place = "apps/*/values.yaml#web.image".parse().unwrap();
        assert!(place.has("apps/web/values.yaml") && !place.has("apps/a/b/values.yaml") && place.path().is_none());
        assert_eq!(place.way.unwrap().to_string(), "web.image");
        assert_eq!("a/b.yaml".parse::<Place>().unwrap().path(), Some("a/b.yaml"));
        assert!("**/kustomization.yaml".parse::<Place>().unwrap().has("a/b/kustomization.yaml"));
        for text in ["", "/a", "a//b", "../a", "a/../b", "./a", "a#", "a#.b", "a\nb", "a/[", "a/"] {
            assert!(text.parse::<Place>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        assert!("octo-org/deploy.prod_1".parse::<Slug>().is_ok());
        for text in ["", "a", "/a", "a/", "a/b/c", "a/..", "a/b?c", "a/b c", "https://github.com/a/b"] {
            assert!(text.parse::<Slug>().is_err(), "{text}");
        }
    }
}
