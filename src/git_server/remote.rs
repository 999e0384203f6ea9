//! A repository as it is worked with: what was fetched of it, and what is made to be sent.

use std::collections::HashSet;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::error::Error;
use super::history::{self, History};
use super::object::{self, Entry, Id, Kind, Object, Objects};
use super::server::{Abilities, Fetched, Server, Wanted};
use super::{Address, pack};
use crate::secret::Secret;
use crate::text;

/// How many commits behind a branch are fetched.
const DEPTH: usize = 1000;
/// The most files that are listed.
const MAX_FILES: usize = 100_000;
/// The most bytes of a path: what is longer no system opens, and folders in folders would fill the memory with their names.
const MAX_PATH: usize = 4096;
/// As whom a commit is made. The token is the server's to know.
const AUTHOR: &str = "gp-deliver <gp-deliver@localhost>";

/// A repository of a git server.
pub(crate) struct Remote {
    server: Server,
    state: Mutex<State>,
}

/// A commit that a branch names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Its name.
    pub(crate) id: String,
    /// Its tree.
    pub(crate) tree: String,
    /// Its message.
    pub(crate) message: String,
}

#[derive(Default)]
struct State {
    abilities: Option<Abilities>,
    objects: Objects,
    /// The commits that branches were seen at.
    heads: Vec<Id>,
    /// The commits whose parents were left out.
    shallow: HashSet<Id>,
    /// What no server has yet.
    made: HashSet<Id>,
}

impl Remote {
    /// A repository, as whoever has a token.
    ///
    /// # Errors
    /// The token is none.
    pub(crate) fn open(address: &Address, token: Option<Secret>) -> Result<Self, Error> {
        Ok(Self { server: Server::open(address.clone(), token)?, state: Mutex::default() })
    }

    /// The commit that a branch names; none where there is no such branch.
    ///
    /// # Errors
    /// The server refuses, or can't be reached.
    pub(crate) async fn branch(&self, name: &str) -> Result<Option<String>, Error> {
        let mut state = self.state.lock().await;
        let abilities = self.abilities(&mut state).await?;
        Ok(self.server.branch(abilities, name).await?.map(|id| id.to_string()))
    }

    /// The same with its tree; the commits and trees behind it are fetched.
    ///
    /// # Errors
    /// The server refuses, or can't be reached.
    pub(crate) async fn head(&self, name: &str) -> Result<Option<Commit>, Error> {
        let mut state = self.state.lock().await;
        let abilities = self.abilities(&mut state).await?;
        let Some(id) = self.server.branch(abilities, name).await? else { return Ok(None) };
        if !state.objects.contains_key(&id) {
            let is_first = state.heads.is_empty();
            let wanted = Wanted {
                want: vec![id],
                have: state.heads.clone(),
                shallow: state.shallow.iter().copied().collect(),
                filter: Some("blob:none"),
                depth: is_first.then_some(DEPTH),
            };
            let fetched = self.server.fetch(abilities, &wanted).await?;
            state.take(fetched)?;
        }
        if !state.heads.contains(&id) {
            state.heads.push(id);
        }
        let commit = history::at(&state.objects, id)?;
        object::of(&state.objects, commit.tree, Kind::Tree)?;
        Ok(Some(Commit { id: id.to_string(), tree: commit.tree.to_string(), message: commit.message }))
    }

    /// All files below a tree, and the folders; none where there are too many.
    ///
    /// # Errors
    /// A tree is none, or was not sent.
    pub(crate) async fn entries(&self, tree: &str) -> Result<Option<Vec<Entry>>, Error> {
        let state = self.state.lock().await;
        let (mut folders, mut all) = (vec![(String::new(), tree.parse::<Id>()?)], Vec::new());
        while let Some((prefix, tree)) = folders.pop() {
            for entry in object::entries(object::of(&state.objects, tree, Kind::Tree)?)? {
                // Nobody can have named what is no text.
                let Ok(name) = std::str::from_utf8(entry.name) else { continue };
                let path = format!("{prefix}{name}");
                if path.len() > MAX_PATH {
                    return Err(Error::Malformed("a path is longer than any system takes"));
                }
                if entry.is_folder() {
                    folders.push((format!("{path}/"), entry.id));
                }
                all.push(Entry { path, mode: format!("{:0>6}", entry.mode), id: entry.id.to_string() });
                if all.len() > MAX_FILES {
                    return Ok(None);
                }
            }
        }
        Ok(Some(all))
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// The server refuses, or can't be reached.
    pub(crate) async fn file(&self, id: &str) -> Result<Vec<u8>, Error> {
        let mut state = self.state.lock().await;
        let id: Id = id.parse()?;
        if !state.objects.contains_key(&id) {
            let abilities = self.abilities(&mut state).await?;
            let fetched = self.server.fetch(abilities, &Wanted { want: vec![id], ..Wanted::default() }).await?;
            let read = pack::read(&fetched.pack, &state.objects)?;
            state.objects.extend(read);
        }
        Ok(object::of(&state.objects, id, Kind::Blob)?.content.clone())
    }

    /// The commits that changed a file, from a commit on, as far as they were fetched.
    ///
    /// # Errors
    /// An object is none.
    pub(crate) async fn history(&self, commit: &str, path: &str) -> Result<History, Error> {
        let state = self.state.lock().await;
        history::of(&state.objects, commit.parse()?, path)
    }

    /// The messages of all commits behind one, those among them that were not fetched yet; none where the server can't send
    /// commits alone.
    ///
    /// # Errors
    /// The server refuses, or can't be reached.
    pub(crate) async fn all_messages(&self, commit: &str) -> Result<Option<Vec<String>>, Error> {
        let mut state = self.state.lock().await;
        let abilities = self.abilities(&mut state).await?;
        if !abilities.filters {
            return Ok(None);
        }
        let wanted = Wanted { want: vec![commit.parse()?], filter: Some("tree:0"), ..Wanted::default() };
        let fetched = self.server.fetch(abilities, &wanted).await?;
        let objects = pack::read(&fetched.pack, &Objects::new())?;
        // One that has less history than it is asked for has the rest nowhere.
        Ok(Some(history::messages(&objects).collect()))
    }

    /// Makes the tree that a tree is with these bytes in place of files that are there.
    ///
    /// # Errors
    /// A file is not there.
    pub(crate) async fn edited(&self, tree: &str, files: &[(&str, &[u8])]) -> Result<String, Error> {
        let mut state = self.state.lock().await;
        let mut root = tree.parse()?;
        for (path, content) in files {
            let blob = state.make(Object { kind: Kind::Blob, content: content.to_vec() });
            root = state.with(root, path, blob)?;
        }
        Ok(root.to_string())
    }

    /// Makes a commit, which no branch names yet.
    ///
    /// # Errors
    /// A name is none.
    pub(crate) async fn commit(&self, message: &str, tree: &str, parents: &[&str]) -> Result<String, Error> {
        let mut state = self.state.lock().await;
        let tree: Id = tree.parse()?;
        let parents =
            parents.iter().map(|parent| Ok(format!("parent {}\n", parent.parse::<Id>()?))).collect::<Result<String, Error>>()?;
        let now = Timestamp::now().as_second();
        let message = text::redacted_lines(message);
        let content = format!("tree {tree}\n{parents}author {AUTHOR} {now} +0000\ncommitter {AUTHOR} {now} +0000\n\n{message}");
        Ok(state.make(Object { kind: Kind::Commit, content: content.into_bytes() }).to_string())
    }

    /// Has a branch name a commit that was made, in place of the one that it was made on; a branch that names another by now stays.
    ///
    /// # Errors
    /// The server does not do so, or it is not known whether it does.
    pub(crate) async fn push(&self, branch: &str, from: &str, to: &str) -> Result<(), Error> {
        let state = self.state.lock().await;
        let sent: Vec<_> = state.made.iter().filter_map(|id| state.objects.get(id)).collect();
        let pack = pack::written(sent.into_iter()).map_err(|_| Error::Malformed("what is sent can't be written"))?;
        self.server.push(branch, from.parse()?, to.parse()?, &pack).await
    }

    async fn abilities(&self, state: &mut State) -> Result<Abilities, Error> {
        match state.abilities {
            Some(abilities) => Ok(abilities),
            None => {
                let abilities = self.server.abilities().await?;
                state.abilities = Some(abilities);
                Ok(abilities)
            }
        }
    }
}

impl State {
    fn take(&mut self, fetched: Fetched) -> Result<(), Error> {
        let read = pack::read(&fetched.pack, &self.objects)?;
        // What was made for a branch that has moved is sent to nobody, and no server has it.
        for id in self.made.drain() {
            self.objects.remove(&id);
        }
        self.objects.extend(read);
        self.shallow.extend(fetched.shallow);
        Ok(())
    }

    fn make(&mut self, object: Object) -> Id {
        let id = object.id();
        if self.objects.insert(id, object).is_none() {
            self.made.insert(id);
        }
        id
    }

    /// Makes the tree that a tree is with another object at a path.
    fn with(&mut self, tree: Id, path: &str, blob: Id) -> Result<Id, Error> {
        let (name, rest) = path.split_once('/').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let tree = object::of(&self.objects, tree, Kind::Tree)?.clone();
        let entries = object::entries(&tree)?;
        let entry = entries.iter().find(|entry| entry.name == name.as_bytes());
        let entry = entry.ok_or(Error::Malformed("a file is not where it was"))?;
        let made = match rest {
            Some(rest) => self.with(entry.id, rest, blob)?,
            None => blob,
        };
        Ok(self.make(object::replaced(&entries, name.as_bytes(), made)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn folders_in_folders_do_not_fill_the_memory_with_their_names() {
        let mut remote = Remote::open(&"https://git.example.com/team/deploy.git".parse().unwrap(), None).unwrap();
        let mut id = remote.state.get_mut().make(Object { kind: Kind::Blob, content: Vec::new() });
        let name = "a".repeat(200);
        for depth in 0..30 {
            let mode = if depth == 0 { "100644" } else { "40000" };
            let content = [format!("{mode} {name}\0").as_bytes(), &id.0].concat();
            id = remote.state.get_mut().make(Object { kind: Kind::Tree, content });
            let all = remote.entries(&id.to_string()).await;
            assert_eq!(all.is_ok(), (depth + 1) * 201 <= MAX_PATH + 1, "{depth}");
        }
    }
}
