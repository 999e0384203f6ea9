//! Asking git about a repository starts nothing that the repository names, and its words give no orders.

use std::fs;
use std::path::Path;

use crate::support::git::{commit, git};
use crate::support::{Delivery, Source, script};

const DOCKERFILE: &str = "FROM scratch\nCOPY . /app/\n";

/// The runs that ask git.
fn runs(source: &Source, context: &Path) -> Vec<Delivery> {
    let run = |command: &str| source.run(command).flag("--build-context", context.to_str().unwrap());
    let deliver = run("deliver").flag("--environment", "dev");
    let policy = run("policy").flag("--environment", "prod").variable("GITHUB_REPOSITORY", "acme/app");
    let policy = policy.flag("--ecr-repository", "team/app").flag("--aws-region", "eu-central-1").without("--destination");
    vec![run("plan"), deliver, run("doctor"), policy.flag("--role-to-assume", "arn:aws:iam::012345678901:role/deliver")]
}

/// A program that leaves a mark.
fn marking(source: &Source) -> String {
    let program = source.beside("program");
    script(&program, &format!("#!/bin/sh\ntouch {}\ncat\n", source.beside("mark").display()));
    program.to_str().unwrap().to_owned()
}

#[test]
fn a_committed_folder_that_looks_like_a_repository_is_none() {
    let source = Source::in_git(&[("services/api/Dockerfile", DOCKERFILE), ("services/api/app", "1")]);
    let program = marking(&source);
    let bare = source.context().join("services/api");
    for (path, text) in [
        ("HEAD", "ref: refs/heads/main\n"),
        ("objects/info/keep", ""),
        ("refs/heads/.keep", ""),
        (".gitattributes", "app filter=x\n"),
        (
            "config",
            &format!(
                "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n[filter \"x\"]\n\tclean = {program}\n"
            ),
        ),
    ] {
        fs::create_dir_all(bare.join(path).parent().unwrap()).unwrap();
        fs::write(bare.join(path), text).unwrap();
    }
    let armed = format!("--git-dir={}", bare.display());
    git(&bare, [&*armed, "--work-tree=.", "-c", "filter.x.clean=cat", "update-index", "--add", "app"]);
    git(&source.context(), ["add", "--force", "--all"]);
    let sha = commit(&source.context());
    // git itself falls for it.
    fs::write(bare.join("app"), "2").unwrap();
    git(&bare, ["status"]);
    assert!(source.beside("mark").exists());
    fs::remove_file(source.beside("mark")).unwrap();
    for run in runs(&source, &bare) {
        let _ = run.output();
        assert!(!source.beside("mark").exists());
    }
    assert_eq!(source.record()["source"]["commit"], *sha);
}

#[test]
fn nothing_that_the_clones_configuration_names_is_started() {
    let source = Source::in_git(&[("Dockerfile", DOCKERFILE), (".gitattributes", "* filter=x diff=x merge=x\n"), ("a", "1")]);
    source.write("a", "2");
    commit(&source.context());
    let program = marking(&source);
    let included = source.beside("included");
    fs::write(&included, format!("[core]\n\tfsmonitor = {program}\n")).unwrap();
    let hooks = source.context().join(".git/hooks");
    for hook in ["post-index-change", "fsmonitor-watchman", "reference-transaction", "post-checkout", "pre-auto-gc"] {
        script(&hooks.join(hook), &format!("#!/bin/sh\ntouch {}\n", source.beside("mark").display()));
    }
    let mut configuration = format!("[include]\n\tpath = {}\n", included.display());
    configuration.push_str(&format!(
        "[core]\n\tfsmonitor = {program}\n\tpager = {program}\n\taskPass = {program}\n\tsshCommand = {program}\n"
    ));
    configuration.push_str(&format!("\talternateRefsCommand = {program}\n\teditor = {program}\n\tgitProxy = {program}\n"));
    configuration.push_str(&format!(
        "[filter \"x\"]\n\tclean = {program}\n\tsmudge = {program}\n\tprocess = {program}\n\trequired = true\n"
    ));
    configuration
        .push_str(&format!("[diff]\n\texternal = {program}\n[diff \"x\"]\n\ttextconv = {program}\n\tcommand = {program}\n"));
    configuration
        .push_str(&format!("[merge \"x\"]\n\tdriver = {program}\n[gpg]\n\tprogram = {program}\n[log]\n\tshowSignature = true\n"));
    configuration.push_str(&format!("[credential]\n\thelper = {program}\n[alias]\n\tstatus = !{program}\n\tlog = !{program}\n"));
    configuration
        .push_str(&format!("[pager]\n\tlog = {program}\n\tstatus = {program}\n[uploadpack]\n\tpackObjectsHook = {program}\n"));
    configuration
        .push_str(&format!("[remote \"origin\"]\n\turl = ext::{program}\n\tpromisor = true\n\tuploadpack = {program}\n"));
    let file = source.context().join(".git/config");
    fs::write(&file, fs::read_to_string(&file).unwrap() + &configuration).unwrap();
    fs::write(source.context().join("a"), "3").unwrap();
    // git itself starts some.
    let _ = std::process::Command::new("git").current_dir(source.context()).arg("status").output().unwrap();
    assert!(source.beside("mark").exists());
    fs::remove_file(source.beside("mark")).unwrap();
    for run in runs(&source, &source.context()) {
        let _ = run.output();
        assert!(!source.beside("mark").exists());
    }
}

#[test]
fn an_object_that_is_not_there_is_fetched_from_nowhere() {
    let source = Source::in_git(&[("Dockerfile", DOCKERFILE), ("a", "1")]);
    let blob = git(&source.context(), ["rev-parse", "HEAD:a"]);
    let program = marking(&source);
    for (key, value) in [
        ("remote.origin.url", format!("ext::{program} %S")),
        ("remote.origin.promisor", "true".to_owned()),
        ("remote.origin.partialclonefilter", "blob:none".to_owned()),
        ("protocol.ext.allow", "always".to_owned()),
        ("extensions.partialClone", "origin".to_owned()),
        ("core.repositoryFormatVersion", "1".to_owned()),
    ] {
        git(&source.context(), ["config", key, &value]);
    }
    fs::remove_file(source.context().join(format!(".git/objects/{}/{}", &blob[..2], &blob[2..]))).unwrap();
    source.deliver().ends_with(1).says("partial");
    assert!(!source.beside("mark").exists());
}

#[test]
fn the_repositorys_words_give_no_orders() {
    let source = Source::in_git(&[("Dockerfile", DOCKERFILE)]);
    let orders = "x\n::error file=a::owned\n##[error]owned\n::stop-commands::owned\n";
    source.write(".gitmodules", &format!("[submodule \"a\"]\n\tpath = a\n\tignore = \"{}\"\n[", orders.replace('\n', "\\n")));
    git(&source.context(), ["add", "."]);
    git(&source.context(), ["commit", "--quiet", "--message", orders]);
    source.write(orders, "1");
    let file = source.context().join(".git/config");
    let valid = fs::read_to_string(&file).unwrap();
    let broken = format!("{valid}[core]\n\tbare = \"{}\"\n[broken", orders.replace('\n', "\\n"));
    for configuration in [valid, broken] {
        fs::write(&file, configuration).unwrap();
        for run in runs(&source, &source.context()) {
            let run = run.variable("GITHUB_ACTIONS", "true").variable("GITHUB_EVENT_NAME", "push");
            let run = run.variable("GITHUB_REF", "refs/heads/development");
            let run = run.variable("GITHUB_SHA", &git_head(&source));
            let ended = run.output();
            for line in ended.stdout.lines().chain(ended.stderr.lines()) {
                let line = line.trim_start();
                assert!(!(line.starts_with("::") || line.contains("##[")) || !line.contains("owned"), "{line:?}\n{ended}");
            }
        }
    }
}

/// The commit, also where git can't read the configuration.
fn git_head(source: &Source) -> String {
    fs::read_to_string(source.context().join(".git/refs/heads/main")).unwrap().trim().to_owned()
}
