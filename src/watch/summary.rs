//! The report of the looks, in Markdown.

use super::issue;
use super::judged::{Report, Watched};
use crate::report::sarif;
use crate::text;
use crate::text::markdown::{code, prose};

/// The most bytes of it. GitHub takes a MiB of a step.
const LIMIT: usize = 1_000_000;
/// How many lines of a kind are told of an image.
const LINES: usize = 50;

/// The report.
pub(super) fn render(report: &Report) -> String {
    let share = LIMIT / report.watched.len().max(1);
    let images = report.watched.iter().map(|watched| image(watched, share));
    let warnings = report.warnings.iter().take(LINES).map(|warning| format!("> **Warning:** {}\n\n", prose(warning)));
    let heading = "## What became known of what is delivered\n\n".to_owned();
    [heading].into_iter().chain(images).chain(warnings).collect()
}

fn image(watched: &Watched, limit: usize) -> String {
    let heading = format!("### {} in {}\n\n{}.\n\n", code(&watched.image), watched.environment, prose(&watched.headline()));
    let judged = match &watched.looked {
        Ok(judged) => judged,
        Err(failure) => return format!("{heading}{} {}\n\n", prose(&failure.why), prose(&failure.remedy)),
    };
    let mut lines = vec![format!("digest {}", code(&judged.digest.to_string()))];
    lines.extend(judged.delivered_at.map(|at| format!("delivered on {}", text::time(at))));
    lines.extend(judged.advisories_of.map(|at| format!("judged by its signed SBOM and the advisories of {}", text::time(at))));
    let failing = judged.failing.iter().flat_map(|row| row.says.lines().map(|line| (row.check, line)));
    lines.extend(failing.take(LINES).map(|(check, line)| format!("**{check}**: {}", prose(line))));
    lines.extend(judged.let_through.iter().take(LINES).map(|line| prose(line)));
    lines.extend(watched.issue.clone());
    let lines = format!("- {}\n", lines.join("\n- "));
    let counting = sarif::merged(judged.counting());
    let counting = if counting.is_empty() { String::new() } else { issue::table(&counting, limit / 2) };
    let others = judged.findings.iter().filter(|finding| finding.new && !finding.counts).map(|finding| &finding.vulnerability);
    let others = sarif::merged(others);
    let others = match text::count(others.len(), "finding") {
        _ if others.is_empty() => String::new(),
        number => {
            let table = issue::table(&others, limit / 4);
            format!("<details><summary>{number} that became known and do not count</summary>\n\n{table}</details>\n\n")
        }
    };
    format!("{heading}{lines}\n{counting}{others}")
}
