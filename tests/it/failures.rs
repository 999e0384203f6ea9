//! Whatever is wrong, a person reads what, why and what to do; nothing is published; the report is written.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::processes::{running, wait_until};
use crate::support::{self, Delivery, Ended, Source, engine, part, script, tool};

const BASE: &str = "debian:bookworm-slim";

fn source() -> Source {
    Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "1")])
}

/// Asserts an ending that a person can act on, and that nothing of the destination was touched.
fn fails(source: &Source, delivery: &Delivery) -> Ended {
    let ended = delivery.ends_with(1);
    told(source, &ended);
    assert!(!source.beside("image").exists(), "nothing is published");
    ended
}

/// What is said of the failure. Asserts that the log's end and the summary say what, why and what to do, each in its place.
fn told(source: &Source, ended: &Ended) -> String {
    ended.does_not_say("panicked");
    let (record, summary) = (source.record(), source.summary());
    assert_eq!(record["result"], "failed");
    let parts = ["what", "why", "remedy"].map(|name| record["failure"][name].as_str().unwrap().to_owned());
    assert!(parts.iter().all(|part| !part.is_empty()), "{parts:?}");
    let has = |text: &str, heading: &str| {
        let rest = text.lines().filter_map(|line| line.strip_prefix(heading));
        rest.filter(|rest| !rest.trim().is_empty()).count() == 1
    };
    for heading in ["FAILED: ", "  why         ", "  what to do  "] {
        assert!(has(&ended.stderr, heading), "no {heading:?}:\n{ended}");
    }
    for heading in ["## ❌ Failed: ", "- **Why:** ", "- **What to do:** "] {
        assert!(has(&summary, heading), "no {heading:?}:\n{summary}");
    }
    parts.join("\n")
}

#[test]
fn without_an_engine_the_addresses_that_were_tried_are_named() {
    let source = source();
    let delivery = source.deliver().variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
    fails(&source, &delivery).says("/nowhere/docker.sock").says("DOCKER_HOST");
    let delivery = source.deliver().flag("--buildkit-host", "tcp://127.0.0.1:1");
    fails(&source, &delivery).says("tcp://127.0.0.1:1");
}

#[test]
fn an_engine_that_is_too_old_is_told_by_its_api() {
    let source = source();
    let socket = source.beside("old.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while request.read_line(&mut line).unwrap_or(0) > 2 {
                line.clear();
            }
            let body = r#"{"Version":"18.09.9","ApiVersion":"1.39"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let delivery = source.deliver().variable("DOCKER_HOST", &format!("unix://{}", socket.display()));
    fails(&source, &delivery).says("18.09.9").says("1.41");
}

#[test]
fn a_missing_scanner_is_named_before_anything_is_built() {
    for missing in ["gitleaks", "trivy", "syft"] {
        let source = source();
        let folder = source.beside("bin");
        fs::create_dir_all(&folder).unwrap();
        for present in ["gitleaks", "trivy", "syft"].into_iter().filter(|name| *name != missing) {
            std::os::unix::fs::symlink(tool(present), folder.join(present)).unwrap();
        }
        let delivery = source.deliver().path(&format!("{}:/usr/bin:/bin", folder.display()));
        let ended = fails(&source, &delivery);
        ended.does_not_say("#1 ");
        assert!(told(&source, &ended).contains(missing), "{ended}");
    }
}

/// A path on which one scanner is a script.
fn with_scanner(source: &Source, name: &str, text: &str) -> String {
    script(&source.beside("bin").join(name), text);
    format!("{}:{}:/usr/bin:/bin", source.beside("bin").display(), part("TOOLS"))
}

#[test]
fn a_scanner_that_crashes_or_prints_rubbish_is_a_failure_and_never_a_clean_result() {
    for name in ["gitleaks", "trivy", "syft"] {
        for text in [
            "#!/bin/sh\nkill -SEGV $$\n",
            "#!/bin/sh\necho 'this is not a report'\n",
            "#!/bin/sh\necho broken >&2\nexit 1\n",
            "#!/bin/sh\nexit 0\n",
        ] {
            let source = source();
            let path = with_scanner(&source, name, text);
            let delivery = source.deliver().path(&path);
            // In the sandbox it could not even end itself by a signal.
            let ended = fails(&source, &if text.contains("SEGV") { delivery.without_sandbox() } else { delivery });
            assert!(told(&source, &ended).contains(name), "{ended}");
        }
    }
}

#[test]
fn a_context_or_dockerfile_that_is_not_there_is_an_input_error() {
    let source = source();
    source.deliver().flag("--build-context", "nowhere").ends_with(2).says("build-context").says("nowhere");
    source.deliver().flag("--dockerfile-path", "Nofile").ends_with(2).says("dockerfile-path").says("Nofile");
}

#[test]
fn a_full_disk_is_said_to_be_full() {
    let source = Source::in_git(&[("Dockerfile", &format!("FROM {BASE}\nCOPY a /\n")), ("a", "1")]);
    let small = source.beside("report");
    fs::create_dir_all(&small).unwrap();
    // In a mount namespace of its own, the report's folder is a disk of one megabyte.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c"]);
    command
        .arg(r#"mount -t tmpfs -o size=1m tmpfs "$0" && "$@"; code=$?; cp "$0/record.json" "$0/../kept.json"; exit $code"#)
        .arg(&small);
    let deliver = source.deliver().command();
    command.arg(deliver.get_program()).args(deliver.get_args()).env_clear();
    command.envs(deliver.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = Ended::from(command.current_dir(source.beside("")).output().unwrap());
    assert_eq!(ended.code, Some(1), "{ended}");
    ended.says("No space left on device").says("Make room");
    assert!(!source.beside("image").exists(), "nothing is published");
    assert_eq!(support::read_json(&source.beside("kept.json"))["result"], "failed");
}

#[test]
fn a_destination_that_holds_something_else_is_left_alone() {
    let source = source();
    fs::create_dir_all(source.beside("image")).unwrap();
    fs::write(source.beside("image/precious"), "x").unwrap();
    let ended = source.deliver().ends_with(1);
    assert!(told(&source, &ended).contains(&*source.beside("image").to_string_lossy()), "{ended}");
    assert_eq!(fs::read_dir(source.beside("image")).unwrap().count(), 1);
}

#[test]
fn an_unreachable_registry_is_known_before_the_build() {
    let source = source();
    fails(&source, &source.deliver().flag("--destination", "127.0.0.1:1/team/app")).says("127.0.0.1:1").does_not_say("#1 ");
}

#[test]
fn a_database_that_can_not_be_had_fails_where_the_gate_blocks_and_warns_elsewhere() {
    let source = source();
    let delivery = source.deliver().flag("--trivy-db-repository", "127.0.0.1:1/trivy-db:2");
    fails(&source, &delivery.clone().flag("--environment", "prod")).says("127.0.0.1:1/trivy-db");
    delivery.flag("--environment", "dev").ends_with(0).says("127.0.0.1:1/trivy-db");
    let stages = source.record()["stages"].clone();
    let scan = stages.as_array().unwrap().iter().find(|stage| stage["name"] == "vulnerabilities").unwrap().clone();
    assert_eq!(scan["outcome"]["is"], "skipped", "{stages}");
}

#[test]
fn a_signal_ends_the_build_and_leaves_a_report_and_nothing_else() {
    for (number, signal, code) in [(1, "INT", 130), (2, "TERM", 143)] {
        let seconds = format!("{}{number}", 70_000 + std::process::id());
        let source = Source::in_git(&[("Dockerfile", &format!("FROM {BASE}\nRUN echo begun && sleep {seconds}\n"))]);
        let mut child = source.deliver().on(&engine()).command().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains(" begun\n") {
            assert!(log.read_line(&mut said).unwrap() > 0, "{said}");
        }
        support::run(Command::new("kill").args([format!("-{signal}"), child.id().to_string()]));
        log.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{said}");
        assert_eq!(source.record()["result"], "cancelled", "{said}");
        assert!(source.summary().contains("ancelled"));
        assert!(!source.beside("image").exists());
        assert!(leftovers(&source.beside("report")).is_empty(), "{:?}", leftovers(&source.beside("report")));
        wait_until("the build step goes on", || !running(&format!("sleep {seconds}")) && !running(&format!("sleep\0{seconds}")));
    }
}

fn leftovers(report: &Path) -> Vec<String> {
    let names = fs::read_dir(report).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with('.') && name != ".gitignore").collect()
}

#[test]
fn a_report_folder_that_is_a_link_is_not_followed() {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY . /\n")]);
    let outside = source.beside("outside");
    std::fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, source.beside("link")).unwrap();
    for folder in ["link", "link/report"] {
        source.deliver().flag("--report-dir", folder).ends_with(1).says("A file or a link has the name of a folder");
    }
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}
