//! What a program was started with, on its way to the process that works with it.
//!
//! It travels in a file that has no name and is in memory (`memfd_create(2)`): a pipe holds 1 MiB at most, and an environment
//! may be larger. No child inherits it, and it is emptied when it has been read. In it stand the number of arguments and each
//! of them, and the number of variables and each one's name and value: numbers and lengths in four bytes, the highest first.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// Arguments and environment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Handover {
    /// The arguments, the program's own name first.
    pub(super) arguments: Vec<OsString>,
    /// The environment.
    pub(super) variables: Vec<(OsString, OsString)>,
}

impl Handover {
    /// Writes it into a file of its own, to be read from its beginning.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn write(&self) -> io::Result<File> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.length()));
        put_number(&mut bytes, self.arguments.len())?;
        self.arguments.iter().try_for_each(|argument| put(&mut bytes, argument))?;
        put_number(&mut bytes, self.variables.len())?;
        for (name, value) in &self.variables {
            put(&mut bytes, name)?;
            put(&mut bytes, value)?;
        }
        let mut file = File::from(create()?);
        file.write_all(&bytes)?;
        file.rewind()?;
        Ok(file)
    }

    /// Reads what another process has written, and leaves nothing of it in the file.
    ///
    /// # Errors
    /// It is no such file.
    pub(super) fn read(file: impl Into<File>) -> io::Result<Self> {
        let mut file = file.into();
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        // As large as the file at once: what grows leaves copies of itself behind.
        let mut bytes = Zeroizing::new(vec![0; length]);
        file.read_exact(&mut bytes)?;
        file.set_len(0)?;
        let mut rest = bytes.as_slice();
        let arguments = (0..take_number(&mut rest)?).map(|_| take(&mut rest)).collect::<io::Result<_>>()?;
        let variables = (0..take_number(&mut rest)?).map(|_| Ok((take(&mut rest)?, take(&mut rest)?)));
        let variables = variables.collect::<io::Result<_>>()?;
        if rest.is_empty() { Ok(Self { arguments, variables }) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    fn length(&self) -> usize {
        let variables = self.variables.iter().flat_map(|(name, value)| [name, value]);
        8 + self.arguments.iter().chain(variables).map(|text| 4 + text.len()).sum::<usize>()
    }
}

fn create() -> io::Result<OwnedFd> {
    let create = |flags| memfd_create("gp-deliver", MemfdFlags::CLOEXEC | flags);
    // Kernels before 6.3 know no file that can't be made a program, and later ones may allow no other.
    let file = match create(MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => create(MemfdFlags::empty()),
        other => other,
    }?;
    fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    Ok(file)
}

fn put_number(bytes: &mut Vec<u8>, number: usize) -> io::Result<()> {
    bytes.extend(u32::try_from(number).map_err(io::Error::other)?.to_be_bytes());
    Ok(())
}

fn put(bytes: &mut Vec<u8>, text: &OsStr) -> io::Result<()> {
    put_number(bytes, text.len())?;
    bytes.extend_from_slice(text.as_bytes());
    Ok(())
}

fn take_number(rest: &mut &[u8]) -> io::Result<usize> {
    let (number, after) = rest.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
    *rest = after;
    usize::try_from(u32::from_be_bytes(*number)).map_err(io::Error::other)
}

fn take(rest: &mut &[u8]) -> io::Result<OsString> {
    let length = take_number(rest)?;
    let (text, after) = rest.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
    *rest = after;
    Ok(OsString::from_vec(text.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handover() -> Handover {
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Handover {
            arguments: vec![text(b"gp-deliver"), text(b""), text(b"\xff\n")],
            variables: vec![(text(b"A"), text(b"")), (text(b"INPUT_BUILD-ARGS"), text(&vec![b'x'; 3 << 20]))],
        }
    }

    #[test]
    fn what_was_written_is_read_whatever_bytes_it_has_and_however_much_it_is_and_nothing_is_left() {
        let file = handover().write().unwrap();
        let again = file.try_clone().unwrap();
        assert_eq!(Handover::read(file).unwrap(), handover());
        assert_eq!(again.metadata().unwrap().len(), 0);
    }

    #[test]
    fn a_file_that_is_cut_off_or_longer_is_refused() {
        let whole = Handover { variables: Vec::new(), ..handover() };
        let bytes = |file: &mut File| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            bytes
        };
        let bytes = bytes(&mut whole.write().unwrap());
        let read = |bytes: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            file.rewind().unwrap();
            Handover::read(file)
        };
        assert_eq!(read(&bytes).unwrap(), whole);
        assert!((0..bytes.len()).all(|length| read(&bytes[..length]).is_err()));
        assert!(read(&[&bytes[..], &[0]].concat()).is_err());
    }
}
