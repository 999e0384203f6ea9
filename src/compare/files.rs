//! Two layers, file by file: both are read at once, and what is held is what has no counterpart yet.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use serde::Serialize;

use crate::oci::Layout;
use crate::oci::image::Layer;
use crate::oci::layer::Error;
use crate::oci::layer::listing::{Budget, Entry, list};
use crate::text;

/// The most files that are named of a layer; the others are counted.
pub(super) const NAMED: usize = 1000;

/// How much may be held of files without a counterpart, in bytes.
const HELD: usize = 64 << 20;

/// How much is held of a file besides its path, in bytes.
const ENTRY: usize = 256;

/// How many entries of a layer may wait for the other's.
const WAITING: usize = 64;

/// What is different between the files of two layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Files {
    /// The first that are, in the order in which they were met.
    pub(super) named: Vec<FileDifference>,
    /// How many there are.
    pub(super) count: u64,
    /// Whether so much is different that not all of it was told apart.
    pub(super) cut: bool,
}

/// A file that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct FileDifference {
    /// Its path.
    pub(super) path: String,
    /// What is different.
    pub(super) what: Vec<What>,
}

/// What is different of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    /// It is in the first image alone.
    OnlyA,
    /// It is in the second alone.
    OnlyB,
    /// What it is: a file, a folder, a link.
    Kind,
    /// Its permissions.
    Mode,
    /// Its owner or group.
    Owner,
    /// When it was changed.
    Time,
    /// How large it is.
    Size,
    /// Where it leads.
    Link,
    /// Which device it is.
    Device,
    /// Its extended attributes.
    Attributes,
    /// Its bytes.
    Content,
}

impl What {
    /// The word for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::OnlyA => "only in A",
            Self::OnlyB => "only in B",
            Self::Kind => "kind",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Time => "time",
            Self::Size => "size",
            Self::Link => "link",
            Self::Device => "device",
            Self::Attributes => "attributes",
            Self::Content => "content",
        }
    }
}

/// A layer of an image, and how much of the image may still be read.
pub(super) struct Side<'a> {
    pub(super) layout: &'a Layout,
    pub(super) layer: &'a Layer,
    pub(super) budget: &'a mut Budget,
}

/// Compares the files of two layers.
///
/// # Errors
/// One can't be read to its end.
pub(super) fn compare(a: Side<'_>, b: Side<'_>) -> Result<Files, Error> {
    thread::scope(|scope| {
        let read = |side: Side<'_>, sender: std::sync::mpsc::SyncSender<Entry>| {
            // It is read to its end also where nobody wants more: whether it is what its digest says is known only there.
            list(side.layout, side.layer, side.budget, &mut |entry| {
                let _ = sender.send(entry);
                true
            })
        };
        let ((to_a, from_a), (to_b, from_b)) = (sync_channel(WAITING), sync_channel(WAITING));
        let (a, b) = (scope.spawn(move || read(a, to_a)), scope.spawn(move || read(b, to_b)));
        let files = matched(&from_a, &from_b);
        for reader in [a, b] {
            reader.join().unwrap_or(Err(Error::Cancelled))?;
        }
        Ok(files)
    })
}

fn matched(a: &Receiver<Entry>, b: &Receiver<Entry>) -> Files {
    let mut matching = Matching::default();
    let (mut more_a, mut more_b) = (true, true);
    while more_a || more_b {
        if more_a {
            more_a = a.recv().map(|entry| matching.take(entry, true)).is_ok();
        }
        if more_b {
            more_b = b.recv().map(|entry| matching.take(entry, false)).is_ok();
        }
    }
    matching.finish()
}

/// Files that wait for their counterpart. A path may come several times in a layer: the first is that of the first.
#[derive(Default)]
struct Matching {
    waiting: HashMap<Vec<u8>, (bool, VecDeque<Entry>)>,
    held: usize,
    files: Files,
}

impl Matching {
    fn take(&mut self, entry: Entry, is_a: bool) {
        if let Some((of_a, others)) = self.waiting.get_mut(&entry.path)
            && *of_a != is_a
            && let Some(other) = others.pop_front()
        {
            self.held -= cost(&other);
            if others.is_empty() {
                self.waiting.remove(&entry.path);
            }
            let (a, b) = if is_a { (&entry, &other) } else { (&other, &entry) };
            let what = different(a, b);
            if !what.is_empty() {
                self.name(&entry.path, what);
            }
            return;
        }
        self.held += cost(&entry);
        if self.held > HELD {
            // Its counterpart may still come, and is not known any more then.
            (self.files.cut, self.held) = (true, self.held - cost(&entry));
            return self.name(&entry.path, Vec::new());
        }
        let (_, waiting) = self.waiting.entry(entry.path.clone()).or_insert_with(|| (is_a, VecDeque::new()));
        waiting.push_back(entry);
    }

    fn name(&mut self, path: &[u8], what: Vec<What>) {
        self.files.count += 1;
        if self.files.named.len() < NAMED && !what.is_empty() {
            let path = text::plain(&String::from_utf8_lossy(path));
            self.files.named.push(FileDifference { path, what });
        }
    }

    fn finish(mut self) -> Files {
        let mut left: Vec<_> = self.waiting.drain().collect();
        left.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (path, (of_a, entries)) in left {
            let what = if of_a { What::OnlyA } else { What::OnlyB };
            entries.iter().for_each(|_| self.name(&path, vec![what]));
        }
        self.files
    }
}

/// How much of the memory an entry takes.
fn cost(entry: &Entry) -> usize {
    ENTRY + 2 * entry.path.len() + entry.link.len()
}

fn different(a: &Entry, b: &Entry) -> Vec<What> {
    let pairs = [
        (What::Kind, a.kind != b.kind),
        (What::Mode, a.mode != b.mode),
        (What::Owner, a.owner != b.owner),
        (What::Time, a.time != b.time),
        (What::Size, a.size != b.size),
        (What::Link, a.link != b.link),
        (What::Device, a.device != b.device),
        (What::Attributes, a.attributes != b.attributes),
        (What::Content, a.content != b.content),
    ];
    pairs.into_iter().filter(|(_, different)| *different).map(|(what, _)| what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    fn entry(path: &str) -> Entry {
        Entry {
            path: path.as_bytes().to_vec(),
            kind: b'0',
            mode: 0o644,
            owner: (0, 0),
            time: "1".to_owned(),
            size: 1,
            link: Vec::new(),
            device: None,
            attributes: None,
            content: Digest::of(path.as_bytes()),
        }
    }

    fn told(a: Vec<Entry>, b: Vec<Entry>) -> Files {
        let channel = |entries: Vec<Entry>| {
            let (sender, receiver) = sync_channel(entries.len());
            entries.into_iter().for_each(|entry| sender.send(entry).unwrap());
            receiver
        };
        matched(&channel(a), &channel(b))
    }

    fn named(files: &Files) -> Vec<(&str, Vec<What>)> {
        files.named.iter().map(|file| (&*file.path, file.what.clone())).collect()
    }

    #[test]
    fn each_difference_of_a_file_is_named_whatever_the_order_is() {
        let a = vec![entry("same"), entry("a"), entry("both"), entry("twice"), entry("twice")];
        let both =
            Entry { mode: 0o600, owner: (1, 0), time: "2".to_owned(), size: 2, content: Digest::of(b"x"), ..entry("both") };
        let twice = Entry { time: "1.5".to_owned(), ..entry("twice") };
        let b = vec![entry("b"), entry("twice"), both, twice, entry("same")];
        let expected = vec![
            ("both", vec![What::Mode, What::Owner, What::Time, What::Size, What::Content]),
            ("twice", vec![What::Time]),
            ("a", vec![What::OnlyA]),
            ("b", vec![What::OnlyB]),
        ];
        let files = told(a, b);
        let mut found = named(&files);
        found.sort_by_key(|(path, _)| expected.iter().position(|(other, _)| other == path));
        assert_eq!((found, files.count, files.cut), (expected, 4, false));
        assert_eq!(told(vec![entry("a"), entry("b")], vec![entry("b"), entry("a")]), Files::default());
    }

    #[test]
    fn what_is_held_has_an_end_and_what_is_named_too() {
        let many = |prefix: &str, number: usize| (0..number).map(|n| entry(&format!("{prefix}{n}"))).collect::<Vec<_>>();
        let files = told(many("a", NAMED + 5), Vec::new());
        assert_eq!((files.named.len(), files.count, files.cut), (NAMED, NAMED as u64 + 5, false));
        let long = |n: usize| Entry { path: vec![b'x'; (1 << 20) - n], ..entry("") };
        let files = told((0..100).map(long).collect(), Vec::new());
        assert!(files.cut && files.count == 100, "{}", files.count);
    }
}
