//! However many platforms an image has, no more scanners run at once than the machine has room for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{Source, tool};

const PLATFORMS: &str = "linux/amd64,linux/arm64,linux/arm/v7,linux/386,linux/ppc64le,linux/s390x,linux/riscv64,linux/mips64le";

/// How many processes have a program of this folder as their own.
fn running(folder: &Path) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.starts_with(folder.as_os_str().as_encoded_bytes())).count()
}

#[test]
fn an_image_of_many_platforms_is_scanned_by_as_many_scanners_at_once_as_there_is_room_for() {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "1")]);
    let bin = source.beside("bin");
    fs::create_dir_all(&bin).unwrap();
    for scanner in ["gitleaks", "trivy", "syft"] {
        symlink(tool(scanner), bin.join(scanner)).unwrap();
    }
    let delivery = source.deliver().flag("--platforms", PLATFORMS).path(&format!("{}:/usr/bin:/bin", bin.display()));
    let mut child = delivery.spawn();
    let mut most = 0;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => most = most.max(running(&bin)),
        }
    };
    assert!(status.success(), "{}", source.summary());
    assert_eq!(source.record()["image"]["platforms"].as_array().unwrap().len(), 8);
    let room = std::thread::available_parallelism().unwrap().get().max(3);
    assert!((1..=room).contains(&most), "{most} at once, and there is room for {room}");
}
