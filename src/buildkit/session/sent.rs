//! The entries of one transfer, as far as they have to be remembered: an engine asks for a file by its number.

/// The names of the entries that were sent, a folder's name once however many files it has, so that a context of a
/// million files is remembered in some tens of megabytes.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    names: String,
    entries: Vec<Entry>,
    /// The numbers of the folders from the root down to the last entry.
    folders: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    folder: Option<u32>,
    /// Where in `names` its name ends; it begins where that of the entry before ends.
    end: usize,
    /// Whether its content can still be requested.
    to_ask: bool,
}

impl Sent {
    /// Remembers an entry; entries come as a walk gives them, a folder before what is in it.
    pub(crate) fn push(&mut self, path: &str, has_content: bool) {
        let depth = path.matches('/').count();
        self.folders.truncate(depth);
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        self.names.push_str(name);
        self.entries.push(Entry { folder: self.folders.last().copied(), end: self.names.len(), to_ask: has_content });
        // An entry without content may be a folder; if it is not, nothing below it is ever looked up.
        self.folders.extend(u32::try_from(self.entries.len() - 1).ok());
    }

    /// Whether this is a file whose content was not requested before.
    pub(crate) fn ask(&mut self, number: u32) -> bool {
        let entry = usize::try_from(number).ok().and_then(|index| self.entries.get_mut(index));
        entry.is_some_and(|entry| std::mem::take(&mut entry.to_ask))
    }

    /// The path of an entry.
    #[must_use]
    pub(crate) fn path(&self, number: u32) -> String {
        let mut parts = Vec::new();
        let mut next = Some(number);
        while let Some((index, entry)) =
            next.and_then(|number| usize::try_from(number).ok()).and_then(|index| Some((index, self.entries.get(index)?)))
        {
            let start = index.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |before| before.end);
            parts.push(&self.names[start..entry.end]);
            next = entry.folder;
        }
        parts.reverse();
        parts.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_number_once() {
        let mut sent = Sent::default();
        for path in ["a", "a/b", "a/b/c", "a/b/d", "a/e", "é", "f", "f/g"] {
            sent.push(path, !["a", "a/b", "f"].contains(&path));
        }
        let paths = [3, 4, 5, 7].map(|number| (sent.ask(number), sent.path(number)));
        assert_eq!(paths, ["a/b/d", "a/e", "é", "f/g"].map(|path| (true, path.to_owned())));
        assert_eq!((sent.ask(3), sent.ask(0), sent.ask(8)), (false, false, false));
    }
}
