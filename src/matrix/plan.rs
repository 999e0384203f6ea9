//! Which of a repository's images are delivered: those that are not known to be what was last cleared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;

use super::base::{About, Base, Known};
use super::declaration::{Declaration, FILE};
use super::named;
use super::touch::touches;
use super::{Entry, Matrix, Untold};
use crate::buildkit::contexts::NamedContext;
use crate::git::{self, Repository};
use crate::github::Event;
use crate::inputs::Problem;
use crate::process::Launcher;
use crate::text::{self, markdown};

/// What is done with each image, and why.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The jobs of those that are delivered.
    pub(crate) matrix: Matrix,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    folder: String,
    delivered: bool,
    why: String,
}

impl Matrix {
    /// Leaves out the images that a change does not touch.
    ///
    /// # Errors
    /// What the repository says of its images makes no sense.
    pub(crate) async fn narrowed(
        self,
        launcher: &Launcher,
        root: &Path,
        known: &Known,
        contexts: &[NamedContext],
        event: Option<&Event>,
    ) -> Result<Planned, Problem> {
        let folders: Vec<_> = self.include.iter().map(|entry| PathBuf::from(&entry.build_context)).collect();
        let about = About::of(event);
        let seen = match &about {
            About::Other(why) => Err(why.clone()),
            _ => match named::folders(root, contexts) {
                Ok(named) => Seen::of(launcher, root, event, &folders, named).await?,
                Err(untold) => Err(untold),
            },
        };
        let decided = join_all(self.include.iter().zip(&folders).map(async |(entry, folder)| match &seen {
            Err(why) => Decision::deliver(why.clone()),
            Ok(seen) => {
                let base = known.base(&about, &entry.name, folder, entry.environment).await;
                seen.decide(launcher, &base, folder, &folders).await
            }
        }));
        let decided = decided.await;
        let row = |entry: &Entry, one: &Decision| Row {
            folder: entry.build_context.clone(),
            delivered: one.delivered,
            why: one.why.clone(),
        };
        let rows = self.include.iter().zip(&decided).map(|(entry, one)| row(entry, one)).collect();
        let include = self.include.into_iter().zip(&decided).filter(|(_, one)| one.delivered).map(|(entry, _)| entry).collect();
        Ok(Planned { matrix: Self { include }, rows })
    }
}

struct Decision {
    delivered: bool,
    why: String,
}

impl Decision {
    fn deliver(why: impl Into<String>) -> Self {
        Self { delivered: true, why: why.into() }
    }
}

/// A repository whose checkout is as the commit of the run.
struct Seen {
    repository: Repository,
    head: String,
    root: PathBuf,
    said: Declaration,
    /// The named contexts that are folders, which every image is built with.
    named: Vec<PathBuf>,
}

impl Seen {
    async fn of(
        launcher: &Launcher,
        root: &Path,
        event: Option<&Event>,
        folders: &[PathBuf],
        named: Vec<PathBuf>,
    ) -> Result<Result<Self, Untold>, Problem> {
        match Self::read(launcher, root, event).await {
            Ok((repository, head, text)) => {
                let said = text.map(|text| Declaration::read(&text, folders)).transpose()?.unwrap_or_default();
                Ok(Ok(Self { repository, head, root: root.to_owned(), said, named }))
            }
            Err(untold) => Ok(Err(untold)),
        }
    }

    /// The repository, its commit, and what it says of its images.
    async fn read(
        launcher: &Launcher,
        root: &Path,
        event: Option<&Event>,
    ) -> Result<(Repository, String, Option<String>), Untold> {
        let untold = |error: git::Error| format!("git can't be asked: {error}");
        let repository = Repository::around(launcher, root).await.map_err(untold)?;
        if repository.top() != root {
            return Err("this is not the top of the repository".to_owned());
        }
        let head = repository.head(launcher).await.map_err(untold)?.ok_or("there is no commit yet")?;
        if event.is_some_and(|event| event.sha != head) {
            return Err("the commit that is checked out is not the run's".to_owned());
        }
        if repository.is_sparse() || !repository.status(launcher).await.map_err(untold)?.is_empty() {
            return Err("the checkout is not as its commit".to_owned());
        }
        let text = repository.file(launcher, &head, FILE).await.map_err(untold)?;
        // What is not text is refused as what it is.
        Ok((repository, head, text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())))
    }

    async fn decide(&self, launcher: &Launcher, base: &Base, folder: &Path, folders: &[PathBuf]) -> Decision {
        let (id, what) = match base {
            Base::Unknown(why) => return Decision::deliver(why.clone()),
            Base::Commit { id, what } => (id, what),
        };
        let dockerfile = folder.join("Dockerfile");
        let mut ways = [&dockerfile].into_iter().chain(&self.named);
        if let Some(link) = ways.find_map(|way| link_on_the_way(&self.root, way)) {
            return Decision::deliver(format!("{} is a link: what it leads to is not looked at", link.display()));
        }
        let said = format!("{}, {what}", id.get(..7).unwrap_or(id));
        match self.changed(launcher, id).await {
            Err(why) => Decision::deliver(format!("{said}: {why}")),
            Ok(changed) => match touches(&changed, folder, folders, &self.named, &self.said) {
                Some(path) => Decision::deliver(format!("{} has changed since {said}", path.display())),
                None => Decision { delivered: false, why: format!("nothing of it has changed since {said}") },
            },
        }
    }

    /// What is different since a commit that this one came after.
    async fn changed(&self, launcher: &Launcher, base: &str) -> Result<Vec<PathBuf>, Untold> {
        let untold = |error: git::Error| format!("git can't tell what has changed: {error}");
        let found = self.repository.commit(launcher, base).await.map_err(untold)?;
        let Some(base) = found.filter(|found| found == base) else {
            return Err("the clone does not have it (fetch-depth: 0)".to_owned());
        };
        if !self.repository.came_after(launcher, &self.head, &base).await.map_err(untold)? {
            return Err("this commit did not come after it".to_owned());
        }
        self.repository.changed(launcher, &base, &self.head).await.map_err(untold)
    }
}

/// The first link among a file or folder and the folders that it is in.
fn link_on_the_way(root: &Path, file: &Path) -> Option<PathBuf> {
    let ways = file.ancestors().filter(|way| !way.as_os_str().is_empty());
    let is_link = |way: &&Path| root.join(way).symlink_metadata().is_ok_and(|found| found.is_symlink());
    ways.filter(is_link).map(Path::to_owned).last()
}

impl Planned {
    /// What is done with each image, a line each.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |row: &Row| format!("{}: {}: {}", row.folder, row.word(), text::words(&row.why));
        self.rows.iter().map(line).collect()
    }

    /// The same for the summary of the run.
    #[must_use]
    pub(crate) fn summary(&self) -> String {
        let counts = self.rows.iter().fold(BTreeMap::<_, usize>::new(), |mut counts, row| {
            *counts.entry(row.delivered).or_default() += 1;
            counts
        });
        let count = |delivered: bool| counts.get(&delivered).copied().unwrap_or_default();
        let row = |row: &Row| format!("| {} | {} | {} |\n", markdown::code(&row.folder), row.word(), markdown::prose(&row.why));
        format!(
            "## Images of this run\n\n{} to deliver, {} not touched. What is not touched was not judged in this run: the image of before \
             stays.\n\n| image | | why |\n|---|---|---|\n{}\n",
            count(true),
            count(false),
            self.rows.iter().map(row).collect::<String>()
        )
    }
}

impl Row {
    fn word(&self) -> &'static str {
        if self.delivered { "to deliver" } else { "not touched" }
    }
}
