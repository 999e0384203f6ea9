//! The rules on which a blocking environment's promises rest, and that are set outside of a delivery: at GitHub and at AWS.
//!
//! Who may push a branch may write a workflow that names any environment. So it takes GitHub's rules to keep such a branch
//! from it, the role's trust policy to ask for the environment, and the repository to keep a tag where it is.

use iam_policy::github::{Context, Job, Repository, Subjects};
use iam_policy::{Claims, Document, trust};

use super::check::Check;
use crate::aws::ecr::{Mutability, TagFilter};
use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::environment::Environment;
use crate::github::environments::{self, Branches, Pattern};
use crate::github::{Access, Api};
use crate::oci::Tag;
use crate::provenance::Trust;
use crate::publish::Target;
use crate::setup::{Kind, PolicyInputs};
use crate::tags::PlannedTag;
use crate::text;

/// Whether GitHub's environment restricts its branches and tags.
pub(super) async fn environment(inputs: &PolicyInputs<'_>) -> Check {
    let environment = inputs.config.environment;
    let access = inputs.config.github.as_ref().filter(|access: &&Access| access.credential.is_some());
    let needs = "a job of GitHub Actions whose token has `actions: read`";
    let Some(access) = access else { return Check::unread(needs) };
    let api = match Api::open(access) {
        Ok(Some(api)) => api,
        Ok(None) => return Check::unread(needs),
        Err(error) => return Check::Wrong(Diagnosis::from(&error)),
    };
    match environments::branches(&api, environment.name()).await {
        Ok(found) => of_branches(found, environment).unwrap_or_else(|(what, why)| {
            let remedy = "Name the branches and tags that may deploy (Settings, Environments, \"Deployment branches and tags\"), or \
                          run these commands:";
            Check::Wrong(Diagnosis::new(what, why, remedy).with_copy(&inputs.text(Some(Kind::Environment)).unwrap_or_default()))
        }),
        Err(error) if error.refusal().is_some_and(|status| status.as_u16() == 403) => {
            Check::unread(&format!("`permissions: actions: read` ({error})"))
        }
        Err(error) => Check::Wrong(Diagnosis::from(&error)),
    }
}

fn of_branches(found: Option<Branches>, environment: Environment) -> Result<Check, (String, String)> {
    let patterns = match found {
        None => {
            let why = "A job that names it makes GitHub create it, without a rule.";
            return Err((format!("There is no environment {environment} at GitHub"), why.to_owned()));
        }
        Some(Branches::Any) => {
            let why = "Whoever may push a branch can write a workflow there that names the environment, and gets its role.";
            return Err((format!("GitHub's environment {environment} is open to every branch and tag"), why.to_owned()));
        }
        Some(Branches::Protected) => {
            return Ok(Check::unread(
                "named branches and tags in place of \"protected branches\": where no branch is protected, GitHub lets all in",
            ));
        }
        Some(Branches::Matching(patterns)) => patterns,
    };
    let open: Vec<_> = patterns.iter().filter(|pattern| is_open(pattern)).map(shown).collect();
    if !open.is_empty() {
        let why = format!("Anyone who may push can give a branch or tag a name that {} matches.", text::list(&open));
        return Err((format!("GitHub's environment {environment} is open to any name"), why));
    }
    let names: Vec<_> = patterns.iter().map(shown).collect();
    let wild: Vec<_> = patterns.iter().filter(|pattern| pattern.name.contains(['*', '?', '['])).map(shown).collect();
    let detail = match names.as_slice() {
        [] => "GitHub lets nothing deploy".to_owned(),
        names => format!("GitHub lets only {} deploy", text::list(names)),
    };
    let creators = match wild.as_slice() {
        [] => String::new(),
        wild => format!("\nwho may create {} is for a ruleset to say", text::list(wild)),
    };
    Ok(Check::Well(detail + &creators))
}

/// Whether anyone can find a name that it matches: it begins with no letter of its own.
fn is_open(pattern: &Pattern) -> bool {
    pattern.name.starts_with(['*', '?', '[', '{', '!', '\\'])
}

fn shown(pattern: &Pattern) -> String {
    let name = text::line(&pattern.name, 100);
    format!("the {} {name}", if pattern.tags { "tag" } else { "branch" })
}

/// Whether a trust policy lets in jobs of the environment alone.
pub(super) fn trust(inputs: &PolicyInputs<'_>, claims: Option<&Claims>, document: Option<&Document>) -> Check {
    let Some(document) = document else {
        let role = inputs.role_name().unwrap_or("ROLE");
        return Check::unread(&format!(
            "`--trust-policy FILE`, with what this prints: aws iam get-role --role-name {role} --query \
             Role.AssumeRolePolicyDocument"
        ));
    };
    let (Some(repository), Ok(caller)) = (&inputs.repository, inputs.caller()) else {
        return Check::unread("a clone of the repository, or GITHUB_REPOSITORY, and `role-to-assume`");
    };
    let environment = inputs.config.environment;
    let accepted = |subject: &String| {
        let claims = strangers(claims, &caller.claims(subject));
        trust::compare(document, &claims, &caller.role).is_empty()
    };
    let let_in = others(repository, environment).into_iter().filter(|(_, subjects)| subjects.iter().any(accepted));
    let let_in: Vec<_> = let_in.map(|(who, _)| who).collect();
    if let_in.is_empty() {
        return Check::Well(format!(
            "lets in only jobs of the environment {environment} of {}/{}",
            repository.owner, repository.name
        ));
    }
    let what = format!("The trust policy lets in more than jobs of the environment {environment}");
    let why = format!("It accepts {}: GitHub's rules for the environment do not hold for these.", text::list(&let_in));
    let remedy = "Name the environment in the condition on `sub`, without a wildcard. This policy does; put it with `aws iam \
                  update-assume-role-policy --role-name ROLE --policy-document file://FILE`:";
    Check::Wrong(Diagnosis::new(what, why, remedy).with_copy(&inputs.text(Some(Kind::Trust)).unwrap_or_default()))
}

/// The claims of another job of this run's issuer: those of its own that do not tell the jobs apart stay.
fn strangers(run: Option<&Claims>, other: &Claims) -> Claims {
    let own = ["iss", "aud", "repository_visibility", "runner_environment", "enterprise", "enterprise_id"];
    let kept = own.into_iter().filter_map(|name| Some((name.to_owned(), run?.get(name)?)));
    let subject = other.get("sub").map(|subject| ("sub".to_owned(), subject));
    let base = ["iss", "aud"].into_iter().filter_map(|name| Some((name.to_owned(), other.get(name)?)));
    base.chain(kept).chain(subject).collect()
}

/// Jobs that must not be let in, each with the subjects that its token may have.
fn others(repository: &Repository, environment: Environment) -> Vec<(&'static str, Vec<String>)> {
    let job = |repository: &Repository, context| Subjects::of(&Job { repository: repository.clone(), context }).to_vec();
    let elsewhere = Repository { name: format!("{}-of-a-stranger", repository.name), ids: None, ..repository.clone() };
    let stranger = Repository { owner: format!("{}-stranger", repository.owner), ..elsewhere.clone() };
    let another = if environment == Environment::Dev { Environment::Test } else { Environment::Dev };
    let of_environment = |environment: Environment| Context::Environment(environment.name().to_owned());
    vec![
        ("jobs of any branch", job(repository, Context::Ref("refs/heads/anyone/any-branch".to_owned()))),
        ("jobs of `main` that name no environment", job(repository, Context::Ref("refs/heads/main".to_owned()))),
        ("jobs of any tag", job(repository, Context::Ref("refs/tags/v0.0.0-any".to_owned()))),
        ("pull requests", job(repository, Context::PullRequest)),
        ("jobs of another environment", job(repository, of_environment(another))),
        ("jobs of any environment", job(repository, Context::Environment("any".to_owned()))),
        ("another repository's environment of this name", job(&elsewhere, of_environment(environment))),
        ("a stranger's repository", job(&stranger, of_environment(environment))),
    ]
}

/// Whether a repository keeps fixed tags where they are, and lets moving ones move.
pub(super) fn immutability(inputs: &PolicyInputs<'_>, mutability: &Mutability, tags: &[PlannedTag]) -> Check {
    let (fixed, moving): (Vec<_>, Vec<_>) = tags.iter().partition(|planned| !planned.moving);
    let names = |tags: &[&PlannedTag], wanted: &dyn Fn(&PlannedTag) -> bool| {
        tags.iter().filter(|planned| wanted(planned)).map(|planned| planned.tag.to_string()).collect::<Vec<_>>()
    };
    let wrong = |what: String, why: String| {
        let remedy = "Make the repository immutable, with a filter for each tag that moves, and for no other:";
        Check::Wrong(Diagnosis::new(what, why, remedy).with_copy(&inputs.text(Some(Kind::Repository)).unwrap_or_default()))
    };
    let filters = match mutability {
        Mutability::Unknown => return Check::unread("the role's permission `ecr:DescribeRepositories`"),
        Mutability::Mutable(_) => {
            let why = "Whoever may push there can give a delivered tag to an image that nobody judged.";
            return wrong("The repository lets tags be set to another image".to_owned(), why.to_owned());
        }
        Mutability::Immutable(filters) => filters,
    };
    let may_move = |planned: &PlannedTag| filters.iter().any(|filter| filter.matches(&planned.tag));
    let loose = names(&fixed, &may_move);
    if !loose.is_empty() {
        let why = format!("A filter excepts {}, and each of these tags names one delivery.", text::list(&loose));
        return wrong("The repository's filters let fixed tags be set to another image".to_owned(), why);
    }
    let stuck = names(&moving, &|planned| !may_move(planned));
    if !stuck.is_empty() {
        let why = format!("No filter excepts {}: the next delivery could not set it.", text::list(&stuck));
        return wrong("The repository lets a moving tag move no more".to_owned(), why);
    }
    let idle: Vec<_> = filters.iter().filter(|filter| !moving.iter().any(|planned| filter.matches(&planned.tag))).collect();
    let idle: Vec<_> = idle.into_iter().map(TagFilter::to_string).collect();
    let except = match names(&moving, &|_| true).as_slice() {
        [] => String::new(),
        moving => format!(", except {}", text::list(moving)),
    };
    let idle = match idle.as_slice() {
        [] => String::new(),
        idle => format!("\nthese filters except no tag of this delivery: {}", text::list(idle)),
    };
    Check::Well(format!("tags stay where they are{except}{idle}"))
}

/// Whether another environment delivers to the same repository, as far as its tags show it: which roles may push there is not
/// for this one to read.
pub(super) async fn sharing(config: &Config<()>, target: &Target) -> Check {
    let environment = config.environment;
    let advice = format!("give {environment} a role and a repository of its own");
    let listed = match target.repository() {
        Some(client) => client.tags().await.ok(),
        None => None,
    };
    let Some(listed) = listed else {
        return Check::Note(format!(
            "whether another role may push to this repository is not for this one to read, nor what its tags are (`ecr:ListImages`): \
             {advice}"
        ));
    };
    let foreign = foreign(environment, &listed);
    let shown: Vec<_> = foreign.iter().take(3).map(|tag| text::line(tag.as_str(), 100)).collect();
    if foreign.is_empty() {
        return Check::Note(format!(
            "no tag there is another environment's; whether another role may push is not for this one to read: {advice}"
        ));
    }
    let why = format!(
        "Tags there are those of other environments' deliveries, such as {}: whoever may use their role can set {environment}'s \
         tags too",
        text::list(&shown)
    );
    let reuse = match config.reuse {
        Trust::Proven => "reuse takes only what is proven",
        Trust::Never => "reuse takes nothing",
        Trust::Claimed => "",
    };
    if !reuse.is_empty() {
        return Check::Note(format!("{why}. Their images do not pass for {environment}'s, since {reuse}; but {advice}"));
    }
    let what = format!("The repository is shared with another environment, whose images pass for {environment}'s");
    let remedy = format!("Set `reuse` to proven, and {advice}. To see who pushes: `aws cloudtrail lookup-events`.");
    Check::Wrong(Diagnosis::new(what, format!("{why}, and `reuse` is claimed."), remedy))
}

/// The tags that deliveries to other environments set, by their names.
fn foreign(environment: Environment, tags: &[Tag]) -> Vec<&Tag> {
    let others = || Environment::ALL.into_iter().filter(|other| *other != environment);
    let is_of = |tag: &str, name: &str| tag.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    tags.iter().filter(|tag| others().any(|other| is_of(tag.as_str(), other.name()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[(&str, bool)]) -> Result<Check, (String, String)> {
        let patterns = names.iter().map(|(name, tags)| Pattern { name: (*name).to_owned(), tags: *tags }).collect();
        of_branches(Some(Branches::Matching(patterns)), Environment::Prod)
    }

    #[test]
    fn a_pattern_that_any_name_can_be_made_to_fit_restricts_nothing() {
        for name in ["*", "**", "**/*", "*/**", "?*", "[a-z]*", "*-release", "{a,b}*"] {
            assert!(of(&[("main", false), (name, false)]).is_err(), "{name}");
        }
        let Ok(Check::Well(detail)) = of(&[("main", false), ("v*", true)]) else { panic!("a rule") };
        assert!(detail.contains("only the branch main and the tag v* deploy") && detail.contains("the tag v* is for a ruleset"));
        assert!(matches!(of(&[]), Ok(Check::Well(_))));
    }

    #[test]
    fn what_can_not_be_told_is_not_well() {
        assert!(matches!(of_branches(Some(Branches::Protected), Environment::Prod), Ok(Check::Unread(_))));
        assert!(of_branches(Some(Branches::Any), Environment::Prod).is_err());
        assert!(of_branches(None, Environment::Prod).is_err());
    }
}
