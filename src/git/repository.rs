//! What a repository is asked.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::place::Place;
use super::settings::Settings;
use super::view::View;
use crate::process::{Launcher, Limits, Output, Reach, Run};

/// git answers in milliseconds; a repository on a dead network drive does not.
const DEADLINE: Duration = Duration::from_mins(1);

/// A list of a million files is about this long, in bytes.
const MAX_OUTPUT: u64 = 256 << 20;

/// A repository that is open.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    place: Place,
    view: Arc<View>,
    settings: Settings,
}

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its mode: 100644, 100755, 120000 for a link, 160000 for a submodule (in octal).
    pub(crate) mode: u32,
    /// The id of its content; of a submodule the commit.
    pub(crate) id: String,
}

impl Entry {
    /// Whether it is a submodule: another repository's commit.
    pub(crate) fn is_submodule(&self) -> bool {
        self.mode == 0o160_000
    }
}

/// What git says of a file that is not in the working tree as it is in the commit (git-status(1), "Short Format").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It is gone.
    Deleted,
    /// Its content, its mode or its kind is another, as far as git can tell without a filter.
    Changed,
    /// git was told not to look at it (git-update-index(1), `--assume-unchanged`, `--skip-worktree`).
    Hidden,
}

impl Repository {
    /// Opens the repository at `place`.
    ///
    /// # Errors
    /// Its configuration can't be read, or its format is not known.
    pub(crate) async fn open(launcher: &Launcher, place: Place) -> Result<Self, Error> {
        let view = View::of(&place).map_err(Error::io(&place.own))?;
        let mut repository = Self { place, view: Arc::new(view), settings: Settings::default() };
        repository.read_configuration(launcher, &repository.place.common.join("config")).await?;
        if repository.settings.of_worktree {
            repository.read_configuration(launcher, &repository.place.own.join("config.worktree")).await?;
        }
        if let Some(name) = repository.settings.unknown_extension() {
            return Err(Error::Extension { path: repository.place.top, name: name.to_owned() });
        }
        repository.view.configure(&repository.settings).map_err(Error::io(repository.view.path()))?;
        Ok(repository)
    }

    /// Opens the innermost repository that `folder`, an absolute path without links in it, is in.
    ///
    /// # Errors
    /// There is none, or it can't be opened.
    pub(crate) async fn around(launcher: &Launcher, folder: &Path) -> Result<Self, Error> {
        let place = super::Enclosing::of(folder).places.into_iter().next();
        Self::open(launcher, place.ok_or_else(|| Error::Missing { path: folder.to_owned() })?).await
    }

    /// The topmost folder of its working tree.
    pub(crate) fn top(&self) -> &Path {
        &self.place.top
    }

    /// Whether it has only a part of the history.
    pub(crate) fn is_shallow(&self) -> bool {
        self.place.common.join("shallow").metadata().is_ok_and(|file| file.len() > 0)
    }

    /// The filter of a partial clone; empty where it has one that is not told.
    pub(crate) fn filter(&self) -> Option<&str> {
        self.settings.filter.as_deref()
    }

    /// Whether only a part of the tree is checked out.
    pub(crate) fn is_sparse(&self) -> bool {
        self.settings.sparse
    }

    /// Where it was cloned from, where that is known.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.settings.origin.as_deref()
    }

    /// The branch that is checked out; `None` on a detached head, and where its name is no text.
    pub(crate) fn branch(&self) -> Option<String> {
        let head = self.place.head()?;
        let name = head.strip_prefix(b"ref:")?.trim_ascii().strip_prefix(b"refs/heads/")?;
        // What stands there in a repository whose refs are in tables.
        let name = std::str::from_utf8(name).ok().filter(|name| *name != ".invalid")?;
        Some(name.to_owned())
    }

    /// Has git see this repository and nothing of its configuration, nor of its working tree.
    pub(crate) fn shown_to(&self, run: Run) -> Run {
        self.view.shown_to(run)
    }

    /// What git has to reach for that: files that it reads, and no program.
    pub(crate) fn reach(&self) -> Reach {
        let reach = Reach::nothing(Limits::GIT).reads(self.view.path());
        self.place.folders().into_iter().fold(reach, Reach::reads)
    }

    /// The commit that is checked out; `None` before the first.
    ///
    /// # Errors
    /// git can't read it.
    pub(crate) async fn head(&self, launcher: &Launcher) -> Result<Option<String>, Error> {
        match self.ask(launcher, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await {
            Ok(commit) => Ok(Some(commit)),
            Err(error) => match self.ask(launcher, &["rev-parse", "--verify", "--quiet", "HEAD"]).await {
                // It names one, which is not there.
                Ok(_) => Err(error),
                Err(Error::Refused { code: 1, .. }) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// The names of the tags at the commit that is checked out.
    ///
    /// # Errors
    /// git can't read them.
    pub(crate) async fn tags_at_head(&self, launcher: &Launcher) -> Result<Vec<String>, Error> {
        self.tags_at(launcher, "HEAD").await
    }

    /// The tags of `commit`, a full id that the repository has, or `HEAD`.
    ///
    /// # Errors
    /// git can't be run, or has no such commit.
    pub(crate) async fn tags_at(&self, launcher: &Launcher, commit: &str) -> Result<Vec<String>, Error> {
        let points_at = format!("--points-at={commit}");
        let tags = self.ask(launcher, &["for-each-ref", &points_at, "--format=%(refname:strip=2)", "refs/tags/"]).await?;
        Ok(tags.lines().map(str::to_owned).collect())
    }

    /// The ids of the annotated tags' objects, of whatever commits.
    ///
    /// # Errors
    /// git can't read them.
    pub(crate) async fn tag_objects(&self, launcher: &Launcher) -> Result<Vec<String>, Error> {
        let listed = self.ask(launcher, &["for-each-ref", "--format=%(objecttype) %(objectname)", "refs/tags/"]).await?;
        Ok(listed.lines().filter_map(|line| line.strip_prefix("tag ")).map(str::to_owned).collect())
    }

    /// The commit that a full id names, itself or as a tag; `None` where the clone has no such commit.
    ///
    /// # Errors
    /// git can't tell.
    pub(crate) async fn commit(&self, launcher: &Launcher, id: &str) -> Result<Option<String>, Error> {
        answer(self.ask(launcher, &["rev-parse", "--verify", "--quiet", &format!("{id}^{{commit}}")]).await)
    }

    /// Whether `path`, from the top, is a submodule in the commit that is checked out.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn has_submodule(&self, launcher: &Launcher, path: &Path) -> Result<bool, Error> {
        let run = self.run(launcher)?.env("GIT_LITERAL_PATHSPECS", "1");
        let output = run.args(["ls-tree", "-z", "--full-tree", "HEAD", "--"]).arg(path).output().await?;
        // Before the first commit there is none.
        Ok(output.code == 0 && fields(&output.stdout).filter_map(entry).any(|(_, entry)| entry.is_submodule()))
    }

    /// A file that the index has at `folder`, from the top, or below; its path from there.
    ///
    /// # Errors
    /// git can't be run, or can't read the index.
    pub(crate) async fn tracked_in(&self, launcher: &Launcher, folder: &Path) -> Result<Option<PathBuf>, Error> {
        let run = self.run(launcher)?.env("GIT_LITERAL_PATHSPECS", "1").stdout_limit(MAX_OUTPUT);
        let pathspec = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let output = run.args(["ls-files", "-z", "--cached", "--"]).arg(pathspec).output().await?;
        let listed = checked(output, || "ls-files".to_owned())?.stdout;
        let first = fields(&listed).next().map(|path| PathBuf::from(OsStr::from_bytes(path)));
        Ok(first.map(|path| path.strip_prefix(folder).map_or(path.clone(), Path::to_owned)))
    }

    /// The files and folders of the working tree, from the top, that its `.gitignore` files name and no commit knows: a folder
    /// once, where that goes for all of it. What another repository in it ignores is not among them.
    ///
    /// # Errors
    /// git can't be run, or can't read the index.
    pub(crate) async fn ignored(&self, launcher: &Launcher) -> Result<Vec<PathBuf>, Error> {
        let arguments = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
        let listed = self.said(launcher, &arguments, Vec::new()).await?;
        Ok(fields(&listed).map(|path| PathBuf::from(OsStr::from_bytes(path))).collect())
    }

    /// Whether `commit` came after the commit `ancestor`, or is it. The clone has to have both.
    ///
    /// # Errors
    /// git can't tell.
    pub(crate) async fn came_after(&self, launcher: &Launcher, commit: &str, ancestor: &str) -> Result<bool, Error> {
        Ok(answer(self.ask(launcher, &["merge-base", "--is-ancestor", ancestor, commit]).await)?.is_some())
    }

    /// The commits before `commit` on its own line, the latest first, at most `most`; those that the clone has.
    ///
    /// # Errors
    /// git can't tell.
    pub(crate) async fn before(&self, launcher: &Launcher, commit: &str, most: usize) -> Result<Vec<String>, Error> {
        let (skip, most) = ("--skip=1", format!("--max-count={most}"));
        let listed = self.ask(launcher, &["rev-list", "--first-parent", skip, &most, commit, "--"]).await?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// When a commit was made, in seconds since 1970; nothing where git has no sense of it.
    ///
    /// # Errors
    /// git can't tell.
    pub(crate) async fn date(&self, launcher: &Launcher, commit: &str) -> Result<Option<i64>, Error> {
        let said = self.ask(launcher, &["rev-list", "--max-count=1", "--timestamp", commit, "--"]).await?;
        Ok(said.split_whitespace().next().and_then(|seconds| seconds.parse().ok()))
    }

    /// When the last commit was made that changed one of these paths from the top, on the line of a commit's first parents, in seconds
    /// since 1970: what a merge has brought came with the merge. Nothing where none did.
    ///
    /// # Errors
    /// git can't tell.
    pub(crate) async fn date_of(
        &self,
        launcher: &Launcher,
        commit: &str,
        paths: &BTreeSet<String>,
    ) -> Result<Option<i64>, Error> {
        let asked = ["--literal-pathspecs", "rev-list", "--first-parent", "--max-count=1", "--timestamp", commit, "--"];
        // The top has no name of its own.
        let paths = paths.iter().map(|path| if path.is_empty() { "." } else { path });
        let said = self.ask(launcher, &asked.into_iter().chain(paths).collect::<Vec<_>>()).await?;
        Ok(said.split_whitespace().next().and_then(|seconds| seconds.parse().ok()))
    }

    /// What the regular file at `path`, from the top, holds in a commit; `None` if there is none.
    ///
    /// # Errors
    /// git can't read it.
    pub(crate) async fn file(&self, launcher: &Launcher, commit: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let arguments = ["--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path];
        let listed = self.said(launcher, &arguments, Vec::new()).await?;
        match fields(&listed).next().and_then(entry) {
            Some((_, Entry { mode: 0o100_644 | 0o100_755, id })) => {
                self.said(launcher, &["cat-file", "blob", &id], Vec::new()).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// How many of the objects of the history that is checked out are not there.
    ///
    /// # Errors
    /// git can't read it.
    pub(crate) async fn missing_objects(&self, launcher: &Launcher) -> Result<usize, Error> {
        let listed = self.said(launcher, &["rev-list", "--objects", "--missing=print", "HEAD", "--"], Vec::new()).await?;
        Ok(listed.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"?")).count())
    }

    /// The paths, from the top, that are not the same in two commits: where a file was renamed, both.
    ///
    /// # Errors
    /// git can't read one of them.
    pub(crate) async fn changed(&self, launcher: &Launcher, from: &str, to: &str) -> Result<Vec<PathBuf>, Error> {
        let arguments = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--ignore-submodules=none", from, to, "--"];
        let listed = self.said(launcher, &arguments, Vec::new()).await?;
        Ok(fields(&listed).map(|path| PathBuf::from(OsStr::from_bytes(path))).collect())
    }

    /// The files of a commit, by their paths from the top.
    ///
    /// # Errors
    /// git can't read it.
    pub(crate) async fn files(&self, launcher: &Launcher, commit: &str) -> Result<HashMap<OsString, Entry>, Error> {
        let arguments = ["ls-tree", "-r", "-z", "--full-tree", commit];
        let listed = self.said(launcher, &arguments, Vec::new()).await?;
        let entries = fields(&listed).map(entry);
        entries.collect::<Option<_>>().ok_or_else(|| unexpected(&arguments))
    }

    /// The files that are not in the working tree as they are in the commit that is checked out. Those that git never knew
    /// are not among them, and neither are those of submodules. What a filter would make of a file is not looked at.
    ///
    /// # Errors
    /// git can't tell.
    pub(crate) async fn status(&self, launcher: &Launcher) -> Result<HashMap<OsString, Status>, Error> {
        // A submodule would be asked by a git that finds its repository by itself.
        let arguments = ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=all"];
        let hidden = ["ls-files", "-v", "-z"];
        let (changes, flags) =
            tokio::try_join!(self.said(launcher, &arguments, Vec::new()), self.said(launcher, &hidden, Vec::new()))?;
        let hidden = fields(&flags).filter_map(hidden_file).map(|path| (path, Status::Hidden));
        let mut found: HashMap<_, _> = hidden.collect();
        for line in fields(&changes) {
            found.extend([change(line).ok_or_else(|| unexpected(&arguments))?]);
        }
        Ok(found)
    }

    /// The ids that the files at `paths`, from the top, would have in a commit: with the line ends and the encoding that
    /// `.gitattributes` asks for, and without any filter. They have to be regular files.
    ///
    /// # Errors
    /// git can't read one of them.
    pub(crate) async fn ids(&self, launcher: &Launcher, paths: &[OsString]) -> Result<Vec<String>, Error> {
        let asked: Vec<u8> = paths.iter().flat_map(|path| quoted(path.as_bytes())).collect();
        let arguments = ["hash-object", "--stdin-paths"];
        let answer = self.said(launcher, &arguments, asked).await?;
        let ids: Vec<_> = String::from_utf8_lossy(&answer).lines().map(str::to_owned).collect();
        if ids.len() == paths.len() { Ok(ids) } else { Err(unexpected(&arguments)) }
    }

    /// The contents of those of `ids` that have at most `limit` bytes.
    ///
    /// # Errors
    /// git can't read them.
    pub(crate) async fn small_contents(
        &self,
        launcher: &Launcher,
        ids: impl IntoIterator<Item = &str>,
        limit: u64,
    ) -> Result<HashMap<String, Vec<u8>>, Error> {
        let asked: Vec<u8> = ids.into_iter().flat_map(|id| [id.as_bytes(), b"\n"].concat()).collect();
        let sizes = self.said(launcher, &["cat-file", "--batch-check=%(objectname) %(objectsize)"], asked).await?;
        let sizes = String::from_utf8_lossy(&sizes);
        let small = sizes.lines().filter_map(|line| line.split_once(' ')).filter(|(_, size)| {
            let size: Option<u64> = size.parse().ok();
            size.is_some_and(|size| size <= limit)
        });
        let small: Vec<u8> = small.flat_map(|(id, _)| [id.as_bytes(), b"\n"].concat()).collect();
        if small.is_empty() {
            return Ok(HashMap::new());
        }
        let arguments = ["cat-file", "--batch=%(objectname) %(objectsize)"];
        let contents = self.said(launcher, &arguments, small).await?;
        batch(&contents).ok_or_else(|| unexpected(&arguments))
    }

    /// Those of `paths`, from the top, that pass through a filter on their way into a commit (gitattributes(5), `filter`).
    ///
    /// # Errors
    /// git can't tell.
    pub(crate) async fn filtered(&self, launcher: &Launcher, paths: &[OsString]) -> Result<Vec<OsString>, Error> {
        let asked: Vec<u8> = paths.iter().flat_map(|path| [path.as_bytes(), b"\0"].concat()).collect();
        let answer = self.said(launcher, &["check-attr", "-z", "--stdin", "filter"], asked).await?;
        let fields: Vec<_> = answer.split(|byte| *byte == 0).collect();
        let has_one = |value: &[u8]| !matches!(value, b"unspecified" | b"unset" | b"set" | b"");
        let filtered = fields.chunks_exact(3).filter(|answer| has_one(answer[2]));
        Ok(filtered.map(|answer| OsString::from_vec(answer[0].to_vec())).collect())
    }

    async fn read_configuration(&mut self, launcher: &Launcher, file: &Path) -> Result<(), Error> {
        if !file.is_file() {
            return Ok(());
        }
        let run = self.run(launcher)?.args(["config", "--null", "--list", "--no-includes", "--file"]).arg(file);
        let listed = checked(run.output().await?, || format!("config --list --file {}", file.display()))?;
        self.settings.read(&listed.stdout);
        Ok(())
    }

    /// git's answer without the line end.
    async fn ask(&self, launcher: &Launcher, arguments: &[&str]) -> Result<String, Error> {
        let answer = self.said(launcher, arguments, Vec::new()).await?;
        let text = String::from_utf8(answer).map_err(|_| unexpected(arguments))?;
        Ok(text.strip_suffix('\n').map_or(text.clone(), str::to_owned))
    }

    pub(super) async fn said(&self, launcher: &Launcher, arguments: &[&str], stdin: Vec<u8>) -> Result<Vec<u8>, Error> {
        let run = self.run(launcher)?.args(arguments.iter().copied()).stdin(stdin).stdout_limit(MAX_OUTPUT);
        Ok(checked(run.output().await?, || arguments.join(" "))?.stdout)
    }

    /// A run of git in the working tree.
    fn run(&self, launcher: &Launcher) -> Result<Run, Error> {
        let run = launcher.find("git")?.run(DEADLINE, self.reach().reads(&self.place.top)).folder(&self.place.top);
        Ok(self.shown_to(run).env("GIT_WORK_TREE", &self.place.top))
    }
}

fn checked(output: Output, arguments: impl FnOnce() -> String) -> Result<Output, Error> {
    match output.code {
        0 => Ok(output),
        code => Err(Error::Refused { arguments: arguments(), code, last: output.last_lines() }),
    }
}

/// No, where git says so by its exit code; any other code is no answer.
fn answer(answer: Result<String, Error>) -> Result<Option<String>, Error> {
    match answer {
        Ok(text) => Ok(Some(text)),
        Err(Error::Refused { code: 1, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn unexpected(arguments: &[&str]) -> Error {
    Error::Answer { arguments: arguments.join(" ") }
}

/// What stands between NULs.
fn fields(listed: &[u8]) -> impl Iterator<Item = &[u8]> {
    listed.split(|byte| *byte == 0).filter(|field| !field.is_empty())
}

/// A line of `git ls-tree`: `MODE TYPE ID\tPATH`.
fn entry(line: &[u8]) -> Option<(OsString, Entry)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut facts = std::str::from_utf8(&line[..tab]).ok()?.split(' ');
    let (mode, _, id) = (facts.next()?, facts.next()?, facts.next()?);
    let entry = Entry { mode: u32::from_str_radix(mode, 8).ok()?, id: id.to_owned() };
    Some((OsStr::from_bytes(&line[tab + 1..]).to_owned(), entry))
}

/// A line of `git status`: `XY PATH`, for the index and the working tree.
fn change(line: &[u8]) -> Option<(OsString, Status)> {
    let (letters, path) = (line.get(..2)?, line.get(3..)?);
    let status = if letters.contains(&b'D') { Status::Deleted } else { Status::Changed };
    Some((OsStr::from_bytes(path).to_owned(), status))
}

/// A line of `git ls-files -v`, `TAG PATH`, of a file that git does not look at.
fn hidden_file(line: &[u8]) -> Option<OsString> {
    let (tag, path) = (line.first()?, line.get(2..)?);
    (tag.is_ascii_lowercase() || *tag == b'S').then(|| OsStr::from_bytes(path).to_owned())
}

/// A path as a line, in C's manner: it may hold line ends.
fn quoted(path: &[u8]) -> Vec<u8> {
    let mut line = b"\"".to_vec();
    for byte in path {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', *byte]),
            control if control.is_ascii_control() => line.extend(format!("\\{control:03o}").bytes()),
            other => line.push(*other),
        }
    }
    line.extend(b"\"\n");
    line
}

/// The contents in the output of `git cat-file --batch`: `ID SIZE\nCONTENT\n` each.
fn batch(mut output: &[u8]) -> Option<HashMap<String, Vec<u8>>> {
    let mut contents = HashMap::new();
    while let Some(end) = output.iter().position(|byte| *byte == b'\n') {
        let (id, size) = std::str::from_utf8(&output[..end]).ok()?.split_once(' ')?;
        let content = output.get(end + 1..)?.get(..size.parse().ok()?)?;
        contents.insert(id.to_owned(), content.to_vec());
        output = output.get(end + 1 + content.len() + 1..)?;
    }
    Some(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bytes_and_nothing_is_trimmed() {
        let (path, found) = entry(b"100755 blob c0ffee\t a\n\xff ").unwrap();
        assert_eq!(path, OsStr::from_bytes(b" a\n\xff "));
        assert_eq!(found, Entry { mode: 0o100_755, id: "c0ffee".to_owned() });
        assert_eq!(change(b" M a \n").unwrap(), (OsString::from("a \n"), Status::Changed));
        assert_eq!(change(b"D  a").unwrap().1, Status::Deleted);
    }

    #[test]
    fn a_path_is_one_line_whatever_is_in_it() {
        assert_eq!(quoted(b"a\n\"b\\ \xff"), b"\"a\\012\\\"b\\\\ \xff\"\n");
    }

    #[test]
    fn contents_may_look_like_anything() {
        let contents = batch(b"a 4\nb 3\n\nb 0\n\n").unwrap();
        assert_eq!((contents["a"].as_slice(), contents["b"].as_slice()), (&b"b 3\n"[..], &b""[..]));
        assert_eq!(batch(b"a missing\n"), None);
    }
}
