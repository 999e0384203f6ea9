//! Which parts of the sandbox this machine has, and whether that is enough.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::{Arc, LazyLock, OnceLock};

use super::confinement::{Confinement, Within};
use super::parts::{self, Parts};
use super::reach::Allowance;
use super::{Error, Reach, identity, supervisor};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// All parts that there are.
    Auto,
    /// All parts, or no program is started.
    Require,
    /// None of the parts that a kernel or a container may lack; the limits stay.
    Off,
}

impl FromStr for Demand {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Auto, Self::Require, Self::Off].into_iter().find(|demand| demand.to_string() == text).ok_or(())
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Require => "require",
            Self::Off => "off",
        })
    }
}

/// What programs are started in.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    demand: Demand,
    helper: PathBuf,
    found: Arc<OnceLock<Parts>>,
}

/// What was found by this very binary, which is the same for all of this process.
static FOUND: LazyLock<Arc<OnceLock<Parts>>> = LazyLock::new(Arc::default);

impl Sandbox {
    /// Of programs that are started through the binary `helper`.
    pub(super) fn new(helper: &Path, demand: Demand) -> Self {
        Self { demand, helper: helper.to_owned(), found: Arc::default() }
    }

    /// Of programs that are started through this very binary.
    pub(super) fn of_this_process(helper: &Path, demand: Demand) -> Self {
        Self { found: FOUND.clone(), ..Self::new(helper, demand) }
    }

    /// What is asked for.
    #[must_use]
    pub(crate) fn demand(&self) -> Demand {
        self.demand
    }

    /// What this machine has, found out by trying it once.
    #[must_use]
    pub(crate) fn parts(&self) -> &Parts {
        self.found.get_or_init(|| try_parts(&self.helper))
    }

    /// Whether a program is kept from starting others.
    pub(super) fn keeps_files_shut(&self) -> bool {
        self.demand != Demand::Off && self.parts().landlock.is_ok()
    }

    /// Whether programs may be started.
    ///
    /// # Errors
    /// [`Error::Sandbox`], where all parts are required.
    pub(crate) fn is_enough(&self) -> Result<(), Error> {
        if self.demand != Demand::Require {
            return Ok(());
        }
        let missing: Vec<_> = self.parts().missing().map(|(part, reason)| (part, reason.to_owned())).collect();
        if missing.is_empty() { Ok(()) } else { Err(Error::Sandbox { missing }) }
    }

    /// What a run of `program` is held to.
    pub(super) fn confine(&self, program: &Path, allowance: &Allowance) -> Result<Confinement, Error> {
        self.is_enough()?;
        let reach = match allowance {
            Allowance::Exception(_) => return Ok(Confinement::Exception),
            Allowance::Reach(reach) => reach.clone().executes(program),
        };
        let reach = Reach { limits: reach.limits.of_this_machine(), ..reach };
        if self.demand == Demand::Off {
            return Ok(Confinement::Within(Within { reach, user: None, landlock: false, seccomp: false }));
        }
        let parts = self.parts();
        Ok(Confinement::Within(Within {
            reach,
            user: parts.has_user().then(identity::throw_away),
            landlock: parts.landlock.is_ok(),
            seccomp: parts.seccomp.is_ok(),
        }))
    }
}

/// Has a helper try all parts.
fn try_parts(helper: &Path) -> Parts {
    let mut command = Command::new(helper);
    command.arg(supervisor::TRY).env_clear().stdin(Stdio::null()).stderr(Stdio::null());
    match command.output() {
        Ok(output) => parts::read(&String::from_utf8_lossy(&output.stdout)),
        Err(error) => Parts::nothing(&format!("it can't be tried: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, Part};
    use super::*;

    #[test]
    fn what_is_required_and_missing_starts_nothing() {
        let sandbox = |demand| {
            let sandbox = Sandbox::new(Path::new("/nowhere"), demand);
            sandbox.found.set(Parts::nothing("no such thing")).unwrap();
            sandbox
        };
        let reach = Allowance::Reach(Reach::nothing(Limits::GIT));
        let Err(Error::Sandbox { missing }) = sandbox(Demand::Require).confine(Path::new("/x"), &reach) else { panic!() };
        assert_eq!(missing.iter().map(|(part, _)| *part).collect::<Vec<_>>(), [Part::Landlock, Part::Seccomp]);
        let confined = sandbox(Demand::Auto).confine(Path::new("/x"), &reach).unwrap();
        let Confinement::Within(within) = confined else { panic!() };
        assert_eq!((within.user, within.landlock, within.seccomp), (None, false, false));
        assert_eq!(within.reach.executes, [Path::new("/x")]);
    }
}
