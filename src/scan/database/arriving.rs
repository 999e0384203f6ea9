//! A file that is read while it is written: what arrives is unpacked meanwhile, and whoever writes never waits.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How much of a file is there.
#[derive(Debug, Default)]
struct State {
    written: u64,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    BrokenOff,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }
}

/// The end that is written to. Dropped before [`Writing::finish`], it leaves a file that has broken off.
#[derive(Debug)]
pub(super) struct Writing {
    file: File,
    shared: Arc<Shared>,
}

/// The end that is read from, which waits for what is not there yet.
#[derive(Debug)]
pub(super) struct Reading {
    file: File,
    read: u64,
    shared: Arc<Shared>,
}

/// Makes a file that is written and read at once.
///
/// # Errors
/// There is something at `path`, or no file can be made there.
pub(super) fn file(path: &Path) -> io::Result<(Writing, Reading)> {
    let shared = Arc::new(Shared::default());
    let file = File::create_new(path)?;
    let reading = Reading { file: File::open(path)?, read: 0, shared: Arc::clone(&shared) };
    Ok((Writing { file, shared }, reading))
}

impl Writing {
    /// Says that all is written.
    pub(super) fn finish(self) {
        self.shared.change(|state| state.end = Some(End::Whole));
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.shared.change(|state| state.end = state.end.or(Some(End::BrokenOff)));
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.shared.change(|state| state.written += count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.shared.state();
        let there = loop {
            match (state.written.saturating_sub(self.read), state.end) {
                (0, None) => state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                (0, Some(End::Whole)) => return Ok(0),
                (_, Some(End::BrokenOff)) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has broken off")),
                (there, _) => break there,
            }
        };
        drop(state);
        let most = buffer.len().min(usize::try_from(there).unwrap_or(usize::MAX));
        let count = self.file.read(&mut buffer[..most])?;
        self.read += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn reading_beside(mut reading: Reading) -> thread::JoinHandle<io::Result<Vec<u8>>> {
        thread::spawn(move || {
            let mut all = Vec::new();
            reading.read_to_end(&mut all).map(|_| all)
        })
    }

    #[test]
    fn what_is_written_is_read_to_its_end_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writing, reading) = file(&folder.path().join("archive")).unwrap();
        let reader = reading_beside(reading);
        let pieces: Vec<_> = (0..=u8::MAX).map(|byte| vec![byte; usize::from(byte) * 37]).collect();
        pieces.iter().for_each(|piece| writing.write_all(piece).unwrap());
        writing.finish();
        assert!(reader.join().unwrap().unwrap() == pieces.concat());
    }

    #[test]
    fn what_breaks_off_is_an_error_to_whoever_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        for bytes in [&b""[..], b"the beginning"] {
            let path = folder.path().join(format!("archive{}", bytes.len()));
            let (mut writing, reading) = file(&path).unwrap();
            let reader = reading_beside(reading);
            writing.write_all(bytes).unwrap();
            drop(writing);
            assert_eq!(reader.join().unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
