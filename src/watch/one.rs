//! Which of the images that were looked at are one: then what is known of it is told once.

use super::judged::Watched;
use crate::report::sarif;
use crate::sink::Redacted;

/// The places, among those that were looked at, of what one issue is about. The first of them gives it its name.
pub(super) type Group = Vec<usize>;

/// What is told in one issue each: what has one name, and what several names, or environments, have of the same digest. Those
/// come first that were looked at first, so what is in the strictest environment keeps its issue when another environment goes on
/// to a newer image.
pub(super) fn issues(watched: &[Watched]) -> Vec<Group> {
    grouped(watched, |one, other| one.image == other.image || one.digest().is_some() && one.digest() == other.digest())
}

/// The SARIF file of what has one name each: none where of one of its images it can't be told what is known, or what is told
/// can't be relied on, so that nothing passes for mended.
pub(super) fn analyses(watched: &[Watched]) -> impl Iterator<Item = Option<Redacted>> {
    grouped(watched, |one, other| one.image == other.image).into_iter().map(|group| {
        let told = group.iter().map(|&at| watched[at].told()).collect::<Option<Vec<_>>>()?;
        let news: Vec<_> = told.iter().flat_map(|judged| judged.news()).collect();
        sarif::watched(&watched[*group.first()?].image, &news)
    })
}

fn grouped(watched: &[Watched], is_one: impl Fn(&Watched, &Watched) -> bool) -> Vec<Group> {
    let mut groups = Vec::<Group>::new();
    for (at, one) in watched.iter().enumerate() {
        match groups.iter_mut().find(|group| group.iter().any(|&other| is_one(one, &watched[other]))) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}
