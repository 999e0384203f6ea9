//! What the files of a branch name: what a cluster that follows them runs.

use super::edit::{MAX_FILE, check, parsed};
use super::error::Error;
use super::host::Host;
use super::message::{Course, Shipment};
use super::places;
use super::refusal::{Reason, Refusal};
use super::settings::Settings;
use super::wanted::Wanted;
use super::work::Work;
use crate::environment::Environment;
use crate::oci::reference::Repository;
use crate::oci::{Digest, Reference, Tag};
use crate::text::{self, Line};

/// An image, and the file that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The file.
    pub(crate) path: Line,
    /// The image, as it is fetched: by its digest where that is there.
    pub(crate) image: Reference,
}

/// What the branch's files name of an image's repository, file by file.
///
/// # Errors
/// None names it, one can't be read without a doubt, or its host refuses.
pub(crate) async fn named(
    host: &Host,
    settings: &Settings,
    repository: &Repository,
    environment: Environment,
) -> Result<Vec<Named>, Error> {
    // Only where it stands is looked for: what it would be set to is nothing that is written.
    let (tag, digest) = ("sought".parse().ok(), Some(Digest::of(b"")));
    let wanted = Wanted { name: settings.name.clone(), repository: repository.clone(), tag, digest };
    let shipment = Shipment { wanted, environment, commit: None, run: None, course: Course::Onward };
    let work = Work { host, settings, shipment: &shipment, source: None };
    work.named().await.map_err(|error| Error::Unread(Box::new(error)))
}

impl Work<'_> {
    async fn named(&self) -> Result<Vec<Named>, Error> {
        let branch = &self.settings.branch;
        let base = self.host.head(branch).await?.ok_or_else(|| Error::NoBranch { branch: branch.clone() })?;
        let entries = self.host.entries(&base.tree).await?;
        let chosen = self.chosen(&entries)?;
        let mut all = Vec::<Named>::new();
        for (entry, number) in &chosen {
            let place = &self.settings.places[*number];
            let path = text::words(&entry.path);
            let refused = |refusal| Error::Refused { path: path.clone(), refusal };
            let file = self.read(entry).await?;
            let now = self.now(&file.path, &file.content, *number).map_err(refused)?;
            match now {
                Some((line, now)) => {
                    let image = self.image(&now).ok_or_else(|| refused(Refusal::new(line, Reason::NoPin)))?;
                    all.push(Named { path, image });
                }
                None if place.path().is_some() => return Err(Error::NotNamed { files: vec![path] }),
                None => {}
            }
        }
        if all.is_empty() {
            return Err(Error::NotNamed { files: chosen.iter().map(|(entry, _)| text::words(&entry.path)).collect() });
        }
        Ok(all)
    }

    fn now(&self, name: &str, content: &[u8], place: usize) -> Result<Option<(usize, String)>, Refusal> {
        if content.len() > MAX_FILE {
            return Err(Refusal::new(1, Reason::Length(MAX_FILE)));
        }
        let (wanted, way) = (&self.shipment.wanted, self.settings.places[place].way.as_ref());
        let Some((file, documents)) = parsed(content, wanted, way)? else { return Ok(None) };
        check(file)?;
        match way {
            Some(way) => places::now_at(&documents, way, wanted),
            None => places::now(name, &documents, wanted),
        }
    }

    /// The image that a tag and a digest are of: `:TAG@DIGEST` behind a name, or `TAG DIGEST` from two places. None where they
    /// name none, or two.
    fn image(&self, now: &str) -> Option<Reference> {
        let (mut tag, mut digest) = (None::<Tag>, None::<Digest>);
        for part in now.split([' ', '@']).map(|part| part.strip_prefix(':').unwrap_or(part)).filter(|part| !part.is_empty()) {
            match part.parse::<Digest>() {
                Ok(found) if digest.is_none_or(|known| known == found) => digest = Some(found),
                Err(_) if tag.is_none() => tag = Some(part.parse().ok()?),
                _ => return None,
            }
        }
        (tag.is_some() || digest.is_some()).then(|| Reference {
            repository: self.shipment.wanted.repository.clone(),
            tag,
            digest,
        })
    }
}
