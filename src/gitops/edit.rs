//! A file, brought to the image that is wanted.

use super::places;
use super::refusal::{Reason, Refusal};
use super::splice;
use super::tree::{self, Node};
use super::wanted::Wanted;
use super::way::Way;
use crate::document::{self, yaml};
use crate::text;

/// The most bytes of a file.
pub(crate) const MAX_FILE: usize = 1 << 20;

/// The most bytes that the changes of a file may come to, each of which has the whole file read again.
const MAX_READ: usize = 4 << 20;

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edited {
    /// It does not name the image.
    NotThere,
    /// It names this image already.
    Unchanged,
    /// It has other bytes now.
    Changed(String),
}

/// Sets the image in a file: where it is named, or at the end of a way.
///
/// # Errors
/// It can't be done without a doubt; the refusal has the line.
pub(crate) fn edit(name: &str, content: &[u8], wanted: &Wanted, at: Option<&Way>) -> Result<Edited, Refusal> {
    if content.len() > MAX_FILE {
        return Err(Refusal::new(1, Reason::Length(MAX_FILE)));
    }
    let Some((file, documents)) = parsed(content, wanted, at)? else { return Ok(Edited::NotThere) };
    let changes = match at {
        Some(way) => places::at(&documents, way, wanted)?,
        None => places::find(name, &documents, wanted)?,
    };
    if changes.is_empty() {
        return Ok(Edited::NotThere);
    }
    if changes.len() > 1 && changes.len().saturating_mul(file.len()) > MAX_READ {
        return Err(Refusal::new(1, Reason::Changes(changes.len())));
    }
    check(file)?;
    let edited = changes.iter().try_fold(file.to_owned(), |file, change| splice::apply(&file, change))?;
    Ok(if edited == file { Edited::Unchanged } else { Edited::Changed(edited) })
}

/// A file and its documents; none where it can't have the image.
///
/// # Errors
/// It is no YAML.
pub(super) fn parsed<'a>(content: &'a [u8], wanted: &Wanted, at: Option<&Way>) -> Result<Option<(&'a str, Vec<Node>)>, Refusal> {
    let file = std::str::from_utf8(content).map_err(|error| {
        let line = content[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        Refusal::new(line, Reason::Encoding)
    })?;
    if at.is_none() && !wanted.may_be_in(file) {
        return Ok(None);
    }
    Ok(Some((file, tree::parse(file)?)))
}

/// What one reader alone can read, or reads as something else, is no one's to go by.
///
/// # Errors
/// It is refused by the second reader.
pub(super) fn check(file: &str) -> Result<(), Refusal> {
    let refused =
        |error: document::Error| Refusal::new(error.line.max(1), Reason::Syntax(text::words(&error.reason.to_string())));
    yaml::read_documents(file).map(drop).map_err(refused)
}
