//! The repository that a cluster is brought to.

use super::reader::Reader;
use super::{Config, Publish};
use crate::github::Access;
use crate::gitops::Settings;
use crate::inputs::{self, About, Branch, Inputs, Lines, Problem};
use crate::variables;

impl Reader<'_> {
    /// Which files of which repository name the image; nothing where none is named.
    pub(super) fn gitops(&mut self) -> Option<Box<Settings>> {
        let (repository, places) = (self.get(&inputs::GITOPS_REPOSITORY), self.get(&inputs::GITOPS_PATH));
        let (name, branch, mode) =
            (self.get(&inputs::GITOPS_IMAGE), self.get(&inputs::GITOPS_BRANCH), self.get(&inputs::GITOPS_MODE));
        let (repository, Lines(places), name, Branch(branch), mode) = (repository?, places?, name?, branch?, mode?);
        let Some(repository) = repository else {
            // A workflow that hands all inputs on gives these with their defaults.
            let others: [&About; 4] = [&inputs::GITOPS_PATH, &inputs::GITOPS_IMAGE, &inputs::GITOPS_BRANCH, &inputs::GITOPS_MODE];
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
        let variable = |name: &str| (self.env.variable)(name).filter(|value| !value.trim().is_empty());
        let token = variable(&inputs::GITOPS_TOKEN.variable()).and_then(|token| inputs::GITOPS_TOKEN.read(&token).ok()).flatten();
        let api = variable(variables::GITHUB_API_URL).unwrap_or_else(|| Access::GITHUB.to_owned());
        let access = Access { api, owner: repository.owner, repository: repository.name, token };
        Some(Box::new(Settings { access, branch, places, name, mode }))
    }
}

impl<B> Config<B> {
    /// What a delivery lacks that is to end in the repository a cluster is brought to. One that is not published changes nothing
    /// there: a change's run has no secrets.
    pub(super) fn for_a_cluster(self, inputs: &Inputs) -> Result<Self, Vec<Problem>> {
        let Some(settings) = self.gitops.as_deref().filter(|_| self.publish == Publish::Yes) else { return Ok(self) };
        let mut problems = Vec::new();
        if settings.access.token.is_none() {
            let expected = "it is expected with gitops-repository, as an input of the action or in the variable INPUT_GITOPS-TOKEN: the \
                            run's own token can't write to another repository";
            problems.push(inputs::GITOPS_TOKEN.problem("", expected));
        }
        if !self.destination.is_a_registry() {
            let expected =
                "a registry is expected with it, as destination or ecr-repository: a cluster fetches nothing from a folder";
            problems.push(inputs::GITOPS_REPOSITORY.problem(inputs.text(&inputs::GITOPS_REPOSITORY), expected));
        }
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }
}
