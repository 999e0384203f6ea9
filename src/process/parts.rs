//! The parts of the sandbox, and which of them this machine has: found out by trying.

use std::io;

use super::{Limits, Reach, identity, landlock, seccomp};

/// A part that may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// It keeps a program from files.
    Landlock,
    /// It keeps a program from the network and from other processes.
    Seccomp,
    /// A user of its own, where gp-deliver is root. Without one a program is root, shut in by the others.
    User,
}

impl Part {
    /// What it is called.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Landlock => "Landlock",
            Self::Seccomp => "seccomp",
            Self::User => "a user of its own",
        }
    }
}

/// What a part said when it was tried.
type Tried<T> = Result<T, String>;

/// What this machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The version of Landlock's interface.
    pub(crate) landlock: Tried<u32>,
    /// Nothing to be known of it.
    pub(crate) seccomp: Tried<()>,
    /// Absent where gp-deliver is not root and can't give a program another user.
    pub(crate) user: Option<Tried<()>>,
}

impl Parts {
    /// What is missing, and why.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (Part, &str)> {
        let landlock = self.landlock.as_ref().err().map(|reason| (Part::Landlock, reason.as_str()));
        let seccomp = self.seccomp.as_ref().err().map(|reason| (Part::Seccomp, reason.as_str()));
        let user = self.user.as_ref().and_then(|tried| tried.as_ref().err()).map(|reason| (Part::User, reason.as_str()));
        landlock.into_iter().chain(seccomp).chain(user)
    }

    /// Whether a program gets a user of its own.
    pub(super) fn has_user(&self) -> bool {
        matches!(self.user, Some(Ok(())))
    }

    /// Of a machine where nothing could be tried.
    pub(super) fn nothing(reason: &str) -> Self {
        Self { landlock: Err(reason.to_owned()), seccomp: Err(reason.to_owned()), user: None }
    }
}

/// Reads what [`say`] says.
pub(super) fn read(said: &str) -> Parts {
    let line = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let tried = |name: &str| match line(name) {
        None => Err("it ends the program that tries it".to_owned()),
        Some(text) => text.strip_prefix("yes").map(|rest| rest.trim().to_owned()).ok_or_else(|| text.to_owned()),
    };
    Parts {
        landlock: tried("landlock").and_then(|version| version.parse().map_err(|_| "its version is not known".to_owned())),
        seccomp: tried("seccomp").map(drop),
        user: line("user").filter(|text| *text != "not root").map(|_| tried("user").map(drop)),
    }
}

/// Tries all parts on this process, and says line by line which there are. Each line is said before the next part is tried.
pub(super) fn say(mut out: impl io::Write) -> io::Result<()> {
    let words = |tried: Result<String, String>| match tried {
        Ok(more) => format!("yes {more}"),
        Err(reason) => reason.replace('\n', " "),
    };
    let text = |error: io::Error| error.to_string();
    let user = if identity::is_root() {
        words(identity::become_user(identity::throw_away()).map(|()| String::new()).map_err(text))
    } else {
        "not root".to_owned()
    };
    rustix::thread::set_no_new_privs(true)?;
    let landlock = landlock::restrict(&Reach::nothing(Limits::VERSION)).map(|version| version.to_string()).map_err(text);
    // With a user of its own, a program has the right to all files: only Landlock takes it away again.
    let user = if landlock.is_err() && user.starts_with("yes") { "it is of use with Landlock alone".to_owned() } else { user };
    writeln!(out, "landlock {}\nuser {user}", words(landlock))?;
    out.flush()?;
    let seccomp = seccomp::restrict().map(|()| String::new()).map_err(text);
    writeln!(out, "seccomp {}", words(seccomp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_is_read_and_what_says_nothing_is_missing() {
        let all = read("landlock yes 7\nuser yes \nseccomp yes \n");
        assert_eq!((all.landlock.clone(), all.has_user(), all.missing().count()), (Ok(7), true, 0));
        let laptop = read("landlock yes 3\nuser not root\nseccomp yes \n");
        assert_eq!((laptop.user.clone(), laptop.missing().count()), (None, 0));
        let old = read("landlock the kernel has it switched off\nuser not root\nseccomp yes\n");
        assert_eq!(old.missing().collect::<Vec<_>>(), [(Part::Landlock, "the kernel has it switched off")]);
        assert_eq!(read("").missing().count(), 2);
        assert_eq!(read("landlock yes 7\nuser yes\n").missing().map(|(part, _)| part).collect::<Vec<_>>(), [Part::Seccomp]);
    }
}
