//! The repository that a cluster is brought to.

use super::reader::Reader;
use super::signing::Noted;
use super::{Config, Publish};
use crate::github::{Access, App, Credential};
use crate::gitops::{Home, Mode, RepositoryName, Settings, Slug};
use crate::inputs::{self, About, Branch, Input, Inputs, Lines, Problem};
use crate::secret::Secret;
use crate::variables;

impl Reader<'_> {
    /// Which files of which repository name the image; nothing where none is named.
    pub(super) fn gitops(&mut self) -> Option<Box<Settings>> {
        let (repository, places) = (self.get(&inputs::GITOPS_REPOSITORY), self.get(&inputs::GITOPS_PATH));
        let (name, branch, mode) =
            (self.get(&inputs::GITOPS_IMAGE), self.get(&inputs::GITOPS_BRANCH), self.get(&inputs::GITOPS_MODE));
        let credential = self.credential();
        let (repository, Lines(places), name, Branch(branch), mode) = (repository?, places?, name?, branch?, mode?);
        let Some(repository) = repository else {
            // A workflow that hands all inputs on gives these with their defaults.
            let others: [&About; 6] = [
                &inputs::GITOPS_PATH,
                &inputs::GITOPS_IMAGE,
                &inputs::GITOPS_BRANCH,
                &inputs::GITOPS_MODE,
                &inputs::GITOPS_APP_ID,
                &inputs::GITOPS_APP_INSTALLATION_ID,
            ];
            for input in others {
                let given = self.inputs.given(input).filter(|given| Some(*given) != input.default_value()).map(str::to_owned);
                if let Some(given) = given {
                    self.problem(input, given, "it is of no use without gitops-repository");
                }
            }
            return None;
        };
        if places.is_empty() {
            self.problem(&inputs::GITOPS_PATH, "", "it is expected with gitops-repository: the files that name the image");
        }
        let credential = credential.ok()?;
        let variable = |name: &str| (self.env.variable)(name).filter(|value| !value.trim().is_empty());
        let api = variable(variables::GITHUB_API_URL).unwrap_or_else(|| Access::GITHUB.to_owned());
        let home = match repository {
            RepositoryName::Slug(Slug { owner, name }) => Home::GitHub(Access { api, owner, repository: name, credential }),
            RepositoryName::Address(address) => {
                if mode == Mode::PullRequest {
                    let expected = "auto or push is expected: a pull request is opened at GitHub alone";
                    self.problem(&inputs::GITOPS_MODE, "pull-request", expected);
                }
                let token = match credential {
                    Some(Credential::App(_)) => {
                        let given = self.inputs.text(&inputs::GITOPS_APP_ID);
                        self.problem(&inputs::GITOPS_APP_ID, given, "a GitHub App writes at GitHub: gitops-token is expected");
                        None
                    }
                    Some(Credential::Token(token)) => Some(token),
                    None => None,
                };
                Home::Git { address, token }
            }
        };
        Some(Box::new(Settings { home, branch, places, name, mode }))
    }

    /// As whom that repository is written: by a token, or as a GitHub App, of which a change's run has the ID without the key.
    /// Both at once say two things.
    fn credential(&mut self) -> Result<Option<Credential>, Noted> {
        let (id, installation) = (self.get(&inputs::GITOPS_APP_ID), self.get(&inputs::GITOPS_APP_INSTALLATION_ID));
        let (id, installation) = (id.ok_or(Noted)?, installation.ok_or(Noted)?);
        // Whoever is asked for it or not: what is secret is in no text from here on.
        let (token, key) = (self.secret(&inputs::GITOPS_TOKEN), self.secret(&inputs::GITOPS_APP_PRIVATE_KEY));
        if self.inputs.given(&inputs::GITOPS_REPOSITORY).is_none() {
            return Ok(None);
        }
        match (token, id, key) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                let expected =
                    "either a token or a GitHub App is expected (gitops-app-id with gitops-app-private-key), and not both";
                self.problem(&inputs::GITOPS_TOKEN, "", expected);
                Err(Noted)
            }
            (None, None, Some(_)) => {
                self.problem(&inputs::GITOPS_APP_ID, "", "it is expected with gitops-app-private-key");
                Err(Noted)
            }
            (None, Some(id), Some(key)) => match App::new(id, &key, installation) {
                Ok(app) => Ok(Some(Credential::App(app))),
                Err(error) => {
                    self.problem(&inputs::GITOPS_APP_PRIVATE_KEY, "", error.to_string());
                    Err(Noted)
                }
            },
            (_, None, None) if installation.is_some() => {
                let given = self.inputs.text(&inputs::GITOPS_APP_INSTALLATION_ID);
                self.problem(&inputs::GITOPS_APP_INSTALLATION_ID, given, "it is of no use without gitops-app-id");
                Err(Noted)
            }
            (token, _, None) => Ok(token.map(Credential::Token)),
        }
    }

    /// An input that is no flag.
    fn secret(&self, input: &Input<Option<Secret>>) -> Option<Secret> {
        (self.env.variable)(&input.variable()).and_then(|text| input.read(&text).ok()).flatten()
    }
}

impl<B> Config<B> {
    /// What a delivery lacks that is to end in the repository a cluster is brought to. One that is not published changes nothing
    /// there: a change's run has no secrets.
    pub(super) fn for_a_cluster(self, inputs: &Inputs) -> Result<Self, Vec<Problem>> {
        let Some(settings) = self.gitops.as_deref().filter(|_| self.publish == Publish::Yes) else { return Ok(self) };
        let mut problems = Vec::new();
        if !settings.home.has_credential() {
            problems.push(if inputs.given(&inputs::GITOPS_APP_ID).is_some() {
                let expected = "it is expected with gitops-app-id, as an input of the action or in the variable INPUT_GITOPS-APP-PRIVATE-KEY";
                inputs::GITOPS_APP_PRIVATE_KEY.problem("", expected)
            } else {
                let expected = "it is expected with gitops-repository, as an input of the action or in the variable INPUT_GITOPS-TOKEN, or \
                                gitops-app-id in its place: the run's own token can't write to another repository";
                inputs::GITOPS_TOKEN.problem("", expected)
            });
        }
        if !self.destination.is_a_registry() {
            let expected =
                "a registry is expected with it, as destination or ecr-repository: a cluster fetches nothing from a folder";
            problems.push(inputs::GITOPS_REPOSITORY.problem(inputs.text(&inputs::GITOPS_REPOSITORY), expected));
        }
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }
}
