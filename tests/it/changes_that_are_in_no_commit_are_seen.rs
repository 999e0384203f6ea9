//! An image says that it is the commit's only where all that can go into it is as in the commit: also files that git is told
//! to ignore, and without running a program to find out.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::Value;

use crate::support::git::{commit, git, repository};
use crate::support::{Ended, Source, script};

const DOCKERFILE: (&str, &str) = ("Dockerfile", "FROM scratch\nCOPY . /app/\n");

/// What somebody does in a source's folder.
type Change = fn(&Path);

/// A source in git that has these files beside a Dockerfile that copies all.
fn source(files: &[(&str, &str)]) -> Source {
    Source::in_git(&[&[DOCKERFILE], files].concat())
}

/// Whether a delivery of the source would be of one with changes.
#[track_caller]
fn is_dirty(source: &Source) -> bool {
    let plan: Value = serde_json::from_str(&source.run("plan").ends_with(0).stdout).unwrap();
    plan["source"]["dirty"].as_bool().unwrap()
}

/// Gives a file another time than git's index has for it, as a restored cache does.
fn touch(source: &Source, path: &str) {
    let file = fs::File::options().write(true).open(source.context().join(path)).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
}

#[test]
fn a_file_that_git_ignores_and_the_builder_gets_is_a_change() {
    let source = source(&[(".gitignore", "*.env\n/dist/\n")]);
    assert!(!is_dirty(&source));
    source.write("dist/app.js", "built");
    assert!(is_dirty(&source));
    let ended = source.deliver().ends_with(0);
    ended.says("changes that are in no commit").says("dist/app.js").says("`.dockerignore`");
    let label = source.image().config()["config"]["Labels"]["org.opencontainers.image.revision"].as_str().unwrap().to_owned();
    assert!(label.ends_with("-dirty"), "{label}");
}

#[test]
fn what_the_ignore_file_leaves_out_is_no_change() {
    let source = source(&[(".gitignore", "/node_modules/\n"), (".dockerignore", "node_modules\n*.log\n")]);
    source.write("node_modules/a/index.js", "1");
    source.write("debug.log", "1");
    assert!(!is_dirty(&source));
    // A file of the Dockerfile's own counts in place of it.
    source.write("Dockerfile.dockerignore", "debug.log\n");
    commit(&source.context());
    assert!(is_dirty(&source));
}

#[test]
fn any_difference_from_the_commit_is_a_change() {
    let changes: [(&str, Change); 9] = [
        ("content", |root| fs::write(root.join("a/file"), "2").unwrap()),
        ("a file that is gone", |root| fs::remove_file(root.join("a/file")).unwrap()),
        ("a new file", |root| fs::write(root.join("a/new"), "").unwrap()),
        ("a mode", |root| fs::set_permissions(root.join("a/file"), fs::Permissions::from_mode(0o755)).unwrap()),
        ("a link that leads elsewhere", |root| {
            fs::remove_file(root.join("link")).unwrap();
            symlink("elsewhere", root.join("link")).unwrap();
        }),
        ("a link in the place of a file", |root| {
            fs::remove_file(root.join("a/file")).unwrap();
            symlink("../Dockerfile", root.join("a/file")).unwrap();
        }),
        ("the ignore file", |root| fs::write(root.join(".dockerignore"), "x\n").unwrap()),
        ("a change that the index has", |root| {
            fs::write(root.join("a/file"), "2").unwrap();
            git(root, ["add", "a/file"]);
        }),
        ("a repository that the commit does not know", |root| {
            fs::create_dir_all(root.join("vendor/.git")).unwrap();
            fs::write(root.join("vendor/.git/config"), "").unwrap();
        }),
    ];
    for (what, change) in changes {
        let source = Source::new(&[DOCKERFILE, ("a/file", "1")]);
        symlink("a/file", source.context().join("link")).unwrap();
        repository(&source.context());
        assert!(!is_dirty(&source), "{what}");
        change(&source.context());
        assert!(is_dirty(&source), "{what}");
    }
}

#[test]
fn what_can_not_go_into_the_image_is_no_change() {
    let source = Source::in_git(&[("services/api/Dockerfile", DOCKERFILE.1), ("other/file", "1")]);
    source.write("other/file", "2");
    source.write("new", "1");
    let context = source.context().join("services/api");
    let plan = source.run("plan").flag("--build-context", context.to_str().unwrap());
    let dirty = || serde_json::from_str::<Value>(&plan.ends_with(0).stdout).unwrap()["source"]["dirty"].clone();
    assert_eq!(dirty(), false);
    fs::write(context.join("new"), "1").unwrap();
    assert_eq!(dirty(), true);
}

#[test]
fn a_dockerfile_that_is_in_no_commit_is_a_change() {
    let source = source(&[]);
    let outside = source.beside("Dockerfile.generated");
    fs::write(&outside, DOCKERFILE.1).unwrap();
    let plan = source.run("plan").flag("--dockerfile-path", outside.to_str().unwrap()).ends_with(0);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["source"]["dirty"], true);
}

#[test]
fn names_are_bytes() {
    let names = ["trailing ", "line\nend\n", "\"quoted\\", "é", ":(top)x", "-dash"];
    let files: Vec<_> = names.iter().map(|name| (*name, "1")).collect();
    let source = source(&files);
    names.iter().for_each(|name| touch(&source, name));
    assert!(!is_dirty(&source));
    for name in names {
        git(&source.context(), ["update-index", "--assume-unchanged", "--", name]);
    }
    assert!(!is_dirty(&source));
    source.write("line\nend\n", "2");
    assert!(is_dirty(&source));
}

#[test]
fn a_file_that_git_was_told_not_to_look_at_is_looked_at() {
    for flag in ["--assume-unchanged", "--skip-worktree"] {
        let source = source(&[("settings", "1")]);
        git(&source.context(), ["update-index", flag, "settings"]);
        assert!(!is_dirty(&source), "{flag}");
        source.write("settings", "2");
        assert!(is_dirty(&source), "{flag}");
    }
}

#[test]
fn line_ends_and_encodings_that_attributes_ask_for_are_no_change() {
    let attributes = "*.bat text eol=crlf\n*.txt text=auto\n*.utf16 working-tree-encoding=UTF-16LE\n*.id ident\n";
    let source = source(&[(".gitattributes", attributes), ("a.bat", "1\n2\n"), ("b.txt", "1\n"), ("d.id", "$Id$\n")]);
    fs::write(source.context().join("c.utf16"), [b'1', 0, b'\n', 0]).unwrap();
    commit(&source.context());
    // As git writes them.
    for file in ["a.bat", "b.txt", "c.utf16", "d.id"] {
        fs::remove_file(source.context().join(file)).unwrap();
    }
    git(&source.context(), ["checkout", "--", "."]);
    assert_eq!(fs::read(source.context().join("a.bat")).unwrap(), b"1\r\n2\r\n");
    for file in ["a.bat", "b.txt", "c.utf16", "d.id"] {
        touch(&source, file);
    }
    assert!(!is_dirty(&source));
    source.write("a.bat", "1\r\n3\r\n");
    assert!(is_dirty(&source));
}

/// A source with a file in Git LFS, and a git-lfs that leaves a mark where it is started.
fn with_large_file() -> Source {
    let source = source(&[(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")]);
    let hash = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"; // of "content"
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{hash}\nsize 7\n");
    source.write("large.bin", &pointer);
    commit(&source.context());
    let lfs = source.beside("bin/git-lfs");
    script(&lfs, &format!("#!/bin/sh\ntouch {}\ncat\n", source.beside("mark").display()));
    for (key, verb) in [("clean", "clean -- %f"), ("smudge", "smudge -- %f"), ("process", "filter-process")] {
        git(&source.context(), ["config", &format!("filter.lfs.{key}"), &format!("{} {verb}", lfs.display())]);
    }
    git(&source.context(), ["config", "filter.lfs.required", "true"]);
    source.write("large.bin", "content");
    source
}

#[test]
fn a_file_of_git_lfs_is_compared_by_the_hash_that_the_commit_has() {
    let source = with_large_file();
    touch(&source, "large.bin");
    assert!(!is_dirty(&source));
    for content in ["CONTENT", "content and more", ""] {
        source.write("large.bin", content);
        assert!(is_dirty(&source), "{content}");
    }
    // Not fetched: the commit's own pointer is what goes into the image.
    git(
        &source.context(),
        [
            "-c",
            "filter.lfs.required=false",
            "-c",
            "filter.lfs.smudge=",
            "-c",
            "filter.lfs.process=",
            "checkout",
            "--",
            "large.bin",
        ],
    );
    touch(&source, "large.bin");
    assert!(!is_dirty(&source));
    assert!(!source.beside("mark").exists());
}

#[test]
fn a_clone_that_demands_git_lfs_is_delivered_without_it() {
    let source = with_large_file();
    touch(&source, "large.bin");
    fs::remove_file(source.beside("bin/git-lfs")).unwrap();
    source.deliver().ends_with(0).does_not_say("changes that are in no commit").does_not_say("filter");
    assert_eq!(source.image().files()["app/large.bin"], b"content");
}

#[test]
fn of_a_file_behind_another_filter_it_is_said_that_nothing_is_known() {
    let source = source(&[(".gitattributes", "*.up filter=upper\n"), ("a.up", "TEXT\n")]);
    let mark = source.beside("mark");
    let filter = source.beside("bin/upper");
    script(&filter, &format!("#!/bin/sh\ntouch {}\ntr a-z A-Z\n", mark.display()));
    git(&source.context(), ["config", "filter.upper.clean", filter.to_str().unwrap()]);
    git(&source.context(), ["config", "filter.upper.required", "true"]);
    source.write("a.up", "text\n");
    assert!(!is_dirty(&source));
    let said = |ended: &Ended| {
        ended
            .does_not_say("changes that are in no commit")
            .says("1 file of the build context passed through a filter")
            .says("a.up");
    };
    said(&source.deliver().ends_with(0));
    assert!(!mark.exists());
}

/// A source with the submodule `lib`.
fn with_submodule() -> Source {
    let source = Source::new(&[DOCKERFILE]);
    let lib = source.beside("lib");
    fs::create_dir(&lib).unwrap();
    fs::write(lib.join("file"), "1").unwrap();
    repository(&lib);
    git(&source.context(), ["init", "--quiet", "--initial-branch=main"]);
    git(&source.context(), ["submodule", "--quiet", "add", lib.to_str().unwrap(), "lib"]);
    commit(&source.context());
    source
}

#[test]
fn a_change_in_a_submodule_is_a_change() {
    let source = with_submodule();
    assert!(!is_dirty(&source));
    source.write("lib/file", "2");
    assert!(is_dirty(&source));
    // Committed there, it is another commit than the one that is delivered has.
    commit(&source.context().join("lib"));
    assert!(is_dirty(&source));
    commit(&source.context());
    assert!(!is_dirty(&source));
}

#[test]
fn a_submodule_without_its_repository_ends_no_delivery() {
    let source = with_submodule();
    fs::remove_dir_all(source.context().join(".git/modules")).unwrap();
    // Nothing says that its files are the commit's.
    assert!(is_dirty(&source));
    source.deliver().ends_with(0).says("changes that are in no commit (lib)");
    fs::remove_file(source.context().join("lib/file")).unwrap();
    assert!(!is_dirty(&source));
    source.deliver().flag("--environment", "prod").ends_with(0);
}

#[test]
fn a_tree_that_can_not_be_compared_is_marked_and_delivered() {
    let source = source(&[]);
    fs::write(source.context().join(".git/index"), "not an index").unwrap();
    source.deliver().ends_with(0).says("not known whether the build context is as in the commit");
    assert_eq!(source.record()["source"]["dirty"], true);
}
