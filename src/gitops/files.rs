//! The files of a branch, as they are to be.

use super::edit::{Edited, MAX_FILE, edit};
use super::error::Error;
use super::refusal::{Reason, Refusal};
use super::work::Work;
use crate::github::git_data::{Entry, File, Head};
use crate::text;

/// The most files that are read.
const MAX_FILES: usize = 50;

impl Work<'_> {
    /// The files that have to change, as they are to be.
    pub(super) async fn edited(&self, base: &Head) -> Result<Vec<File>, Error> {
        let entries = self.host.entries(&base.tree).await?;
        let chosen = self.chosen(&entries)?;
        let mut contents = Vec::<(File, bool)>::new();
        let mut is_named = false;
        for (entry, number) in &chosen {
            let place = &self.settings.places[*number];
            let refused = |refusal| Error::Refused { path: text::words(&entry.path), refusal };
            let at = match contents.iter().position(|(file, _)| file.path == entry.path) {
                Some(at) => at,
                None => {
                    contents.push((self.read(entry).await?, false));
                    contents.len() - 1
                }
            };
            let (file, has_changed) = &mut contents[at];
            match edit(&file.path, &file.content, &self.shipment.wanted, place.way.as_ref()).map_err(refused)? {
                Edited::NotThere if place.path().is_some() => {
                    return Err(Error::NotNamed { files: vec![text::words(&entry.path)] });
                }
                Edited::NotThere => {}
                Edited::Unchanged => is_named = true,
                Edited::Changed(content) => {
                    (file.content, *has_changed, is_named) = (content.into_bytes(), true, true);
                }
            }
        }
        if !is_named {
            return Err(Error::NotNamed { files: chosen.iter().map(|(entry, _)| text::words(&entry.path)).collect() });
        }
        Ok(contents.into_iter().filter(|(_, has_changed)| *has_changed).map(|(file, _)| file).collect())
    }

    /// The files of a tree that are read, each with the number of its place.
    ///
    /// # Errors
    /// A place has none, or one that is no file; there are too many.
    pub(super) fn chosen<'a>(&self, entries: &'a [Entry]) -> Result<Vec<(&'a Entry, usize)>, Error> {
        let mut chosen = Vec::<(&Entry, usize)>::new();
        for (number, place) in self.settings.places.iter().enumerate() {
            let before = chosen.len();
            for entry in entries.iter().filter(|entry| entry.kind != "tree" && place.has(&entry.path)) {
                if !chosen.iter().any(|(known, of)| known.path == entry.path && self.settings.places[*of].way == place.way) {
                    chosen.push((entry, number));
                }
            }
            if chosen.len() == before && !entries.iter().any(|entry| place.has(&entry.path)) {
                return Err(self.absent(entries, number));
            }
        }
        if chosen.len() > MAX_FILES {
            return Err(Error::TooMany { count: chosen.len() });
        }
        chosen.iter().try_for_each(|(entry, _)| is_regular(entry))?;
        Ok(chosen)
    }

    pub(super) async fn read(&self, entry: &Entry) -> Result<File, Error> {
        if entry.size.is_some_and(|size| size > MAX_FILE as u64) {
            let refusal = Refusal { line: 1, reason: Reason::Length(MAX_FILE) };
            return Err(Error::Refused { path: text::words(&entry.path), refusal });
        }
        let content = self.host.blob(&entry.sha).await?;
        Ok(File { path: entry.path.clone(), mode: entry.mode.clone(), content })
    }

    /// Why no file is at a place.
    fn absent(&self, entries: &[Entry], place: usize) -> Error {
        let place = &self.settings.places[place];
        let above = |entry: &&Entry| {
            let beneath = place.path().and_then(|path| path.strip_prefix(&entry.path));
            entry.kind != "tree" && beneath.is_some_and(|rest| rest.starts_with('/'))
        };
        match entries.iter().find(above).map(is_regular) {
            Some(Err(error)) => error,
            _ => Error::NoFile { place: place.text().to_owned() },
        }
    }
}

fn is_regular(entry: &Entry) -> Result<(), Error> {
    let kind = match &*entry.mode {
        "100644" | "100755" if entry.kind == "blob" => return Ok(()),
        "120000" => "a link",
        "160000" => "a submodule",
        _ => "no file",
    };
    Err(Error::NoRegularFile { path: text::words(&entry.path), kind })
}
