//! A scanner that is a script: the programs that its first line names are let in with it, and none that it starts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::process::testing::binary;
use crate::process::{Demand, Error, Launcher, Limits, Output, Reach};

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs the scanner of a folder, which may read the folder's `input`.
async fn run(folder: &Path, demand: Demand) -> Result<Output, Error> {
    let launcher = Launcher::new(binary(), folder.as_os_str(), demand);
    let reach = Reach::nothing(Limits::GIT).reads(folder.join("input"));
    launcher.find("scanner").unwrap().run(Duration::from_mins(1), reach).arg(folder.join("input")).output().await
}

#[tokio::test]
async fn a_script_runs_in_the_sandbox_and_so_does_one_whose_interpreter_is_a_script() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("input"), "something\n").unwrap();
    let interpreter = folder.path().join("interpreter");
    // Of an interpreter, the first argument is the script.
    write(&interpreter, "#!/bin/sh\nread line < \"$2\"; echo \"by an interpreter: $line\"\n");
    for (text, said) in [
        ("#! /bin/sh -e\nread line < \"$1\"; echo \"$line\"\n".to_owned(), "something\n"),
        (format!("#!{}\n", interpreter.display()), "by an interpreter: something\n"),
    ] {
        write(&folder.path().join("scanner"), &text);
        let output = run(folder.path(), Demand::Require).await.unwrap();
        assert_eq!((output.code, String::from_utf8_lossy(&output.stdout).as_ref()), (0, said), "{}", output.stderr);
    }
}

#[tokio::test]
async fn what_a_script_starts_is_not_let_in_and_the_error_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for text in [
        "#!/bin/sh\nexec /bin/echo got out\n",
        "#!/usr/bin/env sh\necho got out\n",
        "#!/bin/sh\nPATH=/bin:/usr/bin\ncat /etc/hostname\n",
    ] {
        write(&folder.path().join("scanner"), text);
        let error = run(folder.path(), Demand::Require).await.unwrap_err();
        let Error::Script { program, path, interpreter, code, last } = &error else { panic!("{text}: {error:?}") };
        assert_eq!((program.as_str(), path, *code), ("scanner", &folder.path().join("scanner"), 126), "{last:?}");
        assert!(text.contains(interpreter.to_str().unwrap()) && !last.is_empty(), "{error:?}");
        let output = run(folder.path(), Demand::Off).await.unwrap();
        assert_eq!(output.code, 0, "{}", output.stderr);
    }
}

#[tokio::test]
async fn a_script_reads_nothing_that_a_program_would_not_and_its_own_exit_code_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for (text, demand, code) in [
        ("#!/bin/sh\nread line < /etc/passwd || exit 9\n", Demand::Require, 9),
        ("#!/bin/sh\nread line < /etc/passwd || exit 9\n", Demand::Off, 0),
        ("#!/bin/sh\nexit 126\n", Demand::Off, 126),
        ("#!/bin/sh\nexit 1\n", Demand::Require, 1),
    ] {
        write(&folder.path().join("scanner"), text);
        assert_eq!(run(folder.path(), demand).await.unwrap().code, code, "{text}");
    }
}
