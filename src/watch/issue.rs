//! What the issue of an image says. The names in it are a stranger's.

use super::judged::{Judged, Watched, severities};
use crate::finding::Vulnerability;
use crate::github::issues::{BODY, Notice, TITLE};
use crate::report::sarif;
use crate::text;
use crate::text::markdown::{code, link, prose};

/// What the lines around the tables may take, in bytes.
const RESERVE: usize = 4000;
/// The most rows of a table.
const ROWS: usize = 200;

/// The issue of what is one image; none where nothing counts in it, wherever it is.
pub(super) fn notice(about: &[&Watched]) -> Option<Notice> {
    let judged = |one: &&Watched| one.looked.as_ref().ok().filter(|judged| judged.counting().next().is_some()).cloned();
    let counting: Vec<_> = about.iter().filter_map(|one| Some((*one, judged(one)?))).collect();
    let image = &about.first()?.image;
    let all: Vec<_> = counting.iter().flat_map(|(_, judged)| judged.counting()).collect();
    let limit = (BODY - RESERVE) / counting.len().max(1);
    let parts: String = counting.iter().map(|(one, judged)| part(one, judged, limit)).collect();
    let title = format!("{image}: {} became known", severities(all.iter().copied()));
    let body = format!(
        "{parts}Deliver the image anew on what has the fixes. What is accepted stands in a list of the project's, or of \
         `--ignore-file`.\n\n`gp-deliver watch` keeps this issue: it is brought up to date while something of it is left, and closed \
         when nothing is."
    );
    (!counting.is_empty()).then(|| Notice { title: text::line(&title, TITLE).into(), body })
}

/// What counts in an image where it is in an environment.
fn part(one: &Watched, judged: &Judged, limit: usize) -> String {
    let delivered = judged.delivered_at.map(|at| format!(", delivered on {}", text::time(at))).unwrap_or_default();
    let since = if judged.is_compared {
        "These vulnerabilities became known since it was delivered, or were not known to count then:"
    } else {
        "These vulnerabilities are known in it. What was known when it was delivered is not said by anyone whose word counts:"
    };
    let (image, digest) = (code(&one.image), code(&judged.digest.to_string()));
    let table = table(&sarif::merged(judged.counting()), limit);
    format!("{image} in {} is {digest}{delivered}. {since}\n\n{table}", one.environment)
}

/// A table of what was found, of so many bytes at most.
pub(super) fn table(found: &[(&Vulnerability, Vec<String>)], limit: usize) -> String {
    let mut table = "| Severity | Advisory | Package | Installed | Fixed in |\n|---|---|---|---|---|\n".to_owned();
    let mut rows = 0;
    for (vulnerability, platforms) in found.iter().take(ROWS) {
        let row = row(vulnerability, platforms);
        if table.len() + row.len() > limit {
            break;
        }
        table.push_str(&row);
        rows += 1;
    }
    let more = found.len() - rows;
    let more = if more > 0 { format!("\nAnd {more} more, which the Security tab has.\n") } else { String::new() };
    format!("{table}{more}\n")
}

fn row(vulnerability: &Vulnerability, platforms: &[String]) -> String {
    let Vulnerability { id, severity, title, package, installed, fixed, url, .. } = vulnerability;
    let title = if title.is_empty() { String::new() } else { format!("<br>{}", prose(title)) };
    let platforms = platforms.iter().map(|platform| code(platform)).collect::<Vec<_>>().join(", ");
    let fixed = fixed.as_ref().map_or_else(|| "–".to_owned(), |fixed| code(fixed));
    let (id, package, installed) = (link(id, url.as_deref()), code(package), code(installed));
    format!("| {severity} | {id}{title} | {package}<br>in {platforms} | {installed} | {fixed} |\n")
}
