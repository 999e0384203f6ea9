//! The last lines: how it ended, what to do, where to look.

use crate::record::Record;
use crate::report::Written;
use crate::report::advice;
use crate::report::catalogue::{self, Catalogue};
use crate::report::unjudged;
use crate::report::verdict::{self, Verdict};
use crate::scanner::Tool;
use crate::text;
use crate::text::markdown::LIMIT;

/// The most lines of an excerpt, and of warnings.
const EXCERPT: usize = 40;
const WARNINGS: usize = 10;
/// The most lines to copy: a policy has some forty.
const COPY: usize = 120;

/// What a line is about, for a terminal with colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    Plain,
    /// As it should be.
    Good,
    /// To look at.
    Advice,
    /// Held back or broken.
    Bad,
}

impl Tone {
    /// The line in the tone's colour (ECMA-48, section 8.3.117).
    pub(crate) fn paint(self, line: &str) -> String {
        let colour = match self {
            Self::Plain => return line.to_owned(),
            Self::Good => 32,
            Self::Advice => 33,
            Self::Bad => 31,
        };
        format!("\u{1b}[{colour}m{line}\u{1b}[0m")
    }
}

/// The last lines of a delivery.
pub(crate) fn lines(record: &Record, written: Option<&Written>) -> Vec<(Tone, String)> {
    let catalogue = Catalogue::of(record);
    let mut lines = vec![(Tone::Plain, String::new()), headline(record, &catalogue)];
    let mut add = |line: String| lines.push((Tone::Plain, line));
    failure(record, &mut add);
    for (name, value) in facts(record, &catalogue) {
        add(format!("  {name:<12}{value}"));
    }
    for unjudged in unjudged::all(record).iter().filter(|unjudged| unjudged.gap.accepted.is_some()).take(WARNINGS) {
        add(format!("  not judged  {}", unjudged::line(unjudged).to_plain()));
    }
    for warning in record.warnings.iter().take(WARNINGS) {
        add(format!("  warning     {}", text::line(warning, LIMIT)));
    }
    let steps = advice::steps(&catalogue);
    if !steps.is_empty() {
        add("  what to do".to_owned());
        steps.iter().enumerate().for_each(|(index, step)| add(format!("    {}. {}", index + 1, step.to_plain())));
    }
    if let Some(written) = written {
        add(format!("  report      {}", text::line(&written.summary.display().to_string(), LIMIT)));
    }
    lines
}

fn headline(record: &Record, catalogue: &Catalogue<'_>) -> (Tone, String) {
    let verdict = Verdict::of(record, catalogue);
    let tone = match verdict {
        Verdict::Delivered | Verdict::Skipped => Tone::Good,
        Verdict::Advised => Tone::Advice,
        Verdict::Blocked | Verdict::Undecided | Verdict::Failed | Verdict::Cancelled => Tone::Bad,
    };
    let reason = verdict::reason(record, catalogue).to_plain();
    let blank = if reason.starts_with(':') { "" } else { " " };
    (tone, format!("{}{blank}{reason} ({})", verdict.word().to_uppercase(), text::duration(record.elapsed_ms)))
}

fn failure(record: &Record, add: &mut impl FnMut(String)) {
    let Some(failure) = &record.failure else { return };
    for (index, why) in text::lines(&failure.why, text::LINE).filter(|line| !line.is_empty()).take(EXCERPT).enumerate() {
        add(format!("  {:<12}{why}", if index == 0 { "why" } else { "" }));
    }
    let skipped = failure.excerpt.len().saturating_sub(EXCERPT);
    failure.excerpt[skipped..].iter().for_each(|line| add(format!("    │ {}", text::line(line, text::LINE))));
    add(format!("  what to do  {}", text::line(&failure.remedy, text::LINE)));
    failure.to_copy.iter().take(COPY).for_each(|line| add(format!("    {}", text::line(line, text::LINE))));
}

fn facts(record: &Record, catalogue: &Catalogue<'_>) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(publication) = &record.publication {
        let tags: Vec<_> = publication.tags.iter().map(crate::oci::Tag::as_str).collect();
        facts.push(("published", text::line(&publication.destination, LIMIT).into()));
        facts.push(("tags", if tags.is_empty() { "none".to_owned() } else { tags.join(", ") }));
    }
    if let Some(image) = &record.image {
        let published = if record.publication.is_some() { "" } else { " (not published)" };
        facts.push(("digest", format!("{}{published}", image.digest)));
    }
    let counted = verdict::counted(record, catalogue, |_| true);
    if counted.is_empty() && record.image.is_none() {
        return facts;
    }
    let weight = if Tool::all().any(|tool| catalogue::is_blocking(record, tool)) { "" } else { " (advice only here)" };
    let mild = catalogue.mild.len() + catalogue.ignored.len();
    let mild = if mild > 0 { format!("; {} let through", text::count(mild, "vulnerability")) } else { String::new() };
    let counted = if counted.is_empty() { "none that count".to_owned() } else { format!("{}{weight}", text::list(&counted)) };
    let missing = verdict::missing(record).map(|missing| format!("; {missing}")).unwrap_or_default();
    let unjudged = unjudged::remark(record).map(|unjudged| format!("; {unjudged}")).unwrap_or_default();
    facts.push(("findings", format!("{counted}{mild}{missing}{unjudged}")));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn plain(record: &Record) -> String {
        lines(record, None).into_iter().flat_map(|(_, line)| [line, "\n".to_owned()]).collect()
    }

    #[test]
    fn each_ending_says_what_happened_and_what_to_do() {
        let endings = [
            fixture::delivered(),
            fixture::advised(),
            fixture::blocked(),
            fixture::undecided(),
            fixture::excused(),
            fixture::failed(),
            fixture::cancelled(),
            fixture::skipped(),
        ];
        insta::assert_snapshot!(endings.iter().map(plain).collect::<String>());
    }

    #[test]
    fn hostile_words_give_no_orders() {
        for line in lines(&fixture::hostile(), None).into_iter().map(|(_, line)| line) {
            assert!(!line.chars().any(|character| character.is_control() || character == '\u{202e}'), "{line:?}");
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line:?}");
        }
    }
}
