//! Standing in for a program that another program starts: what it would have said comes from us.
//!
//! gitleaks takes text from git alone, by its standard output. So in its `PATH` it finds a link to our own binary of that
//! name, whose third hidden mode passes on what comes through a named pipe, piece by piece: a length in four bytes, then as
//! many bytes; a length of 0 ends it. The end is part of what is said, so an early one is never taken for it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::{CWD, FileType, Mode};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;

use super::Launcher;

/// The name of the pipe in the folder that the program is told to work in.
const PIPE: &str = "said";

/// What stands between the folder and [`StandIn::ARGUMENT`] on the command line: that of `gitleaks git --log-opts`.
const FIXED: [&str; 3] = ["log", "-p", "-U0"];

/// The near end of the pipe.
#[derive(Debug)]
pub(crate) struct StandIn {
    pipe: pipe::Sender,
}

impl StandIn {
    /// The argument by which our binary knows what it is for.
    pub(crate) const ARGUMENT: &str = "--said-by-gp-deliver";

    /// Makes the pipe in `folder`, which the stand-in is given by `-C`.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(PIPE);
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        // Open for reading too, so that nothing is lost before the other side is there and no write fails after it has gone:
        // whoever writes waits for the end of the program besides.
        let pipe = pipe::OpenOptions::new().read_write(true).open_sender(&path)?;
        Ok(Self { pipe })
    }

    /// Has the stand-in say this next.
    ///
    /// # Errors
    /// The pipe is broken.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        // No piece is empty: that would be the end.
        for piece in bytes.chunks(1 << 20) {
            let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
            self.pipe.write_all(&length.to_be_bytes()).await?;
            self.pipe.write_all(piece).await?;
        }
        Ok(())
    }

    /// Has the stand-in end as one that has said all. The pipe stays open as long as what is given back.
    ///
    /// # Errors
    /// The pipe is broken.
    pub(crate) async fn end(mut self) -> io::Result<Self> {
        self.pipe.write_all(&0_u32.to_be_bytes()).await?;
        Ok(self)
    }
}

impl Launcher {
    /// Puts a program into `folder` by which our own binary stands in for the one called `name`, and gives the file that it is.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(crate) fn put_stand_in(&self, folder: &Path, name: &str) -> io::Result<PathBuf> {
        let link = folder.join(name);
        // For another process the kernel's name of "this program" is another program.
        let helper = if self.helper == Path::new("/proc/self/exe") { std::env::current_exe()? } else { self.helper.clone() };
        if helper.exists() {
            std::os::unix::fs::symlink(&helper, link)?;
            return Ok(helper);
        }
        // Its file was replaced. What this process is can't be named to a program that sees no other process.
        std::fs::copy(&self.helper, &link)?;
        std::fs::set_permissions(&link, std::fs::Permissions::from_mode(0o755))?;
        Ok(link)
    }
}

/// The folder that the arguments (without the program's own name) give a stand-in; `None` if this process is none.
pub(super) fn folder(arguments: &[OsString]) -> Option<PathBuf> {
    let [option, folder, fixed @ .., mark] = arguments else { return None };
    (option == "-C" && fixed == FIXED && mark == StandIn::ARGUMENT).then(|| PathBuf::from(folder))
}

/// Says what comes through the pipe, to its end.
pub(super) fn speak(folder: &Path) -> io::Result<ExitCode> {
    let mut pipe = File::open(folder.join(PIPE))?;
    // Not by way of the standard library's buffer, which looks for ends of lines.
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut length = [0; 4];
    loop {
        pipe.read_exact(&mut length)?;
        let length = u64::from(u32::from_be_bytes(length));
        if length == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        if io::copy(&mut (&mut pipe).take(length), &mut out)? != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_command_line_is_taken_for_a_stand_ins() {
        let arguments = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(folder(&arguments("-C /x log -p -U0 --said-by-gp-deliver")), Some(PathBuf::from("/x")));
        for text in ["", "-C", "-C /x log -p -U0 HEAD", "deliver --said-by-gp-deliver", "-C /x log -p --said-by-gp-deliver"] {
            assert_eq!(folder(&arguments(text)), None, "{text}");
        }
    }
}
