//! What a run is held to, as the process that wants it tells the helpers that start it: by arguments before the program's own.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use super::{Limits, Reach, identity, landlock, limits, seccomp};

/// Ends the arguments.
const END: &str = "--";

/// What a run is held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Confinement {
    /// Nothing but what holds for all programs.
    Exception,
    /// What it may reach, by the parts of the kernel that are there for it.
    Within(Within),
}

/// A reach, and by what it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Within {
    pub(super) reach: Reach,
    /// The number of a user of its own.
    pub(super) user: Option<u32>,
    pub(super) landlock: bool,
    pub(super) seccomp: bool,
}

impl Confinement {
    /// The arguments that say it.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let Self::Within(Within { reach, user, landlock, seccomp }) = self else {
            return vec!["exception".into(), END.into()];
        };
        let number = |name: &str, number: u64| OsString::from(format!("{name}={number}"));
        let mut arguments = vec![number("memory", reach.limits.memory), number("files", reach.limits.files)];
        arguments.extend(user.map(|user| number("user", user.into())));
        arguments.extend(landlock.then(|| "landlock".into()));
        arguments.extend(seccomp.then(|| "seccomp".into()));
        for (name, paths) in [("read=", &reach.reads), ("write=", &reach.writes), ("run=", &reach.executes)] {
            arguments.extend(paths.iter().map(|path| {
                let mut argument = OsString::from(name);
                argument.push(path);
                argument
            }));
        }
        arguments.push(END.into());
        arguments
    }

    /// Reads them, and leaves the program's own.
    pub(super) fn read(arguments: &mut impl Iterator<Item = OsString>) -> io::Result<Self> {
        let mut limits = Limits { memory: 0, files: 0 };
        let mut within = Within { reach: Reach::nothing(limits), user: None, landlock: false, seccomp: false };
        let mut is_exception = false;
        loop {
            let argument = arguments.next().ok_or(io::ErrorKind::InvalidInput)?;
            let (name, value) = match argument.as_bytes().iter().position(|byte| *byte == b'=') {
                Some(at) => (&argument.as_bytes()[..at], &argument.as_bytes()[at + 1..]),
                None => (argument.as_bytes(), &b""[..]),
            };
            let path = || PathBuf::from(OsString::from_vec(value.to_vec()));
            match name {
                b"exception" => is_exception = true,
                b"memory" => limits.memory = number(value)?,
                b"files" => limits.files = number(value)?,
                b"user" => within.user = Some(number(value)?.try_into().map_err(io::Error::other)?),
                b"landlock" => within.landlock = true,
                b"seccomp" => within.seccomp = true,
                b"read" => within.reach.reads.push(path()),
                b"write" => within.reach.writes.push(path()),
                b"run" => within.reach.executes.push(path()),
                b"--" => break,
                _ => return Err(io::ErrorKind::InvalidInput.into()),
            }
        }
        within.reach.limits = limits;
        Ok(if is_exception { Self::Exception } else { Self::Within(within) })
    }

    /// Holds this process to it, and what it becomes, but for what would keep it from getting ready: that is [`Self::enter`].
    pub(super) fn limit(&self) -> io::Result<()> {
        limits::apply_to_all()?;
        match self {
            Self::Exception => Ok(()),
            Self::Within(within) => within.reach.limits.apply(within.user.is_some()),
        }
    }

    /// Makes this process the throw-away user's, if there is one.
    pub(super) fn become_user(&self) -> io::Result<()> {
        let Self::Within(Within { user: Some(user), .. }) = self else { return Ok(()) };
        identity::become_user(*user).map_err(named("a user of its own"))
    }

    /// Shuts this process in, as the last thing before it becomes the program.
    pub(super) fn enter(&self) -> io::Result<()> {
        let Self::Within(within) = self else { return Ok(()) };
        if within.landlock {
            landlock::restrict(&within.reach).map_err(named("Landlock"))?;
        }
        if within.seccomp {
            seccomp::restrict().map_err(named("seccomp"))?;
        }
        Ok(())
    }

    /// Its throw-away user.
    pub(super) fn user(&self) -> Option<u32> {
        if let Self::Within(within) = self { within.user } else { None }
    }
}

fn number(text: &[u8]) -> io::Result<u64> {
    let text = OsStr::from_bytes(text).to_str().ok_or(io::ErrorKind::InvalidInput)?;
    text.parse().map_err(io::Error::other)
}

fn named(part: &'static str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("the sandbox ({part}): {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let reach = Reach::nothing(Limits::TRIVY).reads("/a=b").reads("/c d").writes("/--").executes(OsStr::from_bytes(b"/\xff"));
        for (user, landlock, seccomp) in [(None, false, true), (Some(7), true, false)] {
            let said = Confinement::Within(Within { reach: reach.clone(), user, landlock, seccomp });
            let mut arguments = said.arguments().into_iter().chain(["program".into(), "--".into()]);
            assert_eq!(Confinement::read(&mut arguments).unwrap(), said);
            assert_eq!(arguments.collect::<Vec<_>>(), ["program", "--"]);
        }
        let mut arguments = Confinement::Exception.arguments().into_iter();
        assert_eq!(Confinement::read(&mut arguments).unwrap(), Confinement::Exception);
    }

    #[test]
    fn what_is_not_understood_starts_nothing() {
        for arguments in [&["/bin/sh"][..], &["read=/"], &["memory=x", "--"], &["user=99999999999", "--"], &[]] {
            let mut given = arguments.iter().map(OsString::from);
            assert!(Confinement::read(&mut given).is_err(), "{arguments:?}");
        }
    }
}
