//! A file as a tree, in which each value has its place.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle, Tag};

use super::refusal::{Reason, Refusal};
use super::way::{Step, Way};
use crate::text;

/// The most lists and maps that may be open at once.
pub(super) const MAX_DEPTH: usize = 100;

/// A value, with its place in the file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Its bytes.
    pub(super) span: Range<usize>,
    /// Its line, from 1.
    pub(super) line: usize,
    pub(super) tag: Option<String>,
    /// The number of its anchor; 0 for none.
    pub(super) anchor: usize,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar(String, ScalarStyle),
    Map(Vec<(Node, Node)>, StructureStyle),
    List(Vec<Node>),
    /// What has the anchor of this number.
    Alias(usize),
}

/// Where a way ends.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) node: &'a Node,
    /// The key that it is the value of.
    pub(super) key: Option<&'a Node>,
    /// The style of the map or list around it.
    pub(super) around: StructureStyle,
}

impl Node {
    /// Whether two trees are the same, whatever their places and quotes.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let alike = match (&self.kind, &other.kind) {
            (Kind::Scalar(one, style), Kind::Scalar(another, other)) => {
                // What stands in quotes is a text; without them it may be anything.
                one == another && (style == other || *style != ScalarStyle::Plain && *other != ScalarStyle::Plain)
            }
            (Kind::Map(one, _), Kind::Map(other, _)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| one.0.is_as(&other.0) && one.1.is_as(&other.1))
            }
            (Kind::List(one), Kind::List(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is_as(other))
            }
            (Kind::Alias(one), Kind::Alias(other)) => one == other,
            _ => false,
        };
        alike && self.tag == other.tag && self.anchor == other.anchor
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// The entries of a list; none of anything else.
    pub(super) fn list(&self) -> &[Self] {
        match &self.kind {
            Kind::List(entries) => entries,
            _ => &[],
        }
    }

    /// The entries of a map; none of anything else.
    pub(super) fn map(&self) -> &[(Self, Self)] {
        match &self.kind {
            Kind::Map(entries, _) => entries,
            _ => &[],
        }
    }

    /// The value of a key, if it is a map that has it.
    ///
    /// # Errors
    /// The key is there twice.
    pub(super) fn get(&self, key: &str) -> Result<Option<&Self>, Refusal> {
        Ok(self.entry(key)?.map(|(_, value)| value))
    }

    /// A key with its value.
    pub(super) fn entry(&self, key: &str) -> Result<Option<&(Self, Self)>, Refusal> {
        let mut all = self.map().iter().filter(|(known, _)| known.text() == Some(key));
        let found = all.next();
        match all.next() {
            Some((twice, _)) => Err(Refusal::new(twice.line, Reason::Twice(text::words(key)))),
            None => Ok(found),
        }
    }

    /// Whether it is a map into which another is merged.
    pub(super) fn merges(&self) -> bool {
        self.map().iter().any(|(key, _)| matches!(&key.kind, Kind::Scalar(text, ScalarStyle::Plain) if text == "<<"))
    }

    /// The byte behind the last value in it.
    pub(super) fn end(&self) -> usize {
        match &self.kind {
            Kind::Map(entries, _) => entries.last().map_or(self.span.end, |(_, value)| value.end()),
            Kind::List(entries) => entries.last().map_or(self.span.end, Self::end),
            Kind::Scalar(..) | Kind::Alias(_) => self.span.end,
        }
    }

    /// Follows a way.
    ///
    /// # Errors
    /// It leads nowhere, or not to one place.
    pub(super) fn find(&self, way: &Way) -> Result<Found<'_>, Refusal> {
        let mut found = Found { node: self, key: None, around: StructureStyle::Block };
        for step in &way.0 {
            let here = found.node;
            found = match (step, &here.kind) {
                (_, Kind::Alias(_)) => return Err(Refusal::new(here.line, Reason::Alias)),
                (Step::Key(key), Kind::Map(_, style)) => match here.entry(key)? {
                    Some((key, node)) => Found { node, key: Some(key), around: *style },
                    None if here.merges() => return Err(Refusal::new(here.line, Reason::Merge)),
                    None => return Err(Refusal::new(here.line, Reason::Missing(text::words(key)))),
                },
                (Step::Index(index), Kind::List(entries)) => match entries.get(*index) {
                    Some(node) => Found { node, key: None, around: found.around },
                    None => return Err(Refusal::new(here.line, Reason::Missing(text::words(&format!("[{index}]"))))),
                },
                (Step::Key(key), _) => return Err(Refusal::new(here.line, Reason::Missing(text::words(key)))),
                (Step::Index(index), _) => {
                    return Err(Refusal::new(here.line, Reason::Missing(text::words(&format!("[{index}]")))));
                }
            };
        }
        Ok(found)
    }

    /// The node at the end of a way that is known to lead there.
    pub(super) fn find_mut(&mut self, steps: &[Step]) -> Option<&mut Self> {
        let Some((step, rest)) = steps.split_first() else { return Some(self) };
        let next = match (step, &mut self.kind) {
            (Step::Key(key), Kind::Map(entries, _)) => {
                entries.iter_mut().find(|(known, _)| known.text() == Some(key)).map(|(_, value)| value)
            }
            (Step::Index(index), Kind::List(entries)) => entries.get_mut(*index),
            _ => None,
        };
        next?.find_mut(rest)
    }
}

/// A list or a map that is not read to its end.
struct Open {
    style: StructureStyle,
    is_map: bool,
    entries: Vec<Node>,
    start: usize,
    line: usize,
    tag: Option<String>,
    anchor: usize,
}

impl Open {
    fn close(self, end: usize) -> Node {
        let kind = if self.is_map {
            let mut entries = self.entries.into_iter();
            let pairs = std::iter::from_fn(|| Some((entries.next()?, entries.next()?)));
            Kind::Map(pairs.collect(), self.style)
        } else {
            Kind::List(self.entries)
        };
        Node { kind, span: self.start..end, line: self.line, tag: self.tag, anchor: self.anchor }
    }
}

/// Reads the documents of a file.
///
/// # Errors
/// It is no YAML, or too deep.
pub(super) fn parse(file: &str) -> Result<Vec<Node>, Refusal> {
    let mut options = Options::default();
    (options.flow_nesting_limit, options.block_nesting_limit) = (MAX_DEPTH, MAX_DEPTH);
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(file, options);
    let (mut documents, mut open, mut root) = (Vec::new(), Vec::<Open>::new(), None);
    while let Some(event) = parser.next_event() {
        let (event, span) =
            event.map_err(|error| Refusal::new(error.marker().line().max(1), Reason::Syntax(text::words(&error.info()))))?;
        let line = span.start.line().max(1);
        let unplaced = || Refusal::new(line, Reason::Unproven);
        let range = span.byte_range().filter(|range| file.get(range.clone()).is_some()).ok_or_else(unplaced)?;
        let read = match event {
            Event::Scalar(value, style, anchor, tag) => {
                Some(Node { kind: Kind::Scalar(value.into_owned(), style), span: range, line, tag: named(tag), anchor })
            }
            Event::Alias(anchor) => Some(Node { kind: Kind::Alias(anchor), span: range, line, tag: None, anchor: 0 }),
            Event::SequenceStart(style, anchor, tag) | Event::MappingStart(style, anchor, tag) if open.len() >= MAX_DEPTH => {
                let (_, _, _) = (style, anchor, tag);
                return Err(Refusal::new(line, Reason::Depth(MAX_DEPTH)));
            }
            Event::SequenceStart(style, anchor, tag) => {
                open.push(Open { style, is_map: false, entries: vec![], start: range.start, line, tag: named(tag), anchor });
                None
            }
            Event::MappingStart(style, anchor, tag) => {
                open.push(Open { style, is_map: true, entries: vec![], start: range.start, line, tag: named(tag), anchor });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => Some(open.pop().ok_or_else(unplaced)?.close(range.end)),
            Event::DocumentEnd => {
                documents.push(root.take().ok_or_else(unplaced)?);
                None
            }
            _ => None,
        };
        match (read, open.last_mut()) {
            (Some(node), Some(around)) => around.entries.push(node),
            (Some(node), None) => root = Some(node),
            (None, _) => {}
        }
    }
    Ok(documents)
}

fn named(tag: Option<Cow<'_, Tag>>) -> Option<String> {
    tag.map(|tag| format!("{tag:?}"))
}
