//! What is needed to speak to GitHub's API about a repository.

use super::app::App;
use crate::secret::Secret;

/// The way to GitHub's API, and the repository that it is about.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// The API's address: `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise Server.
    pub(crate) api: String,
    /// The repository's owner.
    pub(crate) owner: String,
    /// The repository's name, without its owner.
    pub(crate) repository: String,
    /// As whom; absent if the workflow passes nothing.
    pub(crate) credential: Option<Credential>,
}

/// As whom GitHub is asked.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// As whoever has this token: a job, a person.
    Token(Secret),
    /// As a GitHub App, by tokens that it asks for.
    App(App),
}

impl Access {
    /// The API of github.com.
    pub(crate) const GITHUB: &'static str = "https://api.github.com";

    /// The repository by a name that no other has, on whichever server.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.api, self.slug())
    }

    /// `OWNER/NAME`.
    pub(crate) fn slug(&self) -> String {
        format!("{}/{}", self.owner, self.repository)
    }
}
