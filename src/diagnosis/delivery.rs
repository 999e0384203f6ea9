//! The words for a delivery that failed: for its own errors, and through each room's words for those of the rooms.

use super::{Diagnosis, sentences};
use crate::coverage::Gap;
use crate::error::Error;
use crate::inputs::Problem;
use crate::source;

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
            Error::Build(error) => Self::from(error),
            Error::Scan(error) => Self::from(error),
            Error::NotScanned(tool) => Self::new(
                format!("Nothing can be decided without {tool}"),
                "This environment's gate is blocking, and the scan did not happen.",
                "See the warnings for the reason, and run again.",
            ),
            Error::NotJudged(gaps) => not_judged(gaps),
            Error::CodeScanning(error) => Self::from(error),
            Error::Publish(error) => Self::from(error),
            Error::Report(error) => Self::from(error),
            Error::Io { path, source } => Self::new(
                format!("{} can't be written", path.display()),
                source.to_string(),
                "Make room, give this user the right to write there, or name another folder with `report-dir`.",
            ),
            Error::Cancelled => Self::new("The delivery was cancelled", "A signal ended it.", "Run it again."),
        }
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

fn source_failure(error: &source::Error) -> Diagnosis {
    match error {
        source::Error::Process(error) => Diagnosis::from(error),
        source::Error::Git { arguments, message } => Diagnosis::new(
            format!("git can't read the source (git {arguments})"),
            message.clone(),
            "Run that command in the repository; in a workflow, check out the source before this step.",
        ),
        source::Error::Folder { path, reason } => Diagnosis::new(
            format!("{} can't be read", path.display()),
            reason.clone(),
            "Set `build-context` to a folder that exists.",
        ),
    }
}
