//! What the system shows of processes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use super::run;

/// Whether a process runs that has this among its arguments.
#[must_use]
pub fn running(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("cmdline"));
    processes.into_iter().any(|path| fs::read(path).is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker)))
}

/// Waits until something is so.
///
/// # Panics
/// Where it does not come to be within a minute.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed().as_secs() < 60, "{what}");
        std::thread::yield_now();
    }
}

/// Sends a signal.
pub fn signal(process: u32, signal: &str) {
    run(Command::new("kill").args([format!("-{signal}"), process.to_string()]));
}

/// A process and all that descends from it, itself first.
#[must_use]
pub fn family(process: u32) -> Vec<u32> {
    let mut found = vec![process];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(children(parent));
        next += 1;
    }
    found
}

/// The children of a process.
#[must_use]
pub fn children(process: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.filter(|candidate| parent(*candidate) == Some(process)).collect()
}

fn parent(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// The arguments of a process.
#[must_use]
pub fn arguments(process: u32) -> Vec<String> {
    let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).split('\0').map(str::to_owned).collect()
}

/// All that another process can read of this one without looking into its memory: arguments, environment, the names of what it
/// has open and mapped, and what the files among these hold. Each with its place.
#[must_use]
pub fn open_to_others(process: u32) -> Vec<(String, Vec<u8>)> {
    let place = |name: &str| PathBuf::from(format!("/proc/{process}/{name}"));
    let texts = ["cmdline", "environ", "maps", "status"].map(|name| (name.to_owned(), fs::read(place(name)).unwrap_or_default()));
    let mut found = Vec::from(texts);
    for folder in ["fd", "map_files"] {
        for entry in fs::read_dir(place(folder)).into_iter().flatten().flatten() {
            let name = format!("{folder}/{}", entry.file_name().display());
            let target = fs::read_link(entry.path()).unwrap_or_default();
            found.push((name.clone(), target.into_os_string().into_encoded_bytes()));
            // Programs, and layers of images, are larger.
            let small = |file: &fs::Metadata| file.is_file() && file.len() < 1 << 20;
            if fs::metadata(entry.path()).is_ok_and(|file| small(&file)) {
                found.push((name, fs::read(entry.path()).unwrap_or_default()));
            }
        }
    }
    found.into_iter().map(|(name, content)| (format!("/proc/{process}/{name}"), content)).collect()
}
