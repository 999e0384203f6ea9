//! A repository's settings: shown, compared with what is wanted, and brought to that.

use super::contents::Contents;
use super::guard::Guard;
use super::preview::Preview;
use super::report::Report;
use super::request::SettingsRequest;
use super::state::{Setting, State};
use super::wanted::{Verb, Wanted};
use crate::aws;
use crate::aws::ecr::{Encryption, Mutability, Repository, Settings};
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
    let state = State::read(repository).await?;
    if request.verb == Verb::Show && state.settings.is_none() {
        return Err(aws::Error::NoRepository(repository.arn.clone()).into());
    }
    let mut report = Report::of(repository.arn.to_string(), &state);
    if request.verb != Verb::Show {
        (report.different, report.unseen) = (state.changes(wanted), state.unseen(wanted));
    }
    if request.verb == Verb::Ensure {
        for change in std::mem::take(&mut report.different) {
            let done = change_one(repository, wanted, guard, request, change.setting, &mut report).await?;
            if done { report.changed.push(change) } else { report.different.push(change) }
        }
    }
    Ok(report)
}

/// Changes a setting, and says whether that was done.
async fn change_one(
    repository: &Repository,
    wanted: &Wanted,
    guard: &Guard,
    request: &SettingsRequest,
    setting: Setting,
    report: &mut Report,
) -> Result<bool, Error> {
    match (setting, &wanted.scan_on_push, &wanted.mutability, &wanted.lifecycle) {
        (Setting::Repository, ..) => repository.create_with(&wanted.of_new()).await?,
        (Setting::ScanOnPush, Some(scan), ..) => repository.set_scan_on_push(*scan).await?,
        (Setting::Tags, _, Some(mutability), _) => repository.set_mutability(mutability).await?,
        (Setting::Lifecycle, .., Some(policy)) => {
            let contents = Contents::read(repository).await?;
            let preview = Preview::of(repository, contents, Some(policy.clone()), guard, &request.force).await?;
            if preview.is_refused() {
                report.refused = Some(preview);
                return Ok(false);
            }
            repository.set_lifecycle_policy(&policy.text).await?;
            // What goes later than by the first run is not refused, and is seen here or nowhere.
            report.warnings = preview.warnings;
        }
        // By which key it is encrypted is said once.
        _ => return Ok(false),
    }
    Ok(true)
}

impl Wanted {
    /// The settings of a repository that is created: what is not said is as AWS has it.
    fn of_new(&self) -> Settings {
        Settings {
            mutability: self.mutability.clone().unwrap_or(Mutability::Mutable(Vec::new())),
            scan_on_push: self.scan_on_push.unwrap_or_default(),
            encryption: self.encryption.clone().unwrap_or(Encryption::Aes256),
        }
    }
}
