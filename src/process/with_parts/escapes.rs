//! A program that was replaced gets nowhere: every way out that is known is tried, and each is shut.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use doubles::hostile;

use crate::process::confinement::{Confinement, Within};
use crate::process::testing::binary;
use crate::process::{Demand, Error, Launcher, Limits, Output, Reach, supervisor};

const LONG: Duration = Duration::from_mins(2);
const MIB: u64 = 1 << 20;

/// Where a hostile program runs, and what it is after.
struct Place {
    folder: tempfile::TempDir,
    victim: Child,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("gp-deliver-test-").tempdir().unwrap();
        for name in ["bin", "outside", "input", "scratch"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::copy(hostile::program(), folder.path().join("bin/scanner")).unwrap();
        hostile::put(&folder.path().join("outside"), &hostile::OUTSIDE);
        hostile::put(&folder.path().join("input"), &hostile::INPUT);
        let mut victim = Command::new("/bin/sleep");
        victim.arg("1000").env_clear().env("SECRET", "x").stdin(Stdio::null());
        Self { victim: victim.spawn().unwrap(), folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the hostile program as a scanner is run.
    async fn run(&self, demand: Demand, arguments: &[&str], limits: Limits, deadline: Duration) -> Result<Output, Error> {
        let scratch = self.path("scratch");
        let launcher = Launcher::new(binary(), self.path("bin").as_os_str(), demand);
        let reach = Reach::nothing(limits).reads(self.path("input")).writes(&scratch);
        let run = launcher.find("scanner").unwrap().run(deadline, reach);
        run.args(arguments.iter().copied()).folder(&scratch).env("TMPDIR", &scratch).output().await
    }

    /// Everything is tried, and the lines that are said of it.
    async fn tries(&self, demand: Demand, mode: &str) -> Vec<String> {
        let (victim, outside, input) = (self.victim.id().to_string(), self.path("outside"), self.path("input"));
        let arguments = [mode, &victim, outside.to_str().unwrap(), input.to_str().unwrap()];
        let output = self.run(demand, &arguments, Limits::TRIVY, LONG).await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("escapes: "), "{} {said} {}", output.code, output.stderr);
        said.lines().map(str::to_owned).collect()
    }

    /// Whether anything of the hostile program still runs.
    fn is_quiet(&self) -> bool {
        let program = self.path("bin/scanner");
        let processes = fs::read_dir("/proc").unwrap().flatten();
        !processes.map(|process| process.path().join("exe")).any(|exe| fs::read_link(exe).is_ok_and(|file| file == program))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

/// A user that owns nothing, where the tests run as root; else whoever runs them.
fn ordinary_user() -> Option<u32> {
    rustix::process::geteuid().is_root().then_some(61_000)
}

impl Place {
    /// Tries everything as an ordinary user's process that is shut in by these parts alone, beside a victim of the same user.
    fn tries_as_ordinary_user(&mut self, landlock: bool, seccomp: bool) -> Vec<String> {
        let all = fs::Permissions::from_mode(0o777);
        for folder in ["", "bin", "outside", "input", "scratch"] {
            fs::set_permissions(self.path(folder), all.clone()).unwrap();
        }
        let helper = self.path("gp-deliver");
        fs::hard_link(binary(), &helper).or_else(|_| fs::copy(binary(), &helper).map(drop)).unwrap();
        let as_user = |command: &mut Command| {
            if let Some(user) = ordinary_user() {
                command.uid(user).gid(user);
            }
        };
        let _ = self.victim.kill();
        self.victim.wait().unwrap();
        let mut victim = Command::new("/bin/sleep");
        as_user(victim.arg("1000").env_clear().env("SECRET", "x").stdin(Stdio::null()));
        self.victim = victim.spawn().unwrap();

        let program = self.path("bin/scanner");
        let reach = Reach::nothing(Limits::TRIVY).reads(self.path("input")).writes(self.path("scratch")).executes(&program);
        let within = Within { reach, user: None, landlock, seccomp };
        let mut command = Command::new(&helper);
        command
            .args(supervisor::arguments(&program, &Confinement::Within(within)))
            .args(["harmless", &self.victim.id().to_string()]);
        command.arg(self.path("outside")).arg(self.path("input")).current_dir(self.path("scratch")).env_clear();
        as_user(&mut command);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("escapes: "), "{said} {}", String::from_utf8_lossy(&output.stderr));
        said.lines().map(str::to_owned).collect()
    }
}

/// The tries at the network and at other processes, but for what can be read of these in files.
const OF_SECCOMP: [&str; 24] = [
    "tcp4",
    "tcp6",
    "udp4",
    "icmp",
    "netlink",
    "vsock",
    "unix_stream",
    "unix_pair",
    "unix_abstract",
    "docker_socket",
    "io_uring",
    "sends_signal",
    "sends_signal_to_thread",
    "queues_signal",
    "opens_pidfd",
    "signals_pidfd",
    "takes_descriptor",
    "seizes",
    "reads_memory",
    "writes_memory",
    "sets_limit",
    "sets_processors",
    "owns_signals",
    "user_namespace",
];

/// The tries at files.
const OF_LANDLOCK: [&str; 18] = [
    "reads_outside",
    "reads_by_relative_path",
    "reads_docker_config",
    "lists_outside",
    "reads_passwd",
    "appends_to_command_file",
    "reads_command_file",
    "writes_outside",
    "makes_folder_outside",
    "removes_outside",
    "writes_tmp",
    "writes_shm",
    "moves_out",
    "moves_in",
    "links_soft",
    "makes_pipe",
    "runs_shell",
    "proc_environ",
];

#[test]
fn every_way_out_is_shut_for_an_ordinary_user_too() {
    let lines = Place::new().tries_as_ordinary_user(true, true);
    assert_eq!(got_out(&lines), [""; 0]);
}

#[test]
fn without_landlock_the_network_and_other_processes_stay_shut() {
    let lines = Place::new().tries_as_ordinary_user(false, true);
    let escaped = got_out(&lines);
    assert!(escaped.contains(&"reads_outside"), "{escaped:?}");
    let shut: Vec<_> = OF_SECCOMP.iter().filter(|name| escaped.contains(name)).collect();
    assert_eq!(shut, [&""; 0], "{escaped:?}");
}

#[test]
fn without_seccomp_files_stay_shut() {
    let lines = Place::new().tries_as_ordinary_user(true, false);
    let escaped = got_out(&lines);
    assert!(escaped.contains(&"unix_pair"), "{escaped:?}");
    let shut: Vec<_> = OF_LANDLOCK.iter().filter(|name| escaped.contains(name)).collect();
    assert_eq!(shut, [&""; 0], "{escaped:?}");
}

fn got_out(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("try ")?.strip_suffix(": got out")).collect()
}

#[tokio::test]
async fn every_way_out_is_shut() {
    let place = Place::new();
    let lines = place.tries(Demand::Require, "tries").await;
    let tries = lines.iter().filter(|line| line.starts_with("try ")).count();
    let escaped = got_out(&lines);
    // Past the harness, which keeps what a test that passes says: each try is in the log of all tests.
    std::io::Write::write_all(&mut std::io::stderr(), format!("{}\n", lines.join("\n")).as_bytes()).unwrap();
    assert!(tries >= 130, "{tries}");
    assert_eq!(escaped, [""; 0]);
    // Nothing of it had an effect.
    assert_eq!(fs::read_to_string(place.path("outside/secret")).unwrap(), "something\n");
    assert_eq!(fs::read_dir(place.path("outside")).unwrap().count(), hostile::OUTSIDE.len());
    assert_eq!(fs::read_dir(place.path("input")).unwrap().count(), hostile::INPUT.len());
    assert!(place.is_quiet());
}

/// What says that the tries are real: without the sandbox, most get somewhere.
#[tokio::test]
async fn without_the_sandbox_most_ways_are_open() {
    let lines = Place::new().tries(Demand::Off, "harmless").await;
    let escaped = got_out(&lines);
    assert!(escaped.len() >= 80, "{} {escaped:?}", escaped.len());
    for name in [
        "tcp4",
        "unix_stream",
        "sends_signal",
        "seizes",
        "reads_memory",
        "sets_limit",
        "owns_signals",
        "proc_environ",
        "proc_mem",
        "reads_outside",
        "appends_to_command_file",
        "reads_docker_config",
        "writes_tmp",
        "links_soft",
        "makes_pipe",
        "runs_shell",
        "runs_copy",
        "changes_mode",
        "changes_times",
        "watches_files",
        "shares_memory",
    ] {
        assert!(escaped.contains(&name), "{name}: {escaped:?}");
    }
}

#[tokio::test]
async fn a_bomb_of_processes_is_ended_with_all_that_it_started() {
    let place = Place::new();
    let error = place.run(Demand::Require, &["fork"], Limits::TRIVY, Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(error, Error::Deadline { .. }), "{error:?}");
    assert!(place.is_quiet());
}

#[tokio::test]
async fn a_daemon_is_ended_with_the_program_that_left_it() {
    let place = Place::new();
    // It can't even leave the session, and is no one's child any more.
    assert_eq!(place.run(Demand::Require, &["daemon"], Limits::TRIVY, LONG).await.unwrap().code, 7);
    assert!(place.is_quiet());
}

#[tokio::test]
async fn memory_has_an_end_for_a_process_and_for_all_together() {
    let limits = Limits { memory: 256 * MIB, files: MIB };
    let place = Place::new();
    // The code of a program that was refused memory.
    assert_eq!(place.run(Demand::Require, &["memory"], limits, LONG).await.unwrap().code, 12);
    let error = place.run(Demand::Require, &["processes"], limits, LONG).await.unwrap_err();
    let Error::Breach { reason, .. } = error else { panic!("{error:?}") };
    assert!(reason.contains("bytes of memory"), "{reason}");
    assert!(place.is_quiet());
}

#[tokio::test]
async fn what_is_written_has_an_end_for_a_file_and_for_all_together() {
    let limits = Limits { memory: 256 * MIB, files: 64 * MIB };
    let place = Place::new();
    let error = place.run(Demand::Require, &["file"], limits, LONG).await.unwrap_err();
    // SIGXFSZ; the watch may have been faster.
    assert!(matches!(error, Error::Signal { signal: 25, .. } | Error::Breach { .. }), "{error:?}");
    fs::remove_dir_all(place.path("scratch")).and_then(|()| fs::create_dir(place.path("scratch"))).unwrap();
    let error = place.run(Demand::Require, &["disk"], limits, LONG).await.unwrap_err();
    let Error::Breach { reason, .. } = error else { panic!("{error:?}") };
    assert!(reason.contains("wrote more than 67108864 bytes"), "{reason}");
    assert!(place.is_quiet());
}

#[tokio::test]
async fn a_program_gets_a_user_of_its_own_where_gp_deliver_is_root() {
    let place = Place::new();
    let output = place.run(Demand::Require, &["file"], Limits { memory: 256 * MIB, files: MIB }, LONG).await;
    assert!(output.is_err(), "{output:?}");
    let owner = fs::metadata(place.path("scratch/flood0")).unwrap().uid();
    let own = rustix::process::geteuid();
    assert_eq!(owner != own.as_raw(), own.is_root(), "{owner}");
}

#[tokio::test]
async fn a_program_that_may_not_be_read_by_its_user_reads_what_it_is_given_all_the_same() {
    let place = Place::new();
    // A file of someone else's that no other user may read, as a checkout by another user has it.
    fs::set_permissions(place.path("input/file"), fs::Permissions::from_mode(0o600)).unwrap();
    let launcher = Launcher::new(binary(), Path::new("/bin").as_os_str(), Demand::Require);
    let reach = Reach::nothing(Limits::GIT).reads(place.path("input"));
    let run = launcher.find("cat").unwrap().run(LONG, reach).arg(place.path("input/file"));
    assert_eq!(run.output().await.unwrap().stdout, b"something\n");
}
