//! A user of its own for each program, where gp-deliver runs as root: what other processes have is not the program's, and one
//! signal ends all that it left.

use std::fs;
use std::io;

use rustix::process::{Gid, Pid, Signal, Uid, geteuid, kill_process_group};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, set_keep_capabilities,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

/// What the throw-away user keeps of root's rights, since files of the checkout and of the scratch folder belong to others. It
/// opens no way around Landlock, and without Landlock there is no such user.
const KEPT: CapabilitySet = CapabilitySet::DAC_OVERRIDE;

/// Where numbers of users begin that nobody else gives out (systemd's list, "UIDs and GIDs on systemd systems").
const FIRST: u32 = 0x7000_0000;
/// The same in a user namespace of 65,536: those of systemd's own throw-away users.
const FIRST_OF_FEW: u32 = 61_184;
const FEW: u32 = 4336;

/// Whether this process may give up being root.
pub(super) fn is_root() -> bool {
    geteuid().is_root()
}

/// The number of a user that no other process has.
pub(super) fn throw_away() -> u32 {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let has_all = map.split_whitespace().eq(["0", "0", "4294967295"]);
    if has_all { FIRST | (rand::random::<u32>() & 0x0fff_ffff) } else { FIRST_OF_FEW + rand::random::<u32>() % FEW }
}

/// Makes this process, which has one thread, the user's, with [`KEPT`] and no other right, also after it becomes a program.
pub(super) fn become_user(user: u32) -> io::Result<()> {
    for (_, capability) in CapabilitySet::all().iter_names().filter(|(_, capability)| *capability != KEPT) {
        // One that this kernel does not know, or that was refused: no program gets it anyway, without new privileges.
        let _ = remove_capability_from_bounding_set(capability);
    }
    set_keep_capabilities(true)?;
    // Else access(2), which git asks before it opens, knows nothing of what a user who is not root may do besides. Refused in a
    // container without the right to it: then git can't read what only its owner may, and says so.
    let _ = set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP);
    leave_root(user)?;
    set_capabilities(None, CapabilitySets { effective: KEPT, permitted: KEPT, inheritable: KEPT })?;
    configure_capability_in_ambient_set(KEPT, true)?;
    Ok(set_keep_capabilities(false)?)
}

/// Kills every process of the user, and gives up being root for that: from then on this process is the user's.
pub(super) fn end_all_of(user: u32) -> io::Result<()> {
    leave_root(user)?;
    // To "all processes that it may signal, but itself" (kill(2), -1), in one step: none of them can start another meanwhile.
    match kill_process_group(Pid::INIT, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn leave_root(user: u32) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    Ok(set_thread_res_uid(uid, uid, uid)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_programs_have_one_user_and_none_is_anybodys() {
        let users: std::collections::HashSet<_> = (0..100).map(|_| throw_away()).collect();
        assert!(users.len() > 90, "{users:?}");
        assert!(users.iter().all(|user| *user >= FIRST || (FIRST_OF_FEW..65_520).contains(user)), "{users:?}");
    }
}
