//! A preview as a person reads it.

use std::fmt;

use super::guard::Reason;
use super::preview::{Confirmation, Preview, Refusal};
use super::row::Outcome;
use crate::text;

/// How many tags of an image are shown.
const TAGS: usize = 3;
/// The widest column of tags, in characters.
const WIDEST: usize = 48;

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = self.policy.as_deref().map_or_else(|| "no policy".into(), text::words);
        writeln!(f, "{}: {policy}, {}\n", self.repository, text::time(self.at))?;
        let tags: Vec<_> = self.images.iter().map(|row| tags(&row.tags)).collect();
        let width = tags.iter().map(|tags| tags.chars().count()).max().unwrap_or_default();
        for (row, tags) in self.images.iter().zip(tags) {
            let mark = match (row.must_stay.is_some(), row.outcome) {
                (true, _) => '!',
                (_, Outcome::Deleted | Outcome::DeletedWithSubject | Outcome::Archived) => '-',
                _ => ' ',
            };
            let (pushed, size) = (text::time(row.pushed), text::size(row.size));
            writeln!(f, "{mark} {}  {tags:<width$}  {pushed}  {size:>8}  {}", row.digest.short(), row.says())?;
        }
        writeln!(f, "\n{}", self.summary())?;
        for warning in &self.warnings {
            writeln!(f, "{warning}")?;
        }
        writeln!(f, "{}", self.confirmation)?;
        for refusal in &self.forced {
            writeln!(f, "Let through: {refusal}.")?;
        }
        for refusal in &self.refused {
            writeln!(f, "Refused: {refusal}.")?;
        }
        if self.is_refused() {
            writeln!(f, "Nothing was changed. Change the policy, or name each image by --force TAG or --force DIGEST.")?;
        }
        Ok(())
    }
}

impl Preview {
    fn summary(&self) -> String {
        let deleted = self.count(Outcome::Deleted) + self.count(Outcome::DeletedWithSubject);
        let uncounted = self.images.iter().filter(|row| row.subject.is_some()).count();
        let mut summary = format!("{}, of which {deleted} are deleted within 24 hours", text::count(self.images.len(), "image"));
        if deleted > 0 {
            summary = format!("{summary}: up to {}, less what they share with others", text::size(self.frees));
        }
        let archived = self.count(Outcome::Archived);
        if archived > 0 {
            summary = format!("{summary}; {archived} are archived");
        }
        if uncounted > 0 {
            summary = format!(
                "{summary}. What refers to an image (signatures, SBOMs; {uncounted} here) goes with it, and is taken not to count \
                 for a rule"
            );
        }
        summary.push('.');
        summary
    }
}

/// The first tags of an image, on a line.
pub(super) fn tags(all: &[String]) -> String {
    let mut shown: Vec<_> = all.iter().take(TAGS).map(|tag| text::line(tag, WIDEST).to_string()).collect();
    if all.len() > TAGS {
        shown.push(format!("and {} more", all.len() - TAGS));
    }
    text::line(&shown.join(", "), WIDEST).to_string()
}

/// Lines of columns, each as wide as its widest text; the last is as it is.
pub(super) fn columns<const N: usize>(f: &mut fmt::Formatter<'_>, lines: &[[String; N]]) -> fmt::Result {
    let mut widths = [0; N];
    for line in lines {
        for (width, text) in widths.iter_mut().zip(line) {
            *width = text.chars().count().max(*width);
        }
    }
    for line in lines {
        let padded: Vec<_> = line.iter().zip(widths).map(|(text, width)| format!("{text:<width$}")).collect();
        writeln!(f, "{}", padded.join("  ").trim_end())?;
    }
    Ok(())
}

impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("AWS's own preview says the same."),
            Self::SameCounted => f.write_str(
                "AWS's own preview says the same, but for this: what refers to an image counts for it, so more images go.",
            ),
            Self::None(why) => write!(f, "AWS's own preview does not confirm this: {why}."),
            Self::Different(differences) => {
                write!(f, "AWS's own preview says something else of {}:", text::count(differences.len(), "image"))?;
                let rule = |rule: Option<u32>| rule.map_or_else(|| "stays".to_owned(), |rule| format!("goes by rule {rule}"));
                for difference in differences {
                    let (ours, by_aws) = (rule(difference.rule), rule(difference.rule_by_aws));
                    write!(f, "\n  {} {by_aws}, and {ours} by this preview", difference.digest.short())?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match &self.must_stay {
            Reason::Tag(tag) => format!("the tag {} names it", text::words(tag)),
            Reason::Named(by) => format!("{} names it", text::words(by)),
            Reason::Pulled(at) => format!("it was pulled on {}", text::time(*at)),
        };
        let condition = if self.if_referrers_count { " if what refers to an image counts" } else { "" };
        write!(f, "rule {} takes {}{condition}, and {why}", self.rule, self.digest)
    }
}
