//! What is in the image and was not judged, as reports tell it: the same thing of several platforms once.

use super::phrase::Phrase;
use crate::coverage::{Gap, GapKind};
use crate::record::Record;
use crate::text;

/// Something that was not judged, and all the platforms that have it.
pub(crate) struct Unjudged<'a> {
    /// The thing as the first platform has it.
    pub(crate) gap: &'a Gap,
    /// The platforms.
    pub(crate) platforms: Vec<String>,
}

/// All of a record, what is not accepted first.
#[must_use]
pub(crate) fn all(record: &Record) -> Vec<Unjudged<'_>> {
    let mut merged: Vec<Unjudged<'_>> = Vec::new();
    for gap in &record.unscanned {
        let platform = gap.platform.to_string();
        let key = |gap: &Gap| (gap.kind, gap.name.clone(), gap.why.clone());
        match merged.iter_mut().find(|unjudged| key(unjudged.gap) == key(gap)) {
            Some(unjudged) if unjudged.platforms.contains(&platform) => {}
            Some(unjudged) => unjudged.platforms.push(platform),
            None => merged.push(Unjudged { gap, platforms: vec![platform] }),
        }
    }
    merged.sort_by_key(|unjudged| unjudged.gap.accepted.is_some());
    merged
}

/// How much was not judged, in one clause; `None` where all was.
#[must_use]
pub(crate) fn remark(record: &Record) -> Option<String> {
    let all = all(record);
    let accepted = all.iter().filter(|unjudged| unjudged.gap.accepted.is_some()).count();
    let number = |number: usize| {
        if number == 1 { "1 thing in the image was".to_owned() } else { format!("{number} things in the image were") }
    };
    match (all.len() - accepted, accepted) {
        (0, 0) => None,
        (open, 0) => Some(format!("{} not judged", number(open))),
        (0, accepted) => Some(format!("{} not judged, which `accept-unscanned` accepts", number(accepted))),
        (open, accepted) => Some(format!("{} not judged, and {accepted} more, which `accept-unscanned` accepts", number(open))),
    }
}

/// One thing in a line: what, why, and why that is accepted.
#[must_use]
pub(crate) fn line(unjudged: &Unjudged<'_>) -> Phrase {
    let Unjudged { gap, platforms } = unjudged;
    let phrase = Phrase::default().code(&gap.name).words(format!(" ({}): ", text::list(platforms))).prose(&gap.why);
    match &gap.accepted {
        Some(reason) => phrase.words("; accepted: ").prose(reason),
        None => phrase,
    }
}

/// The word for a kind of thing.
#[must_use]
pub(crate) fn kind(gap: &Gap) -> &'static str {
    match gap.kind {
        GapKind::List => "list of packages",
        GapKind::Distribution => "distribution",
        // The name of one has its type before it.
        GapKind::Packages if gap.name.contains(' ') => "package",
        GapKind::Packages => "type of package",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_same_of_two_platforms_is_one_thing_and_what_is_open_comes_first() {
        let record = fixture::undecided();
        let told: Vec<_> = all(&record).iter().map(|unjudged| line(unjudged).to_plain()).collect();
        assert_eq!(
            told,
            [
                "app/PyYAML-5.3.dist-info/METADATA (linux/amd64 and linux/arm64): trivy can't read it: parse error: name or version is empty",
                "debian 8.1 (linux/amd64): it no longer gets security updates; accepted: replaced by March",
            ]
        );
        let expected = "1 thing in the image was not judged, and 1 more, which `accept-unscanned` accepts";
        assert_eq!(remark(&record).as_deref(), Some(expected));
        assert_eq!(remark(&fixture::delivered()), None);
    }
}
