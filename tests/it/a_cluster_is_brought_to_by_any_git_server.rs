//! The repository that a cluster is brought to is at any git server: the same edit, written by git's own protocol from the commit
//! that was read and from no other, with a token that nobody sees, and without a pull request.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use doubles::git_server::{Call, Fault, GitServer};
use doubles::github::Repository;

use crate::a_cluster_is_brought_to_what_is_out::{block, image, result, source, write};
use crate::faults::namespace;
use crate::support::git::{commit, git, repository};
use crate::support::processes::{signal, wait_until};
use crate::support::{Delivery, Ended, Source, job};

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;
const TOKEN: &str = "glpat-Xk3vQ9mZr7TbN2wLc5Yd";
const IMAGE: &str = "registry.example/shop/web";
const DEPLOYMENT: &str = "\
# Who owns it: the shop.
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: web
          image: 'registry.example/shop/web:old'   # by the pipeline
";

/// A repository at a git server.
struct Cluster {
    folder: tempfile::TempDir,
    server: GitServer,
}

impl Cluster {
    fn with(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        fs::create_dir(&work).unwrap();
        write(&work, "apps/web.yaml", DEPLOYMENT);
        repository(&work);
        prepare(&work);
        git(folder.path(), ["clone", "--quiet", "--bare", "work", "deploy.git"]);
        let server = GitServer::start(folder.path(), "git", TOKEN);
        let cluster = Self { folder, server };
        cluster.set("uploadpack.allowFilter", "true");
        cluster
    }

    fn new() -> Self {
        Self::with(|_| ())
    }

    fn bare(&self) -> PathBuf {
        self.folder.path().join("deploy.git")
    }

    fn set(&self, name: &str, value: &str) {
        git(&self.bare(), ["config", name, value]);
    }

    fn hook(&self, text: &str) {
        let path = self.bare().join("hooks/pre-receive");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn file(&self, path: &str) -> String {
        git(&self.bare(), ["show", &format!("main:{path}")]) + "\n"
    }

    fn commits(&self) -> usize {
        git(&self.bare(), ["rev-list", "--count", "main"]).parse().unwrap()
    }

    /// What someone else does to the branch, once it is called.
    fn others(&self, path: &'static str, text: &'static str, force: bool) -> impl FnOnce() + Send + 'static {
        let folder = self.folder.path().to_owned();
        move || {
            let work = folder.join("work");
            if force {
                git(&work, ["commit", "--quiet", "--amend", "--message", "another first"]);
            } else {
                git(&work, ["pull", "--quiet", "../deploy.git", "main"]);
            }
            write(&work, path, text);
            commit(&work);
            git(&work, ["push", "--quiet", if force { "--force" } else { "--porcelain" }, "../deploy.git", "HEAD:main"]);
        }
    }

    fn is_whole(&self) {
        git(&self.bare(), ["fsck", "--strict", "--no-dangling"]);
    }
}

fn gitops(cluster: &Cluster, source: &Source, at: &Repository, image: &str) -> Delivery {
    let run = source.run("gitops").argument(image);
    let run = run.flag("--gitops-repository", &cluster.server.url("deploy.git")).flag("--gitops-path", "apps/*.yaml");
    let run = run.variable("INPUT_GITOPS-TOKEN", TOKEN).flag("--environment", "prod");
    let run = run.variable("GITHUB_ACTIONS", "true").variable("GITHUB_EVENT_NAME", "push").variable("GITHUB_RUN_ID", "42");
    let run = run.variable("GITHUB_REF", "refs/heads/main").variable("GITHUB_SHA", &job::commit(source));
    let outputs = source.beside("outputs");
    let run = run.variable("GITHUB_OUTPUT", &outputs.to_string_lossy());
    fs::write(outputs, "").unwrap();
    at.environment().into_iter().fold(run, |run, (name, value)| run.variable(&name, &value))
}

#[test]
fn a_commit_sets_the_image_and_no_other_byte_and_the_token_is_shown_to_the_server_alone() {
    for filters in ["true", "false"] {
        let (cluster, (source, at)) = (Cluster::new(), source());
        cluster.set("uploadpack.allowFilter", filters);
        let ended = gitops(&cluster, &source, &at, &image(1)).variable("GP_DELIVER_LOG", "debug").ends_with(0);
        assert_eq!(cluster.file("apps/web.yaml"), DEPLOYMENT.replace("registry.example/shop/web:old", &image(1)));
        let message = git(&cluster.bare(), ["show", "--no-patch", "--format=%B", "main"]);
        assert!(message.starts_with("Deliver shop/web:v1\n\n"), "{message}");
        for line in [format!("Gp-Deliver-Image: {IMAGE}"), format!("Gp-Deliver-Commit: {}@{}", at.slug(), job::commit(&source))] {
            assert!(message.lines().any(|one| one == line), "{line}: {message}");
        }
        assert_eq!((result(&source), cluster.commits()), ("updated".into(), 2));
        cluster.is_whole();
        let told = |line: &&str| line.contains(TOKEN);
        let told: Vec<_> = ended.stdout.lines().chain(ended.stderr.lines()).filter(told).collect();
        assert!(!told.is_empty() && told.iter().all(|line| line.starts_with("::add-mask::")), "{ended}");
        let asked = cluster.server.asked();
        assert!(asked.iter().all(|asked| asked.call.is_some() && !asked.path.contains(TOKEN)), "{asked:?}");
        assert!(asked.len() <= 8, "{}", asked.len());
        // Once more, and nothing is written.
        gitops(&cluster, &source, &at, &image(1)).ends_with(0);
        assert_eq!((result(&source), cluster.server.count(Call::Push)), ("unchanged".into(), 1));
    }
}

#[test]
fn ten_writers_at_once_are_all_heard() {
    let files = |work: &Path| {
        for writer in 0..10 {
            write(work, &format!("apps/{writer}.yaml"), &format!("image: registry.example/shop/app{writer}:old\n"));
        }
        commit(work);
    };
    let (cluster, (source, at)) = (Cluster::with(files), source());
    let reference = |writer: u8| format!("registry.example/shop/app{writer}:v1@sha256:{}", format!("{writer:02x}").repeat(32));
    let running: Vec<_> = (0..10).map(|writer| gitops(&cluster, &source, &at, &reference(writer)).spawn()).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for writer in 0..10 {
        assert_eq!(cluster.file(&format!("apps/{writer}.yaml")), format!("image: {}\n", reference(writer)));
    }
    assert_eq!(cluster.commits(), 12);
    cluster.is_whole();
}

#[test]
fn what_others_write_meanwhile_stays() {
    for force in [false, true] {
        let (cluster, (source, at)) = (Cluster::new(), source());
        cluster.server.before(Call::Push, cluster.others("theirs.yaml", "a: 1\n", force));
        gitops(&cluster, &source, &at, &image(1)).ends_with(0);
        assert_eq!(cluster.file("theirs.yaml"), "a: 1\n");
        assert!(cluster.file("apps/web.yaml").contains(&image(1)));
        assert_eq!(cluster.server.count(Call::Push), 2);
        cluster.is_whole();
    }
}

#[test]
fn a_branch_that_takes_no_commit_is_said_in_the_servers_words_and_there_is_no_pull_request() {
    let (cluster, (source, at)) = (Cluster::new(), source());
    cluster.hook("echo 'GL-HOOK-ERR: You are not allowed to push to protected branches' >&2; exit 1");
    let ended = gitops(&cluster, &source, &at, &image(1)).ends_with(4);
    ended.says("pre-receive hook declined").says("You are not allowed to push to protected branches").says("GitHub alone");
    assert_eq!((result(&source), cluster.commits(), cluster.server.count(Call::Push)), ("failed".into(), 1, 1));
    let refused = |run: Delivery, says: &str| {
        run.ends_with(2).says(says);
    };
    let ask = || gitops(&cluster, &source, &at, &image(1));
    refused(ask().flag("--gitops-mode", "pull-request"), "a pull request is opened at GitHub alone");
    for address in [
        "ssh://git@git.example/a/b",
        "git@git.example:a/b",
        "http://git.example/a/b",
        "https://a:b@git.example/a/b",
        "https://github.com/a/b",
    ] {
        refused(ask().flag("--gitops-repository", address), "without a password");
    }
}

#[test]
fn an_older_delivery_does_not_overwrite_a_newer_one_and_what_is_not_known_is_not_written() {
    let (cluster, (source, at)) = (Cluster::new(), source());
    let older = job::commit(&source);
    let newer = source.commit("second");
    gitops(&cluster, &source, &at, &image(2)).ends_with(0);
    source.git(&["checkout", "--quiet", &older]);
    let ended = gitops(&cluster, &source, &at, &image(1)).ends_with(0);
    assert!(ended.stdout.contains(&newer), "{ended}");
    assert_eq!((result(&source), cluster.commits()), ("skipped".into(), 2));
    // Without a token for the source's repository nobody can be asked which of the two is newer.
    source.git(&["checkout", "--quiet", &newer]);
    source.commit("third");
    gitops(&cluster, &source, &at, &image(3)).variable("INPUT_GITHUB-TOKEN", "").ends_with(4).says("is not known");
    assert!(cluster.file("apps/web.yaml").contains(&image(2)));
    gitops(&cluster, &source, &at, &image(3)).ends_with(0);
    assert!(cluster.file("apps/web.yaml").contains(&image(3)));
}

/// Puts a great many commits on the branch that do not touch its files.
fn bury(cluster: &Cluster) {
    let mut stream = String::new();
    for number in 0..1100 {
        let from = if number == 0 { "from refs/heads/main^0\n" } else { "" };
        stream += &format!(
            "commit refs/heads/main\ncommitter a <a@example.invalid> 1700000000 +0000\ndata 1\nx\n{from}M 100644 inline other\ndata <<E\n{number}\nE\n\n"
        );
    }
    let file = cluster.folder.path().join("stream");
    fs::write(&file, stream).unwrap();
    let bare = cluster.bare();
    let import = format!("git -C '{}' fast-import --quiet < '{}'", bare.display(), file.display());
    assert!(std::process::Command::new("sh").args(["-c", &import]).status().unwrap().success());
}

#[test]
fn a_delivery_that_lies_deeper_than_is_read_is_not_overwritten_and_where_there_is_none_one_is_made() {
    let (cluster, (source, at)) = (Cluster::new(), source());
    bury(&cluster);
    gitops(&cluster, &source, &at, &image(1)).ends_with(0);
    assert_eq!(result(&source), "updated");
    cluster.is_whole();
    bury(&cluster);
    source.commit("second");
    gitops(&cluster, &source, &at, &image(2)).ends_with(4).says("is not known");
    assert!(cluster.file("apps/web.yaml").contains(&image(1)));
    // Where the server leaves nothing out, it is not known whether there is one.
    let other = Cluster::new();
    bury(&other);
    other.set("uploadpack.allowFilter", "false");
    gitops(&other, &source, &at, &image(1)).ends_with(4).says("is not known");
}

#[test]
fn links_submodules_and_huge_files_are_not_followed() {
    let odd = |work: &Path| {
        std::os::unix::fs::symlink("/etc/passwd", work.join("link.yaml")).unwrap();
        std::os::unix::fs::symlink("apps", work.join("folder")).unwrap();
        write(work, "apps/huge.yaml", &format!("image: {IMAGE}:old\n{}", "# much\n".repeat(300_000)));
        let module = format!("160000,{},module", git(work, ["rev-parse", "HEAD"]));
        git(work, ["add", "--all"]);
        git(work, ["update-index", "--add", "--cacheinfo", &module]);
        git(work, ["commit", "--quiet", "--message", "odd"]);
    };
    let (cluster, (source, at)) = (Cluster::with(odd), source());
    for (path, says) in [
        ("link.yaml", "link.yaml is a link"),
        ("folder/web.yaml", "folder is a link"),
        ("*", "is a link"),
        ("module", "module is a submodule"),
        ("module/a.yaml", "module is a submodule"),
        ("apps/huge.yaml", "more than 1048576 bytes"),
        ("gone.yaml", "No file there is \"gone.yaml\""),
    ] {
        gitops(&cluster, &source, &at, &image(1)).flag("--gitops-path", path).ends_with(4).says(says);
    }
    assert_eq!(cluster.server.count(Call::Announce), 0);
}

#[test]
fn what_the_server_refuses_is_said_and_the_token_goes_nowhere_else() {
    let (source, at) = source();
    let refused = |cluster: &Cluster, says: &[&str]| {
        let ended = gitops(cluster, &source, &at, &image(1)).ends_with(4);
        for text in says {
            ended.says(text);
        }
        assert_eq!((result(&source), cluster.file("apps/web.yaml")), ("failed".into(), DEPLOYMENT.to_owned()));
    };
    let revoked = Cluster::new();
    revoked.server.revoke();
    refused(&revoked, &["401", "No such token"]);
    let archived = Cluster::new();
    archived.server.fail(Call::Announce, 1, Fault::Status(403, "This repository is archived"));
    refused(&archived, &["403", "This repository is archived"]);
    let (elsewhere, other) = (Cluster::new(), Cluster::new());
    elsewhere.server.fail(Call::Abilities, 1, Fault::Redirect(other.server.url("deploy.git/info/refs")));
    refused(&elsewhere, &["names another address"]);
    assert!(other.server.asked().is_empty());
    let old = Cluster::new();
    old.server.fail(Call::Abilities, 1, Fault::Wrong);
    refused(&old, &["does not speak git's protocol at this address"]);
    let missing = Cluster::new();
    gitops(&missing, &source, &at, &image(1))
        .flag("--gitops-repository", &missing.server.url("none.git"))
        .ends_with(4)
        .says("404");
    gitops(&missing, &source, &at, &image(1)).flag("--gitops-branch", "none").ends_with(4).says("no branch \"none\"");
    gitops(&missing, &source, &at, &image(1)).flag("--gitops-repository", "http://127.0.0.1:1/a/b").ends_with(4).says("refused");
    gitops(&missing, &source, &at, &image(1)).variable("INPUT_GITOPS-TOKEN", "").ends_with(4).says("There is no token for it");
}

#[test]
fn what_passes_is_overcome_and_a_push_is_never_sent_twice_for_an_answer_that_was_lost() {
    let (source, at) = source();
    let passes = [
        (Call::Abilities, Fault::Status(503, "")),
        (Call::ReadBranch, Fault::Status(429, "")),
        (Call::Fetch, Fault::Lost),
        (Call::Fetch, Fault::Truncated),
        (Call::Announce, Fault::Status(502, "")),
    ];
    for (call, fault) in passes {
        let cluster = Cluster::new();
        cluster.server.fail(call, 1, fault.clone());
        gitops(&cluster, &source, &at, &image(1)).ends_with(0);
        assert!(cluster.file("apps/web.yaml").contains(&image(1)), "{call:?} {fault:?}");
    }
    for fault in [Fault::Lost, Fault::Truncated, Fault::Denied] {
        let cluster = Cluster::new();
        cluster.server.fail(Call::Push, 1, fault);
        gitops(&cluster, &source, &at, &image(1)).ends_with(0);
        assert_eq!((result(&source), cluster.commits(), cluster.server.count(Call::Push)), ("updated".into(), 2, 1));
    }
    for (call, fault) in [(Call::Fetch, Fault::Spoilt), (Call::Fetch, Fault::Wrong), (Call::Push, Fault::Status(500, "no"))] {
        let cluster = Cluster::new();
        cluster.server.fail(call, 100, fault);
        gitops(&cluster, &source, &at, &image(1)).ends_with(4);
        assert_eq!((result(&source), cluster.commits()), ("failed".into(), 1));
    }
}

/// The branch is as it was, and the same once more ends well.
fn is_as_it_was(cluster: &Cluster, again: &Delivery) {
    assert_eq!((cluster.file("apps/web.yaml"), cluster.commits()), (DEPLOYMENT.to_owned(), 1));
    again.ends_with(0);
    assert_eq!((cluster.file("apps/web.yaml").contains(&image(1)), cluster.commits()), (true, 2));
    cluster.is_whole();
}

#[test]
fn a_signal_leaves_the_branch_as_it_was_or_with_one_commit_more() {
    for (name, code) in [("TERM", Some(143)), ("KILL", None)] {
        let (cluster, (source, at)) = (Cluster::new(), source());
        let delivery = gitops(&cluster, &source, &at, &image(1));
        cluster.server.fail(Call::Announce, 1, Fault::Hang);
        let running = delivery.spawn();
        wait_until("the server is asked", || cluster.server.count(Call::Announce) == 1);
        signal(running.id(), name);
        let ended: Ended = running.wait_with_output().unwrap().into();
        assert_eq!(ended.code, code, "{ended}");
        is_as_it_was(&cluster, &delivery);
    }
}

#[test]
fn a_clock_that_jumps_meanwhile_changes_nothing() {
    for seconds in [DAY, -DAY] {
        let (cluster, (source, at)) = (Cluster::new(), source());
        let delivery = gitops(&cluster, &source, &at, &image(1));
        let (mut command, clock) = namespace::with_clock(&source, &delivery);
        cluster.server.before(Call::Announce, move || clock.jump(seconds));
        let ended: Ended = command.output().unwrap().into();
        assert_eq!((ended.code, cluster.commits()), (Some(0), 2), "{ended}");
        cluster.is_whole();
    }
}

#[test]
#[ignore = "takes minutes: make faults"]
fn a_server_that_says_nothing_is_given_up_and_a_push_to_it_is_looked_at() {
    let (source, at) = source();
    for call in [Call::Abilities, Call::Fetch, Call::Announce, Call::Push] {
        let cluster = Cluster::new();
        cluster.server.fail(call, 100, Fault::Hang);
        let delivery = gitops(&cluster, &source, &at, &image(1));
        delivery.ends_with(4);
        cluster.server.mend();
        is_as_it_was(&cluster, &delivery);
    }
}

#[test]
fn the_readmes_step_does_what_it_says() {
    let name = "registry.example/shop/web";
    let files = |work: &Path| {
        write(work, "apps/web/kustomization.yaml", &format!("images:\n- name: {name}\n  newTag: old\n"));
        commit(work);
    };
    let (cluster, (source, at)) = (Cluster::with(files), source());
    let step: serde_json::Value = serde_yaml::from_str(&block("yaml", 1)).unwrap();
    let given = |input: &str| match step[0]["with"][input].as_str().unwrap() {
        "https://git.example.com/team/deploy.git" => cluster.server.url("deploy.git"),
        "${{ secrets.GITOPS_TOKEN }}" => TOKEN.to_owned(),
        text => text.to_owned(),
    };
    let run = gitops(&cluster, &source, &at, &image(1)).variable("INPUT_GITOPS-TOKEN", "");
    let run = run.without("--gitops-path").without("--gitops-repository");
    let inputs = step[0]["with"].as_object().unwrap().keys();
    inputs.fold(run, |run, input| run.variable(&format!("INPUT_{}", input.to_uppercase()), &given(input))).ends_with(0);
    assert!(cluster.file("apps/web/kustomization.yaml").contains(&format!("digest: {}", image(1).split_once('@').unwrap().1)));
}
