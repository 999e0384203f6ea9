//! What the builder is told to do: the Dockerfile, and the file that says what of the context is left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Error, Grounds, Location};
use crate::dockerfile::{self, Dockerfile, bounds};
use crate::github::Event;

/// The most bytes of a file that says what is left out.
pub(crate) const MAX_IGNORE_BYTES: u64 = 1 << 20;

/// The most patterns in it.
pub(crate) const MAX_PATTERNS: usize = 10_000;

/// The most bytes of a pattern: no path has more (`PATH_MAX`).
pub(crate) const MAX_PATTERN_BYTES: usize = 4096;

/// The name of the file that says what of a context is left out.
const IGNORE: &str = ".dockerignore";

/// A named context that is a folder of the source.
#[derive(Clone, Debug)]
pub(crate) struct NamedFolder {
    /// What the Dockerfile calls it.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) location: Location,
    /// Its own file that says what is left out, and its content.
    ignore: Option<(PathBuf, Bytes)>,
}

impl NamedFolder {
    fn read(name: String, folder: &Path, grounds: &Grounds) -> Result<Self, Error> {
        let location = Location::of(folder, grounds);
        let ignore = location.read_in(IGNORE, MAX_IGNORE_BYTES)?.map(|text| (location.path().join(IGNORE), text.into()));
        bounded(ignore.as_ref())?;
        Ok(Self { name, location, ignore })
    }

    /// The file that says what is left out, and its content.
    pub(crate) fn ignore(&self) -> Option<(&Path, &[u8])> {
        self.ignore.as_ref().map(|(path, text)| (path.as_path(), &text[..]))
    }
}

/// These files as they were when they were read, once: what is looked at is what the builder gets.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// The build context.
    pub(crate) context: Location,
    /// The named contexts that are folders.
    pub(crate) folders: Vec<NamedFolder>,
    /// The Dockerfile, as it was given.
    pub(crate) path: PathBuf,
    /// Its content.
    pub(crate) dockerfile: Bytes,
    /// What it says, where BuildKit takes it too.
    pub(crate) parsed: Option<Dockerfile>,
    own_ignore: Option<Bytes>,
    ignore: Option<(PathBuf, Bytes)>,
}

impl Definition {
    /// Reads what builds `context` by the file `dockerfile`. `arguments` are those of the build, `folders` its named contexts.
    ///
    /// # Errors
    /// A file is not there, or is not one that is read; a link leads out; or the Dockerfile goes beyond a limit.
    pub(crate) fn read(
        context: &Path,
        dockerfile: &Path,
        event: Option<&Event>,
        arguments: &[(String, String)],
        folders: impl Iterator<Item = (String, PathBuf)>,
    ) -> Result<Self, Error> {
        let grounds = Grounds::of(context, event.and_then(|event| event.workspace.as_deref()));
        let (context, location) = (Location::of(context, &grounds), Location::of(dockerfile, &grounds));
        context.folder()?;
        let path = dockerfile.to_owned();
        let missing = || Error::Unusable { path: path.clone(), reason: "there is no such file".to_owned() };
        let text = location.read(bounds::MAX_BYTES)?.ok_or_else(missing)?;
        let parsed = parse(&text, arguments).map_err(|error| Error::Dockerfile { path: path.clone(), error })?;
        let own = of_dockerfile(&path);
        let own_ignore = location.beside(own.file_name().unwrap_or_default()).read(MAX_IGNORE_BYTES)?.map(Bytes::from);
        let ignore = match &own_ignore {
            Some(own_ignore) => Some((own, own_ignore.clone())),
            None => context.read_in(IGNORE, MAX_IGNORE_BYTES)?.map(|text| (context.path().join(IGNORE), text.into())),
        };
        bounded(ignore.as_ref())?;
        let folders = folders.map(|(name, folder)| NamedFolder::read(name, &folder, &grounds)).collect::<Result<_, _>>()?;
        Ok(Self { context, folders, path, dockerfile: text.into(), parsed, own_ignore, ignore })
    }

    /// The Dockerfile's name, without its folder.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The Dockerfile and its own ignore file, which a builder asks for by name.
    pub(crate) fn files(&self) -> Vec<(String, Bytes)> {
        let own = self.own_ignore.iter().map(|text| (format!("{}{IGNORE}", self.name()), text.clone()));
        std::iter::once((self.name(), self.dockerfile.clone())).chain(own).collect()
    }

    /// The file that says what is left out, and its content.
    pub(crate) fn ignore(&self) -> Option<(&Path, &[u8])> {
        self.ignore.as_ref().map(|(path, text)| (path.as_path(), &text[..]))
    }
}

/// The ignore file of a Dockerfile.
fn of_dockerfile(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(IGNORE);
    path.with_file_name(name)
}

/// Refuses an ignore file that goes beyond a limit.
fn bounded(ignore: Option<&(PathBuf, Bytes)>) -> Result<(), Error> {
    let Some((path, text)) = ignore else { return Ok(()) };
    is_bounded(text).map_err(|reason| Error::Unusable { path: path.clone(), reason })
}

/// Whether an ignore file has no more patterns than are tried on each path, and none that is longer than a path.
fn is_bounded(text: &[u8]) -> Result<(), String> {
    let mut patterns = 0;
    for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
        patterns += usize::from(!line.trim_ascii().is_empty() && !line.starts_with(b"#"));
        if patterns > MAX_PATTERNS {
            return Err(format!("line {number}: there are more than {MAX_PATTERNS} patterns"));
        }
        if line.len() > MAX_PATTERN_BYTES {
            return Err(format!("line {number}: it has more than {MAX_PATTERN_BYTES} bytes"));
        }
    }
    Ok(())
}

/// The Dockerfile, where it can be told what it says: BuildKit has better words for what is wrong with the others.
fn parse(text: &[u8], arguments: &[(String, String)]) -> Result<Option<Dockerfile>, dockerfile::Error> {
    let Ok(text) = std::str::from_utf8(text) else { return Ok(None) };
    let arguments: BTreeMap<_, _> = arguments.iter().cloned().collect();
    match Dockerfile::parse(text).and_then(|parsed| parsed.bases(&arguments).map(|_| parsed)) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(error @ dockerfile::Error::Bound { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}
