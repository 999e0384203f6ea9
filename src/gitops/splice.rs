//! One value is put in the place of another, or a key is added, and nothing else changes: that is proven each time.

use granit_parser::{ScalarStyle, StructureStyle};

use super::refusal::{Reason, Refusal};
use super::scalar;
use super::tree::{self, Found, Kind, Node};
use super::way::{Step, Way};
use crate::document::yaml::{self, Value};
use crate::text;

/// A value that a place is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The document of the file, from 0.
    pub(super) document: usize,
    /// The place in it.
    pub(super) way: Way,
    /// The value.
    pub(super) value: String,
    /// Whether a key that is missing is added.
    pub(super) may_add: bool,
}

/// Brings a value to its place, and gives the file as it is then.
///
/// # Errors
/// It can't be done without a doubt.
pub(super) fn apply(file: &str, change: &Change) -> Result<String, Refusal> {
    let before = tree::parse(file)?;
    let root = before.get(change.document).ok_or_else(|| Refusal::new(1, Reason::Unproven))?;
    let unproven = || Refusal::new(root.line, Reason::Unproven);
    if change.value.is_empty() || change.value.chars().any(char::is_control) {
        return Err(unproven());
    }
    match root.find(&change.way) {
        Ok(found) => {
            let Some(after) = replaced(file, found, &change.value)? else {
                return as_text(file, change, found.node).map(|()| file.to_owned());
            };
            let is_shared = found.node.anchor != 0;
            proven(file, &before, after, change, is_shared).map_err(|()| Refusal::new(found.node.line, Reason::Unproven))
        }
        Err(Refusal { reason: Reason::Missing(_), .. }) if change.may_add => {
            let (line, after) = added(file, root, change)?;
            proven_as_added(file, &before, after, change).map_err(|()| Refusal::new(line, Reason::Unproven))
        }
        Err(refusal) => Err(refusal),
    }
}

/// The file with another value at this place; none where it is there already.
fn replaced(file: &str, found: Found<'_>, value: &str) -> Result<Option<String>, Refusal> {
    let Found { node, key, around } = found;
    let line = key.map_or(node.line, |key| key.line);
    let refused = |reason| Err(Refusal::new(line, reason));
    let (now, style) = match &node.kind {
        Kind::Scalar(now, style) => (now, *style),
        Kind::Alias(_) => return refused(Reason::Alias),
        Kind::Map(..) | Kind::List(_) => return refused(Reason::NoScalar),
    };
    let is_plain = style == ScalarStyle::Plain;
    if now == value && (!is_plain || scalar::may_be_plain(value)) && !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
    {
        return Ok(None);
    }
    // In JSON a text has its quotes.
    let key_style = key.and_then(|key| if let Kind::Scalar(_, style) = key.kind { Some(style) } else { None });
    let like_json = around == StructureStyle::Flow && key_style == Some(ScalarStyle::DoubleQuoted);
    let Some(written) = scalar::written(value, style, like_json) else { return refused(Reason::Block) };
    if !(is_plain && node.span.is_empty()) {
        return Ok(Some([&file[..node.span.start], &written, &file[node.span.end..]].concat()));
    }
    // A key without a value: behind its colon.
    let Some(key) = key else { return refused(Reason::NoScalar) };
    let colon = file[key.span.end..].find(':').map(|colon| key.span.end + colon + 1);
    let Some(colon) = colon else { return refused(Reason::NoScalar) };
    Ok(Some([&file[..colon], " ", &written, &file[colon..]].concat()))
}

/// The file with the key as the last of its map, and the line that it follows.
fn added(file: &str, root: &Node, change: &Change) -> Result<(usize, String), Refusal> {
    let (Some(Step::Key(key)), up) = (change.way.0.last(), &change.way.0[..change.way.0.len().saturating_sub(1)]) else {
        return Err(Refusal::new(root.line, Reason::Unproven));
    };
    let map = root.find(&Way(up.to_vec()))?.node;
    let no_place = || Refusal::new(map.line, Reason::NoPlace(text::words(key)));
    let Kind::Map(entries, StructureStyle::Block) = &map.kind else { return Err(no_place()) };
    let (Some((first, _)), Some((_, last))) = (entries.first(), entries.last()) else { return Err(no_place()) };
    let line = file[..first.span.start].rfind('\n').map_or(0, |end| end + 1);
    // What stands before the first key is a dash, or another key's mark.
    let indentation: String = file[line..first.span.start].chars().map(|_| ' ').collect();
    let line_end = if file.contains("\r\n") { "\r\n" } else { "\n" };
    let value = scalar::written(&change.value, ScalarStyle::Plain, false).unwrap_or_default();
    let written = format!("{indentation}{key}: {value}");
    let at = last.end();
    let after = match file[at..].find('\n').map(|end| at + end + 1) {
        Some(next) => [&file[..next], &written, line_end, &file[next..]].concat(),
        None => [file, line_end, &written].concat(),
    };
    Ok((map.line, after))
}

/// Takes a changed file for what was meant, if both readers see the same as before but for the one value.
fn proven(file: &str, before: &[Node], after: String, change: &Change, is_shared: bool) -> Result<String, ()> {
    let seen = tree::parse(&after).map_err(|_| ())?;
    let mut meant = before.to_vec();
    let node = meant.get_mut(change.document).and_then(|root| root.find_mut(&change.way.0)).ok_or(())?;
    let Kind::Scalar(_, style) = node.kind else { return Err(()) };
    let new = seen.get(change.document).and_then(|root| root.find(&change.way).ok()).ok_or(())?;
    let Kind::Scalar(_, new_style) = new.node.kind else { return Err(()) };
    // A value may get quotes, and loses none.
    if style != new_style && !(style == ScalarStyle::Plain && new_style == ScalarStyle::DoubleQuoted) {
        return Err(());
    }
    node.kind = Kind::Scalar(change.value.clone(), new_style);
    if meant.len() != seen.len() || !meant.iter().zip(&seen).all(|(meant, seen)| meant.is_as(seen)) {
        return Err(());
    }
    let mut meant = yaml::read_documents(file).map_err(|_| ())?;
    let seen = yaml::read_documents(&after).map_err(|_| ())?;
    let value = meant.get_mut(change.document).and_then(|root| value_at(root, &change.way.0)).ok_or(())?;
    *value = Value::String(change.value.clone());
    let there = seen.get(change.document).cloned();
    let there = there.and_then(|mut root| value_at(&mut root, &change.way.0).cloned());
    // What aliases name changes with it; that reader has them written out.
    let same = if is_shared { there.as_ref() == Some(value) && meant.len() == seen.len() } else { meant == seen };
    if same { Ok(after) } else { Err(()) }
}

/// As [`proven`], of a file with one more key.
fn proven_as_added(file: &str, before: &[Node], after: String, change: &Change) -> Result<String, ()> {
    let (Some(Step::Key(key)), up) = (change.way.0.last(), &change.way.0[..change.way.0.len().saturating_sub(1)]) else {
        return Err(());
    };
    let mut seen = tree::parse(&after).map_err(|_| ())?;
    let map = seen.get_mut(change.document).and_then(|root| root.find_mut(up)).ok_or(())?;
    let Kind::Map(entries, _) = &mut map.kind else { return Err(()) };
    let (added, value) = entries.pop().ok_or(())?;
    if added.text() != Some(key) || value.text() != Some(&change.value) {
        return Err(());
    }
    if before.len() != seen.len() || !before.iter().zip(&seen).all(|(before, seen)| before.is_as(seen)) {
        return Err(());
    }
    let mut read = yaml::read_documents(&after).map_err(|_| ())?;
    let map = read.get_mut(change.document).and_then(|root| value_at(root, up)).ok_or(())?;
    let Value::Mapping(map) = map else { return Err(()) };
    let value = map.remove(key.as_str()).ok_or(())?;
    let before = yaml::read_documents(file).map_err(|_| ())?;
    if value == Value::String(change.value.clone()) && before == read { Ok(after) } else { Err(()) }
}

/// Whether the second reader takes a value that stays for a text too.
fn as_text(file: &str, change: &Change, node: &Node) -> Result<(), Refusal> {
    let refused = |reason| Refusal::new(node.line, reason);
    let mut read =
        yaml::read_documents(file).map_err(|error| Refusal::new(error.line, Reason::Syntax(text::words(&error.to_string()))))?;
    let value = read.get_mut(change.document).and_then(|root| value_at(root, &change.way.0));
    match value {
        Some(Value::String(value)) if *value == change.value => Ok(()),
        Some(Value::Tagged(_)) => Err(refused(Reason::Tagged)),
        _ => Err(refused(Reason::Unproven)),
    }
}

/// The value at the end of a way, as the second reader has it.
fn value_at<'a>(root: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(root, |value, step| match (step, value) {
        (Step::Key(key), Value::Mapping(map)) => map.get_mut(key.as_str()),
        (Step::Index(index), Value::Sequence(entries)) => entries.get_mut(*index),
        _ => None,
    })
}
