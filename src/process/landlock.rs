//! Which files a program may reach (landlock(7)): what its [`Reach`] names, itself and its libraries.

use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use ::landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetStatus, Scope, make_bitflags,
};

use super::{Reach, elf, script};

/// What is asked for. A kernel that knows less holds what it knows: seccomp covers the difference, but for the files of a
/// kernel without any Landlock.
const WANTED: ABI = ABI::V6;

/// Where libraries are: the folders of the usual loaders, and of package managers that have trees of their own.
const LIBRARIES: [&str; 9] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/nix/store",
    "/gnu/store",
    "/home/linuxbrew/.linuxbrew",
];

/// Programs open it in place of what they were not given.
const NULL: &str = "/dev/null";
/// git names its temporary files by it.
const RANDOM: &str = "/dev/urandom";

/// Holds this process to what `reach` names, and what it becomes and starts. Gives the version of Landlock that is in force.
pub(super) fn restrict(reach: &Reach) -> io::Result<u32> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(WANTED))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(WANTED)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(WANTED)))
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    let (file, folder) = (AccessFs::ReadFile, make_bitflags!(AccessFs::{ReadFile | ReadDir}));
    let mut rules: Vec<(PathBuf, BitFlags<AccessFs>)> =
        vec![(NULL.into(), make_bitflags!(AccessFs::{ReadFile | WriteFile})), (RANDOM.into(), file.into())];
    // What runs a script is let in with it, and no program that it starts.
    let programs = reach.executes.iter().flat_map(|program| iter::once(program.clone()).chain(script::interpreters(program)));
    for program in programs {
        let loader = elf::loader(&program);
        rules.push((program, make_bitflags!(AccessFs::{Execute | ReadFile})));
        if let Some(loader) = loader {
            rules.push((loader, make_bitflags!(AccessFs::{Execute | ReadFile})));
            rules.extend(LIBRARIES.map(|path| (path.into(), folder)));
        }
    }
    rules.extend(reach.reads.iter().map(|path| (path.clone(), if path.is_dir() { folder } else { file.into() })));
    // No programs, and nothing that is no file: a link or a pipe could lead or hold whoever reads there.
    let written = folder | make_bitflags!(AccessFs::{WriteFile | Truncate | RemoveFile | RemoveDir | MakeReg | MakeDir | Refer});
    rules.extend(reach.writes.iter().map(|path| (path.clone(), written)));
    let ruleset = rules.into_iter().try_fold(ruleset, |ruleset, (path, access)| allow(ruleset, &path, access))?;
    let status = ruleset.restrict_self().map_err(io::Error::other)?;
    match status.landlock {
        // Without a word where it is refused: what is not in force has to be asked for.
        _ if status.ruleset == RulesetStatus::NotEnforced => Err(io::Error::other(reason(&status.landlock))),
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            Ok(kernel_abi.map_or(effective_abi as u32, i32::cast_unsigned))
        }
        other => Err(io::Error::other(reason(&other))),
    }
}

fn allow(ruleset: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> io::Result<RulesetCreated> {
    let Ok(opened) = PathFd::new(path) else {
        // What can't be opened can't be reached anyway.
        return Ok(ruleset);
    };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(WANTED) };
    ruleset.add_rule(PathBeneath::new(opened, access)).map_err(io::Error::other)
}

fn reason(status: &LandlockStatus) -> &'static str {
    match status {
        LandlockStatus::NotImplemented => "the kernel was built without it, or a container's profile hides it",
        LandlockStatus::NotEnabled => "the kernel has it switched off",
        LandlockStatus::Available { .. } => "a container's profile or another guard refuses it",
    }
}
