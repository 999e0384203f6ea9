//! Which commits a match is of: gitleaks is given a content once, and it is at every path and in every commit that has it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::RandomState;

use super::Error;
use super::history::Repository;
use super::names::{Names, Shown};
use super::objects::{Objects, Part};
use super::origin::{Lines, Search};
use super::paths::{self, Paths};
use super::report::Match;
use super::rules::Rules;
use super::versions::{Alike, Version};
use crate::scanner::Tool;

/// A match in a version.
struct Sighting {
    version: Version,
    found: Match,
    /// Its lines, by the number of the search for them at this path; none where a name alone was found.
    lines: Option<usize>,
}

/// Where lines were first.
enum Origin {
    /// Before the commits that are looked through.
    Before,
    /// In this version, from this line on.
    At(Version, u32),
}

/// What gitleaks was given.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) names: &'a Names,
    pub(super) rules: &'a Rules,
    pub(super) paths: &'a Paths,
}

impl Repository {
    /// Says of each match in which commits it is: at each path that has the content, the first one that has its lines. What was
    /// there before the commits that are looked through is left out.
    ///
    /// # Errors
    /// git can't read a content again, or gitleaks names what it was not given.
    pub(super) async fn place(&self, found: Vec<Match>, given: Given<'_>) -> Result<Vec<Match>, Error> {
        if found.is_empty() {
            return Ok(found);
        }
        let listed = given.rules.commits();
        let alike = self.alike(given.rules)?;
        let mut sightings = Vec::new();
        let mut placed = Vec::new();
        let groups = self.groups(&alike);
        for found in found {
            match given.names.meant(&found.file) {
                Shown::Listing(page) => {
                    let (path, commit) = given.paths.at(page, found.start_line).ok_or_else(|| not_given(&found))?;
                    let commit = self.versions().commits().get(commit).cloned().unwrap_or_default();
                    placed.extend(Some(in_name(found, path, commit)).filter(|found| !listed.contains(&found.commit)));
                }
                Shown::File(path) => {
                    let group = groups.get(&(found.commit.as_str(), path.as_slice())).ok_or_else(|| not_given(&found))?;
                    let sighting = |version: &Version| Sighting { version: *version, found: found.clone(), lines: None };
                    sightings.extend(group.versions.iter().map(sighting));
                }
            }
        }
        let origins = self.origins(&mut sightings).await?;
        placed.extend(settled(self, sightings, &origins, &listed));
        Ok(placed)
    }

    /// The versions that gitleaks was given, each with those that it stands for.
    fn groups<'a>(&'a self, alike: &'a [Alike]) -> HashMap<(&'a str, &'a [u8]), &'a Alike> {
        let key = |version: &Version| (self.versions().commit(*version), self.versions().path(*version));
        alike.iter().filter_map(|alike| Some((key(alike.versions.first()?), alike))).collect()
    }

    /// Where the lines of each sighting were first at its path.
    async fn origins(&self, sightings: &mut [Sighting]) -> Result<BTreeMap<Vec<u8>, Vec<Origin>>, Error> {
        let key = RandomState::new();
        let mut searches = self.searches(sightings, &key).await?;
        // What each path had, up to the last version that is asked about.
        let mut contents: Vec<(&str, Vec<u8>, Option<Version>)> = Vec::new();
        for (path, (_, last)) in &searches {
            let (before, versions) = self.versions().up_to(*last);
            contents.extend(before.map(|object| (object, path.clone(), None)));
            contents.extend(versions.map(|version| (self.versions().object(version), path.clone(), Some(version))));
        }
        self.each(contents.iter().map(|(object, ..)| *object).collect(), &key, |number, lines| {
            if let Some((search, _)) = contents.get(number).and_then(|(_, path, _)| searches.get_mut(path)) {
                search.look(number, &lines);
            }
        })
        .await?;
        let origin = |(content, lines): (usize, std::ops::Range<usize>)| {
            let line = u32::try_from(lines.start).unwrap_or(u32::MAX);
            contents.get(content).and_then(|(.., version)| *version).map_or(Origin::Before, |version| Origin::At(version, line))
        };
        let origins = |search: &Search| search.all().map(|found| found.map_or(Origin::Before, origin)).collect();
        Ok(searches.iter().map(|(path, (search, _))| (path.clone(), origins(search))).collect())
    }

    /// The lines that are to be looked for at each path, and the last version that has some of them.
    async fn searches(
        &self,
        sightings: &mut [Sighting],
        key: &RandomState,
    ) -> Result<BTreeMap<Vec<u8>, (Search, Version)>, Error> {
        let objects: BTreeSet<_> = sightings.iter().map(|sighting| self.versions().object(sighting.version)).collect();
        let objects: Vec<_> = objects.into_iter().collect();
        let mut by_object: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, sighting) in sightings.iter().enumerate() {
            by_object.entry(self.versions().object(sighting.version)).or_default().push(number);
        }
        let mut searches: BTreeMap<Vec<u8>, (Search, Version)> = BTreeMap::new();
        self.each(objects.clone(), key, |number, lines| {
            for at in objects.get(number).and_then(|object| by_object.get(object)).into_iter().flatten() {
                let Some(sighting) = sightings.get_mut(*at) else { continue };
                let first = sighting.found.start_line as usize;
                let last = lines.len().min(sighting.found.end_line as usize);
                let Some(lines) = first.checked_sub(1).and_then(|first| lines.get(first..last)) else { continue };
                let path = self.versions().path(sighting.version).to_vec();
                let (search, latest) = searches.entry(path).or_insert_with(|| (Search::default(), sighting.version));
                *latest = sighting.version.max(*latest);
                sighting.lines = search.want(lines);
            }
        })
        .await?;
        Ok(searches)
    }

    /// Reads these objects, and hands on the lines of each.
    async fn each(&self, wanted: Vec<&str>, key: &RandomState, mut take: impl FnMut(usize, Vec<u64>)) -> Result<(), Error> {
        let mut objects = Objects::new(wanted);
        let mut lines = Lines::new(key);
        let run = self.contents(&objects);
        let mut part = |part: Part<'_>| {
            match part {
                Part::Begin(_) => {}
                Part::Bytes(bytes) => lines.read(bytes),
                Part::End(number) => take(number, lines.finish()),
            }
            Ok(())
        };
        self.hear(run, |bytes| objects.read(bytes, &mut part)).await?;
        objects.finish()
    }
}

/// Each sighting where its lines were first, once.
fn settled(
    repository: &Repository,
    sightings: Vec<Sighting>,
    origins: &BTreeMap<Vec<u8>, Vec<Origin>>,
    listed: &BTreeSet<String>,
) -> Vec<Match> {
    let versions = repository.versions();
    let at = |found: &Match, version: Version| Match {
        commit: versions.commit(version).to_owned(),
        file: String::from_utf8_lossy(versions.path(version)).into_owned(),
        ..found.clone()
    };
    let (mut own, mut moved) = (Vec::new(), Vec::new());
    for sighting in sightings {
        let Sighting { version, found, lines } = sighting;
        let origin = lines.and_then(|number| origins.get(versions.path(version))?.get(number));
        match origin {
            Some(Origin::Before) => {}
            Some(Origin::At(first, line)) if *first != version => {
                let end_line = line + found.end_line.saturating_sub(found.start_line);
                moved.push(Match { start_line: *line, end_line, ..at(&found, *first) });
            }
            // A name is found in each version.
            None if found.start_line == 0 && versions.first_at(version) != Some(version) => {}
            _ => own.push(at(&found, version)),
        }
    }
    let place = |found: &Match| (found.rule.clone(), found.file.clone(), found.commit.clone(), found.start_line);
    let mut known: HashSet<_> = own.iter().map(place).collect();
    // What was not found where it was first is let through there: by the commit's id.
    moved.retain(|found| known.insert(place(found)) && !listed.contains(&found.commit));
    own.extend(moved);
    own
}

/// A match in the name of a file: at the path, without what was found.
pub(super) fn in_name(found: Match, path: &[u8], commit: String) -> Match {
    Match { file: paths::masked(path), commit, start_line: 1, end_line: 1, start_column: 1, end_column: 1, ..found }
}

/// gitleaks names what it was not given.
pub(super) fn not_given(found: &Match) -> Error {
    let reason = format!(
        "its report names {:?} line {} of commit {:?}, which it was not given",
        found.file, found.start_line, found.commit
    );
    Error::InvalidOutput { tool: Tool::GITLEAKS, reason, last: Vec::new() }
}
