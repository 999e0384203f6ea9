//! What leads out leads nowhere, with `openat2(2)` and without.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

use super::steps::Wanted;
use super::*;

const LIMIT: u64 = 100;

/// A folder with a root in it, and what is beside that.
fn tree() -> (TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["root/a/b", "outside"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    for name in ["root/file", "root/a/file", "root/a/b/file", "outside/file"] {
        fs::write(at(name), name).unwrap();
    }
    let root = Root::open(at("root")).unwrap();
    (folder, root)
}

/// What both ways of opening come to; they come to the same.
fn read(root: &Root, path: &str) -> Result<Option<Vec<u8>>, Error> {
    let by_the_kernel = root.read(Path::new(path), Links::Inside, LIMIT);
    let by_steps = file::content(root.step_by_step(Path::new(path), Links::Inside, Wanted::File), LIMIT);
    assert_eq!(format!("{by_the_kernel:?}"), format!("{by_steps:?}"), "{path}");
    by_the_kernel
}

fn text(root: &Root, path: &str) -> String {
    String::from_utf8(read(root, path).unwrap().unwrap_or_else(|| panic!("{path} is not there"))).unwrap()
}

#[test]
fn a_link_that_stays_inside_is_followed() {
    let (folder, root) = tree();
    let inside = |name: &str| root.path().join(name);
    for (target, expected) in [
        ("file", "root/file"),
        ("./a/../a/file", "root/a/file"),
        ("a/b/../file", "root/a/file"),
        ("../root/a/file", "root/a/file"),
        ("a/../../root/a/../file", "root/file"),
        (inside("a/file").to_str().unwrap(), "root/a/file"),
        (inside("../root/a/file").to_str().unwrap(), "root/a/file"),
    ] {
        let link = inside("link");
        symlink(target, &link).unwrap();
        assert_eq!(text(&root, "link"), expected, "{target}");
        fs::remove_file(link).unwrap();
    }
    symlink("../..", inside("a/b/up")).unwrap();
    symlink("a/b/up/a", inside("chain")).unwrap();
    symlink("chain", inside("chain2")).unwrap();
    symlink(root.path(), folder.path().join("another-name")).unwrap();
    symlink(folder.path().join("another-name/a"), inside("by-another-name")).unwrap();
    for path in ["a/b/up/file", "chain2/../file", "a/./b/../../file"] {
        assert_eq!(text(&root, path), "root/file", "{path}");
    }
    assert_eq!(text(&root, "chain2/b/file"), "root/a/b/file");
    assert_eq!(text(&root, "by-another-name/file"), "root/a/file");
    let names = names_in(std::os::fd::AsFd::as_fd(
        &root.inside(Path::new("chain2"), Links::Inside).unwrap().folder(Path::new("")).unwrap(),
    ));
    assert_eq!(names.unwrap(), ["b", "file"]);
}

#[test]
fn nothing_leads_out() {
    let (folder, root) = tree();
    let outside = folder.path().join("outside/file");
    for target in [
        "../outside/file",
        "a/../../outside/file",
        outside.to_str().unwrap(),
        root.path().join("../outside/file").to_str().unwrap(),
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
        "/dev/stdin",
        "/dev/fd/0",
        "/etc/passwd",
    ] {
        let link = root.path().join("link");
        symlink(target, &link).unwrap();
        symlink("../link", root.path().join("a/chain")).unwrap();
        for path in ["link", "a/chain"] {
            match read(&root, path) {
                Err(Error::LeadsOut { link, target: told }) => {
                    assert_eq!((&*link, &*told), (Path::new("link"), Path::new(target)));
                }
                other => panic!("{path} to {target}: {other:?}"),
            }
        }
        assert!(matches!(root.read(Path::new("link"), Links::Refused, LIMIT), Err(Error::Kind(Kind::Link))), "{target}");
        fs::remove_file(link).unwrap();
        fs::remove_file(root.path().join("a/chain")).unwrap();
    }
    assert!(matches!(read(&root, "../outside/file"), Err(Error::LeadsOut { .. })));
    assert!(matches!(read(&root, "a/../../outside/file"), Err(Error::LeadsOut { .. })));
}

#[test]
fn a_folder_that_leads_out_is_no_root() {
    let (folder, root) = tree();
    for target in ["/proc/self", "../outside", "..", folder.path().to_str().unwrap(), "/"] {
        let link = root.path().join("link");
        symlink(target, &link).unwrap();
        assert!(matches!(root.inside(Path::new("link"), Links::Inside), Err(Error::LeadsOut { .. })), "{target}");
        let by_steps = root.step_by_step(Path::new("link"), Links::Inside, Wanted::Folder);
        assert!(matches!(by_steps, Err(Error::LeadsOut { .. })), "{target}");
        fs::remove_file(link).unwrap();
    }
}

#[test]
fn a_link_by_an_absolute_path_is_another_file_to_whoever_has_the_content_alone() {
    let (_folder, root) = tree();
    symlink(root.path().join("file"), root.path().join("absolute")).unwrap();
    symlink("a/file", root.path().join("relative")).unwrap();
    let relative = |path: &str| root.read(Path::new(path), Links::Relative, LIMIT);
    assert!(matches!(relative("absolute"), Err(Error::LeadsOut { .. })));
    assert_eq!(relative("relative").unwrap().unwrap(), b"root/a/file");
}

#[test]
fn what_the_kernel_has_is_no_file_even_in_a_root_around_it() {
    let (folder, _) = tree();
    let root = Root::open("/").unwrap();
    for path in ["proc/self/environ", "proc/version"] {
        assert!(matches!(read(&root, path), Err(Error::Kind(Kind::Kernel))), "{path}");
    }
    assert!(matches!(
        root.inside(Path::new("proc/self"), Links::Inside),
        Err(Error::Kind(Kind::Kernel) | Error::LeadsOut { .. })
    ));
    // Nor does a link lead to another file system.
    let up = "../".repeat(folder.path().components().count());
    symlink(format!("{up}proc/version"), folder.path().join("link")).unwrap();
    let link = folder.path().canonicalize().unwrap().join("link");
    assert!(matches!(read(&root, link.strip_prefix("/").unwrap().to_str().unwrap()), Err(Error::LeadsOut { .. })));
}

#[test]
fn what_is_no_regular_file_is_refused_at_once_by_its_kind() {
    let (_folder, root) = tree();
    rustix::fs::mknodat(CWD, root.path().join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let _socket = UnixListener::bind(root.path().join("socket")).unwrap();
    for (name, kind) in [("pipe", Kind::Pipe), ("socket", Kind::Socket), ("a", Kind::Folder), (".", Kind::Folder)] {
        symlink(name, root.path().join("link")).unwrap();
        for path in [name, "link"] {
            assert!(
                matches!(read(&root, path), Err(Error::Kind(found)) if found == kind),
                "{path} to {name}: {:?}",
                read(&root, path)
            );
        }
        assert!(matches!(root.read(Path::new(name), Links::Refused, LIMIT), Err(Error::Kind(found)) if found == kind), "{name}");
        fs::remove_file(root.path().join("link")).unwrap();
    }
    assert!(matches!(super::read(&root.path().join("pipe"), LIMIT), Err(Error::Kind(Kind::Pipe))));
}

#[test]
fn a_file_that_is_larger_than_its_limit_is_not_read() {
    let (_folder, root) = tree();
    let file = fs::File::create(root.path().join("holes")).unwrap();
    file.set_len(10 << 30).unwrap();
    assert!(matches!(read(&root, "holes"), Err(Error::Size { limit: LIMIT })));
    for (length, fits) in [(LIMIT, true), (LIMIT + 1, false)] {
        file.set_len(length).unwrap();
        assert_eq!(read(&root, "holes").is_ok(), fits, "{length}");
    }
}

#[test]
fn nothing_is_there_where_nothing_is() {
    let (_folder, root) = tree();
    symlink("absent", root.path().join("dangling")).unwrap();
    for path in ["absent", "absent/file", "file/x", "dangling", &"x".repeat(300)] {
        assert!(matches!(read(&root, path), Ok(None)), "{path}");
    }
}

#[test]
fn loops_end() {
    let (_folder, root) = tree();
    symlink("loop", root.path().join("loop")).unwrap();
    symlink("./two/x", root.path().join("one")).unwrap();
    symlink("one", root.path().join("two")).unwrap();
    for path in ["loop", "one", "two/file"] {
        assert!(matches!(read(&root, path), Err(Error::Io(_))), "{path}");
    }
}
