//! A program that misbehaves is noticed, and nothing that it started survives it.

mod escapes;
mod scripts;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::testing::{binary, launcher_in};
use super::turns::Turns;
use super::{Demand, Error, Launcher, Limits, Output, Program, Reach, Stream};

const LONG: Duration = Duration::from_mins(1);

fn reach() -> Reach {
    Reach::nothing(Limits::GIT)
}

/// A shell script under the name of a scanner.
fn script(folder: &Path, text: &str) -> Program {
    let path = folder.join("scanner");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    launcher_in(folder).find("scanner").unwrap()
}

async fn run(text: &str) -> Result<Output, Error> {
    let folder = tempfile::tempdir().unwrap();
    script(folder.path(), text).run(LONG, reach()).env("PATH", "/usr/bin:/bin").output().await
}

/// Whether a process has `mark` among its arguments.
fn lives(mark: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| line.split(|byte| *byte == 0).any(|argument| argument == mark.as_bytes()))
}

/// Waits until no process has `mark` among its arguments, if that comes at all.
fn ends(mark: &str) -> bool {
    let begun = Instant::now();
    while lives(mark) {
        if begun.elapsed() > LONG {
            return false;
        }
    }
    true
}

/// Seconds that no other test sleeps: what marks a process that must not survive.
fn mark(number: u32) -> String {
    format!("{}.{number}", 100_000 + std::process::id())
}

#[tokio::test]
async fn a_program_that_ends_gives_its_code_and_both_outputs() {
    let output = run("echo out; echo err >&2; exit 42").await.unwrap();
    assert_eq!((output.code, &*output.stdout, &*output.stderr), (42, &b"out\n"[..], "err\n"));
}

#[tokio::test]
async fn a_program_reads_what_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path(), "exec /bin/cat");
    let text = "x".repeat(200_000);
    assert_eq!(program.run(LONG, reach()).stdin(text.clone()).output().await.unwrap().stdout, text.as_bytes());
}

#[tokio::test]
async fn a_program_has_no_variable_descriptor_or_privilege_that_it_was_not_given() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path(), "/usr/bin/env; ls /proc/self/fd; grep NoNewPrivs /proc/self/status; ulimit -c");
    let run = program.run(LONG, reach()).env("PATH", "/usr/bin:/bin").env("GIVEN", "yes");
    let text = String::from_utf8(run.output().await.unwrap().stdout).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    // The shell itself sets PWD and, being started, _ and SHLVL.
    assert!(names.iter().all(|name| ["PATH", "GIVEN", "PWD", "_", "SHLVL", "OLDPWD"].contains(name)), "{names:?}");
    let descriptors: Vec<_> = text.lines().filter(|line| line.parse::<u32>().is_ok()).collect();
    // 3 is the folder that ls itself has open; the last 0 is the limit on core files.
    assert_eq!(descriptors, ["0", "1", "2", "3", "0"]);
    assert!(text.contains("NoNewPrivs:\t1"), "{text}");
}

#[test]
fn a_program_does_not_get_what_a_careless_ancestor_left_open() {
    let (supervisor, parent) = (binary(), std::process::id());
    let supervisor = supervisor.display();
    let text = format!("exec 7</dev/null; exec {supervisor} __supervise {parent} exception -- /bin/sh -c 'ls /proc/self/fd'");
    let output = std::process::Command::new("/bin/sh").args(["-c", &text]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n1\n2\n3\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_crash_is_told_from_an_exit() {
    let error = run("echo before >&2; kill -SEGV $$").await.unwrap_err();
    let Error::Signal { signal, last, .. } = error else { panic!("{error}") };
    assert_eq!((signal, last), (11, vec!["before".to_owned()]));
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_at_its_deadline_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let mark = mark(1);
    let program = script(folder.path(), &format!("echo stuck >&2; setsid sleep {mark} & sleep {mark}"));
    let error = program.run(Duration::from_millis(500), reach()).env("PATH", "/usr/bin:/bin").output().await.unwrap_err();
    let Error::Deadline { last, .. } = error else { panic!("{error}") };
    assert_eq!(last, ["stuck"]);
    assert!(!lives(&mark));
}

#[tokio::test]
async fn a_daemon_that_a_program_leaves_behind_is_ended_with_it() {
    let mark = mark(2);
    // Both outputs stay open in the daemon: the end of the program, not of the pipes, must decide.
    let text =
        format!("(setsid sh -c 'setsid sleep {mark} & exit' &) ; while ! pgrep -f 'sleep {mark}' >/dev/null; do :; done; exit 7");
    assert_eq!(run(&text).await.unwrap().code, 7);
    assert!(!lives(&mark));
}

#[tokio::test]
async fn endless_output_is_cut_and_the_program_ended() {
    for (redirection, expected) in [("", Stream::Stdout), (">&2", Stream::Stderr)] {
        let mark = mark(3);
        let text = format!("trap '' PIPE; sleep {mark} & while :; do head -c 1000000 /dev/zero {redirection}; done");
        let error = run(&text).await.unwrap_err();
        let Error::OutputTooLarge { stream, limit, .. } = error else { panic!("{error}") };
        assert_eq!((stream, limit), (expected, 1 << 20));
        assert!(!lives(&mark));
    }
}

#[tokio::test]
async fn a_run_that_is_dropped_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mark = mark(4);
    let (started, ready) = (folder.path().join("started"), folder.path().join("pid"));
    let program =
        script(folder.path(), &format!("sleep {mark} & echo $! >{}; mv {0} {}; wait", ready.display(), started.display()));
    let mut run = Box::pin(program.run(LONG, reach()).env("PATH", "/usr/bin:/bin").output());
    while !started.exists() {
        let _ = tokio::time::timeout(Duration::from_millis(10), &mut run).await;
    }
    assert!(lives(&mark));
    drop(run);
    // The supervisor ends it by itself, in its own time.
    assert!(ends(&mark));
}

#[tokio::test]
async fn a_program_dies_with_the_process_that_wanted_it() {
    let folder = tempfile::tempdir().unwrap();
    let mark = mark(5);
    // The shell plays gp-deliver: it starts a supervisor as gp-deliver does, and is killed as one that runs out of memory.
    let supervisor = binary().display().to_string();
    let text = format!(
        "{supervisor} __supervise $$ exception -- /bin/sleep {mark} & while ! pgrep -f '^/bin/sleep {mark}' >/dev/null; do :; done; kill -KILL $$"
    );
    fs::write(folder.path().join("parent"), text).unwrap();
    let status = std::process::Command::new("/bin/sh").arg(folder.path().join("parent")).status().unwrap();
    assert!(!status.success());
    assert!(ends(&mark));
}

#[tokio::test]
async fn a_file_that_is_no_program_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scanner");
    fs::write(&path, "#!/nowhere/interpreter\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let error = launcher_in(folder.path()).find("scanner").unwrap().run(LONG, reach()).output().await.unwrap_err();
    let Error::Spawn { reason, .. } = error else { panic!("{error}") };
    assert!(reason.contains("No such file"), "{reason}");
    let missing = Launcher::new("/proc/self/exe", OsStr::new("/nowhere"), Demand::Off).find("scanner");
    assert!(matches!(missing, Err(Error::Missing { .. })));
}

#[tokio::test]
async fn large_programs_take_turns_and_a_wait_is_no_part_of_their_time() {
    const AT_ONCE: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("running")).unwrap();
    // Each registers itself, counts those that run, and ends once all that may run at once do.
    let text = format!(
        "cd {0} && : >running/$$ && ls running | wc -l >>counts; while [ ! -e enough ]; do :; done; rm running/$$; echo $GOMAXPROCS",
        folder.path().display()
    );
    script(folder.path(), &text);
    let launcher = Launcher { turns: Turns::of(AT_ONCE), ..launcher_in(folder.path()) };
    let runs = (0..4 * AT_ONCE).map(|_| {
        let run = launcher.find("scanner").unwrap().run(LONG, reach()).in_turn();
        tokio::spawn(run.env("PATH", "/usr/bin:/bin").output())
    });
    let runs: Vec<_> = runs.collect();
    // Not before the last of them has counted, or one that ends may be gone from its count.
    while fs::read_to_string(at("counts")).unwrap_or_default().lines().count() < AT_ONCE {
        tokio::task::yield_now().await;
    }
    fs::write(at("enough"), "").unwrap();
    for run in runs {
        assert_eq!(run.await.unwrap().unwrap().stdout, b"1\n");
    }
    let counts = fs::read_to_string(at("counts")).unwrap();
    let counts: Vec<usize> = counts.lines().map(|count| count.trim().parse().unwrap()).collect();
    assert_eq!((counts.len(), counts.iter().max()), (4 * AT_ONCE, Some(&AT_ONCE)), "{counts:?}");
}
