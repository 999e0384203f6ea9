//! What the source names is opened beneath its root: no link brings anything from elsewhere into an image, a report or a
//! decision, nothing that is no file holds a run up, and no text ends it but by an error.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::git::{commit, git, repository};
use crate::support::{Delivery, Ended, Source, run};

const DOCKERFILE: &str = "FROM scratch\nCOPY . /app/\n";
const TOKEN: &str = "token-4b5a6978";

/// Puts something under a name, in the place of what is there.
fn put(path: &Path, make: impl FnOnce(&Path)) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir_all(path);
    make(path);
}

/// Makes something at a path.
type Make = Box<dyn Fn(&Path)>;

/// What may stand in the place of a file and is none, each with words for it.
fn no_files(source: &Source) -> Vec<(&'static str, Make)> {
    fs::write(source.beside("outside"), TOKEN).unwrap();
    let link = |target: &'static str| -> Make { Box::new(move |path| symlink(target, path).unwrap()) };
    vec![
        ("outside", link("../outside")),
        ("/proc/self/environ", link("/proc/self/environ")),
        ("/dev/stdin", link("/dev/stdin")),
        ("pipe", Box::new(|path| drop(run(std::process::Command::new("mkfifo").arg(path))))),
        ("folder", Box::new(|path| fs::create_dir(path).unwrap())),
        ("bytes", Box::new(|path| fs::File::create(path).unwrap().set_len(10 << 30).unwrap())),
    ]
}

fn is_refused(delivery: &Delivery, words: &str) -> Ended {
    let ended = delivery.clone().variable("INPUT_GITHUB-TOKEN", TOKEN).output();
    assert!(matches!(ended.code, Some(1 | 2)), "{words}: {ended}");
    ended.does_not_say(TOKEN);
    ended
}

#[test]
fn a_context_that_is_a_link_out_gives_nothing_to_the_build() {
    let source = Source::in_git(&[("docker/Dockerfile", "FROM scratch\nCOPY environ /environ\n"), ("real/environ", "inside")]);
    fs::create_dir(source.beside("outside")).unwrap();
    fs::write(source.beside("outside/environ"), TOKEN).unwrap();
    let deliver = |context: &str| {
        let delivery = source.deliver().flag("--build-context", source.context().join(context).to_str().unwrap());
        let delivery = delivery.flag("--dockerfile-path", source.context().join("docker/Dockerfile").to_str().unwrap());
        delivery.flag("--environment", "dev").variable("GITHUB_TOKEN", TOKEN)
    };
    for target in ["../outside", "/proc/self", "/proc/self/cwd", "../source/../outside", "/"] {
        put(&source.context().join("app"), |path| symlink(target, path).unwrap());
        put(&source.context().join("chain"), |path| symlink("app", path).unwrap());
        for context in ["app", "chain", "app/."] {
            is_refused(&deliver(context), target).says("leads out of the checkout");
            assert!(!source.beside("image").exists(), "{target}");
        }
        assert_eq!(source.record()["result"], "failed");
    }
    let whole = source.context().join("real");
    for target in ["real", whole.to_str().unwrap(), "docker/../real", "../source/real"] {
        put(&source.context().join("app"), |path| symlink(target, path).unwrap());
        deliver("chain").ends_with(0);
        assert_eq!(source.image().files()["environ"], b"inside", "{target}");
    }
}

#[test]
fn a_dockerfile_that_is_none_of_the_sources_files_is_refused_at_once() {
    let source = Source::in_git(&[("Dockerfile", DOCKERFILE)]);
    for (words, make) in no_files(&source) {
        put(&source.context().join("Dockerfile"), &make);
        is_refused(&source.run("plan"), words);
        is_refused(&source.deliver(), words);
        assert!(!source.beside("image").exists(), "{words}");
    }
}

#[test]
fn an_ignore_file_that_is_none_of_the_sources_files_is_refused_at_once() {
    for name in ["Dockerfile.dockerignore", ".dockerignore"] {
        let source = Source::in_git(&[("Dockerfile", DOCKERFILE)]);
        for (words, make) in no_files(&source) {
            put(&source.context().join(name), &make);
            is_refused(&source.run("plan"), words).says(name);
            is_refused(&source.deliver(), words).says(name);
            assert!(!source.beside("image").exists(), "{words}");
        }
        source.write("ignored", "x");
        source.write("own/patterns", "ignored\nDockerfile\n.git\nown\n");
        put(&source.context().join(name), |path| symlink("own/patterns", path).unwrap());
        source.deliver().ends_with(0);
        assert!(!source.image().files().contains_key("app/ignored"), "{name}");
    }
}

#[test]
fn a_list_that_is_none_of_the_sources_files_is_refused_at_once() {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")]);
    for name in [".gitleaks.toml", ".gitleaksignore", ".trivyignore", ".trivyignore.yaml"] {
        for (words, make) in no_files(&source) {
            // As gitleaks has it, a folder of that name is no list.
            if (name, words) == (".gitleaksignore", "folder") {
                continue;
            }
            put(&source.context().join(name), &make);
            // The Dockerfile copies nothing of it; the scan of the files passes over what is none.
            source.write(".dockerignore", "*\n!Dockerfile\n");
            is_refused(&source.deliver().flag("--environment", "dev").flag("--secrets-history", "none"), words).says(name);
        }
        put(&source.context().join(name), |path| fs::write(path, "").unwrap());
        fs::remove_file(source.context().join(name)).unwrap();
    }
}

#[test]
fn a_context_outside_of_every_checkout_is_its_owners() {
    let source = Source::new(&[("Dockerfile", DOCKERFILE), ("a", "1")]);
    symlink("source", source.beside("by-a-link")).unwrap();
    let context = source.beside("by-a-link");
    source.deliver().flag("--build-context", context.to_str().unwrap()).ends_with(0);
    assert_eq!(source.image().files()["app/a"], b"1");
    fs::write(source.beside("Dockerfile.other"), "FROM scratch\nCOPY a /other\n").unwrap();
    let other = source.beside("Dockerfile.other");
    fs::remove_dir_all(source.beside("image")).unwrap();
    source.deliver().flag("--dockerfile-path", other.to_str().unwrap()).ends_with(0);
    assert!(source.image().files().contains_key("other"));
    put(&source.context().join("Dockerfile"), |path| symlink("../Dockerfile.other", path).unwrap());
    source.deliver().ends_with(1).says("leads out");
    // In a workspace it is the run's, whether or not git knows it.
    put(&source.context().join("app"), |path| symlink("/proc/self", path).unwrap());
    let job = source.deliver().variable("GITHUB_ACTIONS", "true").variable("GITHUB_EVENT_NAME", "push");
    let job = job.variable("GITHUB_REF", "refs/heads/development").variable("GITHUB_SHA", &"1".repeat(40));
    let job = job.variable("GITHUB_WORKSPACE", source.context().to_str().unwrap());
    let job = job.flag("--dockerfile-path", other.to_str().unwrap());
    job.flag("--build-context", source.context().join("app").to_str().unwrap()).ends_with(1).says("leads out");
}

#[test]
fn a_context_in_a_submodule_may_lead_to_the_files_around_it() {
    let source = Source::new(&[("shared/Dockerfile", DOCKERFILE), ("shared/a", "1")]);
    let lib = source.beside("lib");
    fs::create_dir(&lib).unwrap();
    symlink("../shared/Dockerfile", lib.join("Dockerfile")).unwrap();
    symlink("../shared", lib.join("context")).unwrap();
    symlink("../../outside", lib.join("out")).unwrap();
    repository(&lib);
    fs::create_dir(source.beside("outside")).unwrap();
    git(&source.context(), ["init", "--quiet", "--initial-branch=main"]);
    git(&source.context(), ["submodule", "--quiet", "add", lib.to_str().unwrap(), "lib"]);
    commit(&source.context());
    let lib = source.context().join("lib");
    let deliver = |context: &str| {
        let delivery = source.deliver().flag("--build-context", lib.join(context).to_str().unwrap());
        delivery.flag("--dockerfile-path", lib.join("Dockerfile").to_str().unwrap())
    };
    deliver("").ends_with(0);
    deliver("context").ends_with(0);
    assert_eq!(source.image().files()["app/a"], b"1");
    deliver("out").ends_with(1).says("leads out of the checkout");
}

#[test]
fn a_dockerfile_beyond_a_limit_ends_with_an_error_that_names_the_line() {
    let doubling: Vec<_> = (1..64).map(|n| format!("ARG v{n}=$v{0}$v{0}\n", n - 1)).collect();
    let doubling = doubling.concat();
    let opened = "${a:-".repeat(10_000) + "\\\n";
    let closed = "}".repeat(60_000);
    for (text, line, limit) in [
        (
            format!("FROM scratch AS s\nCOPY app /app\nFROM {}s{closed}\n", opened.repeat(6)),
            "line 3",
            "variables stand in each other",
        ),
        (format!("ARG v0=0123456789\n{doubling}FROM scratch\nCOPY app /app\n"), "line ", "variables bring more than"),
        ("FROM scratch\n".repeat(1001), "line 1001", "1000 stages"),
    ] {
        let source = Source::in_git(&[("app", "1"), ("Dockerfile", &text)]);
        source.run("plan").ends_with(1).says(line).says(limit);
        source.deliver().flag("--environment", "prod").ends_with(1).says(line).says(limit);
        assert_eq!(source.record()["result"], "failed");
    }
}

#[test]
fn an_ignore_file_beyond_a_limit_ends_with_an_error_that_names_the_line() {
    for (text, line, limit) in
        [("a\n".repeat(10_001), "line 10001", "10000 patterns"), (format!("a\n{}\n", "**/".repeat(2000)), "line 2", "4096 bytes")]
    {
        let source = Source::in_git(&[("Dockerfile", DOCKERFILE), (".dockerignore", &text)]);
        source.run("plan").ends_with(1).says(".dockerignore").says(line).says(limit);
    }
    // What a matcher that tries all ways would never come to the end of.
    let long = format!("{}b\n", "**/*a".repeat(500));
    let source = Source::in_git(&[("Dockerfile", DOCKERFILE), (".dockerignore", &long), (&"a".repeat(200), "1")]);
    source.run("plan").ends_with(0);
}

#[test]
fn a_list_that_comes_to_more_than_it_says_is_refused() {
    let long = format!("a: &a {}\nvulnerabilities: [{}]\n", "x".repeat(1 << 16), "{id: *a},".repeat(2000));
    let deep = format!("vulnerabilities:\n{}x", "- ".repeat(100_000));
    for (text, words) in [(long, "aliases"), (deep, "nests more than 100")] {
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n"), (".trivyignore.yaml", &text)]);
        source.deliver().ends_with(1).says(".trivyignore.yaml").says(words);
    }
}
