//! What an image is compared with: the commit that was last cleared. What can't be known for certain is not assumed: then the image is
//! delivered, and it is said why.

use std::path::Path;

use crate::environment::Environment;
use crate::github::Event;
use crate::verify::{self, Cleared, Request};

/// What says of an image what was last cleared.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Where the image is that was: a reference with `{name}` in it; none where nobody says.
    pub(crate) cleared: Option<String>,
    /// Whose signatures count.
    pub(crate) identities: Vec<String>,
    /// Who issued the signers' tokens, where that is not GitHub.
    pub(crate) issuer: Option<String>,
    /// The repository that they have to be of.
    pub(crate) repository: Option<String>,
    /// The trusted root, where it is another than that of sigstore.dev.
    pub(crate) root: Option<String>,
}

/// What an image is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// A commit, and what it is.
    Commit {
        /// Its full id.
        id: String,
        /// In words.
        what: String,
    },
    /// It is not known, for this reason.
    Unknown(String),
}

/// Whether a run is about a change at all, and against what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// A change that is proposed: it publishes nothing, and what it is for is judged by its own deliveries.
    Proposal(Option<String>),
    /// A branch that has moved.
    Branch,
    /// Something else.
    Other(String),
}

impl About {
    /// What an event is about. `pull_request_target` has the branch checked out and not the change.
    pub(super) fn of(event: Option<&Event>) -> Self {
        match event {
            None => Self::Branch,
            Some(event) if ["pull_request", "merge_group"].contains(&&*event.name) => Self::Proposal(event.before.clone()),
            Some(event) if event.name == "push" && event.branch().is_some() => Self::Branch,
            Some(event) if event.name == "push" => Self::Other("a tag is given to every image".to_owned()),
            Some(event) => Self::Other(format!("the event {} is not about a change", event.name)),
        }
    }
}

impl Known {
    /// What the image of a folder is compared with.
    pub(super) async fn base(&self, about: &About, name: &str, folder: &Path, environment: Environment) -> Base {
        match about {
            About::Other(why) => Base::Unknown(why.clone()),
            About::Proposal(Some(id)) => Base::Commit { id: id.clone(), what: "the branch that it is for".to_owned() },
            About::Proposal(None) => Base::Unknown("the event does not say what the change is for".to_owned()),
            About::Branch => self.last_cleared(name, folder, environment).await.unwrap_or_else(Base::Unknown),
        }
    }

    /// The commit that somebody whose word counts has signed for: that it has passed the gates of this environment.
    async fn last_cleared(&self, name: &str, folder: &Path, environment: Environment) -> Result<Base, String> {
        let cleared = self.cleared.as_ref().ok_or("matrix-cleared does not say where its image is")?;
        if self.identities.is_empty() {
            return Err("identity does not say whose signature counts".to_owned());
        }
        let repository =
            self.repository.clone().ok_or("GITHUB_REPOSITORY does not say which repository the signature has to be of")?;
        let image = cleared.replace(NAME, name);
        let request = Request {
            image: image.clone(),
            environment: Some(environment.to_string()),
            identities: self.identities.clone(),
            issuer: self.issuer.clone(),
            repository: Some(repository),
            root: self.root.clone(),
            ..Request::default()
        };
        let table = verify::verify(&request).await.map_err(|error| format!("{image} can't be looked at: {error}"))?;
        let Cleared { commit, context } = table.cleared.filter(|_| table.holds).ok_or_else(|| {
            let why = table.rows.iter().find(|row| row.is_failed()).map(|row| format!(": {}: {}", row.check, row.says));
            format!("nobody whose word counts has cleared {image} for {environment}{}", why.unwrap_or_default())
        })?;
        if Path::new(&context) != folder {
            return Err(format!("{image} is the image of {context:?}"));
        }
        Ok(Base::Commit { id: commit, what: format!("cleared for {environment} as {image}") })
    }
}

/// What stands for the name of an image.
pub(crate) const NAME: &str = "{name}";
