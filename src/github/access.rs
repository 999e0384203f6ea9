//! What is needed to speak to GitHub's API about the repository of this run.

use crate::secret::Secret;

/// The way to GitHub's API, and the repository that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The API's address: `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise Server.
    pub(crate) api: String,
    /// The repository's owner.
    pub(crate) owner: String,
    /// The repository's name, without its owner.
    pub(crate) repository: String,
    /// The token of the run; absent if the workflow does not pass one.
    pub(crate) token: Option<Secret>,
}

impl Access {
    /// The API of github.com.
    pub(crate) const GITHUB: &'static str = "https://api.github.com";

    /// `OWNER/NAME`.
    pub(crate) fn slug(&self) -> String {
        format!("{}/{}", self.owner, self.repository)
    }
}
