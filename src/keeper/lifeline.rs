//! What the worker tells its keeper, and how: a socket, over which the keeper hands what the program was started with, and
//! the worker sends one message after the other: its kind in one byte, its length in four, and as many bytes.
//!
//! A message is in the kernel's hands before the worker goes on, so that whatever becomes of the worker then, the keeper has it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::coverage::Gap;
use crate::finding::{Finding, Suppression};
use crate::record::{Checkpoints, Record};
use crate::redaction;
use crate::report::RunnerFiles;
use crate::report::console::Form;
use crate::sink::{self, Redacted, Stream};
use crate::text;

/// The longest message, in bytes. A record is smaller by far; lists of findings may be longer, and are then left out.
pub(super) const LONGEST: usize = 16 << 20;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// How the console looks.
    Form = 1,
    /// The runner's file for outputs.
    Output,
    /// The runner's file for the summary.
    StepSummary,
    /// The folder of the report.
    Reports,
    /// The folder of the image until it is published.
    Staging,
    /// The record without its lists, as JSON.
    Record,
    /// Its lists, as JSON; nothing where they are too long.
    Lists,
    /// A thread panicked: what it said.
    Panic,
    /// The work is over: the exit code.
    Over,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Form,
        Self::Output,
        Self::StepSummary,
        Self::Reports,
        Self::Staging,
        Self::Record,
        Self::Lists,
        Self::Panic,
        Self::Over,
    ];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The lists of a record, which seldom change.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Lists {
    pub(super) findings: Vec<Finding>,
    pub(super) suppressions: Vec<Suppression>,
    pub(super) unscanned: Vec<Gap>,
}

impl Lists {
    /// Takes them out of a record.
    pub(super) fn take(record: &mut Record) -> Self {
        Self {
            findings: std::mem::take(&mut record.findings),
            suppressions: std::mem::take(&mut record.suppressions),
            unscanned: std::mem::take(&mut record.unscanned),
        }
    }

    /// Puts them into a record.
    pub(super) fn put(self, record: &mut Record) {
        (record.findings, record.suppressions, record.unscanned) = (self.findings, self.suppressions, self.unscanned);
    }

    fn lengths(&self) -> [usize; 3] {
        [self.findings.len(), self.suppressions.len(), self.unscanned.len()]
    }
}

/// The worker's end. Clones are the same one. Where nobody listens any more, nothing is said: the kernel ends this process.
#[derive(Clone, Debug)]
pub(crate) struct Lifeline {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    socket: Mutex<UnixStream>,
    /// How long the lists were that were told last.
    told: Mutex<[usize; 3]>,
    panicked: CancellationToken,
    /// What the first thread that panicked said.
    words: OnceLock<String>,
}

impl Lifeline {
    /// Takes the socket, and what the keeper hands through it.
    ///
    /// # Errors
    /// There is no keeper at the other end.
    pub(super) fn to_keeper(socket: OwnedFd) -> io::Result<(Self, File)> {
        let handed = receive(&socket)?;
        Ok((Self::new(socket.into()), handed))
    }

    /// One that leads nowhere.
    #[cfg(test)]
    pub(crate) fn to_nobody() -> Self {
        Self::new(UnixStream::pair().unwrap().0)
    }

    pub(super) fn new(socket: UnixStream) -> Self {
        let inner = Inner {
            socket: Mutex::new(socket),
            told: Mutex::default(),
            panicked: CancellationToken::new(),
            words: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Tells how the console looks, and which files the runner reads.
    pub(crate) fn surroundings(&self, form: Form, files: &RunnerFiles) {
        self.send(Kind::Form, &[number(form)]);
        for (kind, file) in [(Kind::Output, &files.output), (Kind::StepSummary, &files.step_summary)] {
            file.iter().for_each(|file| self.send_path(kind, file));
        }
    }

    /// Tells the folder that the report goes to.
    pub(crate) fn reports(&self, folder: &Path) {
        self.send_path(Kind::Reports, folder);
    }

    /// Tells the folder that is to be removed in the end.
    pub(crate) fn staging(&self, folder: &Path) {
        self.send_path(Kind::Staging, folder);
    }

    /// Tells that the work is over, and by which code the process ends.
    pub(crate) fn over(&self, code: u8) {
        self.send(Kind::Over, &[code]);
    }

    /// Waits until a thread has panicked.
    pub(crate) async fn panicked(&self) {
        self.inner.panicked.cancelled().await;
    }

    /// What the first thread that panicked said.
    pub(crate) fn last_words(&self) -> Option<&str> {
        self.inner.words.get().map(String::as_str)
    }

    /// Has each panic told, wherever in the program it happens.
    pub(super) fn tell_of_panics(&self) {
        let lifeline = self.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(|place| format!(", at {}:{}", place.file(), place.line())).unwrap_or_default();
            lifeline.tell_panic(&format!("{}{place}", panic.payload_as_str().unwrap_or("a panic without words")));
        }));
    }

    /// Tells of a panic. What it says may come from anywhere.
    pub(crate) fn tell_panic(&self, words: &str) {
        let words = redaction::redact(text::words(words).as_ref()).into_owned();
        self.send(Kind::Panic, words.as_bytes());
        // Where it can't be written, the report says it.
        let _ = sink::say(Stream::Error, &format!("gp-deliver panicked: {words}"));
        let _ = self.inner.words.set(words);
        self.inner.panicked.cancel();
    }

    fn send_path(&self, kind: Kind, path: &Path) {
        self.send(kind, path.as_os_str().as_bytes());
    }

    fn send(&self, kind: Kind, bytes: &[u8]) {
        let Some(length) = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= LONGEST) else { return };
        let head = [&[kind as u8][..], &length.to_be_bytes()].concat();
        let mut socket = self.inner.socket.lock().unwrap_or_else(PoisonError::into_inner);
        // A keeper that is gone is no reason to fail: this process goes with it.
        let _ = socket.write_all(&head).and_then(|()| socket.write_all(bytes));
    }
}

impl Checkpoints for Lifeline {
    fn keep(&self, record: &mut Record) {
        let lists = Lists::take(record);
        let lengths = lists.lengths();
        let mut told = self.inner.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != lengths {
            *told = lengths;
            let json = Redacted::json(&lists);
            self.send(Kind::Lists, if json.bytes().len() > LONGEST { &[] } else { json.bytes() });
        }
        self.send(Kind::Record, Redacted::json(record).bytes());
        lists.put(record);
    }
}

fn number(form: Form) -> u8 {
    match form {
        Form::Plain => 0,
        Form::Groups => 1,
        Form::Terminal { colours: false } => 2,
        Form::Terminal { colours: true } => 3,
    }
}

/// The form of the console as it was told; a plain one where that is not understood.
pub(super) fn form(bytes: &[u8]) -> Form {
    match bytes {
        [1] => Form::Groups,
        [2] => Form::Terminal { colours: false },
        [3] => Form::Terminal { colours: true },
        _ => Form::Plain,
    }
}

/// Hands a file through a socket (`unix(7)`, `SCM_RIGHTS`).
///
/// # Errors
/// Nobody is at the other end.
pub(super) fn hand(socket: impl AsFd, file: impl AsFd) -> io::Result<()> {
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(socket: impl AsFd) -> io::Result<File> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(socket, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let file = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    file.map(File::from).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Reads the next message; none at the end.
///
/// # Errors
/// It breaks off, it is too long, or its kind is not known.
pub(super) fn next(socket: &mut impl Read) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut head = [0; 5];
    match socket.read(&mut head[..1])? {
        0 => return Ok(None),
        _ => socket.read_exact(&mut head[1..])?,
    }
    let [kind, length @ ..] = head;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    let kind = Kind::of(kind).filter(|_| length <= LONGEST).ok_or(io::ErrorKind::InvalidData)?;
    let mut bytes = vec![0; length];
    socket.read_exact(&mut bytes)?;
    Ok(Some((kind, bytes)))
}

/// A path as it was told.
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RunResult, StageOutcome};
    use crate::report::fixture;
    use crate::secret::Secret;

    /// All that is heard of what `speak` says.
    fn heard(speak: impl FnOnce(&Lifeline) + Send) -> Vec<(Kind, Vec<u8>)> {
        let (mut near, far) = UnixStream::pair().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || speak(&Lifeline::new(far)));
            std::iter::from_fn(|| next(&mut near).unwrap()).collect()
        })
    }

    #[test]
    fn a_record_is_heard_as_it_is_and_its_lists_when_they_change() {
        let record = fixture::blocked();
        let messages = heard(|lifeline| {
            let mut record = fixture::blocked();
            lifeline.keep(&mut record);
            record.result = Some(RunResult::Failed);
            lifeline.keep(&mut record);
            record.findings.pop();
            lifeline.keep(&mut record);
        });
        let kinds: Vec<_> = messages.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [Kind::Lists, Kind::Record, Kind::Record, Kind::Lists, Kind::Record]);
        let mut again: Record = crate::document::read(&messages[1].1).unwrap();
        assert!(again.findings.is_empty());
        crate::document::read::<Lists>(&messages[0].1).unwrap().put(&mut again);
        assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&record).unwrap());
    }

    #[test]
    fn a_secret_is_taken_out_of_all_that_is_told() {
        let messages = heard(|lifeline| {
            let _ = Secret::new("first-kept-\"line\"\nsecond-kept-line");
            let mut record = fixture::failed();
            record.stages[0].outcome = StageOutcome::Failed("it said first-kept-\"line\"".to_owned());
            record.warnings.push("second-kept-line".to_owned());
            lifeline.keep(&mut record);
            lifeline.tell_panic("second-kept-line \u{1b}[31mof it");
        });
        let text: String = messages.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
        assert!(!text.contains("kept") && text.contains("***"), "{text}");
        assert_eq!(messages.last().unwrap(), &(Kind::Panic, b"*** of it".to_vec()));
    }

    #[test]
    fn what_is_too_long_or_of_no_kind_is_not_heard() {
        let read = |bytes: &[u8]| next(&mut &*bytes);
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[9, 0, 0, 0, 1, 3]).unwrap().is_some());
        for bytes in [&[9, 0, 0, 0, 2, 3][..], &[9, 0, 0], &[0, 0, 0, 0, 0], &[10, 0, 0, 0, 0], &[6, 0xff, 0xff, 0xff, 0xff]] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
        let long = "x".repeat(LONGEST);
        let messages = heard(|lifeline| {
            let mut record = fixture::failed();
            record.warnings.push(long.clone());
            lifeline.keep(&mut record);
            record.warnings.clear();
            lifeline.keep(&mut record);
        });
        let records = messages.iter().filter(|(kind, _)| *kind == Kind::Record);
        assert_eq!(records.count(), 1);
    }

    #[test]
    fn a_file_is_handed_over_and_nothing_else_is_taken_for_one() {
        let (near, far) = UnixStream::pair().unwrap();
        hand(&near, File::open("/dev/null").unwrap()).unwrap();
        assert!(receive(&far).is_ok());
        (&near).write_all(&[0]).unwrap();
        assert!(receive(&far).is_err());
        drop(near);
        assert!(receive(&far).is_err());
    }
}
