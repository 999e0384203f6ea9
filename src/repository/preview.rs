//! What a policy would do to a repository, by our own account and by AWS's.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use super::chosen::Policy;
use super::contents::Contents;
use super::guard::{Guard, Reason};
use super::row::{Outcome, Row};
use crate::aws::ecr::{ImageDetail, LifecyclePreview, NoPreview, Repository};
use crate::error::Error;
use crate::lifecycle::{self, Fate, Priority, Referrers, evaluate, evaluate_with};
use crate::oci::Digest;
use crate::text;

/// The most images that a warning names.
const MAX_NAMED: usize = 10;

/// What a policy would do.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Preview {
    /// The repository's ARN.
    pub(super) repository: String,
    /// Which policy it is, in words; absent where the repository has none.
    pub(super) policy: Option<String>,
    /// When it was looked at.
    pub(super) at: Timestamp,
    /// How many bytes go at most: layers that other images have stay.
    pub(super) frees: u64,
    /// Images that have to stay and would go, and may not.
    pub(super) refused: Vec<Refusal>,
    /// Those that may, since the command line names them.
    pub(super) forced: Vec<Refusal>,
    /// What is to be looked at.
    pub(super) warnings: Vec<String>,
    /// What AWS says.
    pub(super) confirmation: Confirmation,
    /// The images: what goes first, then the newest first.
    pub(super) images: Vec<Row>,
}

/// An image that has to stay, and would go.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Refusal {
    pub(super) digest: Digest,
    pub(super) tags: Vec<String>,
    /// The rule that takes it, or may.
    pub(super) rule: u32,
    /// Whether it takes it only if what refers to an image counts for rules.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) if_referrers_count: bool,
    /// Why it has to stay.
    pub(super) must_stay: Reason,
}

/// What AWS's own preview says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Confirmation {
    /// The same.
    Same,
    /// The same, if what refers to an image counts for a rule, and not if it does not.
    SameCounted,
    /// Something else of these images.
    Different(Vec<Difference>),
    /// Nothing, for this reason.
    None(String),
}

/// An image of which AWS says something else.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Difference {
    pub(super) digest: Digest,
    /// The rule that takes it by our account.
    pub(super) rule: Option<u32>,
    /// The rule that takes it by AWS's.
    pub(super) rule_by_aws: Option<u32>,
}

impl Preview {
    /// Looks at what would become of the contents. Without a policy nothing goes.
    pub(super) async fn of(
        repository: &Repository,
        contents: Contents,
        policy: Option<Policy>,
        guard: &Guard,
        force: &[String],
    ) -> Result<Self, Error> {
        guard.is_for(&contents).map_err(Error::Inputs)?;
        let now = Timestamp::now();
        let mut warnings = Vec::new();
        let (fates, counted, confirmation) = match &policy {
            Some(policy) => {
                warnings = policy.warnings(&guard.moving_in(&contents));
                let images = contents.images();
                let fates = evaluate(&policy.value, &images, now).fates().to_vec();
                let counted = evaluate_with(&policy.value, &images, now, Referrers::Counted).fates().to_vec();
                let confirmation = confirm(repository, policy, &contents, &fates, &counted).await?;
                warnings.extend(of_referrers(&contents, &fates, &counted));
                (fates, counted, confirmation)
            }
            None => {
                let none = Confirmation::None("there is no policy".to_owned());
                let fates: Vec<_> = contents.details.iter().map(|_| Fate::Unselected).collect();
                (fates.clone(), fates, none)
            }
        };
        warnings.extend(contents.unread.iter().map(|index| {
            format!("Amazon ECR does not serve the index {}: what it refers to is not known to stay.", index.short())
        }));
        let reasons = guard.reasons(&contents, now);
        let (forced, refused) = refusals(&contents, (&fates, &counted), &confirmation, &reasons)
            .into_iter()
            .partition(|refusal| force.iter().any(|name| refusal.is_named(name)));
        let rows = contents.details.iter().zip(&fates);
        let mut images: Vec<Row> =
            rows.map(|(detail, fate)| Row::of(detail, fate, reasons.get(&detail.digest).cloned())).collect();
        images.sort_by(|one, other| (one.outcome, other.pushed, one.digest).cmp(&(other.outcome, one.pushed, other.digest)));
        Ok(Self {
            repository: repository.arn.to_string(),
            policy: policy.map(|policy| policy.origin),
            at: now,
            frees: images.iter().filter(|row| row.is_deleted()).map(|row| row.size).sum(),
            refused,
            forced,
            warnings,
            confirmation,
            images,
        })
    }

    /// Whether the policy takes what has to stay.
    #[must_use]
    pub(crate) fn is_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// How many images have an outcome.
    pub(super) fn count(&self, outcome: Outcome) -> usize {
        self.images.iter().filter(|row| row.outcome == outcome).count()
    }
}

impl Refusal {
    /// Whether it is the image that a tag or a digest names.
    fn is_named(&self, name: &str) -> bool {
        self.tags.iter().any(|tag| tag == name) || name.parse() == Ok(self.digest)
    }
}

/// What is different if what refers to an image counts for rules, which AWS's guide does not say.
fn of_referrers(contents: &Contents, fates: &[Fate], counted: &[Fate]) -> Option<String> {
    let referrers = contents.details.iter().filter(|detail| detail.subject.is_some()).count();
    let goes = |fate: &Fate| fate.may_be_taken_by().is_some();
    let apart: Vec<String> = contents
        .details
        .iter()
        .zip(fates.iter().zip(counted))
        .filter(|(_, (fate, counted))| goes(counted) && !goes(fate))
        .map(|(detail, _)| detail.digest.short())
        .collect();
    (!apart.is_empty()).then(|| {
        format!(
            "{} here to an image (signatures, SBOMs). AWS does not say whether that counts for a rule: if it does, \
             {} more by this policy: {}.",
            if referrers == 1 { "1 entry refers".to_owned() } else { format!("{referrers} entries refer") },
            if apart.len() == 1 { "1 image goes".to_owned() } else { format!("{} images go", apart.len()) },
            text::list(&apart.iter().take(MAX_NAMED).collect::<Vec<_>>())
        )
    })
}

/// What has to stay and would go, or may: by our account, in the one reading and in the one that has referrers count, or by AWS's.
fn refusals(
    contents: &Contents,
    (fates, counted): (&[Fate], &[Fate]),
    confirmation: &Confirmation,
    reasons: &HashMap<Digest, Reason>,
) -> Vec<Refusal> {
    let by_aws: HashMap<Digest, u32> = match confirmation {
        Confirmation::Different(differences) => {
            differences.iter().filter_map(|one| Some((one.digest, one.rule_by_aws?))).collect()
        }
        Confirmation::Same | Confirmation::SameCounted | Confirmation::None(_) => HashMap::new(),
    };
    let refusal = |(detail, (fate, counted)): (&ImageDetail, (&Fate, &Fate))| {
        let sure = fate.may_be_taken_by().map(Priority::get).or_else(|| by_aws.get(&detail.digest).copied());
        let rule = sure.or_else(|| counted.may_be_taken_by().map(Priority::get))?;
        let must_stay = reasons.get(&detail.digest)?.clone();
        Some(Refusal { digest: detail.digest, tags: detail.tags.clone(), rule, if_referrers_count: sure.is_none(), must_stay })
    };
    contents.details.iter().zip(fates.iter().zip(counted)).filter_map(refusal).collect()
}

/// Has AWS look at the policy too, where the role may ask.
async fn confirm(
    repository: &Repository,
    policy: &Policy,
    contents: &Contents,
    fates: &[Fate],
    counted: &[Fate],
) -> Result<Confirmation, Error> {
    let preview = match repository.lifecycle_preview(&policy.text).await {
        Ok(preview) => preview,
        Err(NoPreview::Failed(error)) => return Err(error.into()),
        Err(none) => return Ok(Confirmation::None(none.to_string())),
    };
    if lifecycle::read(&preview.policy).as_ref() != Ok(&policy.value) {
        return Ok(Confirmation::None(NoPreview::Busy.to_string()));
    }
    Ok(match compare(contents, fates, &preview) {
        Confirmation::Different(_) if matches!(compare(contents, counted, &preview), Confirmation::Same) => {
            Confirmation::SameCounted
        }
        confirmation => confirmation,
    })
}

fn compare(contents: &Contents, fates: &[Fate], preview: &LifecyclePreview) -> Confirmation {
    let mut by_aws: HashMap<Digest, (u32, bool)> =
        preview.actions.iter().map(|action| (action.digest, (action.rule, action.deletes))).collect();
    let mut differences = Vec::new();
    for (detail, fate) in contents.details.iter().zip(fates) {
        let aws = by_aws.remove(&detail.digest);
        let (ours, tied) = match fate {
            Fate::Taken { by, action, tied } => (Some((by.get(), action.deletes())), *tied),
            Fate::Kept { tied, .. } => (None, *tied),
            _ => (None, false),
        };
        if ours != aws && !tied {
            let rule = |one: Option<(u32, bool)>| one.map(|(rule, _)| rule);
            differences.push(Difference { digest: detail.digest, rule: rule(ours), rule_by_aws: rule(aws) });
        }
    }
    // What was pushed since the images were read.
    differences.extend(by_aws.into_iter().map(|(digest, (rule, _))| Difference { digest, rule: None, rule_by_aws: Some(rule) }));
    if differences.is_empty() { Confirmation::Same } else { Confirmation::Different(differences) }
}
