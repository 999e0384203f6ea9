//! Which calls of the kernel a program may make (seccomp(2)): those that scanners and git need to read, to write and to run
//! threads. All others do not exist for it (`ENOSYS`), whatever a kernel may have besides: network and Unix sockets, tracing,
//! signals to others, namespaces, mounts, keys, BPF, shared memory, `io_uring`, links, modes, times.
//!
//! Landlock knows files by their paths, and nothing of the rest; this knows the rest, and no path.

use std::collections::BTreeMap;
use std::io;

use libc::{
    SYS_brk, SYS_chdir, SYS_clock_getres, SYS_clock_gettime, SYS_clock_nanosleep, SYS_clone, SYS_close, SYS_dup, SYS_dup3,
    SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_eventfd2, SYS_execve, SYS_exit, SYS_exit_group, SYS_faccessat,
    SYS_faccessat2, SYS_fadvise64, SYS_fallocate, SYS_fchdir, SYS_fchmod, SYS_fchmodat, SYS_fcntl, SYS_fdatasync, SYS_flock,
    SYS_fstat, SYS_fstatfs, SYS_fsync, SYS_ftruncate, SYS_futex, SYS_getcwd, SYS_getdents64, SYS_getegid, SYS_geteuid,
    SYS_getgid, SYS_getgroups, SYS_getpgid, SYS_getpid, SYS_getppid, SYS_getrandom, SYS_getresgid, SYS_getresuid, SYS_getrusage,
    SYS_gettid, SYS_gettimeofday, SYS_getuid, SYS_ioctl, SYS_lseek, SYS_madvise, SYS_mkdirat, SYS_mmap, SYS_mprotect, SYS_mremap,
    SYS_msync, SYS_munmap, SYS_nanosleep, SYS_newfstatat, SYS_openat, SYS_pipe2, SYS_ppoll, SYS_prctl, SYS_pread64,
    SYS_prlimit64, SYS_pselect6, SYS_pwrite64, SYS_read, SYS_readlinkat, SYS_readv, SYS_renameat2, SYS_restart_syscall, SYS_rseq,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sched_getaffinity, SYS_sched_yield, SYS_set_robust_list,
    SYS_set_tid_address, SYS_setitimer, SYS_sigaltstack, SYS_statfs, SYS_statx, SYS_sysinfo, SYS_tgkill, SYS_times, SYS_umask,
    SYS_uname, SYS_unlinkat, SYS_wait4, SYS_waitid, SYS_write, SYS_writev,
};
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Calls that are allowed with whatever arguments.
const ALLOWED: &[i64] = &[
    // Files, which are Landlock's to judge.
    SYS_close,
    SYS_read,
    SYS_readv,
    SYS_pread64,
    SYS_write,
    SYS_writev,
    SYS_pwrite64,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    SYS_chdir,
    SYS_fchdir,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fadvise64,
    SYS_fsync,
    SYS_fdatasync,
    SYS_flock,
    SYS_umask,
    // Descriptors.
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_eventfd2,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_ppoll,
    SYS_pselect6,
    // Memory.
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_msync,
    // Threads and processes of its own.
    SYS_execve,
    SYS_exit,
    SYS_exit_group,
    SYS_wait4,
    SYS_waitid,
    SYS_futex,
    SYS_set_robust_list,
    SYS_set_tid_address,
    SYS_rseq,
    SYS_sched_yield,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_setitimer,
    SYS_restart_syscall,
    // What there is to know of itself and of the machine.
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getpgid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_getrusage,
    SYS_times,
    SYS_getrandom,
    SYS_uname,
    SYS_sysinfo,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
];

/// Calls of x86-64 that newer architectures have in one form alone, and one that libc does not name on all of them.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[i64] = &[
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_arch_prctl,
    libc::SYS_getpgrp,
    libc::SYS_getrlimit,
    libc::SYS_time,
];
/// `renameat`, which the architectures with the kernel's generic table have, and libc does not name there.
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[i64] = &[38];

/// Calls that do nothing and say that they did it: trivy gives up without them. Modes do not matter in a scratch folder, and
/// would elsewhere, where Landlock does not look at them.
const PRETENDED: &[i64] = &[SYS_fchmod, SYS_fchmodat];

/// All of `CLONE_NEW…`, and what makes a child another's.
const CLONE_FORBIDDEN: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PARENT
    | libc::CLONE_PTRACE;

/// `PR_SET_VMA` (prctl(2)), by which Go names its memory.
const PR_SET_VMA: libc::c_int = 0x5356_4d41;

/// An argument that a call has to have: its number, how much of it counts, and what it is.
type Condition = (u8, SeccompCmpArgLen, SeccompCmpOp, i64);

/// Calls that are allowed with some arguments: any of the rows will do, and all that is in a row has to hold.
fn conditional() -> Vec<(i64, Vec<Vec<Condition>>)> {
    let any = |argument: u8, values: &[libc::c_int]| {
        values.iter().map(|value| vec![(argument, Dword, Eq, i64::from(*value))]).collect()
    };
    let mut calls = vec![
        // Commands on descriptors; none that has signals sent, to whomever.
        (
            SYS_fcntl,
            any(
                1,
                &[
                    libc::F_DUPFD,
                    libc::F_DUPFD_CLOEXEC,
                    libc::F_GETFD,
                    libc::F_SETFD,
                    libc::F_GETFL,
                    libc::F_SETFL,
                    libc::F_GETLK,
                    libc::F_SETLK,
                    libc::F_SETLKW,
                    libc::F_OFD_GETLK,
                    libc::F_OFD_SETLK,
                    libc::F_OFD_SETLKW,
                ],
            ),
        ),
        // Whether something is a terminal, and how much can be read; nothing that types into one.
        (SYS_ioctl, ioctls()),
        // Its own limits, its own processors, signals to its own threads.
        (SYS_prlimit64, any(0, &[0])),
        (SYS_sched_getaffinity, any(0, &[0])),
        (SYS_tgkill, vec![vec![(0, Dword, Eq, std::process::id().into())]]),
        (SYS_prctl, any(0, &[libc::PR_SET_NAME, libc::PR_GET_NAME, PR_SET_VMA])),
        (SYS_clone, vec![vec![(0, Qword, MaskedEq(u64::from(CLONE_FORBIDDEN.cast_unsigned())), 0)]]),
        (SYS_openat, opening(2)),
    ];
    #[cfg(target_arch = "x86_64")]
    calls.push((libc::SYS_open, opening(1)));
    calls
}

fn ioctls() -> Vec<Vec<Condition>> {
    let requests = [libc::TCGETS, libc::TIOCGWINSZ, libc::FIONREAD, libc::FIOCLEX, libc::FIONCLEX];
    requests.into_iter().filter_map(|request| Some(vec![(1, Dword, Eq, i64::try_from(request).ok()?)])).collect()
}

/// How a file may be opened, by the argument with the flags: who may only read it does not empty it. Landlock sees to that by
/// itself from its third version on.
fn opening(flags: u8) -> Vec<Vec<Condition>> {
    let with =
        |mask: libc::c_int, value: libc::c_int| vec![(flags, Dword, MaskedEq(u64::from(mask.cast_unsigned())), i64::from(value))];
    vec![with(libc::O_TRUNC, 0), with(libc::O_ACCMODE, libc::O_WRONLY), with(libc::O_ACCMODE, libc::O_RDWR)]
}

/// Allows this process, and what it becomes and starts, those calls alone.
pub(super) fn restrict() -> io::Result<()> {
    // In this order: afterwards, this call does not exist either. Of two answers the kernel takes the stricter one.
    for program in [pretend(), allow()] {
        seccompiler::apply_filter(&program.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    Ok(())
}

fn pretend() -> Result<BpfProgram, BackendError> {
    let calls = PRETENDED.iter().chain(PRETENDED_HERE).map(|call| (*call, Vec::new())).collect();
    compile(calls, SeccompAction::Allow, SeccompAction::Errno(0))
}

#[cfg(target_arch = "x86_64")]
const PRETENDED_HERE: &[i64] = &[libc::SYS_chmod];
#[cfg(not(target_arch = "x86_64"))]
const PRETENDED_HERE: &[i64] = &[];

fn allow() -> Result<BpfProgram, BackendError> {
    let unconditional = [ALLOWED, ALLOWED_HERE, PRETENDED, PRETENDED_HERE].concat();
    let mut calls: BTreeMap<_, _> = unconditional.into_iter().map(|call| (call, Vec::new())).collect();
    for (call, rows) in conditional() {
        let rule = |row: Vec<Condition>| SeccompRule::new(row.into_iter().map(condition).collect::<Result<_, _>>()?);
        calls.insert(call, rows.into_iter().map(rule).collect::<Result<_, _>>()?);
    }
    compile(calls, SeccompAction::Errno(libc::ENOSYS.cast_unsigned()), SeccompAction::Allow)
}

fn condition((argument, length, operator, value): Condition) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, length, operator, value.cast_unsigned())
}

fn compile(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(calls, otherwise, listed, std::env::consts::ARCH.try_into()?)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_that_reaches_another_process_or_the_network_is_on_the_list() {
        let listed = [ALLOWED, ALLOWED_HERE, PRETENDED, PRETENDED_HERE].concat();
        for call in [
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_connect,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_kill,
            libc::SYS_pidfd_open,
            libc::SYS_io_uring_setup,
            libc::SYS_memfd_create,
            libc::SYS_execveat,
            libc::SYS_clone3,
            libc::SYS_unshare,
            libc::SYS_mount,
            libc::SYS_bpf,
            libc::SYS_linkat,
            libc::SYS_symlinkat,
            libc::SYS_mknodat,
            libc::SYS_truncate,
            libc::SYS_utimensat,
            libc::SYS_openat2,
        ] {
            assert!(!listed.contains(&call), "{call}");
        }
    }

    /// The calls that libc names on aarch64, with their numbers there (libc 0.2.191, `linux/gnu/b64/aarch64/mod.rs`).
    const OF_AARCH64: &str = include_str!("../../fixtures/aarch64-calls.txt");

    #[test]
    fn each_call_of_all_architectures_is_one_of_aarch64_too() {
        let (_, names) = include_str!("seccomp.rs").split_once("use libc::{").unwrap();
        let (names, _) = names.split_once("};").unwrap();
        let names: Vec<_> = names.split([',', ' ', '\n']).filter_map(|name| name.strip_prefix("SYS_")).collect();
        assert!(names.len() > 90, "{names:?}");
        let there = |name: &&str| OF_AARCH64.lines().any(|line| line.split_once(' ').is_some_and(|(call, _)| call == *name));
        let missing: Vec<_> = names.iter().filter(|name| !there(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        // It has none of that number, which is `renameat`'s (asm-generic/unistd.h).
        assert!(OF_AARCH64.lines().all(|line| !line.ends_with(" 38")));
    }

    #[test]
    fn no_call_is_both_with_and_without_conditions() {
        let listed = [ALLOWED, ALLOWED_HERE].concat();
        assert!(conditional().iter().all(|(call, rows)| !listed.contains(call) && !rows.is_empty()));
        assert!(allow().unwrap().len() > listed.len());
    }
}
