//! The lifecycle policy of a repository, and AWS's own preview of one (Amazon ECR API reference, `GetLifecyclePolicy`,
//! `StartLifecyclePolicyPreview` and `GetLifecyclePolicyPreview`).

use std::time::Duration;

use aws_sdk_ecr::types::{ImageActionType, LifecyclePolicyPreviewResult, LifecyclePolicyPreviewStatus};

use super::Repository;
use crate::aws::{Call, Error, Failure};
use crate::oci::Digest;

/// The most results of a page.
const PAGE: i32 = 100;
/// The most pages that are read: AWS lists what goes, of 100,000 images at most.
const MAX_PAGES: usize = 1_100;
/// How often a preview is asked for.
const TRIES: u32 = 30;
/// The longest pause between two tries; with the shorter ones before, a preview has about a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// AWS's own preview of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LifecyclePreview {
    /// The policy that it is of, as AWS says it.
    pub(crate) policy: String,
    /// What the policy does now.
    pub(crate) actions: Vec<ForeseenAction>,
}

/// What AWS would do with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForeseenAction {
    /// The image.
    pub(crate) digest: Digest,
    /// The priority of the rule.
    pub(crate) rule: u32,
    /// Whether the image is deleted, and not archived.
    pub(crate) deletes: bool,
}

/// There is no preview of AWS's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPreview {
    /// The role may not ask.
    #[error("the role lacks {}", .0.permission())]
    Denied(Call),
    /// AWS makes one already, of this policy or another.
    #[error("another preview of the repository is being made")]
    Busy,
    /// It was not there in time.
    #[error("it was not ready within a minute")]
    Late,
    /// AWS says that it has failed or is no more.
    #[error("AWS says that it {0}")]
    Ended(&'static str),
    /// A call failed in another way.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Repository {
    /// The policy that the repository has (`GetLifecyclePolicy`), if it has one.
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn lifecycle_policy(&self) -> Result<Option<String>, Error> {
        let call = Call::GetLifecyclePolicy;
        let request = self.ecr.get_lifecycle_policy().registry_id(self.arn.account.as_str()).repository_name(&self.arn.name);
        match request.send().await {
            Ok(answer) => {
                let text = answer.lifecycle_policy_text.ok_or(Error::Malformed { call, missing: "the policy" })?;
                Ok(Some(text))
            }
            Err(error) => match self.failed(call, &error) {
                Error::Call(failure) if failure.code.as_deref() == Some("LifecyclePolicyNotFoundException") => Ok(None),
                error => Err(error),
            },
        }
    }

    /// AWS's own preview of a policy. It changes nothing of the repository.
    ///
    /// # Errors
    /// There is none, with the reason.
    pub(crate) async fn lifecycle_preview(&self, policy: &str) -> Result<LifecyclePreview, NoPreview> {
        let call = Call::StartLifecyclePolicyPreview;
        let request = self.ecr.start_lifecycle_policy_preview().registry_id(self.arn.account.as_str());
        let request = request.repository_name(&self.arn.name).lifecycle_policy_text(policy);
        request.send().await.map_err(|error| NoPreview::of(self.failed(call, &error)))?;
        let mut pause = Duration::from_millis(200);
        for _ in 0..TRIES {
            if let Some(preview) = self.finished_preview().await? {
                return Ok(preview);
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
        Err(NoPreview::Late)
    }

    /// The preview, if it is ready.
    async fn finished_preview(&self) -> Result<Option<LifecyclePreview>, NoPreview> {
        let call = Call::GetLifecyclePolicyPreview;
        let (mut actions, mut policy, mut next) = (Vec::new(), None::<String>, None);
        for _ in 0..MAX_PAGES {
            let request = self.ecr.get_lifecycle_policy_preview().registry_id(self.arn.account.as_str());
            let request = request.repository_name(&self.arn.name).max_results(PAGE).set_next_token(next);
            let answer = request.send().await.map_err(|error| NoPreview::of(self.failed(call, &error)))?;
            match answer.status {
                Some(LifecyclePolicyPreviewStatus::Complete) => {}
                Some(LifecyclePolicyPreviewStatus::InProgress) => return Ok(None),
                Some(LifecyclePolicyPreviewStatus::Expired) => return Err(NoPreview::Ended("has expired")),
                Some(LifecyclePolicyPreviewStatus::Failed) => return Err(NoPreview::Ended("has failed")),
                _ => return Err(Error::Malformed { call, missing: "a status that is known" }.into()),
            }
            let text = answer.lifecycle_policy_text.ok_or(Error::Malformed { call, missing: "the policy" })?;
            // Someone else's preview takes the place of this one.
            if policy.as_ref().is_some_and(|before| *before != text) {
                return Err(NoPreview::Busy);
            }
            policy = Some(text);
            for result in answer.preview_results.unwrap_or_default() {
                actions.push(ForeseenAction::of(&result).map_err(|missing| Error::Malformed { call, missing })?);
            }
            next = answer.next_token;
            if next.is_none() {
                return Ok(policy.map(|policy| LifecyclePreview { policy, actions }));
            }
        }
        Err(Error::Malformed { call, missing: "an end" }.into())
    }
}

impl ForeseenAction {
    fn of(result: &LifecyclePolicyPreviewResult) -> Result<Self, &'static str> {
        let digest = result.image_digest.as_deref().and_then(|text| text.parse().ok()).ok_or("a digest")?;
        let rule = result.applied_rule_priority.and_then(|rule| u32::try_from(rule).ok()).ok_or("the rule")?;
        let deletes = match result.action.as_ref().and_then(|action| action.r#type.as_ref()) {
            Some(ImageActionType::Expire) => true,
            Some(ImageActionType::Transition) => false,
            _ => return Err("an action that is known"),
        };
        Ok(Self { digest, rule, deletes })
    }
}

impl NoPreview {
    fn of(error: Error) -> Self {
        let code = match &error {
            Error::Call(failure) if Failure::is_denied(failure) => return Self::Denied(failure.call),
            Error::Call(failure) => failure.code.as_deref(),
            _ => None,
        };
        match code {
            Some("LifecyclePolicyPreviewInProgressException") => Self::Busy,
            Some("LifecyclePolicyPreviewNotFoundException") => Self::Ended("is not there"),
            _ => Self::Failed(error),
        }
    }
}
