//! The words for a delivery that failed: for its own errors, and through each room's words for those of the rooms.

use super::{Diagnosis, sentences};
use crate::coverage::Gap;
use crate::error::{Cause, Death, Error};
use crate::git;
use crate::inputs::Problem;
use crate::oci::layer;
use crate::source;
use crate::text;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Inputs(problems) => Self::new(
                match Problem::inputs(problems) {
                    1 => "An input is wrong".to_owned(),
                    count => format!("{count} inputs are wrong"),
                },
                sentences(problems),
                "Correct them; `gp-deliver deliver --help` lists all inputs.",
            ),
            Error::Tags(forbidden) => Self::new(
                "tags: a template makes an invalid tag",
                sentences(forbidden),
                "A tag has letters, digits, `_`, `.` and `-`, at most 128 of them, and does not begin with `.` or `-`. Change `tags`.",
            ),
            Error::NoTag(skipped) => {
                let skipped: Vec<_> = skipped.iter().map(|(template, why)| format!("{template}: {why}")).collect();
                Self::new(
                    "tags: no tag is left to publish under",
                    if skipped.is_empty() { "There is no template.".to_owned() } else { sentences(&skipped) },
                    "Deliver from a git commit, give `version`, or give a literal tag in `tags`.",
                )
            }
            Error::Source(error) => source_failure(error),
            Error::Aws(error) => Self::from(error),
            Error::NoLogin(error) => super::kubernetes::no_login(error),
            Error::Kubernetes(error) => Self::from(error),
            Error::Build(error) => Self::from(error),
            Error::Scan(error) => Self::from(error),
            Error::NotCompared(error) => not_compared(error),
            Error::NotScanned(tool) => Self::new(
                format!("Nothing can be decided without {tool}"),
                "This environment's gate is blocking, and the scan did not happen.",
                "See the warnings for the reason, and run again.",
            ),
            Error::NotScannedThere { images, unsupported } => super::registry_scan::no_result(images, *unsupported),
            Error::NotJudged(gaps) => not_judged(gaps),
            Error::Unexpected { digest, expected } => Self::new(
                "The image is not the one that was expected",
                format!("It is {digest}, and `expected-digest` says {expected}. Nothing of it has left this machine."),
                "Either the build is not reproducible, or one of the two builders was given, or has done, something else: compare \
                 the two images before either is used. A base image that is named by a digest is the same to both.",
            ),
            Error::CodeScanning(error) => Self::from(error),
            Error::Attestations(error) => Self::from(error),
            Error::GitHub(error) => Self::from(error),
            Error::GitOps(error) => Self::from(error),
            Error::NotShown(why) => Self::new(
                "There is nothing to show here",
                *why,
                "`show` is for the job that follows a pull request's own: see `.github/workflows/_build-and-release.yml`.",
            ),
            Error::Publish(error) => Self::from(error),
            Error::Unproven(unproven) => Self::from(unproven),
            Error::Statement(why) => Self::new(
                "What is known of the image makes no statement that could be signed",
                format!("{why}."),
                "This is a bug of gp-deliver: please report it, with this page and what was delivered.",
            ),
            Error::Signing(error) => Self::from(error),
            Error::Sigstore(error) => Self::from(error),
            Error::Token(error) => Self::from(error),
            Error::Report(error) => Self::from(error),
            Error::Io { path, source } => Self::new(
                format!("{} can't be written", path.display()),
                source.to_string(),
                "Make room, give this user the right to write there, or name another folder with `report-dir`.",
            ),
            Error::Cancelled => Self::new("The delivery was cancelled", "A signal ended it.", "Run it again."),
            Error::Died(death) => died(death),
        }
    }
}

fn died(death: &Death) -> Diagnosis {
    let names: Vec<_> = death.during.iter().map(|stage| stage.name()).collect();
    let during = if names.is_empty() { String::new() } else { format!(" during {}", text::list(&names)) };
    let bug = "This is a bug of gp-deliver: please report it, with this page and what was delivered.";
    match &death.cause {
        // SIGKILL has the same number everywhere (signal(7)).
        Cause::Signal(9) => Diagnosis::new(
            format!("The process of the delivery was killed{during}"),
            "Another process sent it SIGKILL: as a rule the kernel itself, when memory ran out.",
            "Look for \"out of memory\" in the machine's log (`dmesg`), and give the job more memory. If it happens again, report it.",
        ),
        Cause::Signal(_) => {
            Diagnosis::new(format!("The process of the delivery ended{during}"), format!("It was ended by {}.", death.cause), bug)
        }
        Cause::Code(_) => Diagnosis::new(
            format!("The process of the delivery ended{during}"),
            format!("It ended by {}, and without a word.", death.cause),
            bug,
        ),
        Cause::Panic(words) => Diagnosis::new(format!("gp-deliver broke{during}"), format!("It panicked: {words}"), bug),
    }
}

/// The most things that are named.
const GAPS: usize = 20;

fn not_judged(gaps: &[Gap]) -> Diagnosis {
    let mut names: Vec<_> = gaps.iter().map(|gap| gap.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let what = match names.as_slice() {
        [name] => format!("Nothing can be decided: {name} in the image was not judged"),
        names => format!("Nothing can be decided: {} things in the image were not judged", names.len()),
    };
    let whys: Vec<_> = gaps.iter().take(GAPS).map(ToString::to_string).collect();
    let more = gaps.len().checked_sub(GAPS).filter(|more| *more > 0).map(|more| format!("There are {more} more in the summary."));
    let clause = "Nothing was found that counts, and vulnerabilities in these would not have been found.".to_owned();
    let whys: Vec<_> = [clause].into_iter().chain(whys).chain(more).collect();
    let lines: Vec<_> = names.iter().map(|name| format!("{name}: WHY THE IMAGE MAY GO OUT WITHOUT THAT BEING JUDGED")).collect();
    Diagnosis::new(
        what,
        sentences(&whys),
        "Mend or remove what can't be read, or move to a base image whose distribution still gets security updates. What may go \
         out without being judged is named in `accept-unscanned`, each with a reason that the report shows:",
    )
    .with_copy(&lines.join("\n"))
}

/// The words for a layer that could not be read to its end: what was not read is not called equal.
fn not_compared(error: &layer::Error) -> Diagnosis {
    let remedy = "Compare images that were fetched whole; one that was changed on the way has to be made or fetched anew.";
    match error {
        layer::Error::Blob(error) | layer::Error::NoRoom(error) => error.into(),
        layer::Error::Io { path, source } => super::layout::file(path, source),
        layer::Error::Archive { .. } | layer::Error::Content { .. } | layer::Error::TooMuch | layer::Error::Cancelled => {
            Diagnosis::new("The images can't be compared", format!("A layer can't be read to its end: {error}."), remedy)
        }
    }
}

fn source_failure(error: &source::Error) -> Diagnosis {
    match error {
        source::Error::Git(error) => git_failure(error),
        source::Error::Folder { path, reason } => Diagnosis::new(
            format!("{} can't be read", path.display()),
            reason.clone(),
            "Set `build-context` to a folder that exists.",
        ),
        source::Error::LeadsOut { link, root, target } => Diagnosis::new(
            format!("{} leads out of the checkout", link.display()),
            format!("It is a link of {} to {}, and what is built comes from the commit.", root.display(), target.display()),
            "Replace the link by what it leads to, or name the folder that is meant with `build-context` and `dockerfile-path`.",
        ),
        source::Error::LeadsOutOfContext { link, context, target } => Diagnosis::new(
            format!("{} leads out of the build context", link.display()),
            format!(
                "It is a link to {}. The builder gets what is in {} alone, and would read another file by it, or none.",
                target.display(),
                context.display()
            ),
            "Replace the link by what it leads to, or by a link to a file of the context, by a relative path.",
        ),
        source::Error::Unusable { path, reason } => Diagnosis::new(
            format!("{} can't be used", path.display()),
            reason.clone(),
            "Put a regular file there that this user may read, or set `build-context` and `dockerfile-path` to what is meant.",
        ),
        source::Error::OutsideOfSource { name, folder, root } => Diagnosis::new(
            match name {
                Some(name) => format!("The build context {name} is outside of the source"),
                None => "The build context is outside of the source".to_owned(),
            },
            format!(
                "{} is not in {}, whose commit is delivered and whose files are scanned for secrets.",
                folder.display(),
                root.display()
            ),
            "Name a folder of the source in `build-contexts` (in git, that is the checkout; else the workspace, or the build \
             context), or bring what is elsewhere as an image: docker-image:// or oci-layout://.",
        ),
        source::Error::Dockerfile { path, error } => Diagnosis::new(
            format!("{} goes beyond what is followed in a Dockerfile", path.display()),
            error.to_string(),
            "Write the values out, or divide the file. The limits are in docs/security.md, under \"Bounds\".",
        ),
        source::Error::NoRepository { context, strays } => Diagnosis::new(
            format!("{} is in no git repository, and this environment delivers only what is in a commit", context.display()),
            match &strays[..] {
                [] => {
                    "Neither the build context nor the folder of the Dockerfile has a `.git`, in itself or around it.".to_owned()
                }
                strays => {
                    let strays: Vec<_> = strays.iter().map(|folder| folder.join(".git").display().to_string()).collect();
                    format!(
                        "{} leads to no repository, so there is no history that could be scanned for secrets.",
                        text::list(&strays)
                    )
                }
            },
            "In a workflow, check out the source before this step (actions/checkout), and set `build-context` to a folder of the \
             checkout: with `path: app` it is in app. A submodule needs the repository that it is part of.",
        ),
        source::Error::NoCommit { root } => Diagnosis::new(
            format!("{} has no commit yet, and this environment delivers only what is in a commit", root.display()),
            "git has a repository there, and nothing in it.",
            "Commit the source, and deliver that.",
        ),
        source::Error::OtherCommit { root, commit, run } => Diagnosis::new(
            format!("{} is at another commit than the run", root.display()),
            match run.as_str() {
                "" => format!("The commit {commit} is checked out; the run does not say which commit it is of (GITHUB_SHA)."),
                run => format!("The commit {commit} is checked out; the run is of {run} (GITHUB_SHA)."),
            },
            "Check out the run's own commit (actions/checkout without `ref`), and commit nothing after it; to deliver another \
             commit, run the workflow on its branch or tag.",
        ),
        source::Error::Partial { filter, missing } => Diagnosis::new(
            "The clone is a partial one, and lacks what the scan of the history needs",
            match filter.as_str() {
                "" => format!("{} of the history are not there.", text::count(*missing, "object")),
                filter => format!(
                    "It was made with the filter {filter:?}, and {} of the history are not there.",
                    text::count(*missing, "object")
                ),
            },
            "Check out without `filter` and with `fetch-depth: 0`; `sparse-checkout` of actions/checkout sets a filter too, unless \
             `filter` is given. `secrets-history: none` scans the files alone.",
        ),
    }
}

fn git_failure(error: &git::Error) -> Diagnosis {
    let check_out = "Run that command in the repository; in a workflow, check out the source before this step.";
    match error {
        git::Error::Process(error) => Diagnosis::from(error),
        git::Error::Refused { arguments, code, last } => Diagnosis::new(
            format!("git can't read the source (git {arguments})"),
            if last.is_empty() { format!("It ended with code {code} and said nothing.") } else { last.join("\n") },
            check_out,
        ),
        git::Error::Answer { arguments } => Diagnosis::new(
            format!("git can't read the source (git {arguments})"),
            "Its answer is not what this command answers.",
            "Check that git is 2.35 or later.",
        ),
        git::Error::Extension { path, name } => Diagnosis::new(
            format!("The format of the repository {} is not known", path.display()),
            format!("Its configuration asks for extensions.{name}."),
            "Clone it anew without that extension.",
        ),
        git::Error::Missing { path } => Diagnosis::new(
            format!("{} is in no git repository", path.display()),
            "No folder around it has a `.git` that leads to one.",
            check_out,
        ),
        git::Error::Io { path, source } => Diagnosis::new(
            format!("The repository at {} can't be read", path.display()),
            source.to_string(),
            "Give this user the right to read it, and to write to the folder for temporary files (TMPDIR).",
        ),
    }
}
