//! A repository's settings: shown, compared with what is wanted, and brought to that.

use super::contents::Contents;
use super::guard::Guard;
use super::preview::Preview;
use super::report::Report;
use super::request::SettingsRequest;
use super::state::{Asked, Change, Seen, Setting, State};
use super::wanted::{Verb, Wanted, problem};
use crate::aws;
use crate::aws::ecr::Repository;
use crate::error::Error;

/// Does what is asked for. No image is ever deleted by it.
///
/// # Errors
/// There is no repository to show, or ECR refuses or can't be reached.
pub(super) async fn run(
    repository: &Repository,
    wanted: &Wanted,
    guard: &Guard,
    request: &SettingsRequest,
) -> Result<Report, Error> {
    if request.registry && !repository.is_of_own_registry() {
        let expected = "a repository of the credentials' own account is expected: what is set for a registry is that account's";
        return Err(Error::Inputs(vec![problem("registry", repository.arn.account.as_str(), expected)]));
    }
    let asked = if request.verb == Verb::Show { Asked::ALL } else { Asked::of(wanted) };
    let state = State::read(repository, asked).await?;
    if request.verb == Verb::Show && state.settings.is_none() {
        return Err(aws::Error::NoRepository(repository.arn.clone()).into());
    }
    let mut report = Report::of(repository.arn.to_string(), &state);
    if request.verb != Verb::Show {
        report.different = state.changes(wanted, request.registry);
        report.unseen = state.unseen(wanted, request.registry);
        report.of_registry = state.change_of_scanning(wanted).filter(|_| !request.registry);
    }
    if request.verb == Verb::Ensure {
        let ensured = Ensured { repository, wanted, guard, force: &request.force, state: &state };
        for change in std::mem::take(&mut report.different) {
            let done = ensured.change(&change, &mut report).await?;
            if done { report.changed.push(change) } else { report.different.push(change) }
        }
    }
    Ok(report)
}

/// A repository that is brought to what is wanted.
struct Ensured<'a> {
    repository: &'a Repository,
    wanted: &'a Wanted,
    guard: &'a Guard,
    /// Images that the lifecycle policy may take all the same.
    force: &'a [String],
    /// What it was set to before.
    state: &'a State,
}

impl Ensured<'_> {
    /// Changes a setting, and says whether that was done.
    async fn change(&self, change: &Change, report: &mut Report) -> Result<bool, Error> {
        let Self { repository, wanted, .. } = self;
        if change.left.is_some() {
            return Ok(false);
        }
        match (change.setting, &wanted.scan_on_push, &wanted.mutability, &wanted.registry_scanning) {
            (Setting::Repository, ..) => {
                // Somebody else may have created it meanwhile, as something else: the next run sees that.
                return Ok(repository.create(&wanted.of_new(), &wanted.resource_tags).await?);
            }
            (Setting::ScanOnPush, Some(scan), ..) => repository.set_scan_on_push(*scan).await?,
            (Setting::Tags, _, Some(mutability), _) => repository.set_mutability(mutability).await?,
            (Setting::Lifecycle, ..) => return self.put_lifecycle_policy(report).await,
            (Setting::Access, ..) => return self.set_access().await,
            (Setting::ResourceTags, ..) => repository.set_resource_tags(&wanted.resource_tags).await?,
            (Setting::RegistryScanning, .., Some(scanning)) => repository.set_registry_scanning(scanning).await?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn put_lifecycle_policy(&self, report: &mut Report) -> Result<bool, Error> {
        let Some(policy) = &self.wanted.lifecycle else { return Ok(false) };
        let contents = Contents::read(self.repository).await?;
        let preview = Preview::of(self.repository, contents, Some(policy.clone()), self.guard, self.force).await?;
        if preview.is_refused() {
            report.refused = Some(preview);
            return Ok(false);
        }
        self.repository.set_lifecycle_policy(&policy.text).await?;
        // What goes later than by the first run is not refused, and is seen here or nowhere.
        report.warnings = preview.warnings;
        Ok(true)
    }

    async fn set_access(&self) -> Result<bool, Error> {
        let Seen::Is(now) = &self.state.access else { return Ok(false) };
        match self.wanted.access.over(now).written() {
            Some(policy) => self.repository.set_repository_policy(&policy).await?,
            None => self.repository.delete_repository_policy().await?,
        }
        Ok(true)
    }
}
