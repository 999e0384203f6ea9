//! The words for an image that was not published.

use super::{Diagnosis, layout};
use crate::oci::{Digest, Tag};
use crate::provenance::Parameters;
use crate::publish::{Error, Leftover, TakenTag};
use crate::text;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Registry(error) => error.into(),
            Error::Layout(error) => error.into(),
            Error::NotCleared { cleared, image } => Self::new(
                format!("The image {image} is not the one that was scanned"),
                format!("The scan cleared {cleared}."),
                "This is a fault of gp-deliver: please report it with the record of this run.",
            ),
            Error::NotALayout { path } => Self::new(
                format!("{} is not an image layout", path.display()),
                "Something else is there, and is left as it is.",
                "Name a new or empty folder, or one that holds an image layout.",
            ),
            Error::ForeignLayout { path } => Self::new(
                format!("{} is an image layout that is not gp-deliver's own", path.display()),
                "It would offer its own images beside the one that is delivered, and nobody has judged those. A layout that came \
                 with the source, an archive or a cache, or that another program wrote, is not gp-deliver's own; it is left as \
                 it is.",
                "Name a new or empty folder as `destination` (and `report-dir`); or, if nothing in this one is needed, remove it \
                 and run again.",
            ),
            Error::Changed { path } => Self::new(
                format!("{} holds something that gp-deliver did not write", path.display()),
                "gp-deliver made this image layout, and its index is not the one that gp-deliver wrote last: another program, or a \
                 change of the source, has put another there.",
                "Remove the folder, or name a new one as `destination`, and run again.",
            ),
            Error::Linked { path, link } => Self::new(
                format!("{} is a link, and the image goes to {}", link.display(), path.display()),
                "The source may have brought the link, so where it leads is not what was asked for.",
                "Remove the link, or name the folder that it leads to as `destination`.",
            ),
            Error::Unwritable { path, source } => layout::file(path, source),
            Error::Locked { path } => Self::new(
                format!("{} is in use by another delivery", path.display()),
                "It did not end within five minutes.",
                "End the other one, or wait for it, and run again.",
            ),
            Error::ReadBack { repository, tag, expected, actual } => Self::new(
                format!("{repository}:{tag} does not name the image that it was set to"),
                match actual {
                    Some(actual) => format!("It was set to {expected} and names {actual}."),
                    None => format!("It was set to {expected}, and the registry does not know it."),
                },
                "Run again. If it happens again, another delivery sets the same tag, or the registry changes manifests.",
            ),
            Error::Overtaken { repository, digest, tags } => overtaken(repository, &digest.to_string(), tags),
            Error::Taken { repository, commit, digest, taken } => {
                taken_tags(repository, commit.as_deref(), digest.map(|digest| digest.to_string()).as_deref(), taken)
            }
            Error::OtherBuild { repository, taken, ours, theirs } => other_build(repository, taken, ours, theirs),
            Error::Immovable { repository, tags } => Self::new(
                format!("{repository} does not let tags move, and this delivery would move some"),
                tags.iter()
                    .map(|(tag, digest)| format!("{tag} names {digest} and can't be moved."))
                    .collect::<Vec<_>>()
                    .join("\n"),
                "Leave them out of `tags`, or exempt them from the repository's immutability: a filter such as `latest` or \
                 `*-latest` (IMMUTABLE_WITH_EXCLUSION).",
            ),
            Error::LeftOver { cause, repository, digest, leftovers } => {
                left_over(cause.as_ref().into(), repository, &digest.to_string(), leftovers)
            }
            Error::Cancelled => Self::new(
                "Publishing was cancelled",
                "A signal ended the run before all tags were set; those that were set are put back.",
                "Run again.",
            ),
            Error::Broken(detail) => Self::new(
                "Publishing stopped unexpectedly",
                format!("{detail}."),
                "This is a fault of gp-deliver: please report it with the record of this run.",
            ),
        }
    }
}

/// Fixed tags that another delivery has set at the same time.
fn overtaken(repository: &str, digest: &str, tags: &[(Tag, Option<Digest>)]) -> Diagnosis {
    let names: Vec<_> = tags.iter().map(|(tag, _)| tag.to_string()).collect();
    let mut why: Vec<String> = tags
        .iter()
        .map(|(tag, names)| match names {
            Some(names) => format!("This delivery set {tag} to {digest}, and it names {names} by now."),
            None => format!("This delivery set {tag} to {digest}, and it is gone by now."),
        })
        .collect();
    why.push("Such a tag names one image for good, so this delivery gives way.".to_owned());
    Diagnosis::new(
        format!("Another delivery has set {} of {repository} at the same time", crate::text::list(&names)),
        why.join("\n"),
        "Look at what the other delivery says of itself, and run again: where the tags name an image of this commit, nothing is \
         left to do. So that it does not happen again, let only one delivery of a commit run at once (`concurrency` in the \
         workflow), and make the fixed tags of the repository immutable where its registry can do that.",
    )
}

/// Fixed tags that name other images.
fn taken_tags(repository: &str, commit: Option<&str>, digest: Option<&str>, taken: &[TakenTag]) -> Diagnosis {
    let mut why: Vec<String> = taken
        .iter()
        .map(|TakenTag { tag, digest, revision }| match revision {
            Some(revision) => format!("{tag} names {digest}, which says it is of commit {revision}."),
            None => format!("{tag} names {digest}, which does not say which commit it is of."),
        })
        .collect();
    why.push(match (commit, digest) {
        (Some(commit), Some(digest)) => format!("This delivery is of commit {commit}, and its image is {digest}."),
        (Some(commit), None) => format!("This delivery is of commit {commit}."),
        (None, Some(digest)) => format!("This delivery's image is {digest}."),
        (None, None) => "This delivery has no commit.".to_owned(),
    });
    let what = match taken {
        [one] => format!("The tag {} of {repository} names another image", one.tag),
        several => format!("{} tags of {repository} name other images", several.len()),
    };
    // Built anew, the same commit came to other bytes.
    let remedy = if digest.is_some() && taken.iter().any(|taken| taken.revision.as_deref() == commit) {
        "Such a tag names one image for good, and is left as it is. What an image says of itself is no proof: either the build \
         is not reproducible, or someone else has pushed that image. If everyone who may push there is trusted, set `reuse` to \
         claimed: that image is taken at its word, then scanned and judged like any. Else leave the tag out of `tags` if \
         another delivery of the commit sets it: `{env}-{sha}` alone where environments share a repository, `{version}` alone \
         for a release. Or deliver a new commit; or remove the tag, if you may and nothing uses what it names."
    } else {
        "Such a tag names one image for good, and is left as it is. Deliver a new commit or version; or remove the tag, if you \
         may and nothing uses what it names."
    };
    Diagnosis::new(what, why.join("\n"), remedy)
}

/// Fixed tags that name another image of the same commit, and in what the two differ.
fn other_build(repository: &str, taken: &[TakenTag], ours: &Parameters, theirs: &Parameters) -> Diagnosis {
    let mut why: Vec<String> = taken.iter().map(|TakenTag { tag, digest, .. }| format!("{tag} names {digest}.")).collect();
    let differences = [
        ("build context", &theirs.context, &ours.context),
        ("Dockerfile", &theirs.dockerfile, &ours.dockerfile),
        ("stage", &target(theirs), &target(ours)),
        ("platforms", &platforms(theirs), &platforms(ours)),
    ];
    let differences = differences.into_iter().filter(|(_, theirs, ours)| theirs != ours);
    why.extend(
        differences
            .map(|(name, theirs, own)| format!("It says that its {name} is {:?}; here it is {own:?}.", &*text::words(theirs))),
    );
    if theirs.arguments != ours.arguments {
        why.push("It says that its build arguments have other values.".to_owned());
    }
    if theirs.dockerfile_digest != ours.dockerfile_digest {
        why.push("It says that its Dockerfile has another text.".to_owned());
    }
    let what = match taken {
        [one] => format!("The tag {} of {repository} names another image of this commit", one.tag),
        several => format!("{} tags of {repository} name another image of this commit", several.len()),
    };
    let remedy = "Such a tag names one image for good, and is left as it is. Give each image of a commit a repository of its own, \
                  or tags of its own: `api-{sha}` in `tags`. If only this image is meant, deliver it as it was built before, or \
                  deliver a new commit.";
    Diagnosis::new(what, why.join("\n"), remedy)
}

fn target(parameters: &Parameters) -> String {
    parameters.target.clone().unwrap_or_else(|| "the last".to_owned())
}

fn platforms(parameters: &Parameters) -> String {
    if parameters.platforms.is_empty() { "the builder's own".to_owned() } else { parameters.platforms.join(",") }
}

/// The failure, with what it left behind: the only case in which the destination is not as it was.
fn left_over(cause: Diagnosis, repository: &str, digest: &str, leftovers: &[Leftover]) -> Diagnosis {
    let names = |pending: bool| -> Vec<String> {
        leftovers.iter().filter(|left| left.pending == pending).map(|left| left.tag.to_string()).collect()
    };
    let commands: Vec<String> = leftovers
        .iter()
        .map(|Leftover { tag, before, command, .. }| match (before, command) {
            (Some(before), _) => format!("crane tag {repository}@{before} {tag}"),
            (None, Some(command)) => command.clone(),
            (None, None) => format!("crane delete {repository}:{tag}"),
        })
        .collect();
    let mut why = cause.why;
    let stuck = names(false);
    if !stuck.is_empty() {
        let stuck = stuck.join(", ");
        why = format!("{why}\nThe registry did not let these tags be put back: {stuck} may still name {digest}.");
    }
    for tag in names(true) {
        why = format!(
            "{why}\nThe registry did not say whether it has set {tag}: it was not there at the last look, and may name {digest} yet."
        );
    }
    let remedy = format!(
        "{} Look at the tags that are named here, and put them back by hand (if the registry can't remove tags, use its web \
         page or its clean-up rules).",
        cause.remedy
    );
    Diagnosis { why, remedy, ..cause }.with_copy(&commands.join("\n"))
}
